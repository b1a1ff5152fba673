# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Real vLLM instances that share one slot: one serves, one could, and all others fail to start, each in its own way.

Those are the cases of tests/live/vllm_cases.py that a declaration can lead to and that leave the host whole. Whatever
the preflight says against them is accepted, since what it would have refused is what shall be seen here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from engine import UNIT, Engine, have_model
from observed import CONFIG, Stack
from played import assert_clean, deploy, refused
from swapping import swap, told

PROJECT = Path(__file__).parents[3]
sys.path[:0] = [str(PROJECT / "tests/live"), str(PROJECT / "playbooks/collections")]

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import _TABLE
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from vllm_cases import CASES, Case, change_file

Declared = dict[str, Any]

IN_CI = ("vllm-weights-cut", "vllm-cpu-cache")
"""Two that fail late; to try all of them takes most of an hour, by hand."""

OF_THE_HOST = ("vllm-shared-memory", "vllm-system-library", "vllm-python-module")
"""What they do to the host keeps the model before from coming back, too."""
MENDED = "vllm-vllm-metadata"
"""What it takes away is seen to be missing and installed again, before anything is stopped."""
HANGS = "vllm-compiler.cpp"
"""It says what is wrong and does not end."""
ELSEWHERE = {*OF_THE_HOST, MENDED, HANGS, "vllm-settings-file"}
"""The last has no settings file, which the role writes."""
BEFORE_VLLM = {"vllm-cpu-cache": "memory-not-free"}
"""What the unit finds before vLLM itself has a word."""
REFUSED = {
    "vllm-unknown-setting": ".vllm.extra.max-modle-len: is no flag of vLLM 0.32.0.",
    "vllm-unknown-setting.value": ".context: 'many' is not a number of tokens.",
    "vllm-unknown-setting.choice": ".vllm.dtype: 'float7' is not a type of numbers.",
    "vllm-auto-tools-without-parser": ".tools: true is more than this model keeps: it calls no tools.",
    "vllm-unknown-tool-parser": ".vllm.tool_call_parser: 'nope' is no tool parser of vLLM",
    "vllm-unknown-reasoning-parser": ".vllm.reasoning_parser: 'nope' is no reasoning parser of vLLM",
    "vllm-model-not-fetched": ".vllm.extra.model: is derived from source.",
    "vllm-model-folder": ".vllm.extra.model: is derived from source.",
    "vllm-address": ".vllm.extra.host: is derived from hosts and llm_stack_address.",
    "vllm-port-denied": ".vllm.extra.port: is derived from vllm.port.",
}
"""Whom the plan refuses, whatever is accepted, and what it says."""

REFUSED_BY_THE_SWAP = "cannot take the slot gpu, and was refused before anything was touched."
PUT_BACK = "did not take the slot gpu. tiny serves again, and has shown it."
WITHOUT_A_START = {
    "vllm-model-config": (REFUSED_BY_THE_SWAP, r"src: '.+' cannot be served: .+ it has no config\.json\."),
    "vllm-weights-missing": (REFUSED_BY_THE_SWAP, r"src: '.+' cannot be served: it holds no weights\."),
    "vllm-port-in-use": (
        PUT_BACK,
        r"127\.0\.0\.1:\d+ should be held by vllm-port-in-use\.service, but is a process of",
    ),
}
"""Whom somebody refuses before vLLM has a word, though the findings of the preflight are accepted."""

PLUGIN = "models/parsers.py"
OTHERWISE: Mapping[str, Declared] = {
    "vllm-unknown-setting": {"extra": {"load-format-of-mine": "none"}},
    "vllm-unknown-tool-parser": {"tool_call_parser": "nope", "tool_parser_plugin": f"~/{PLUGIN}"},
}
"""How a declaration that the plan lets pass leads to the same failure."""

FAILING = [
    case
    for case in CASES
    if case.log not in ELSEWHERE
    and not case.at
    and (case.log in OTHERWISE or case.log not in REFUSED)
    and (not case.healthy or "unknown" in case.log)
]
TYPED = (
    "chat-template",
    "dtype",
    "enforce-eager",
    "gpu-memory-utilization",
    "quantization",
    "reasoning-parser",
    "tool-call-parser",
)
TYPED += ("tensor-parallel-size",)


def name_of(case: Case) -> str:
    """Name the model of a case."""
    return re.sub(r"^(healthy/)?vllm-", "", case.log).replace(".", "-")


def declared_vllm(case: Case, base: Mapping[str, Any]) -> Declared:
    """Return what a person would write below vllm: for the settings and variables of a case."""
    typed = {key.replace("-", "_"): case.settings[key] for key in TYPED if key in case.settings}
    extra = {key: value for key, value in case.settings.items() if key not in (*TYPED, "max-model-len")}
    variables = {**base["env"], **case.variables}
    env = {name: value for name, value in variables.items() if value is not None}
    found = {**base, **typed, **({"extra": extra} if extra else {}), "env": env, "accept": sorted(CODES)}
    return {name: value for name, value in found.items() if value is not None}


def model(case: Case, tiny: Mapping[str, Any], **instead: Any) -> Declared:  # noqa: ANN401 - as YAML has it
    """Return the declaration of a case's model: the one of the scenario, and what is different."""
    vllm = {**declared_vllm(case, {**tiny["vllm"], "tool_call_parser": "hermes"}), **instead}
    context = case.settings.get("max-model-len", tiny["context"])
    place = f"~/models/{name_of(case)}"
    return {**tiny, "source": place, "context": context, "standby": True, "vllm": vllm}


@pytest.fixture(scope="module")
def tiny(stack: Stack) -> Declared:
    (declared,) = stack.host.ansible.get_variables()["llm_stack_models"].values()
    found: Declared = declared
    return found


@pytest.fixture(scope="module")
def rivals(kept: Path, stack: Stack, tiny: Declared) -> Declared:
    """Deploy the model of the scenario, which serves, and every other one beside it, with files that are whole."""
    assert kept.is_dir()
    stack.output("mkdir -p models && touch %s", PLUGIN)
    other = {**model(CASES[0], tiny), "source": "~/models/other"}
    models = {"tiny": tiny, "other": other, **{name_of(case): failing(case, tiny) for case in FAILING}}
    for name in [*models][1:]:
        have_model(stack, name)
    # Whoever of them serves answers for all others.
    declared = {name: {**each, "fallbacks": [n for n in models if n != name]} for name, each in models.items()}
    deploy({"llm_stack_models": declared})
    return {"llm_stack_models": declared}


def failing(case: Case, tiny: Declared) -> Declared:
    """Return the declaration of a case that the plan lets pass."""
    if case.log in OTHERWISE:
        return model(Case(case.log), tiny, **OTHERWISE[case.log])
    return model(case, tiny)


def harm(stack: Stack, case: Case) -> None:
    """Do to the files and to the port of a model what the case asks for."""
    folder = stack.home(f"models/{name_of(case)}")
    for name, change in case.files.items():
        change_file(stack.output, f"{folder}/{name}", change)
    port = stack.output(f"sed -n 's/^port: //p' {CONFIG}/vllm/{name_of(case)}.yaml")
    if case.before:
        stack.root(case.before.replace("/home/deploy/models/tiny", folder).replace("8001", port))


def undo(stack: Stack, case: Case) -> None:
    if case.after:
        stack.root(case.after)
    have_model(stack, name_of(case))


def as_pattern(sentence: str) -> str:
    """Return what a sentence of the table looks like, whatever the log put into it."""
    return ".+".join(re.escape(part) for part in re.split(r"\\g<\w+>", sentence))


def patterns_of_a_failed_start(case: Case) -> tuple[str, ...]:
    """Return what a swap says of a start that failed: how it ended, why, what to change, and who serves."""
    ended = rf"vllm-{name_of(case)}\.service did not become ready: it exited with code "
    return ended, rf"\n{re.escape(UNIT)} is serving again \(ready after ", *patterns_of_a_cause(case)


def patterns_of_a_cause(case: Case) -> tuple[str, ...]:
    """Return what is said of why a start failed and of what to change; nothing where nobody can know."""
    cause = BEFORE_VLLM.get(case.log, case.cause)
    if not cause:
        return (r"\A(?s:(?!.*\n    Cause: ))",)
    (row,) = (row for row in _TABLE if row.name == cause)
    return f"\n    Cause: {as_pattern(row.means)}\n", f"\n    {as_pattern(row.remedy)}\n"


def test_what_the_plan_refuses_reaches_no_host(tiny: Declared) -> None:
    cases = {name_of(case): case for case in CASES if case.log in REFUSED}
    models = {name: model(case, tiny) for name, case in cases.items()}
    message = refused({"llm_stack_models": {"tiny": tiny, **models}})
    for name, case in cases.items():
        assert f"llm_stack_models.{name}{REFUSED[case.log]}" in message, message


def test_there_and_back(engine: Engine, rivals: Declared) -> None:
    for name in ("other", "tiny"):
        played = swap(name, variables=rivals)
        assert played.code == 0, played.output
        engine.assert_serves_alone(name)


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=name_of(c), marks=[] if c.log in IN_CI else pytest.mark.live) for c in FAILING],
)
def test_a_swap_to_what_cannot_start_ends_where_it_began(
    stack: Stack, engine: Engine, rivals: Declared, case: Case
) -> None:
    harm(stack, case)
    try:
        played = swap(name_of(case), variables=rivals)
    finally:
        undo(stack, case)
    assert played.code != 0, played.output
    said = told(played)
    outcome, *patterns = WITHOUT_A_START.get(case.log) or (PUT_BACK, *patterns_of_a_failed_start(case))
    assert said.startswith(f"{name_of(case)} {outcome}\n"), said
    for pattern in patterns:
        assert re.search(pattern, said), (pattern, said)
    engine.assert_serves_alone("tiny")


@pytest.mark.live
def test_a_start_that_hangs_is_ended_when_its_time_is_over(
    stack: Stack, engine: Engine, rivals: Declared, tiny: Declared
) -> None:
    (case,) = (case for case in CASES if case.log == HANGS)
    name = name_of(case)
    have_model(stack, name)
    models = {"tiny": {**tiny, "fallbacks": [name]}, name: {**model(case, tiny), "fallbacks": ["tiny"]}}
    declared = {"llm_stack_models": models, "vllm_ready_timeout": 150}
    deploy(declared)
    played = swap(name, variables=declared)
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith(f"{name} {PUT_BACK}\n"), said
    for pattern in patterns_of_a_cause(case):
        assert re.search(pattern, said), (pattern, said)
    engine.assert_serves_alone("tiny")
    deploy(rivals)


@pytest.mark.live
@pytest.mark.parametrize("case", [pytest.param(c, id=name_of(c)) for c in CASES if c.log in OF_THE_HOST])
def test_what_keeps_both_from_starting_is_told_and_the_next_deploy_mends_the_rest(
    stack: Stack, engine: Engine, rivals: Declared, case: Case
) -> None:
    stack.root(case.before)
    try:
        played = swap("other", variables=rivals)
    finally:
        stack.root(case.after)
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("other did not take the slot gpu, and not everything is back as it was.\n"), said
    for pattern in patterns_of_a_cause(case):
        assert re.search(pattern, said), (pattern, said)
    deploy(rivals)
    engine.assert_serves_alone("tiny")


@pytest.mark.live
def test_an_environment_that_lacks_something_is_made_anew_before_the_model_leaves(
    stack: Stack, engine: Engine, rivals: Declared
) -> None:
    (case,) = (case for case in CASES if case.log == MENDED)
    stack.root(case.before)
    for name in ("other", "tiny"):
        played = swap(name, variables=rivals)
        assert played.code == 0, played.output
        engine.assert_serves_alone(name)


def test_in_the_end_nothing_is_left_to_deploy(rivals: Declared) -> None:
    assert_clean(rivals)
