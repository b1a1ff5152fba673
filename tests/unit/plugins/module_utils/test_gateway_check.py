# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Native LiteLLM configurations, one file each: what we find, in the exact words, beside what LiteLLM says of them.

A new finding is a new file. What LiteLLM says is recorded by tests/live/litellm_verdicts.py and compared with it in
test_gateway_check_verdicts.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check import check_config
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    ERROR,
    Finding,
    Place,
    render_finding,
    tally,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render
from ansible_collections.lab.llm_stack.plugins.plugin_utils._yaml import load
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIGS = Path(__file__).parents[3] / "fixtures" / "litellm_configs"
BROKEN = sorted((CONFIGS / "broken").glob("*.yml"))
SOUND = sorted((CONFIGS / "sound").glob("*.yml"))
PLANS = sorted((CONFIGS.parent / "plans").glob("*.yml"))
CANARIES = ("correct-horse", "hunter2", "sk-0123456789", "abc-canary")
VERDICTS = ("accepts", "accepts, starts ollama", "rejects")


def name(file: Path) -> str:
    return file.stem.replace("_", " ")


def case_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def place_of(case: dict[str, Any]) -> Place:
    """What a case says is known; unless it says otherwise, the gateway has its key and nothing may leave the host."""
    known = {"environment": ["LITELLM_MASTER_KEY"], "hosts": [], **case.get("known", {})}
    names = {key: known.get(key) for key in ("environment", "hosts", "packages")}
    sets = {key: None if value is None else frozenset(value) for key, value in names.items()}
    return Place(**sets, workers=known.get("workers", 1))


def findings(case: dict[str, Any]) -> list[Finding]:
    document = load(case["config"])
    return check_config(document.data, place_of(case), document.duplicates)


def told(case: dict[str, Any]) -> str:
    try:
        return "\n".join(map(render_finding, findings(case)))
    except StackError as error:
        return f"error    {render(error.problems[0])}"


@pytest.mark.parametrize("file", BROKEN, ids=map(name, BROKEN))
def test_what_litellm_would_serve_wrongly_is_found(file: Path) -> None:
    case = case_of(file)
    assert told(case) == case["findings"]
    assert case["findings"], "a case without a finding is a sound one"


@pytest.mark.parametrize("file", SOUND, ids=map(name, SOUND))
def test_a_sound_configuration_has_no_findings(file: Path) -> None:
    case = case_of(file)
    assert told(case) == ""
    assert case["litellm"] == "accepts"


def test_there_are_enough_cases() -> None:
    assert len(BROKEN) >= 60
    assert len(SOUND) >= 20


@pytest.mark.parametrize("file", BROKEN, ids=map(name, BROKEN))
def test_what_litellm_refuses_or_drops_is_an_error(file: Path) -> None:
    case = case_of(file)
    assert case["litellm"] in VERDICTS or case["litellm"].startswith("drops ")
    if case["litellm"] not in ("accepts", "accepts, starts ollama"):
        assert case["findings"].startswith("error")


@pytest.mark.parametrize("file", BROKEN, ids=map(name, BROKEN))
def test_a_finding_says_what_to_do_and_shows_no_secret(file: Path) -> None:
    lines = case_of(file)["findings"].splitlines()
    assert [line[:4].strip() == "" for line in lines] == [False, True] * (len(lines) // 2)
    assert not [canary for canary in CANARIES if canary in "".join(lines)]


@pytest.mark.parametrize("file", BROKEN, ids=map(name, BROKEN))
def test_parsed_data_gives_what_its_text_gives_but_for_keys_written_twice(file: Path) -> None:
    case = case_of(file)
    try:
        parsed = yaml.safe_load(case["config"])
    except yaml.YAMLError:
        return
    without = [each for each in findings(case) if " times, on lines " not in each.wrong]
    assert set(map(render_finding, without)) <= set(map(render_finding, check_config(parsed, place_of(case))))


def derived(value: object) -> Iterator[dict[str, Any]]:
    """Every configuration of LiteLLM in a plan."""
    if isinstance(value, dict):
        yield from [value] if "model_list" in value else [found for inner in value.values() for found in derived(inner)]


@pytest.mark.parametrize("file", PLANS, ids=map(name, PLANS))
def test_what_the_plan_derives_has_no_errors(file: Path) -> None:
    configs = list(derived(yaml.safe_load(file.read_text(encoding="utf-8"))))
    assert [found for config in configs for found in check_config(config) if found.level == ERROR] == []
    assert configs


def test_the_tally_counts_by_level() -> None:
    error = Finding("a", 1, "is wrong.", "Write 2.")
    warning = Finding("a", 1, "is odd.", "Write 2.", "warning")
    assert tally([]) == "no errors and no warnings"
    assert tally([error, warning, error]) == "2 errors and 1 warning"
    assert tally([warning, warning]) == "2 warnings"


def test_a_large_configuration_is_checked_in_milliseconds() -> None:
    entries = [
        {
            "model_name": f"m{number}",
            "litellm_params": {
                "model": f"openai/m{number}",
                "api_base": f"http://127.0.0.1:{number}/v1",
                "api_key": "none",
            },
        }
        for number in range(8000, 8200)
    ]
    router = {"timeout": 60, "fallbacks": [{f"m{number}": [f"m{number + 1}"]} for number in range(8000, 8199, 2)]}
    start = time.process_time()
    assert (
        check_config({"model_list": entries, "router_settings": router}, Place(frozenset({"LITELLM_MASTER_KEY"}))) == []
    )
    assert time.process_time() - start < 0.5


# Whatever stands in a file: the checker has an answer, and the answer can be told.

WORDS = """
    model_list model_name litellm_params model_info model api_base api_key timeout rpm num_retries router_settings
    litellm_settings general_settings fallbacks model_group_alias default_fallbacks retry_policy callbacks master_key
    environment_variables include cache cache_params credential_list custom_provider_map optional_pre_call_checks a
    model_group_retry_policy allowed_fails_policy max_fallbacks id mode
"""
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.sampled_from(
    ["", " ", "a", "*", "a*", "openai/a", "os.environ/", "os.environ/A", "http://[", "${A}", "sk-1"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.floats(allow_nan=True) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(0, 3), inner, max_size=5),
    max_leaves=20,
)
ENTRIES = st.lists(
    st.fixed_dictionaries({"model_name": TEXTS, "litellm_params": st.dictionaries(KEYS, VALUES)}), max_size=3
)
SECTIONS = st.dictionaries(KEYS, VALUES, max_size=5)


@given(
    VALUES | st.fixed_dictionaries({"model_list": ENTRIES, "router_settings": SECTIONS, "litellm_settings": SECTIONS})
)
@settings(max_examples=150, deadline=None)
def test_every_configuration_has_an_answer(parsed: object) -> None:
    for finding in check_config(parsed, Place(frozenset(), frozenset(), frozenset(), 2)):
        assert finding.level in (ERROR, "warning")
        assert render_finding(finding)


def test_keys_that_are_no_text_are_unknown_like_any_other() -> None:
    """YAML reads ~: and 1: as such keys, and on: as true."""
    params = {"model": "openai/a", "api_base": "http://127.0.0.1:1/v1", "api_key": "none", None: 1, 2: 3}
    found = check_config({"model_list": [{"model_name": "a", "litellm_params": params}]})
    assert [each.path for each in found][:2] == [
        "model_list[0].litellm_params.None",
        "model_list[0].litellm_params.2",
    ]
