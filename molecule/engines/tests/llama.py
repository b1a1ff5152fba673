# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""llama.cpp's servers as the tests of this scenario see them, without the gateway in between."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from observed import Stack

PORTS = {"tiny": 8080, "twin": 8081, "plain": 8000}
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
GREETING = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {"type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}, "required": ["zone"]},
    },
}
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]


def release(tag: str) -> dict[str, object]:
    """The variables with which a deployment installs another release of the mirror."""
    locks = json.loads((EPHEMERAL / "releases.json").read_text(encoding="utf-8"))
    return {"llm_stack_release_lock": {"llamacpp": locks[tag]}}


def has_python_server() -> bool:
    """Whether a wheel of the Python server was there to bring along."""
    return bool((EPHEMERAL / "python-wheel").read_text(encoding="utf-8").strip())


def ask(stack: Stack, model: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Ask a server itself and return its answer."""
    curl = f"curl --silent --show-error --fail --max-time 60 http://127.0.0.1:{PORTS[model]}{path}"
    if body is None:
        return json.loads(stack.output(curl))
    return json.loads(stack.output(f"{curl} --header 'Content-Type: application/json' --data %s", json.dumps(body)))


def status(stack: Stack, model: str, path: str) -> str:
    """Return the status of an answer."""
    wanted = "--output /dev/null --write-out '%{http_code}'"
    return stack.output(f"curl --silent {wanted} http://127.0.0.1:{PORTS[model]}{path}")


def said(stack: Stack, model: str) -> str:
    """Return what a model says to a greeting, through the gateway."""
    return str(stack.chat({"model": model, "messages": GREETING})["choices"][0]["message"]["content"])


def program(stack: Stack, model: str) -> str:
    """Return the program that serves a model, below the home of the account."""
    pid = stack.show(unit(model))["MainPID"]
    return stack.output(f"readlink --canonicalize /proc/{pid}/exe").removeprefix(stack.home(""))


def command(stack: Stack, model: str) -> str:
    """Return what the service of a model was started as, below the home of the account."""
    pid = stack.show(unit(model))["MainPID"]
    return stack.output(f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()[0].removeprefix(stack.home(""))


def environment(stack: Stack, model: str) -> dict[str, str]:
    """Return the environment of the process that serves a model."""
    pid = stack.show(unit(model))["MainPID"]
    lines = stack.output(f"tr '\\0' '\\n' </proc/{pid}/environ").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def unit(model: str) -> str:
    return f"llamacpp-{model}.service"


def starts(stack: Stack, model: str) -> int:
    """Count how often the service of a model has started since the boot."""
    lines = stack.output(f"journalctl --user --quiet --boot --output=cat --unit={unit(model)}").splitlines()
    return sum(line.startswith(f"Started {unit(model)}") for line in lines)
