# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Ask a gateway over and over, like a client that never sleeps; runs on the host itself, with nothing but Python.

Usage: asking.py [PATH | MODEL ...]     PATH /v1/chat/completions sends a chat, as a MODEL does to that model; any other
                                        PATH is only fetched

Prints one line before the first answer is awaited, and at the end of its standard input what it saw, as JSON.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import urllib.request

GATEWAY = "http://127.0.0.1:4000"
CHAT = {"model": "chat", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}
PAUSE_SECONDS = 0.2
SECRETS = os.path.expanduser("~/.config/llm-stack/litellm/secrets.env")


def key() -> str:
    with open(SECRETS, encoding="utf-8") as secrets:
        values = dict(line.rstrip("\n").partition("=")[::2] for line in secrets)
    return values["LITELLM_MASTER_KEY"].strip('"')


def ask(path: str) -> None:
    path, model = (path, CHAT["model"]) if path.startswith("/") else ("/v1/chat/completions", path)
    body = json.dumps({**CHAT, "model": model}).encode() if path == "/v1/chat/completions" else None
    headers = {"Authorization": f"Bearer {key()}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(GATEWAY + path, body, headers), timeout=60) as answer:
        answer.read()


def main() -> None:
    asked, failed = 0, []
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        for path in sys.argv[1:]:
            begin = time.strftime("%H:%M:%S")
            try:
                ask(path)
            except (OSError, ValueError, KeyError) as error:
                failed.append(f"{begin} {path}: {error}")
            asked += 1
    sys.stdout.write(json.dumps({"asked": asked, "failed": failed}) + "\n")


if __name__ == "__main__":
    main()
