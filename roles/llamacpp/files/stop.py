# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Stop a llama-server: let what it answers just now finish, then end it; meant for ExecStop=.

Usage: stop.py URL SECONDS               for example: stop.py http://127.0.0.1:8080 10

On SIGTERM llama-server waits for its clients without a limit, and none of them gets another byte (measured with 0.7.0).
So it is sent when no request runs any more, or when so many seconds are over; where it is not enough, SIGHUP follows.
That one llama-server leaves to the kernel, and systemd calls it a clean end; by a second SIGTERM it ends with status 1.

Environment: MAINPID, set by systemd; LLAMA_API_KEY, when the server wants a key. Exit: 0, also where nothing runs.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request

PAUSE_SECONDS = 0.1
# Answers of one length end together, and for a moment nothing runs although others wait to be read.
QUIET_LOOKS = 3
END_SECONDS = 2.0


def fetch(url: str) -> str:
    key = os.environ.get("LLAMA_API_KEY", "").split(",")[0]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address stands in the unit
    # A proxy of the environment has no part in reaching this host itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def busy(base: str) -> bool:
    """Ask whether a request runs or waits; a server that tells neither way is taken for idle."""
    try:
        waiting = re.findall(
            r"^llamacpp:requests_(?:processing|deferred) (\d+)", fetch(f"{base}/metrics"), re.MULTILINE
        )
        return any(map(int, waiting))
    except urllib.error.HTTPError:  # metrics are off
        try:
            return any(slot.get("is_processing") for slot in json.loads(fetch(f"{base}/slots")))
        except (OSError, ValueError, AttributeError):
            return False
    except (OSError, http.client.HTTPException) as error:
        # One that takes the connection and has no time for an answer has too much to do.
        return not isinstance(getattr(error, "reason", error), ConnectionRefusedError)


def gone(pid: int) -> bool:
    """Tell whether the process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def end(pid: int, by: signal.Signals) -> bool:
    """Send a signal and tell whether the process ended within the seconds that an idle one needs."""
    try:
        os.kill(pid, by)
    except ProcessLookupError:
        return True
    limit = time.monotonic() + END_SECONDS
    while not gone(pid) and time.monotonic() < limit:
        time.sleep(PAUSE_SECONDS)
    return gone(pid)


def main() -> int:
    base, seconds, pid = sys.argv[1].rstrip("/"), float(sys.argv[2]), int(os.environ.get("MAINPID") or 0)
    start, quiet = time.monotonic(), 0
    while pid and not gone(pid) and quiet < QUIET_LOOKS and time.monotonic() < start + seconds:
        quiet = 0 if busy(base) else quiet + 1
        time.sleep(PAUSE_SECONDS)
    if pid and not end(pid, signal.SIGTERM):
        sys.stdout.write(f"stop.py: requests still ran after {time.monotonic() - start:.0f} s, and are cut off.\n")
        end(pid, signal.SIGHUP)
    return 0


if __name__ == "__main__":
    sys.exit(main())
