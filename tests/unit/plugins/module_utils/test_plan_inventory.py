# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of an inventory to a declaration."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain

MODELS = {"tiny": {"source": "tiny.gguf"}}
GROUPS = {"all": ["gw", "gpu", "web"], "litellm": ["gw"], "llamacpp": ["gpu"], "others": ["web"]}


def hostvars(**own: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {"llm_stack_models": MODELS, **own.get(name, {})} for name in ("gw", "gpu")}


def test_the_declaration_of_an_inventory() -> None:
    found = declaration(
        {"llm_stack_models": MODELS, "llm_stack_address": "192.0.2.1", "other": 1},
        GROUPS,
        hostvars(gpu={"llm_stack_address": "192.0.2.7", "llm_stack_instance_key": "canary"}),
    )
    assert found == {
        "models": MODELS,
        "hosts": {
            "gpu": {"groups": ["llamacpp"], "has_instance_key": True, "address": "192.0.2.7"},
            "gw": {"groups": ["litellm"], "has_instance_key": False},
            "web": {"groups": [], "has_instance_key": False},
        },
        "conflicts": {},
    }


def test_a_key_never_enters_the_declaration() -> None:
    found = declaration(
        {"llm_stack_instance_key": "canary"}, GROUPS, hostvars(gpu={"llm_stack_instance_key": "canary"})
    )
    assert "canary" not in json.dumps(found)


def test_a_misspelt_variable_is_passed_on_to_be_refused() -> None:
    assert "modles" in declaration({"llm_stack_modles": MODELS}, GROUPS, hostvars())


def test_what_differs_between_hosts_is_named_with_two_of_them() -> None:
    found = declaration({}, GROUPS, hostvars(gw={"llm_stack_models": {}}))
    assert found["conflicts"] == {"models": ["gpu", "gw"]}


def test_hosts_outside_the_groups_of_engines_are_not_read() -> None:
    assert "web" not in hostvars()
    assert declaration({}, GROUPS, hostvars())["hosts"]["web"] == {"groups": [], "has_instance_key": False}


def test_only_built_in_types_are_left() -> None:
    class Tagged(str):
        """Stands for Ansible's text with an origin."""

        __slots__ = ()

    found = plain({Tagged("a"): (Tagged("b"), True, 1, 1.5, None)})
    assert found == {"a": ["b", True, 1, 1.5, None]}
    assert {type(each) for each in (*found, found["a"][0])} == {str}


def test_secrets_are_known_by_name_alone_and_an_empty_one_is_none() -> None:
    secrets = {"llm_stack_secrets": {"OPENAI": "abc-canary", "EMPTY": "", "NONE": None}}
    hosts = {"gw": {**secrets}, "other": {"llm_stack_secrets": "abc-canary"}, "plain": {}}
    groups = {"all": list(hosts), "litellm": list(hosts)}
    found = declaration({"llm_stack_secrets": secrets["llm_stack_secrets"]}, groups, hosts)
    assert found["hosts"]["gw"]["secrets"] == ["OPENAI"]
    assert "secrets" not in found["hosts"]["other"]
    assert "secrets" not in found
    assert "canary" not in str(found)
