# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until an Ollama server answers, is the expected one and generates; meant for ExecStartPost=.

Usage: ready.py URL SECONDS --program PATH [--at-least VERSION] [--version VERSION] [--generate]

Environment: MAINPID, set by systemd: when that process is gone the wait ends at once. Exit: 0 when the server is ready;
1 when it will not be, at once where waiting would not help; 2 for wrong use.

A server answers before it has found its runner and its card. So one of its models has to generate a token: the smallest
that can, or one of the next two. Without a model the runner has to be where the server looks for it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from typing import Any

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
TRIED_MODELS = 3
RIVAL = "/etc/systemd/system"
DEFAULT_PORT = 11434


class Hopeless(Exception):
    """The server will not be what it is for; str() says why. Waiting would not help."""


def ask(url: str, body: dict[str, Any] | None = None, timeout: float = 5) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - stands in the unit
    # A proxy of the environment has no part in reaching this host itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
        return dict(json.loads(answer.read()))


def number(version: str) -> tuple[int, ...]:
    """A version before its release, such as 0.35.0-rc1, counts as older than the release."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-.+)?", version)
    return (*map(int, found.group(1, 2, 3)), 0 if found.group(4) else 1) if found else ()


def check_version(found: str, wanted: argparse.Namespace) -> None:
    if wanted.version and number(found) != number(wanted.version):
        raise Hopeless(f"the server says it is {found}, and {wanted.version} was installed")
    if wanted.at_least and number(found) < number(wanted.at_least):
        raise Hopeless(
            f"the server is {found or 'of no version'}, and before {wanted.at_least} it has known holes; "
            "use a newer one, or name the holes in ollama_accept_vulnerabilities"
        )


def check_rival(url: str) -> None:
    """A server of the system on the same port would be there first after the next boot."""
    unit = f"{RIVAL}/ollama.service"
    enabled = [f"{RIVAL}/{target}.target.wants/ollama.service" for target in ("default", "multi-user")]
    if not url.endswith(f":{DEFAULT_PORT}") or not any(os.path.lexists(path) for path in enabled):
        return
    texts = [unit]
    if os.path.isdir(f"{unit}.d"):
        texts += [f"{unit}.d/{name}" for name in os.listdir(f"{unit}.d")]
    if not any("OLLAMA_HOST" in text_of(path) for path in texts):
        raise Hopeless(
            f"the system's own ollama.service is enabled and would take port {DEFAULT_PORT} at the next boot; an "
            "administrator ends it with: systemctl disable --now ollama.service; or set ollama_port"
        )


def text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""


def check_runner(program: str) -> None:
    """The runner is looked for beside the program, wherever links lead to it, and nowhere else."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(program))), "lib", "ollama")
    if not os.path.exists(os.path.join(folder, "llama-server")):
        raise Hopeless(f"{folder} has no llama-server, without which it lists models and answers nothing")


def generate(url: str, deadline: float) -> str:
    """Let one of the smallest models say a token, and name it; empty where there is no model that could."""
    models = ask(f"{url}/api/tags").get("models") or []
    failures = []
    for model in sorted(models, key=lambda each: each.get("size") or 0):
        if len(failures) == TRIED_MODELS:
            break
        if "completion" not in (ask(f"{url}/api/show", {"model": model["name"]}).get("capabilities") or []):
            continue
        failure = failed(url, str(model["name"]), deadline)
        if not failure:
            return str(model["name"])
        failures.append(f"{model['name']}: {failure}")
    if failures:
        raise Hopeless(f"it answers and does not generate: {'; '.join(failures)}")
    return ""


def failed(url: str, name: str, deadline: float) -> str:
    """Why a model does not generate; empty when it does."""
    body = {"model": name, "prompt": "Hello", "stream": False, "keep_alive": 0, "options": {"num_predict": 1}}
    try:
        answer = ask(f"{url}/api/generate", body, max(5.0, deadline - time.monotonic()))
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.read(300).decode('utf-8', 'replace').strip()}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return "" if answer.get("done") else f"an answer without an end: {str(answer)[:80]}"


def gone(pid: str) -> bool:
    """Tell whether the process has ended; a zombie has."""
    stat = text_of(f"/proc/{pid}/stat")
    return not stat or stat.rpartition(")")[2].split()[0] == "Z"


def wait(url: str, deadline: float) -> str:
    """Wait for the first answer; return the version it tells."""
    pid, pause = os.environ.get("MAINPID", ""), FIRST_PAUSE_SECONDS
    while True:
        try:
            return str(ask(f"{url}/api/version").get("version", ""))
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
        if pid and gone(pid):
            raise Hopeless("the server ended; its own lines say why")
        if time.monotonic() >= deadline:
            raise Hopeless(f"no answer: {reason}")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ready.py")
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--program", required=True)
    parser.add_argument("--at-least", default="")
    parser.add_argument("--version", default="")
    parser.add_argument("--generate", action="store_true")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    url, start = wanted.url.rstrip("/"), time.monotonic()
    try:
        check_rival(url)
        check_version(wait(url, start + wanted.seconds), wanted)
        if wanted.generate:
            check_runner(wanted.program)
        said = generate(url, start + wanted.seconds) if wanted.generate else ""
    except (Hopeless, OSError, ValueError) as error:
        sys.stderr.write(f"ready.py: {url} is not ready after {time.monotonic() - start:.0f} s: {error}.\n")
        return 1
    words = f"and {said} generates" if said else "and nothing was asked to generate"
    sys.stdout.write(f"ready.py: {url} answers {words}, after {time.monotonic() - start:.1f} s.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
