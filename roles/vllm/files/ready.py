# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until a vLLM server answers and serves the expected model from the expected folder; for ExecStartPost=.

Usage: ready.py URL NAME FOLDER SECONDS [RECORD]     for example: ready.py http://127.0.0.1:8001 tiny /srv/tiny 900

RECORD is what the preflight noted of this instance. Where earlier starts of it were measured to be slow, it has a
start_timeout of more than SECONDS, and that is waited for, but never longer than three times SECONDS.

Environment: MAINPID, set by systemd: when that process is gone the wait ends at once. VLLM_API_KEY, when the server
wants a key. Exit: 0 when /health answers 200 and /v1/models lists NAME with FOLDER as its root; 1 when that did not
happen; 2 for wrong use.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 1.0
PATIENCE = 3


def get(url: str) -> str:
    key = os.environ.get("VLLM_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address stands in the unit
    # A proxy of the environment has no part in reaching this host itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def lacking(base: str, name: str, folder: str) -> str:
    """Say what is still missing, or nothing when the server is ready."""
    step = "/health"
    try:
        get(base + step)
        step = "/v1/models"
        served = {str(model["id"]): str(model.get("root")) for model in json.loads(get(base + step))["data"]}
    except urllib.error.HTTPError as error:
        return f"{step} answers {error.code}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{step} does not answer: {getattr(error, 'reason', error)}"
    if name not in served:
        return f"/v1/models lists {', '.join(sorted(served)) or 'no model'}, not {name}"
    # The name is what we told the server to say; the root is what it has loaded.
    if os.path.realpath(served[name]) != os.path.realpath(folder):
        return f"/v1/models says that {name} is {served[name]}, not {folder}"
    return ""


def gone(pid: str) -> bool:
    """Tell whether the process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def limit(seconds: float, record: str) -> float:
    """Give how long to wait: more than asked for only where starts of this instance were measured to be slow."""
    try:
        with open(record, encoding="utf-8") as text:
            measured = float(json.load(text)["start_timeout"])
    except (OSError, ValueError, KeyError, TypeError):
        return seconds
    return min(max(seconds, measured), PATIENCE * seconds)


def main() -> int:
    try:
        base, name, folder, seconds = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3], float(sys.argv[4])
    except (IndexError, ValueError):
        sys.stderr.write("ready.py: four arguments are needed: URL NAME FOLDER SECONDS; RECORD may follow.\n")
        return 2
    seconds = limit(seconds, sys.argv[5]) if len(sys.argv) > 5 else seconds
    pid, start, pause = os.environ.get("MAINPID", ""), time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        lack, waited = lacking(base, name, folder), time.monotonic() - start
        if not lack:
            sys.stdout.write(f"ready.py: {base} serves {name}, after {waited:.1f} s.\n")
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
