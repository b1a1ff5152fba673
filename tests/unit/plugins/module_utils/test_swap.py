# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a swap does, what is said of it, and where it is written down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import faults
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._swap import swap
from ansible_collections.lab.llm_stack.plugins.module_utils._swap_text import announcement, report
from ansible_collections.lab.llm_stack.plugins.plugin_utils._active_file import active_file


def gguf(**more: Any) -> dict[str, Any]:
    return {"source": "files/a-model.gguf", **more}


PAIR = {
    "small": gguf(),
    "coder": gguf(slot="gpu", tools=True, fallbacks=["dolphin", "small"]),
    "dolphin": gguf(slot="gpu", standby=True, fallbacks=["coder", "small"]),
}
ALONE = {
    "coder": gguf(slot="gpu", fallbacks=["dolphin"]),
    "dolphin": gguf(slot="gpu", standby=True, fallbacks=["coder"]),
}


def declared(models: dict[str, Any], **more: Any) -> dict[str, Any]:
    hosts = {"gw": {"groups": ["litellm"]}}
    engine = {"groups": ["llamacpp"], "has_instance_key": True}
    hosts |= {f"gpu-0{n}": {**engine, "address": f"192.0.2.{n}"} for n in (1, 2)}
    return {"models": models, "hosts": hosts, **more}


def test_a_swap_is_three_plans() -> None:
    found = swap(declared(PAIR), "dolphin")
    assert {key: found[key] for key in ("slot", "engine", "hosts", "gateways", "leaves", "enters", "changes")} == {
        "slot": "gpu",
        "engine": "llamacpp",
        "hosts": ["gpu-01", "gpu-02"],
        "gateways": ["gw"],
        "leaves": "coder",
        "enters": "dolphin",
        "changes": True,
    }
    assert [each["summary"]["standby"] for each in found["plans"].values()] == [
        ["dolphin"],
        ["coder", "dolphin"],
        ["coder"],
    ]
    assert found["plans"]["before"] == plan(declared(PAIR))
    assert found["plans"]["after"] == plan(declared(PAIR, active=found["active"]))


def test_other_slots_keep_whom_they_have() -> None:
    models = {**PAIR, "a": gguf(slot="cpu", fallbacks=["b"]), "b": gguf(slot="cpu", standby=True, fallbacks=["a"])}
    found = swap(declared(models, active={"cpu": "b"}), "dolphin")
    assert found["active"] == {"cpu": "b", "gpu": "dolphin"}


def test_both_are_tested_on_every_host_and_through_the_gateway() -> None:
    tests = swap(declared(PAIR), "dolphin")["tests"]
    shown = {key: [(check["host"], check["check"]) for check in checks] for key, checks in tests.items()}
    basic = ("unit_active", "port_owner", "model_identity", "chat_content")
    tools = ("tools_rendered", "tool_forced", "tool_conversation", "tool_call")
    assert shown["entering"] == [(host, kind) for host in ("gpu-01", "gpu-02") for kind in basic]
    assert shown["leaving"] == [(host, kind) for host in ("gpu-01", "gpu-02") for kind in (*basic, *tools)]
    loaded = ["gateway_alive", "gateway_models", "gateway_deployments"]
    assert [kind for _host, kind in shown["gateway"]] == [*loaded, "route", "route"]
    assert [kind for _host, kind in shown["gateway_back"]] == [*loaded, "route", "route"]
    assert [faults(checks) for checks in tests.values()] == [[], [], [], []]


@pytest.mark.parametrize(
    ("models", "to", "said"),
    [
        pytest.param(
            PAIR, "dolfin", "to: 'dolfin' is no model that shares a slot.\n    Did you mean 'dolphin'?", id="a typo"
        ),
        pytest.param(
            PAIR,
            "",
            "to: is missing.\n    Say who is to serve: -e to=coder. Known: coder, dolphin.",
            id="nobody",
        ),
        pytest.param(
            PAIR,
            "small",
            "to: 'small' has no slot in which it could take over.\n"
            "    It runs beside the others. These share a slot: coder, dolphin.",
            id="a model that shares nothing",
        ),
        pytest.param(
            {"small": gguf()},
            "small",
            "to: 'small' cannot take over from anybody.\n"
            "    No model has a slot. Write slot: gpu at the models that share a card, and let all but one stand by.",
            id="no slots at all",
        ),
    ],
)
def test_who_cannot_take_over(models: dict[str, Any], to: str, said: str) -> None:
    with pytest.raises(StackError) as caught:
        swap(declared(models), to)
    assert str(caught.value) == f"1 problem in 1 variable. Nothing was changed on any host.\n\n{said}"


def test_a_model_that_could_not_serve_either_way_is_refused_with_all_reasons() -> None:
    models = {**PAIR, "coder": gguf(slot="gpu")}
    with pytest.raises(
        StackError, match=r"llm_stack_models\.coder\.standby: true leaves nothing to answer for coder\."
    ):
        swap(declared(models), "dolphin")


# -- in words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "to", "said"),
    [
        pytest.param(
            PAIR,
            "dolphin",
            "dolphin takes the slot gpu of gpu-01 and gpu-02 over from coder. "
            "Meanwhile their fallbacks answer for both.",
            id="somebody answers",
        ),
        pytest.param(
            ALONE,
            "dolphin",
            "dolphin takes the slot gpu of gpu-01 and gpu-02 over from coder. "
            "Meanwhile requests for them fail, because nobody else answers:\n"
            "    llm_stack_models.coder.standby: leaves nothing to answer for coder.\n"
            "    llm_stack_models.dolphin.standby: leaves nothing to answer for dolphin.",
            id="nobody answers",
        ),
        pytest.param(
            PAIR,
            "coder",
            "coder is declared to hold the slot gpu of gpu-01 and gpu-02. What runs is made to fit; nobody else takes "
            "over.",
            id="it is declared already",
        ),
        pytest.param(
            {**PAIR, "coder": gguf(slot="gpu", standby=True, fallbacks=["small"])},
            "dolphin",
            "dolphin takes the slot gpu of gpu-01 and gpu-02, which nobody holds.",
            id="nobody has to make way",
        ),
    ],
)
def test_what_is_about_to_happen(models: dict[str, Any], to: str, said: str) -> None:
    assert announcement(swap(declared(models), to)) == said


CAUSE = "llamacpp-dolphin.service did not become ready.\n    Cause: The model file is cut off."
LOOP = {
    "msg": "One or more items failed",
    "results": [{"changed": False}, {"failed": True, "msg": "dolphin.gguf is cut off.\n    Fetch it again."}],
}
ENGINE = {"step": "engine", "host": "gpu-01", "answer": {"msg": CAUSE}}


@pytest.mark.parametrize(
    ("models", "told", "said"),
    [
        pytest.param(
            PAIR,
            {"outage": 1.04, "away": 46.2},
            "dolphin holds the slot gpu of gpu-01 and gpu-02 now, has shown that it works, and is written down.\n"
            "    The slot served nothing for 1.0 s; fallbacks answered for 46.2 s.\n"
            "    Back again: ansible-playbook playbooks/swap.yml -e to=coder",
            id="it worked",
        ),
        pytest.param(
            ALONE,
            {"outage": 1.04, "away": 46.2},
            "dolphin holds the slot gpu of gpu-01 and gpu-02 now, has shown that it works, and is written down.\n"
            "    The slot served nothing for 1.0 s; nobody else answered meanwhile.\n"
            "    Back again: ansible-playbook playbooks/swap.yml -e to=coder",
            id="it worked, and nobody else answered",
        ),
        pytest.param(
            PAIR,
            {"faults": [ENGINE], "outage": 3.5, "away": 30.4},
            "dolphin did not take the slot gpu. coder serves again, and has shown it.\n"
            f"gpu-01, while the one made way for the other: {CAUSE}\n"
            "The slot served nothing for 3.5 s; fallbacks answered for 30.4 s.\n"
            "Nothing was written down: coder is still declared to hold the slot gpu.",
            id="it did not start",
        ),
        pytest.param(
            PAIR,
            {"faults": [{"step": "preflight", "host": "gpu-01", "answer": {"msg": "It does not fit."}}]},
            "dolphin cannot take the slot gpu, and was refused before anything was touched.\n"
            "gpu-01, before anything was touched: It does not fit.\n"
            "Nothing that runs was changed on any host.",
            id="it was refused",
        ),
        pytest.param(
            PAIR,
            {"faults": [{"step": "preflight", "host": "gpu-01", "answer": LOOP}]},
            "dolphin cannot take the slot gpu, and was refused before anything was touched.\n"
            "gpu-01, before anything was touched: dolphin.gguf is cut off.\n"
            "    Fetch it again.\n"
            "Nothing that runs was changed on any host.",
            id="one turn of a loop refused it",
        ),
        pytest.param(
            PAIR,
            {"lost": ["gpu-02"], "outage": 1.0, "away": 2.0},
            "dolphin did not take the slot gpu, and not everything is back as it was.\n"
            "gpu-02, at some time: it does not answer any more\n"
            "The slot served nothing for 1.0 s; fallbacks answered for 2.0 s.\n"
            "Nothing was written down: coder is still declared to hold the slot gpu.",
            id="a host vanished",
        ),
        pytest.param(
            PAIR,
            {"lost": ["gpu-02"], "touched": False, "away": 2.0},
            "dolphin cannot take the slot gpu, because a host does not answer. Nothing was touched.\n"
            "gpu-02, before anything was touched: it does not answer\n"
            "Nothing that runs was changed on any host.",
            id="a host could not be reached",
        ),
        pytest.param(
            PAIR,
            {
                "faults": [{"step": "preflight", "host": "gpu-01", "answer": {"msg": "It does not fit."}}],
                "lost": ["gpu-02"],
                "touched": False,
            },
            "dolphin cannot take the slot gpu, and was refused before anything was touched.\n"
            "gpu-01, before anything was touched: It does not fit.\n"
            "gpu-02, before anything was touched: it does not answer\n"
            "Nothing that runs was changed on any host.",
            id="one host refused it, and one could not be reached",
        ),
        pytest.param(
            PAIR,
            {"faults": [ENGINE], "back": [{"step": "test", "host": "gpu-01", "answer": {}}]},
            "dolphin did not take the slot gpu, and not everything is back as it was.\n"
            f"gpu-01, while the one made way for the other: {CAUSE}\n"
            "gpu-01, in the test of the model, past the gateway: no reason was given\n"
            "The slot served nothing for 0.0 s; fallbacks answered for 0.0 s.\n"
            "Nothing was written down: coder is still declared to hold the slot gpu.",
            id="nor did what was before",
        ),
        pytest.param(
            ALONE,
            {"predicted": True},
            "dolphin would hold the slot gpu of gpu-01 and gpu-02 once it has shown:\n"
            "    gpu-01: llamacpp-dolphin.service is active and enabled\n"
            "    gpu-01: 192.0.2.1:8081 belongs to llamacpp-dolphin.service\n"
            "    gpu-01: dolphin is the model that is loaded\n"
            "    gpu-01: dolphin answers with words\n"
            "    gpu-02: llamacpp-dolphin.service is active and enabled\n"
            "    gpu-02: 192.0.2.2:8081 belongs to llamacpp-dolphin.service\n"
            "    gpu-02: dolphin is the model that is loaded\n"
            "    gpu-02: dolphin answers with words\n"
            "Nothing was changed on any host.",
            id="it was only predicted",
        ),
    ],
)
def test_what_came_of_it(models: dict[str, Any], told: dict[str, Any], said: str) -> None:
    assert report(swap(declared(models), "dolphin"), **told) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "coder holds the slot gpu of gpu-01 and gpu-02, as declared."),
        ({"faults": [ENGINE]}, "coder does not serve as declared."),
    ],
)
def test_who_is_declared_already_is_made_to_serve(told: dict[str, Any], said: str) -> None:
    assert report(swap(declared(PAIR), "coder"), **told).splitlines()[0] == said


def test_an_empty_slot_is_empty_again_when_it_fails() -> None:
    found = swap(declared({**PAIR, "coder": gguf(slot="gpu", standby=True, fallbacks=["small"])}), "dolphin")
    assert report(found, [ENGINE]).splitlines()[0] == "dolphin did not take the slot gpu. It is empty, as before."


# -- where it is written down ---------------------------------------------------------------------------------------


def refused(inventory: Path | str, active: dict[str, str]) -> str:
    with pytest.raises(StackError) as caught:
        active_file(str(inventory), active)
    return str(caught.value).split("\n\n", 1)[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    return tmp_path


def test_a_choice_is_kept_beside_what_is_declared(folder: Path) -> None:
    expected = folder / "group_vars/all/active.yml"
    assert active_file(str(folder), {}) == str(expected)
    expected.write_text("llm_stack_active:\n  gpu: dolphin\n")
    assert active_file(str(folder), {"gpu": "dolphin"}) == str(expected)


def test_an_inventory_that_is_no_directory_is_refused() -> None:
    assert refused("/nowhere", {}) == (
        "inventory: '/nowhere' is no directory.\n"
        "    Use a directory (-i inventories/mine), so that the swap can be written to its group_vars/all/active.yml."
    )


@pytest.mark.parametrize("name", ["all", "all.yml", "all.json"])
def test_a_file_that_the_directory_would_hide_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "group_vars" / name
    path.parent.mkdir()
    path.write_text("")
    assert refused(tmp_path, {}) == (
        f"{path}: is a file, and Ansible would not read it beside a directory all/.\n"
        f"    Move it to {tmp_path}/group_vars/all/main.yml; "
        "the swap is written to group_vars/all/active.yml beside it."
    )


def test_a_choice_that_something_else_would_undo_is_refused(folder: Path) -> None:
    path = folder / "group_vars/all/active.yml"
    assert refused(folder, {"gpu": "coder"}) == (
        f"llm_stack_active: {{'gpu': 'coder'}} is not what {path} says, which is {{}}.\n"
        "    Whatever else sets llm_stack_active would undo the swap: remove it there, or write the same to "
        "group_vars/all/active.yml."
    )


def test_a_directory_that_cannot_be_written_to_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: path != folder / "group_vars/all")
    assert refused(folder, {}) == (
        f"{folder}/group_vars/all: cannot be written to.\n    A swap is written to group_vars/all/active.yml of the "
        "inventory."
    )
