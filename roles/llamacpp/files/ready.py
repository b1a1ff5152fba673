# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until a llama.cpp server answers and serves the expected model; meant for ExecStartPost=.

Usage: ready.py URL ALIAS SECONDS        for example: ready.py http://127.0.0.1:8080 tiny 300

Environment: MAINPID, set by systemd: when that process is gone the wait ends at once. LLAMA_API_KEY, when the server
wants a key. Exit: 0 when /health answers 200 and /v1/models lists ALIAS; 1 when that did not happen; 2 for wrong use.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0


def get(url: str) -> str:
    key = os.environ.get("LLAMA_API_KEY", "").split(",")[0]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address stands in the unit
    # A proxy of the environment has no part in reaching this host itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def lacking(base: str, alias: str) -> str:
    """Say what is still missing, or nothing when the server is ready."""
    step = "/health"
    try:
        get(base + step)
        step = "/v1/models"
        models = json.loads(get(base + step))["data"]
        listed = sorted({str(name) for model in models for name in [model["id"], *model.get("aliases", [])]})
    except urllib.error.HTTPError as error:
        return f"{step} answers {error.code}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{step} does not answer: {getattr(error, 'reason', error)}"
    # A server that lost its model setting is healthy and lists nothing.
    return "" if alias in listed else f"/v1/models lists {', '.join(listed) or 'no model'}, not {alias}"


def gone(pid: str) -> bool:
    """Tell whether the process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def main() -> int:
    try:
        base, alias, seconds = sys.argv[1].rstrip("/"), sys.argv[2], float(sys.argv[3])
    except (IndexError, ValueError):
        sys.stderr.write("ready.py: three arguments are needed: URL ALIAS SECONDS.\n")
        return 2
    pid, start, pause = os.environ.get("MAINPID", ""), time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        lack, waited = lacking(base, alias), time.monotonic() - start
        if not lack:
            sys.stdout.write(f"ready.py: {base} serves {alias}, after {waited:.1f} s.\n")
            return 0
        if pid and gone(pid):
            sys.stderr.write(f"ready.py: the server ended after {waited:.1f} s ({lack}); its own lines say why.\n")
            return 1
        if waited >= seconds:
            sys.stderr.write(f"ready.py: {base} is not ready after {waited:.0f} s: {lack}.\n")
            return 1
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
