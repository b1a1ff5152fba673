# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""app_auth.py: whose key it is, and which addresses are for apps. That LiteLLM holds an app to the answer is shown
by the tests with LiteLLM itself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

TABLE = {
    "editor": {"key": "KEY_EDITOR", "models": ["editor/a"], "aliases": {"a": "editor/a"}, "rpm": 100, "tpm": 50000},
    "mail": {"key": "KEY_MAIL", "models": ["mail/a", "mail/b"]},
}
ENVIRONMENT = {"LITELLM_MASTER_KEY": "sk-master-canary", "KEY_EDITOR": "sk-editor-canary", "KEY_MAIL": "sk-mail-canary"}


class Refused(Exception):
    """In the place of fastapi's HTTPException."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@pytest.fixture
def auth(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file beside its table, with stand-ins for what only the gateway's environment has."""
    fastapi, types = ModuleType("fastapi"), ModuleType("litellm.proxy._types")
    fastapi.HTTPException, fastapi.Request = Refused, object  # type: ignore[attr-defined]
    types.UserAPIKeyAuth = SimpleNamespace  # type: ignore[attr-defined]
    types.LitellmUserRoles = SimpleNamespace(PROXY_ADMIN="admin")  # type: ignore[attr-defined]
    for name, module in (("fastapi", fastapi), ("litellm", ModuleType("litellm")), (types.__name__, types)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "litellm.proxy", ModuleType("litellm.proxy"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "apps.json").write_text(json.dumps(TABLE))
    monkeypatch.setattr(Path, "with_name", lambda _path, name: tmp_path / name)
    return load("litellm/files/app_auth.py")


def ask(auth: ModuleType, key: str | None, method: str = "POST", path: str = "/v1/chat/completions") -> Any:
    request = SimpleNamespace(scope={"method": method} if method else {}, url=SimpleNamespace(path=path))
    return asyncio.run(auth.user_api_key_auth(request, key))


def test_an_app_is_told_by_its_key(auth: ModuleType) -> None:
    assert vars(ask(auth, "sk-editor-canary")) == {
        "api_key": "app editor",
        "key_alias": "editor",
        "models": ["editor/a"],
        "aliases": {"a": "editor/a"},
        "rpm_limit": 100,
        "tpm_limit": 50000,
    }


def test_an_app_without_limits_has_none(auth: ModuleType) -> None:
    found = ask(auth, "sk-mail-canary")
    assert (found.models, found.aliases, found.rpm_limit, found.tpm_limit) == (["mail/a", "mail/b"], {}, None, None)


def test_the_operators_key_opens_everything(auth: ModuleType) -> None:
    for path in ("/v1/chat/completions", "/model/info", "/key/generate"):
        found = ask(auth, "sk-master-canary", path=path)
        assert (found.user_role, hasattr(found, "models")) == ("admin", False)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="an empty one"),
        pytest.param("sk-editor-canar", id="a part of one"),
        pytest.param("SK-EDITOR-CANARY", id="other letters"),
        pytest.param("editor", id="the name of an app"),
        pytest.param("sk-\udcff", id="bytes that are no text"),
    ],
)
def test_a_key_that_nobody_has_is_refused_in_words_that_show_none(auth: ModuleType, key: str | None) -> None:
    with pytest.raises(Refused) as refused:
        ask(auth, key)
    assert (refused.value.status, str(refused.value)) == (401, "The request carries no key of this gateway.")


def test_a_variable_without_a_value_is_no_key(auth: ModuleType) -> None:
    assert auth.owner("", auth.APPS, {}) is None


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("POST", "/v1/chat/completions", True, id="a chat"),
        pytest.param("POST", "/chat/completions", True, id="a chat without the version"),
        pytest.param("POST", "/v1/completions", True, id="a completion"),
        pytest.param("POST", "/v1/embeddings", True, id="embeddings"),
        pytest.param("POST", "/v1/responses", True, id="the responses API"),
        pytest.param("POST", "/v1/messages", True, id="the messages API"),
        pytest.param("GET", "/v1/models", True, id="its names"),
        pytest.param("GET", "/v1/models/", True, id="its names, with a slash"),
        pytest.param("GET", "/v1/models/a", False, id="one name, which LiteLLM tells of every model"),
        pytest.param("GET", "/model/info", False, id="addresses of engines"),
        pytest.param("GET", "/v1/model/info", False, id="addresses of engines, with the version"),
        pytest.param("GET", "/health", False, id="health, which asks every engine"),
        pytest.param("POST", "/key/generate", False, id="keys"),
        pytest.param("POST", "/config/update", False, id="configuration"),
        pytest.param("POST", "/engines/a/chat/completions", False, id="a model in the path"),
        pytest.param("POST", "/openai/deployments/a/chat/completions", False, id="a deployment in the path"),
        pytest.param("DELETE", "/v1/chat/completions", False, id="another method"),
        pytest.param("POST", "/v1/models", False, id="a change of the names"),
        pytest.param("GET", "/", False, id="the root"),
        pytest.param("POST", "/v1/v1/chat/completions", False, id="a version too many"),
        pytest.param("POST", "//chat/completions", False, id="an empty part"),
    ],
)
def test_which_addresses_are_for_apps(auth: ModuleType, method: str, path: str, expected: bool) -> None:
    assert auth.allowed(method, path) is expected


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        pytest.param("GET", "/model/info", "GET /model/info", id="an address of operators"),
        pytest.param("", "/v1/responses", "a WebSocket to /v1/responses", id="a WebSocket, which no model check sees"),
    ],
)
def test_what_is_not_for_apps_is_named(auth: ModuleType, method: str, path: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(auth, "sk-editor-canary", method, path)
    assert refused.value.status == 403
    assert str(refused.value) == f"{said} is not for apps; it needs the operators' key."


def test_a_gateway_that_does_not_know_an_apps_key_does_not_start(auth: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as refused:
        auth.read_table(tmp_path / "apps.json", {"KEY_EDITOR": "sk-editor-canary"})
    said = "app_auth.py: apps.json needs KEY_MAIL in the environment, and it is not set."
    assert str(refused.value) == said
