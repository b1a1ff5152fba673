# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the gateways of a host need: files, units and keys; with apps, and with gateways beside the main one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _litellm_apps
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_service import litellm_service
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

ETC = "~/.config/llm-stack"
ENGINE = {"model": "openai/a", "api_base": "http://127.0.0.1:8080/v1"}
CONFIG = {
    "model_list": [{"model_name": "a", "litellm_params": {**ENGINE, "api_key": "os.environ/ENGINE_KEY"}}],
    "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
}
WITH_AUTH = {**CONFIG, **_litellm_apps.AUTH}
LOCK = f"litellm==1.0 --hash=sha256:{0:064x}\n"
EDITOR = {"models": ["editor/a", "editor/b"], "aliases": {"a": "editor/a"}, "rpm": 100, "default_model": "editor/b"}


def service(config: Any = CONFIG, **more: Any) -> dict[str, Any]:
    settings = {
        "home": "~",
        "host": "127.0.0.1",
        "port": 4000,
        "lock": LOCK,
        "python": "/usr/bin/python3",
        "ready_timeout": 180,
        "drain_timeout": 600,
        "secrets": {"ENGINE_KEY": "key"},
        **more,
    }
    found: dict[str, Any] = litellm_service(config, **settings)["declaration"]
    return found


def file(found: dict[str, Any], path: str) -> dict[str, Any]:
    (entry,) = (each for each in found["files"] if each["path"] == f"{ETC}/{path}")
    return dict(entry)


def paths(found: dict[str, Any]) -> list[str]:
    return [each["path"].removeprefix(f"{ETC}/") for each in found["files"]]


def test_without_apps_there_is_a_gateway_and_nothing_about_keys_of_others() -> None:
    found = service()
    assert paths(found) == ["litellm/%i/config.yaml", "litellm/%i/gateway.py", "litellm/secrets.env"]
    assert [unit["name"] for unit in found["units"]] == ["litellm.socket", "litellm@.service"]
    assert file(found, "litellm/secrets.env")["generate"] == {"LITELLM_MASTER_KEY": "sk-"}
    assert found["units"][1]["watch"] == ["LITELLM_"]


def test_the_master_key_of_the_user_is_not_made_again() -> None:
    secrets = file(service(secrets={}, check=False, master_key="sk-0123456789"), "litellm/secrets.env")
    assert (secrets["generate"], secrets["vars"]["secrets"]) == ({}, {"LITELLM_MASTER_KEY": "sk-0123456789"})


def test_an_app_gets_a_key_a_row_in_the_table_and_a_file_to_connect_by() -> None:
    found = service(WITH_AUTH, apps={"editor": EDITOR})
    assert paths(found)[3:] == ["litellm/%i/app_auth.py", "litellm/%i/apps.json", "apps/editor.env"]
    secrets = file(found, "litellm/secrets.env")
    assert secrets["generate"] == {"LITELLM_MASTER_KEY": "sk-", "LLM_STACK_APP_KEY_EDITOR": "sk-"}
    assert json.loads(file(found, "litellm/%i/apps.json")["content"]) == {
        "editor": {
            "key": "LLM_STACK_APP_KEY_EDITOR",
            "models": ["editor/a", "editor/b"],
            "aliases": {"a": "editor/a"},
            "rpm": 100,
        }
    }
    connection = file(found, "apps/editor.env")
    assert (connection["secret"], connection["mode"]) == (True, "0600")
    assert connection["vars"]["variables"] == {
        "OPENAI_API_KEY": "@secret:LLM_STACK_APP_KEY_EDITOR@",
        "OPENAI_BASE_URL": "http://127.0.0.1:4000/v1",
        "OPENAI_MODEL": "editor/b",
    }


def test_the_gateway_starts_anew_when_its_table_or_its_guard_changes() -> None:
    inputs = service(WITH_AUTH, apps={"editor": EDITOR})["units"][1]["inputs"]
    assert {f"{ETC}/litellm/%i/app_auth.py", f"{ETC}/litellm/%i/apps.json"} <= set(inputs)
    assert f"{ETC}/apps/editor.env" not in inputs


def test_an_app_without_a_default_takes_its_first_model() -> None:
    found = service(WITH_AUTH, apps={"mail": {"models": ["mail/a", "mail/b"]}})
    assert file(found, "apps/mail.env")["vars"]["variables"]["OPENAI_MODEL"] == "mail/a"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    found = service(WITH_AUTH, host="2001:db8::7", apps={"mail": {"models": ["mail/a"]}})
    assert file(found, "apps/mail.env")["vars"]["variables"]["OPENAI_BASE_URL"] == "http://[2001:db8::7]:4000/v1"


BESIDE = {
    "name": "litellm-editor",
    "config": {
        **WITH_AUTH,
        "model_list": [{"model_name": "editor/a", "litellm_params": {**ENGINE, "api_key": "none"}}],
    },
    "host": "127.0.0.1",
    "port": 4001,
    "apps": {"editor": EDITOR},
}


def test_a_gateway_beside_has_units_files_and_keys_of_its_own() -> None:
    found = service(secrets={"ENGINE_KEY": "abc-canary"}, instances=[BESIDE])
    assert paths(found)[3:] == [
        "litellm-editor/%i/config.yaml",
        "litellm-editor/%i/gateway.py",
        "litellm-editor/secrets.env",
        "litellm-editor/%i/app_auth.py",
        "litellm-editor/%i/apps.json",
        "apps/editor.env",
    ]
    main, _service, socket, unit = found["units"]
    assert (main["listens"], socket["listens"]) == (["127.0.0.1:4000"], ["127.0.0.1:4001"])
    assert (socket["name"], unit["name"]) == ("litellm-editor.socket", "litellm-editor@.service")
    assert unit["vars"]["unit"]["secret_file"] == "%h/.config/llm-stack/litellm-editor/secrets.env"
    assert unit["vars"]["unit"]["argv"][1:] == [
        "%h/.config/llm-stack/litellm-editor/%i/gateway.py",
        "%h/.config/llm-stack/litellm-editor/%i/config.yaml",
    ]
    assert file(found, "apps/editor.env")["vars"]["variables"]["OPENAI_BASE_URL"] == "http://127.0.0.1:4001/v1"


def test_each_gateway_knows_only_the_keys_that_it_needs() -> None:
    found = service(secrets={"ENGINE_KEY": "abc-canary"}, instances=[BESIDE])
    beside, main = file(found, "litellm-editor/secrets.env"), file(found, "litellm/secrets.env")
    assert main["generate"] == {"LITELLM_MASTER_KEY": "sk-"}
    assert main["vars"]["secrets"] == {"ENGINE_KEY": "abc-canary"}
    assert beside["generate"] == {"LLM_STACK_APP_KEY_EDITOR": "sk-"}
    assert beside["vars"]["secrets"] == {"LITELLM_MASTER_KEY": "@secret:LITELLM_MASTER_KEY@"}


def test_operators_have_one_key_for_all_gateways() -> None:
    found = service(master_key="sk-0123456789", instances=[BESIDE])
    for path in ("litellm/secrets.env", "litellm-editor/secrets.env"):
        assert file(found, path)["vars"]["secrets"]["LITELLM_MASTER_KEY"] == "sk-0123456789"


WITHOUT = (
    "is missing, so the keys of apps would open nothing, or more than their models.\n"
    "    Write custom_auth_run_common_checks: true."
)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        pytest.param(
            {"config": {}},
            "litellm_config.model_list: is missing or empty, so the gateway would serve nothing.\n"
            "    Declare at least one deployment.",
            id="nothing to serve",
        ),
        pytest.param(
            {"instances": [{**BESIDE, "config": WITH_AUTH | {"model_list": []}}]},
            "litellm_instances.litellm-editor.config.model_list: is missing or empty, so the gateway would serve "
            "nothing.\n    Declare at least one deployment.",
            id="nothing to serve beside",
        ),
        pytest.param(
            {"master_key": "abc"},
            "litellm_master_key: is none that LiteLLM accepts.\n    Write sk- and at least 8 further characters, or "
            "leave it empty and one is generated on the host.",
            id="a key that LiteLLM refuses",
        ),
        pytest.param(
            {"master_key": "sk-schlüssel-0123"},
            "litellm_master_key: is none that LiteLLM accepts.\n    Write sk- and at least 8 further characters, or "
            "leave it empty and one is generated on the host.",
            id="a key that no header carries",
        ),
        pytest.param(
            {
                "config": {**WITH_AUTH, "general_settings": {"custom_auth": "app_auth.user_api_key_auth"}},
                "apps": {"editor": EDITOR},
            },
            f"litellm_config.general_settings.custom_auth_run_common_checks: {WITHOUT}",
            id="one of the switches, with which LiteLLM lets every model through",
        ),
        pytest.param(
            {"config": WITH_AUTH, "apps": {"editor": {"modles": ["a"]}}},
            "litellm_apps.editor.modles: is not a known key.\n    Did you mean 'models'?\n"
            "litellm_apps.editor.models: is missing or empty.\n    Name what its key may ask for.",
            id="a typo in an app",
        ),
        pytest.param(
            {"config": WITH_AUTH, "apps": {"my-app": EDITOR, "my.app": EDITOR}},
            "litellm_apps.my.app: would have its key in LLM_STACK_APP_KEY_MY_APP, like my-app.\n"
            "    Rename one of the two apps.",
            id="two apps with one variable",
        ),
    ],
)
def test_what_would_not_work_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(StackError) as refused:
        service(**settings)
    assert str(refused.value).split("\n\n", 1)[1] == reason


def test_what_litellm_would_drop_is_refused_before_a_host_is_asked() -> None:
    lost = {"model_name": "lost", "litellm_params": {**ENGINE, "model": "nosuch/lost"}}
    with pytest.raises(StackError) as refused:
        service({**CONFIG, "model_list": [*CONFIG["model_list"], lost]})
    assert [problem.path for problem in refused.value.problems] == [
        "litellm_config.model_list[1].litellm_params.model",
    ]


def test_the_check_can_be_left_to_litellm_itself() -> None:
    lost = {"model_name": "lost", "litellm_params": {"model": "nosuch/lost"}}
    assert service({"model_list": [lost]}, check=False)["units"] != []
