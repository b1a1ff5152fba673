#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Have the accounts of this machine that stand for further hosts, each with a user manager and an address; as root.

Fifty containers would not fit beside each other on a small machine; fifty accounts do. What a check does there is the
same: it comes by ssh, starts a Python of its own and asks a user manager of its own.
"""

from __future__ import annotations

import pwd
import subprocess
from pathlib import Path

FLEET = 50
"""How many engine hosts there can be; number 0 is the gateway's."""
WIDE = "wide"
"""The account that has more models than the first one."""
ADDRESSES = "10.77.0.{}"


def member(number: int) -> str:
    return f"fleet-{number:02}"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def have(name: str) -> None:
    """Make an account that stays logged in, as an administrator does it once."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        run("useradd", "--create-home", "--shell", "/bin/bash", name)
        run("loginctl", "enable-linger", name)


def main() -> None:
    linger = Path("/var/lib/systemd/linger")
    for name in (WIDE, *map(member, range(FLEET + 1))):
        if not (linger / name).exists():
            have(name)
    known = subprocess.run(["ip", "-o", "address"], check=True, text=True, stdout=subprocess.PIPE).stdout
    for number in range(FLEET + 1):
        address = ADDRESSES.format(number + 1)
        if f" {address}/" not in known:
            run("ip", "address", "add", f"{address}/32", "dev", "lo")


if __name__ == "__main__":
    main()
