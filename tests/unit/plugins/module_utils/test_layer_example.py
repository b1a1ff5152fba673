# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two LiteLLM files as people have them, taken as they are: the example of docs/layers.md, and what it promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils import _gateway
from ansible_collections.lab.llm_stack.plugins.module_utils._explain import as_data, as_text, tell
from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import layer_files
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import leaves
from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Merged
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import explained, plan, read
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.plugin_utils._layer_file import read as read_file

FIXTURES = Path(__file__).parents[3] / "fixtures"
PLANS = sorted((FIXTURES / "plans").glob("*.yml"))
HOSTS = {"gw": {"groups": ["litellm", "llamacpp"]}}
FILES = FIXTURES / "layers"

LAB = {"name": "lab", "file": "litellm-unified.yaml"}
CHARM = {"name": "charm", "file": "litellm_config.yaml", "app": "charm-assistant"}
APPS = {"charm-assistant": {"deadline": 6}}


def declaration(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"layers": list(layers), "hosts": HOSTS, **more}
    return {**found, "layer_files": {name: read_file(name, str(FILES)) for name in layer_files(found)}}


def config(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = plan(declaration(*layers, **more))["hosts"]["gw"]["litellm"]["config"]
    return found


def entries(found: dict[str, Any]) -> dict[str, Any]:
    return {entry["model_name"]: entry for entry in found["model_list"]}


def test_one_file_becomes_the_gateway_without_a_change() -> None:
    written = yaml.safe_load((FILES / "litellm-unified.yaml").read_text(encoding="utf-8"))
    found = config(LAB)
    assert found["litellm_settings"] == {**written["litellm_settings"], "disable_hf_tokenizer_download": True}
    assert found["general_settings"] == {**written["general_settings"], "cancel_on_disconnect": True}
    for section in ("model_list", "router_settings"):
        assert {repr((leaf.path, leaf.value)) for leaf in leaves({section: found[section]})} == {
            repr((leaf.path, leaf.value)) for leaf in leaves({section: written[section]})
        }


def test_the_file_of_an_app_gets_names_of_its_own_and_changes_nobody_elses() -> None:
    alone, together = config(LAB), config(LAB, CHARM, apps=APPS)
    assert entries(together)["charm-assistant/qwen-coder-7b"]["litellm_params"] == {
        "model": "openai/Qwen/Qwen2.5-Coder-7B-Instruct-AWQ",
        "api_base": "http://localhost:8001/v1",
        "api_key": "none",
        "num_retries": 0,
        "timeout": 5,
    }
    together["model_list"] = [entry for entry in together["model_list"] if "/" not in entry["model_name"]]
    for section in ("model_list", "router_settings"):
        assert together[section] == alone[section]
    assert alone["litellm_settings"].items() <= together["litellm_settings"].items()


def test_the_plan_promises_the_names_of_both_files() -> None:
    found = plan(declaration(LAB, CHARM, apps=APPS))
    assert found["hosts"]["gw"]["litellm"]["models"] == [
        "charm-assistant/qwen-coder-7b",
        "code",
        "dolphin-uncensored-vllm",
        "llama3.1",
        "qwen-coder",
        "qwen-coder-7b",
    ]
    assert found["summary"]["latency"] == {
        "charm-assistant": {
            "qwen-coder-7b": {
                "seconds": 5,
                "terms": [{"name": "charm-assistant/qwen-coder-7b", "tries": 1, "timeout": 5, "waits": 0}],
            }
        }
    }


def test_without_an_app_the_two_files_contradict_each_other() -> None:
    with pytest.raises(StackError, match=r"litellm_config\.yaml:10\n.*\n.*app: NAME"):
        config(LAB, {key: value for key, value in CHARM.items() if key != "app"})


def test_what_an_apps_file_says_of_its_whole_gateway_holds_for_its_models_only() -> None:
    own = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": "http://127.0.0.1:9/v1"}}
            for name in ("small", "large")
        ],
        "router_settings": {
            "timeout": 7,
            "num_retries": 1,
            "fallbacks": [{"large": ["small"]}, {"chat": ["small"]}],
            "model_group_alias": {"chat": "large", "quiet": {"model": "small", "hidden": True}},
        },
        "litellm_settings": {"num_retries": 9},
        "general_settings": {},
    }
    for entry in own["model_list"]:  # type: ignore[attr-defined]
        entry["litellm_params"]["api_key"] = "none"
    own["model_list"][0]["litellm_params"]["timeout"] = 2  # type: ignore[index]
    found = config(LAB, {"name": "editor", "app": "editor", "config": own}, apps={"editor": {}})
    limits = ("timeout", "num_retries")
    assert {
        name: tuple(entries(found)[name]["litellm_params"][key] for key in limits)
        for name in ("editor/small", "editor/large")
    } == {"editor/small": (2, 1), "editor/large": (7, 1)}
    router = found["router_settings"]
    assert {"editor/large": ["editor/small"]} in router["fallbacks"]
    assert {"editor/chat": ["editor/small"]} in router["fallbacks"]
    assert router["model_group_alias"] == {
        "code": "qwen-coder-7b",
        "editor/chat": "editor/large",
        "editor/quiet": {"model": "editor/small", "hidden": True},
    }
    assert (router["timeout"], router["num_retries"]) == (120, 2)
    served = plan(declaration(LAB, {"name": "editor", "app": "editor", "config": own}, apps={"editor": {}}))
    assert "editor/quiet" not in served["hosts"]["gw"]["litellm"]["models"]


def test_the_limits_of_a_declared_app_reach_the_models_of_its_file() -> None:
    own = {key: value for key, value in CHARM.items() if key != "file"}
    params = {"model": "openai/coder", "api_base": "http://127.0.0.1:9/v1", "api_key": "none"}
    own["config"] = {"model_list": [{"model_name": "coder", "litellm_params": params}]}  # type: ignore[assignment]
    found = config(own, apps={"charm-assistant": {"timeout": 5, "retries": 0}})
    limits = {"timeout": 5, "stream_timeout": 5, "num_retries": 0}
    assert entries(found)["charm-assistant/coder"]["litellm_params"] == {**params, **limits}


def test_a_layer_of_an_app_may_leave_out_what_its_file_says_of_the_whole_gateway() -> None:
    found = config({**CHARM, "remove": ["litellm_settings"]}, apps=APPS)
    assert "drop_params" not in found["litellm_settings"]


def test_a_layer_adds_to_a_declared_model_without_knowing_its_address() -> None:
    layer = {"name": "x", "config": {"model_list": [{"model_name": "tiny", "litellm_params": {"timeout": 9}}]}}
    (entry,) = config(layer, models={"tiny": {"source": "tiny.gguf"}})["model_list"]
    assert entry["litellm_params"]["timeout"] == 9
    assert entry["litellm_params"]["api_base"] == "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize("case", PLANS, ids=[file.stem for file in PLANS])
def test_what_the_plan_derives_is_told_whole_and_changes_nothing(case: Path) -> None:
    written = yaml.safe_load(case.read_text(encoding="utf-8"))["declaration"]
    found = explained(written)
    declared, routing = read(written)
    assert found.config == _gateway.config(declared, routing)
    assert all(each.definition.source.place for each in tell(found))
    names = {"models", "aliases", "apps", "gateway"}
    places = {each.definition.source.place for each in tell(found)} - {
        "a default of this collection",
        "the role litellm, which makes it on the host",
    }
    for place in places:
        variable = re.split(r"[.,]", place.removeprefix("llm_stack_"))[0]
        assert variable in names
        assert variable in written


# Explained


def merged() -> Merged:
    night = {
        "name": "night",
        "overrides": True,
        "config": {"router_settings": {"timeout": 600}},
        "remove": ["router_settings.fallbacks[dolphin-uncensored-vllm]"],
    }
    gateway = {"router_settings": {"num_retries": 2}}
    return explained(declaration(LAB, CHARM, night, apps=APPS, gateway=gateway))


ORIGINS = {"llm_stack_gateway": "group_vars/all/stack.yml:3", "llm_stack_layers[2]": "group_vars/all/stack.yml:9"}


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        pytest.param(
            "router_settings.timeout",
            [
                "router_settings.timeout  600  night  "
                "llm_stack_layers[2].config.router_settings.timeout (group_vars/all/stack.yml:9)",
                "    overrode             120  lab    litellm-unified.yaml:35",
                "1 value. Layers, from the bottom: defaults, unified, lab, charm, night.",
            ],
            id="what it overrode",
        ),
        pytest.param(
            "router_settings.num_retries",
            [
                "router_settings.num_retries  2  unified  "
                "llm_stack_gateway.router_settings.num_retries (group_vars/all/stack.yml:3)",
                "    agreed                   2  lab      litellm-unified.yaml:34",
                "1 value. Layers, from the bottom: defaults, unified, lab, charm, night.",
            ],
            id="who says the same",
        ),
        pytest.param(
            "router_settings.fallbacks",
            [
                "router_settings.fallbacks[qwen-coder-7b]            ['qwen-coder', 'llama3.1']  lab"
                "    litellm-unified.yaml:40",
                "router_settings.fallbacks[dolphin-uncensored-vllm]  (removed)                   night"
                "  llm_stack_layers[2].remove[0]",
                "    was                                             ['llama3.1']                lab"
                "    litellm-unified.yaml:39",
                "2 values. Layers, from the bottom: defaults, unified, lab, charm, night.",
            ],
            id="everything below a key, and what was removed",
        ),
        pytest.param(
            "router_settings.cooldown_time",
            [
                "router_settings.cooldown_time: no layer sets it, so LiteLLM's own default holds.",
                "Layers, from the bottom: defaults, unified, lab, charm, night.",
            ],
            id="a setting that nobody sets",
        ),
    ],
)
def test_a_value_is_explained(key: str, lines: list[str]) -> None:
    assert as_text(merged(), key, ORIGINS).splitlines() == lines


def test_a_key_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        StackError, match=r"KEY: 'router_settings.timeuot' is set by no layer.\n.*'router_settings.time"
    ):
        tell(merged(), "router_settings.timeuot")


def test_data_says_the_same_as_text() -> None:
    assert as_data(merged(), "router_settings.timeout", ORIGINS) == [
        {
            "key": "router_settings.timeout",
            "value": 600,
            "layer": "night",
            "place": "llm_stack_layers[2].config.router_settings.timeout",
            "file": "group_vars/all/stack.yml:9",
            "agreed": [],
            "overrode": [{"value": 120, "layer": "lab", "place": "litellm-unified.yaml:35", "file": ""}],
            "removed_by": "",
        }
    ]
    (removed,) = (each for each in as_data(merged(), "router_settings.fallbacks", {}) if each["removed_by"])
    assert (removed["value"], removed["removed_by"]) == (None, "night, llm_stack_layers[2].remove[0]")
    assert json.dumps(as_data(merged(), "", ORIGINS))


# Read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [1", "stops being YAML at line 1, column", id="broken"),
        pytest.param("a: &x {b: *x}", "holds more than plain data: Circular reference detected.", id="holds itself"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "layer.yaml").write_text(text, encoding="utf-8")
    found = read_file("layer.yaml", str(tmp_path))
    assert problem in found["problem"]
    assert found["remedy"]


def test_a_file_that_is_not_there_is_told_with_the_place_that_was_looked_at(tmp_path: Path) -> None:
    found = read_file("gone.yaml", str(tmp_path))
    assert found["problem"] == "cannot be read: No such file or directory."
    assert str(tmp_path / "gone.yaml") in found["remedy"]


def test_a_file_is_read_with_its_lines_as_plain_data(tmp_path: Path) -> None:
    (tmp_path / "layer.yaml").write_text("a:\n  b: 2026-01-02\n  c: 1\n  c: 2\n", encoding="utf-8")
    assert read_file("layer.yaml", str(tmp_path)) == {
        "config": {"a": {"b": "2026-01-02", "c": 2}},
        "lines": {"a": 1, "a.b": 2, "a.c": 3},
        "duplicates": [{"path": "a.c", "lines": [3, 4]}],
    }


# The document


def test_the_document_shows_what_explain_prints(root: Path) -> None:
    document = (root / "docs/layers.md").read_text(encoding="utf-8")
    shown = re.findall(r"\$ make explain KEY='?([^\s']+)'?[^\n]*\n\n((?:    .*\n)+)", document)
    assert len(shown) >= 2
    for key, block in shown:
        lines = [line[4:] for line in block.splitlines()]
        assert lines == as_text(merged(), key, {}).splitlines()


def test_the_document_shows_the_conflict_that_is_refused(root: Path) -> None:
    with pytest.raises(StackError) as refusal:
        config(LAB, {key: value for key, value in CHARM.items() if key != "app"})
    block = str(refusal.value).split("\n\n", 1)[1].split("\nllm_stack_layers")[1]
    indented = "".join(f"    {line}\n" for line in f"llm_stack_layers{block}".splitlines())
    assert indented in (root / "docs/layers.md").read_text(encoding="utf-8")
