# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until a llama.cpp server serves the expected model and generates a token; meant for ExecStartPost=.

Usage: ready.py URL ALIAS SECONDS        for example: ready.py http://127.0.0.1:8080 tiny 300

Environment: MAINPID, set by systemd: when that process is gone the wait ends at once. LLAMA_API_KEY, when the server
wants a key; LLAMA_ARG_EMBEDDINGS or LLAMA_ARG_RERANKING, with which a server generates nothing and is not asked to.
Exit: 0 when it is ready; 1 when it will not be, at once where the server has ended or cannot generate; 2 for wrong use.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0


class Hopeless(Exception):
    """The server is up and does not do what it is for; str() says how. Waiting would not help."""


def get(url: str, body: dict[str, object] | None = None, timeout: float = 5) -> str:
    key = os.environ.get("LLAMA_API_KEY", "").split(",")[0]
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the address stands in the unit
    # A proxy of the environment has no part in reaching this host itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def healthy(base: str) -> None:
    """Raise what /health raises; llama.cpp's Python server has none, and listens only when it has its model."""
    try:
        get(f"{base}/health")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise


def lacking(base: str, alias: str, seconds: float) -> str:
    """Say what is still missing, or nothing when the server is ready; a token may take so many seconds."""
    step = "/health"
    try:
        healthy(base)
        step = "/v1/models"
        # Some servers say null where they have nothing.
        models = json.loads(get(base + step))["data"] or []
        listed = sorted({str(name) for model in models for name in [model["id"], *model.get("aliases", [])]})
        # A server that lost its model setting is healthy and lists nothing.
        if alias not in listed:
            return f"/v1/models lists {', '.join(listed) or 'no model'}, not {alias}"
        step = "/v1/completions"
        if generates():
            generate(f"{base}{step}", alias, seconds)
    except urllib.error.HTTPError as error:
        if step == "/v1/completions" and error.code != 503:
            raise Hopeless(f"{alias} is loaded but does not generate: {step} answers {error.code}") from None
        return f"{step} answers {error.code}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{step} does not answer: {getattr(error, 'reason', error)}"
    return ""


def generates() -> bool:
    """Tell whether the server is one that generates text."""
    modes = ("LLAMA_ARG_EMBEDDINGS", "LLAMA_ARG_RERANKING")
    return not any(os.environ.get(name, "0") in {"1", "on", "true", "enabled"} for name in modes)


def generate(url: str, alias: str, seconds: float) -> None:
    """Ask for one token: a build that loads a model is not yet one that computes with it."""
    body = {"model": alias, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    answer = get(url, body, max(5.0, seconds))
    try:
        if json.loads(answer)["choices"]:
            return
    except (ValueError, KeyError, TypeError):
        pass
    raise Hopeless(f"{alias} is loaded but does not generate: /v1/completions answers {answer[:80]!r}")


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
        try:
            lack = lacking(base, alias, seconds - (time.monotonic() - start))
        except Hopeless as error:
            sys.stderr.write(f"ready.py: {error}; its own lines may say why.\n")
            return 1
        waited = time.monotonic() - start
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
