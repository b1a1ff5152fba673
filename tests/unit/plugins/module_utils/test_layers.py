# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The merge of layers: what it comes to, who said it, and what holds for every merge."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import Item, build, deployment, label, leaves
from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Definition, Layer, Merged, Source, merge
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from hypothesis import assume, given, settings
from hypothesis import strategies as st


def layer(name: str, config: dict[str, Any], fixed: bool = False, **more: Any) -> Layer:
    said = (Definition(leaf.path, leaf.value, Source(name, f"{name}: {leaf.place}", fixed)) for leaf in leaves(config))
    return Layer(name, tuple(said), path=f"llm_stack_layers[{name}]", **more)


def merged(*layers: Layer) -> dict[str, Any]:
    found = merge(layers)
    assert [render(problem) for problem in found.problems] == []
    return found.config


def router(**settings: Any) -> dict[str, Any]:
    return {"router_settings": settings}


def entry(name: str, port: int = 1, **params: Any) -> dict[str, Any]:
    base = f"http://127.0.0.1:{port}/v1"
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": base, **params}}


# What a merge comes to


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        pytest.param(router(a=1), router(b=2), router(a=1, b=2), id="mappings key by key"),
        pytest.param(router(p={"x": 1}), router(p={"y": 2}), router(p={"x": 1, "y": 2}), id="however deep"),
        pytest.param(router(a=1), router(a=2), router(a=2), id="the later value"),
        pytest.param(router(callbacks=["x", "y"]), router(callbacks=["z"]), router(callbacks=["z"]), id="lists whole"),
        pytest.param(router(a=1), router(a=None), router(a=None), id="null is a value, not a removal"),
        pytest.param(router(p={"x": 1}), router(p=3), router(p=3), id="a value replaces a mapping"),
        pytest.param(router(p=3), router(p={"x": 1}), router(p={"x": 1}), id="a mapping replaces a value"),
        pytest.param(router(p={"x": 1}), router(p={}), router(p={"x": 1}), id="a mapping without keys adds none"),
        pytest.param(router(p={}), router(p={"x": 1}), router(p={"x": 1}), id="and has room for any"),
        pytest.param(
            {"model_list": []}, {"model_list": [entry("a")]}, {"model_list": [entry("a")]}, id="so has a list"
        ),
        pytest.param(
            {"model_list": [entry("a", timeout=1)]},
            {"model_list": [entry("b"), entry("a", timeout=2, num_retries=0)]},
            {"model_list": [entry("a", timeout=2, num_retries=0), entry("b")]},
            id="deployments by name and address",
        ),
        pytest.param(
            {"model_list": [entry("a", 1)]},
            {"model_list": [entry("a", 2)]},
            {"model_list": [entry("a", 1), entry("a", 2)]},
            id="another address is another deployment",
        ),
        pytest.param(
            {"model_list": [entry("a", 1), entry("a", 2), entry("b")]},
            {"model_list": [{"model_name": "a", "litellm_params": {"timeout": 5}}]},
            {"model_list": [entry("a", 1, timeout=5), entry("a", 2, timeout=5), entry("b")]},
            id="an entry without an engine model is for every deployment of its name",
        ),
        pytest.param(
            router(fallbacks=[{"b": ["c"]}]),
            router(fallbacks=[{"a": ["b"]}, {"b": ["d"]}]),
            router(fallbacks=[{"a": ["b"]}, {"b": ["d"]}]),
            id="fallbacks by their name, each list whole",
        ),
    ],
)
def test_an_overriding_layer(lower: dict[str, Any], upper: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merged(layer("lower", lower), layer("upper", upper, overrides=True)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"model_info": {"id": "x"}}, {"model_info": {"id": "y"}}, id="ids"),
        pytest.param({"litellm_params": {"model": "m"}}, {"litellm_params": {"model": "n"}}, id="engine models"),
        pytest.param(
            {"litellm_params": {"model": "m", "api_base": "http://a:1"}},
            {"litellm_params": {"model": "m", "api_base": "http://a:2"}},
            id="addresses",
        ),
    ],
)
def test_what_tells_deployments_of_one_name_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert deployment({"model_name": "a", **one}) != deployment({"model_name": "a", **other})


def test_two_spellings_of_one_address_are_one_deployment() -> None:
    spellings = ("http://localhost:8001/v1", "http://127.0.0.1:8001/v1/")
    params = ({"model": "m", "api_base": base} for base in spellings)
    assert len({deployment({"model_name": "a", "litellm_params": each}) for each in params}) == 1


def test_sections_and_keys_have_one_order_whatever_the_layers_have() -> None:
    config = {
        "general_settings": {"b": 1, "a": 2},
        "zoo": 1,
        "litellm_settings": {"a": 1},
        "model_list": [{"model_info": {"z": 1}, "litellm_params": {"timeout": 1, "model": "m"}, "model_name": "a"}],
        "router_settings": {"fallbacks": [{"b": ["a"]}, {"a": ["b"]}]},
    }
    assert json.dumps(merged(layer("x", config))) == json.dumps(
        {
            "model_list": [{"model_name": "a", "litellm_params": {"model": "m", "timeout": 1}, "model_info": {"z": 1}}],
            "router_settings": {"fallbacks": [{"a": ["b"]}, {"b": ["a"]}]},
            "litellm_settings": {"a": 1},
            "general_settings": {"a": 2, "b": 1},
            "zoo": 1,
        }
    )


# Who said it


def test_layers_that_agree_are_all_named() -> None:
    (setting,) = merge([layer(name, router(timeout=5)) for name in "abc"]).settings.values()
    assert setting.definition.source == Source("a", "a: router_settings.timeout")
    assert [each.source.layer for each in setting.agreed] == ["b", "c"]


def test_what_was_overridden_is_kept_in_order() -> None:
    layers = [layer(str(value), router(timeout=value), overrides=True) for value in (1, 2, 3)]
    (setting,) = merge(layers).settings.values()
    assert setting.definition.value == 3
    assert [(each.source.layer, each.value) for each in setting.overrode] == [("1", 1), ("2", 2)]


def test_a_default_gives_way_and_an_agreeing_layer_takes_its_place() -> None:
    default = layer("defaults", router(a=1, b=1), yields=True)
    found = merge([default, layer("user", router(a=2, b=1)), layer("other", router(b=3))])
    assert found.settings["router_settings", "a"].definition.source.layer == "user"
    assert [problem.wrong for problem in found.problems] == ["two layers give router_settings.b different values."]


def test_what_is_replaced_by_a_value_of_another_kind_is_all_listed() -> None:
    found = merge([layer("a", router(p={"x": 1, "y": 2})), layer("b", router(p=3), overrides=True)])
    assert [label(each.path) for each in found.settings["router_settings", "p"].overrode] == [
        "router_settings.p.x",
        "router_settings.p.y",
    ]


# Conflicts


def problems(*layers: Layer) -> list[str]:
    return [render(problem) for problem in merge(layers).problems]


def test_two_layers_that_disagree_are_told_with_both_addresses() -> None:
    assert problems(layer("a", router(timeout=120)), layer("b", router(timeout=600))) == [
        "llm_stack_layers: two layers give router_settings.timeout different values.\n"
        "    120  a: router_settings.timeout\n"
        "    600  b: router_settings.timeout\n"
        "    Remove it from one of them, or write overrides: true at llm_stack_layers[b] (b)."
    ]


@pytest.mark.parametrize(
    ("left", "right"), [(True, 1), (0, False), ("5", 5), (None, 0), ([1], [2]), ({"x": 1}, 3), (3, {"x": 1})]
)
def test_values_of_another_kind_disagree(left: Any, right: Any) -> None:
    assert len(problems(layer("a", router(v=left)), layer("b", router(v=right)))) == 1


def test_whole_and_broken_numbers_agree() -> None:
    assert problems(layer("a", router(timeout=5)), layer("b", router(timeout=5.0))) == []


def test_a_third_layer_settles_a_conflict_by_a_value_or_a_removal() -> None:
    two = [layer("a", router(timeout=1)), layer("b", router(timeout=2))]
    assert merged(*two, layer("c", router(timeout=3), overrides=True)) == router(timeout=3)
    assert merged(*two, layer("c", router(other=1), removes=("router_settings.timeout",))) == router(other=1)


def test_what_is_declared_cannot_be_overridden() -> None:
    found = problems(layer("a", router(v=1), fixed=True), layer("b", router(v=2), overrides=True))
    assert found == [
        "llm_stack_layers: two layers give router_settings.v different values.\n"
        "    1  a: router_settings.v\n"
        "    2  b: router_settings.v\n"
        "    Change a: router_settings.v, or remove the other."
    ]
    agreed = [layer("a", router(v=1)), layer("b", router(v=1), fixed=True)]
    assert len(problems(*agreed, layer("c", router(v=2), overrides=True))) == 1


# Removal


def test_a_removal_takes_everything_below_it_and_is_remembered() -> None:
    config = {"model_list": [entry("a", 1), entry("a", 2), entry("b")], **router(p={"x": 1, "y": 2}, q=1)}
    found = merge([layer("a", config), layer("b", {}, removes=("model_list[a]", "router_settings.p"))])
    assert found.config == {"model_list": [entry("b")], **router(q=1)}
    assert {(each.layer.name, each.place) for each in found.removed} == {
        ("b", "llm_stack_layers[b].remove[0]"),
        ("b", "llm_stack_layers[b].remove[1]"),
    }


def test_a_removal_names_one_of_several_deployments_by_what_tells_it_apart() -> None:
    config = {"model_list": [entry("a", 1), entry("a", 2)]}
    one = "model_list[a, openai/a at http://127.0.0.1:1/v1]"
    paths = [leaf.path for leaf in leaves(config)]
    assert label(paths[0][:2], paths) == one
    assert merged(layer("a", config), layer("b", {}, removes=(one,))) == {"model_list": [entry("a", 2)]}


def test_a_layer_may_remove_what_its_own_file_says() -> None:
    assert merged(layer("a", router(keep=1, drop=2), removes=("router_settings.drop",))) == router(keep=1)


def test_names_with_dots_are_found_both_ways() -> None:
    config = {"model_list": [entry("llama3.1"), entry("llama3")]}
    for text in ("model_list[llama3.1]", "model_list.llama3.1"):
        assert merged(layer("a", config), layer("b", {}, removes=(text,))) == {"model_list": [entry("llama3")]}


# What holds for every merge


SCALAR = st.integers(0, 3) | st.sampled_from(["x", "y"]) | st.booleans()
NAMES = st.sampled_from(["a", "b", "llama3.1"])
PARAMS = st.dictionaries(st.sampled_from(["timeout", "num_retries", "api_key"]), SCALAR, max_size=2)
ENTRIES = st.builds(lambda name, port, params: entry(name, port, **params), NAMES, st.integers(1, 2), PARAMS)
MODEL_LIST = st.lists(ENTRIES, min_size=1, max_size=4, unique_by=deployment)
FALLBACKS = st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=2), min_size=1, max_size=3).map(
    lambda found: [{name: found[name]} for name in sorted(found)]
)
ROUTER = st.fixed_dictionaries(
    {},
    optional={
        "timeout": SCALAR,
        "num_retries": SCALAR,
        "callbacks": st.lists(SCALAR, min_size=1, max_size=2),
        "policy": st.dictionaries(st.sampled_from(["x", "y"]), SCALAR, min_size=1, max_size=2),
        "fallbacks": FALLBACKS,
    },
).filter(bool)
CONFIG = st.fixed_dictionaries({}, optional={"model_list": MODEL_LIST, "router_settings": ROUTER})


def as_set(config: dict[str, Any]) -> set[str]:
    """A configuration without the order of its deployments."""
    return {repr((leaf.path, leaf.value)) for leaf in leaves(config)}


def flat(found: Merged, name: str) -> Layer:
    return layer(name, found.config, overrides=True)


@given(CONFIG)
def test_taking_a_configuration_apart_loses_nothing(config: dict[str, Any]) -> None:
    assert build((leaf.path, leaf.value) for leaf in leaves(config)) == config


@given(CONFIG)
def test_the_same_twice_is_the_same(config: dict[str, Any]) -> None:
    once, twice = merge([layer("a", config)]), merge([layer("a", config), layer("b", config)])
    assert twice.config == once.config == config
    assert twice.problems == ()
    assert all([each.source.layer for each in setting.agreed] == ["b"] for setting in twice.settings.values())


@given(CONFIG, CONFIG, CONFIG)
@settings(deadline=None)
def test_it_does_not_matter_which_two_are_merged_first(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    layers = [layer(name, config, overrides=True) for name, config in zip("abc", (a, b, c), strict=True)]
    whole = merged(*layers)
    assert merged(flat(merge(layers[:2]), "ab"), layers[2]) == whole
    assert merged(layers[0], flat(merge(layers[1:]), "bc")) == whole


@given(CONFIG, st.randoms(use_true_random=False))
def test_layers_that_do_not_contradict_each_other_may_stand_in_any_order(
    config: dict[str, Any], order: random.Random
) -> None:
    every = list(leaves(config))
    identity = ("model_name", "model", "api_base")
    parts = [
        build((leaf.path, leaf.value) for leaf in every if leaf.path[-1] in identity or order.random() < 0.6)
        for _ in range(3)
    ]
    found = merge([layer(str(index), part) for index, part in enumerate(parts)])
    other = merge([layer(str(index), part) for index, part in reversed(list(enumerate(parts)))])
    assert found.problems == other.problems == ()
    assert as_set(found.config) == as_set(other.config) == set().union(*map(as_set, parts))


MIXED = st.lists(st.tuples(CONFIG, st.booleans()), min_size=1, max_size=4)


@given(MIXED)
@settings(deadline=None)
def test_every_value_has_a_source_and_no_word_is_lost(written: list[tuple[dict[str, Any], bool]]) -> None:
    layers = [layer(str(index), config, overrides=over) for index, (config, over) in enumerate(written)]
    found = merge(layers)
    assert [leaf.path for leaf in leaves(found.config)] != [] or all(not config for config, _over in written)
    assert {leaf.path: leaf.value for leaf in leaves(found.config)} == {
        path: setting.definition.value for path, setting in found.settings.items()
    }
    said = [id(each) for setting in found.settings.values() for each in setting.said]
    assert sorted(said) == sorted(id(each) for one in layers for each in one.definitions)


@given(CONFIG, CONFIG)
def test_a_conflict_is_found_exactly_where_two_values_differ(a: dict[str, Any], b: dict[str, Any]) -> None:
    left, right = ({leaf.path: leaf.value for leaf in leaves(config)} for config in (a, b))
    differ = {path for path in left.keys() & right.keys() if json.dumps(left[path]) != json.dumps(right[path])}
    for layers in ([layer("a", a), layer("b", b)], [layer("b", b), layer("a", a)]):
        found = merge(layers)
        assert {path for path, setting in found.settings.items() if setting.opposed} == differ
        assert len(found.problems) == len(differ)


@given(CONFIG, st.data())
def test_what_is_removed_is_gone_and_listed_and_may_come_back(config: dict[str, Any], data: st.DataObject) -> None:
    paths = [leaf.path for leaf in leaves(config)]
    assume(paths)
    path = data.draw(st.sampled_from(paths))
    text = label(path[: data.draw(st.integers(1, len(path)))], paths)
    found = merge([layer("a", config), layer("b", {}, removes=(text,))])
    assert found.problems == ()
    gone = [each.setting.definition.path for each in found.removed]
    assert path in gone
    assert path not in found.settings
    assert sorted([*gone, *found.settings], key=repr) == sorted(paths, key=repr)
    again = merge([layer("a", config), layer("b", {}, removes=(text,)), layer("c", config)])
    assert as_set(again.config) == as_set(config)


@given(MIXED)
@settings(deadline=None)
def test_nothing_that_was_given_is_changed(written: list[tuple[dict[str, Any], bool]]) -> None:
    before = copy.deepcopy(written)
    layers = [layer(str(index), config, overrides=over) for index, (config, over) in enumerate(written)]
    config = merge(layers).config
    for each in config.get("router_settings", {}).values():
        if isinstance(each, list):
            each.append("changed")
    assert written == before


@given(CONFIG, st.randoms(use_true_random=False))
def test_the_order_of_keys_in_a_file_changes_nothing(config: dict[str, Any], order: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in order.sample(list(value), len(value))}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    assert json.dumps(merged(layer("a", shuffled(config)))) == json.dumps(merged(layer("a", config)))


def test_forty_deployments_in_four_layers_are_merged_in_fifty_milliseconds() -> None:
    import time

    config = {"model_list": [entry(f"m{index}", index, timeout=1) for index in range(40)]}
    layers = [layer(str(number), config) for number in range(4)]
    spent = []
    for _ in range(3):
        before = time.process_time()
        merged(*layers)
        spent.append(time.process_time() - before)
    assert min(spent) < 0.05


def test_an_item_is_known_by_its_name_and_its_detail() -> None:
    assert Item("a") != Item("a", "x")
