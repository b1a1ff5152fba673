# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What stands against the instances of a host as the role llamacpp is given them: by the plan, or by hand.

llama-server ignores a variable that it does not know, wraps a port that is none, and without a model starts as a router
that is healthy and empty. So what it is told has to agree with what the rest of the stack believes of it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp, _llamacpp_python
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest

Instance = Mapping[str, Any]

# Each starts a router, or fetches a model that nobody looked at.
_OTHER_MODELS = ("DOCKER_REPO", "HF_FILE", "HF_REPO", "MODELS_DIR", "MODELS_PRESET", "MODEL_URL")


def check(instances: Sequence[Instance]) -> Iterator[Problem]:
    """Yield every reason why a host could not serve these."""
    names: dict[str, str] = {}
    ports: dict[int, str] = {}
    for index, each in enumerate(instances):
        path = f"llamacpp_instances[{index}]"
        yield from _check_name(each, path, names)
        yield from _check_address(each, path, ports)
        yield from _check_source(each, path)
        yield from _check_contract(each, path)
        yield from _check_settings(each, path)


def _check_name(each: Instance, path: str, names: dict[str, str]) -> Iterator[Problem]:
    name = str(each["name"])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        remedy = "Use letters, digits and . _ - only, and begin with a letter or a digit."
        yield Problem(f"{path}.name", name, "cannot be part of the name of a unit.", remedy)
    elif names.setdefault(name.lower(), path) != path:
        yield Problem(f"{path}.name", name, f"is also the name of {names[name.lower()]}.", "Choose another.")


def _check_address(each: Instance, path: str, ports: dict[int, str]) -> Iterator[Problem]:
    bind, port = str(each["bind"]), each["port"]
    if not isinstance(port, int) or not 1024 <= port <= 65535:
        wrong = "is not a port that an account may open; llama-server would listen on another one, and not say so."
        yield Problem(f"{path}.port", port, wrong, "Write a number from 1024 to 65535.")
    elif ports.setdefault(port, path) != path:
        yield Problem(f"{path}.port", port, f"is already the port of {ports[port]}.", "Choose another.")
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        yield Problem(f"{path}.bind", bind, "is not an IP address.", "Write one such as 127.0.0.1.")
        return
    if address.is_unspecified:
        wrong = "stands for every address, and would open the model to every network."
        yield Problem(f"{path}.bind", bind, wrong, "Write the one address that other hosts reach this host by.")
    elif not address.is_loopback and not each.get("needs_key"):
        wrong = "is reached from other hosts, and the server asks for no key."
        yield Problem(f"{path}.bind", bind, wrong, "Write needs_key: true and set llamacpp_api_key, or bind 127.0.0.1.")


def _check_source(each: Instance, path: str) -> Iterator[Problem]:
    source = each["source"]
    options = {"sha256": source["sha256"]} if source.get("sha256") else {}
    for problem in _llamacpp.check_source(str(source["path"]), options, path):
        below = problem.path.replace(".llamacpp.sha256", ".source.sha256").replace(f"{path}.source", "source")
        where = {"source": "source.path"}.get(below, below.replace(f"{path}.", ""))
        yield Problem(f"{path}.{where}", problem.found, problem.wrong, problem.remedy)


def _check_contract(each: Instance, path: str) -> Iterator[Problem]:
    if each.get("tools") and each.get("server") == "python":
        wrong = "cannot be kept by llama.cpp's Python server: it returns a model's calls as text."
        yield Problem(f"{path}.tools", True, wrong, "Write server: native, or tools: false.")
    for index, code in enumerate(each.get("accept") or ()):
        if code not in CODES:
            wrong = "is no finding of the preflight."
            yield Problem(f"{path}.accept[{index}]", code, wrong, nearest(str(code), CODES))


# -- settings -------------------------------------------------------------------------------------------------------


def _check_settings(each: Instance, path: str) -> Iterator[Problem]:
    python = each.get("server") == "python"
    prefix, known = (_llamacpp_python.PREFIX, _llamacpp_python.VARIABLES) if python else ("LLAMA_ARG_", _native())
    for name, value in each["settings"].items():
        below = f"{path}.settings.{name}"
        yield from _check_variable(name, value, below, prefix, known)
    yield from _check_agreement(each, path, prefix, python)


def _native() -> frozenset[str]:
    return _llamacpp.VARIABLES


def _check_variable(name: str, value: object, path: str, prefix: str, known: frozenset[str]) -> Iterator[Problem]:
    setting = name[len(prefix) :]
    if name in ("LLAMA_API_KEY", f"{prefix}API_KEY", f"{prefix}API_KEY_FILE"):
        yield Problem(path, NOTHING, "does not belong here.", "Write needs_key: true and set llamacpp_api_key.")
    elif name not in known:
        yield Problem(path, NOTHING, "is not known to this server, which would ignore it.", nearest(name, known))
    elif setting == "MODEL":
        yield Problem(path, NOTHING, "is derived from the source.", "Remove it.")
    elif setting in _OTHER_MODELS:
        wrong = "makes the server look for models elsewhere: without one it is a router, healthy and empty."
        yield Problem(path, NOTHING, wrong, "Remove it, and name the file in source.")
    elif not isinstance(value, str) or not value.isprintable():
        yield Problem(path, value, "is not text on one line.", "Write the value in quotes.")


def _check_agreement(each: Instance, path: str, prefix: str, python: bool) -> Iterator[Problem]:
    """Yield a problem for each setting that is not what the rest of the stack believes of the instance."""
    alias, context = ("MODEL_ALIAS", "N_CTX") if python else ("ALIAS", "CTX_SIZE")
    slots = 1 if python else each.get("parallel") or 1
    expected = {"HOST": each["bind"], "PORT": each["port"], alias: each["name"]}
    if each.get("context"):
        expected[context] = each["context"] * slots
    if slots > 1:
        expected["N_PARALLEL"] = slots
    for name, wanted in expected.items():
        found = each["settings"].get(f"{prefix}{name}")
        if str(found) != str(wanted):
            told = NOTHING if found is None else found
            wrong = f"{'is missing' if found is None else 'contradicts the instance'}: it has to be {wanted}."
            hint = f", which is {each['context']} tokens for each of {slots} requests" if name == "CTX_SIZE" else ""
            yield Problem(f"{path}.settings.{prefix}{name}", told, wrong, f"Write '{wanted}'{hint}.")
