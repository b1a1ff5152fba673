# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The same job as plain.yml for pyinfra, from the same description (BENCH_JOB, a JSON file)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pyinfra import host
from pyinfra.api import DeployError
from pyinfra.facts.files import File, Link
from pyinfra.facts.server import Command
from pyinfra.operations import files, systemd

JOB = json.loads(Path(os.environ["BENCH_JOB"]).read_text(encoding="utf-8"))

for file in JOB["files"]:
    files.template(name=file["path"], src=file["source"], dest=file["path"], mode=file["mode"])

for path in JOB["installed"]:
    if not (host.get_fact(File, path=path) or host.get_fact(Link, path=path)):
        raise DeployError(f"{path} is not installed.")

for path in JOB["environments"]:
    if "incompatib" in str(host.get_fact(Command, f"uv pip check --offline --python {path} 2>&1")):
        raise DeployError(f"{path} is not whole.")

for unit in JOB["units"]:
    systemd.service(name=unit, service=unit, running=True, enabled=True, user_mode=True)

table = host.get_fact(Command, "cat /proc/net/tcp")
for listen in JOB["listens"]:
    if f":{listen['port']:04X} 00000000:0000 0A" not in table:
        raise DeployError(f"Nobody listens on port {listen['port']}.")
