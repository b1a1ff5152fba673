# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Tell LiteLLM whose key a request carries: the operators', which opens everything, or that of one app.

LiteLLM asks ``user_api_key_auth`` for every request (general_settings.custom_auth). The table is apps.json beside this
file; it names the variable of each app's key and holds no secret. What LiteLLM itself enforces with the answer: the
models, and requests and tokens per minute. Which addresses an app may use is decided here, because LiteLLM 1.106.2
shows /health and /model/info to every key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import HTTPException, Request
from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth

MASTER_KEY = "LITELLM_MASTER_KEY"
# What an app may ask. Everything else of the gateway is for operators.
POST = frozenset({"/chat/completions", "/completions", "/embeddings", "/messages", "/responses"})
GET = frozenset({"/models"})


# No dataclass: LiteLLM loads this file without putting it into sys.modules, where dataclasses look for annotations.
class App(NamedTuple):
    """An application: the variable with its key, the names it may ask for, and its limits per minute."""

    name: str
    key: str
    models: tuple[str, ...]
    aliases: Mapping[str, str] = {}
    rpm: int | None = None
    tpm: int | None = None


def read_apps(path: Path) -> tuple[App, ...]:
    """Read the table."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return tuple(App(name, **{**each, "models": tuple(each["models"])}) for name, each in sorted(table.items()))


def owner(key: str, apps: tuple[App, ...], environment: Mapping[str, str]) -> App | str | None:
    """Return the app of a key, MASTER_KEY for the operators' one, and nothing for one that nobody has.

    Every key is compared, each in constant time, so that an answer's time tells nothing about a key.
    """
    found: App | str | None = None
    for candidate, variable in [(MASTER_KEY, MASTER_KEY), *((app, app.key) for app in apps)]:
        value = environment.get(variable, "")
        if hmac.compare_digest(_digest(key), _digest(value)) and value:
            found = candidate
    return found


def allowed(method: str, path: str) -> bool:
    """Whether an app may use an address."""
    path = path.removeprefix("/v1").rstrip("/")
    return path in (GET if method in ("GET", "HEAD") else POST if method == "POST" else ())


def read_table(path: Path, environment: Mapping[str, str]) -> tuple[App, ...]:
    """Read the apps; a gateway that could not know one of them does not start."""
    apps = read_apps(path)
    missing = sorted(app.key for app in apps if not environment.get(app.key))
    if missing:
        names = ", ".join(missing)
        raise RuntimeError(f"app_auth.py: {path.name} needs {names} in the environment, and it is not set.")
    return apps


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


APPS = read_table(Path(__file__).with_name("apps.json"), os.environ)


async def user_api_key_auth(request: Request, api_key: str | None) -> UserAPIKeyAuth:
    """Answer LiteLLM: who asks, and what that one may do; or refuse."""
    who = owner(api_key or "", APPS, os.environ)
    if who is None:
        raise HTTPException(401, "The request carries no key of this gateway.")
    if not isinstance(who, App):
        return UserAPIKeyAuth(api_key="operators", key_alias="operators", user_role=LitellmUserRoles.PROXY_ADMIN)
    # What LiteLLM makes of a WebSocket has no method.
    method, path = request.scope.get("method", "a WebSocket to"), request.url.path
    if not allowed(method, path):
        raise HTTPException(403, f"{method} {path} is not for apps; it needs the operators' key.")
    return _identity(who)


def _identity(app: App) -> UserAPIKeyAuth:
    """What LiteLLM holds the app to. It counts by api_key and quotes that in answers: a name, and not the key."""
    settings: dict[str, Any] = {"aliases": dict(app.aliases), "rpm_limit": app.rpm, "tpm_limit": app.tpm}
    return UserAPIKeyAuth(api_key=f"app {app.name}", key_alias=app.name, models=list(app.models), **settings)
