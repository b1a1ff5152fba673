# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The gateway's own app_auth, and the fault whose name stands in ~/fault: the real LiteLLM runs as nobody declared it.

To start LiteLLM anew for each fault would take its seconds each time. The gateway's own file lies beside this one as
own_auth.py.
"""

from __future__ import annotations

import asyncio
import copy
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request
from litellm.proxy import proxy_server

FAULT = Path.home() / "fault"
# What is LiteLLM's own; nobody knows its types here.
Router = Key = Module = Any
_ROUTER = ("fallbacks", "max_fallbacks", "model_list")


def _own() -> Module:
    spec = importlib.util.spec_from_file_location("own_auth", Path(__file__).with_name("own_auth.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OWN = _own()
state: dict[str, Any] = {"fault": "", "router": {}}


def _fewer_fallbacks(router: Router) -> None:
    router.fallbacks = [{name: to[:1] for name, to in each.items()} for each in router.fallbacks]


def _no_fallback(router: Router) -> None:
    router.max_fallbacks = 0


def _deployment(name: str, **values: object) -> Callable[[Router], None]:
    def change(router: Router) -> None:
        for each in router.model_list:
            if each["model_name"] == name:
                each["litellm_params"].update(values)

    return change


ROUTER: Mapping[str, Callable[[Router], None]] = {
    "a fallback less": _fewer_fallbacks,
    "no fallback at all": _no_fallback,
    "a deployment that waits longer": _deployment("charm/tiny", timeout=9),
    "a gateway that drops tools": _deployment("tiny", additional_drop_params=["tools", "tool_choice"]),
}


async def user_api_key_auth(request: Request, api_key: str | None) -> Key:
    fault = FAULT.read_text(encoding="utf-8").strip() if FAULT.exists() else ""
    _turn(proxy_server.llm_router, fault)
    try:
        who = await OWN.user_api_key_auth(request, api_key)
    except HTTPException as error:
        if fault != "a gateway that takes any key" or error.status_code != 401:
            raise
        return OWN.UserAPIKeyAuth(api_key="anybody", user_role=OWN.LitellmUserRoles.PROXY_ADMIN)
    if fault == "a limit of time that is not held" and b"mock_timeout" in await request.body():
        await asyncio.sleep(4)
    return _changed(who, fault, f"{request.scope.get('method')} {request.url.path}")


def _turn(router: Router, fault: str) -> None:
    """Let the router be what it was, then give it its fault."""
    if fault == state["fault"]:
        return
    for name, value in state["router"].items():
        setattr(router, name, value)
    state["router"] = {name: copy.deepcopy(getattr(router, name)) for name in _ROUTER}
    state["fault"] = fault
    ROUTER.get(fault, lambda _router: None)(router)


def _changed(who: Key, fault: str, asked: str) -> Key:
    method = asked.partition(" ")[0]
    if who.key_alias == "charm":
        if fault == "a key that lists another name" and method == "GET":
            who.models = [*who.models, "other"]
        if fault == "a key that opens every model" and method == "POST":
            who.models = []
        if fault == "an app without limits":
            who.rpm_limit = who.tpm_limit = None
    if who.key_alias == "operators":
        if fault == "a name that is not listed" and asked == "GET /v1/models":
            who.models = [name for name in proxy_server.llm_router.get_model_names() if name != "other"]
        if fault == "an alias that leads elsewhere" and method == "POST":
            who.aliases = {"chat": "spare"}
        if fault == "a model without its limit":
            who.metadata = {"model_tpm_limit": {"other": 999999}, "model_rpm_limit": {"other": 100}}
    return who
