# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What may be declared of a model at Ollama, and what the one server of a host gets to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama, _schema
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render

PATH = "llm_stack_models.tiny"
SUM = "ab" * 32


@dataclass(frozen=True)
class Model:
    name: str
    source: str
    context: int = _ollama.SERVER_CONTEXT
    tools: bool = False
    standby: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def problems(source: str, options: Mapping[str, Any], **facts: Any) -> list[str]:
    path = facts.pop("path", PATH)
    shape = _schema.check(options, _ollama.FIELD, f"{path}.ollama")
    return [render(each) for each in [*shape, *_ollama.check(source, options, path, **facts)]]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        pytest.param("tiny:1b", {}, id="a name of the library"),
        pytest.param("tiny", {}, id="a name without a tag"),
        pytest.param("team/tiny:v1", {"parameters": {"temperature": 0.2, "stop": ["<end>"]}}, id="with parameters"),
        pytest.param("mirror.lan:5000/team/tiny:v1", {"insecure": True}, id="a registry of one's own"),
        pytest.param("models/tiny.gguf", {"sha256": SUM, "system": "Two\nlines"}, id="a file of the controller"),
        pytest.param("https://files.lan/tiny.gguf?x=1", {"sha256": SUM}, id="a download with its sum"),
        pytest.param("tiny:1b", {"store": "/srv/models/ollama"}, id="a store that was seeded"),
        pytest.param("tiny:1b", {"name": "team/tiny:small", "template": "{{ .Tools }}"}, id="with a name of its own"),
    ],
)
def test_what_is_fine(source: str, options: Mapping[str, Any]) -> None:
    assert problems(source, options, tools=True, context=8192) == []


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        pytest.param(
            "my model:1b",
            {},
            f"{PATH}.source: 'my model:1b' is not the name of a model at Ollama.\n"
            "    Write [host[:port]/][namespace/]model[:tag], each part of letters, digits, dots, dashes, underscores.",
            id="a name with a space",
        ),
        pytest.param(
            "tiny:480b-cloud",
            {},
            f"{PATH}.source: 'tiny:480b-cloud' runs in Ollama's cloud, which this stack switches off.\n"
            "    Name a tag that runs here, or declare a provider.",
            id="a model of the cloud",
        ),
        pytest.param(
            "tiny:1b",
            {"insecure": True},
            f"{PATH}.ollama.insecure: true is for a registry of your own, and the source names none.\n"
            "    Write host[:port]/namespace/model:tag as the source.",
            id="plain http to the public registry",
        ),
        pytest.param(
            "tiny:1b",
            {"sha256": SUM},
            f"{PATH}.ollama.sha256: is the sum of a file, and the source is the name of a model.\n"
            "    Remove it: Ollama compares the digests of a registry itself.",
            id="a sum for a name",
        ),
        pytest.param(
            "tiny:1b",
            {"parameters": {"num_ctx": 8192}},
            f"{PATH}.ollama.parameters.num_ctx: 8192 is derived from context.\n    Write it there.",
            id="a context in two places",
        ),
        pytest.param(
            "tiny:1b",
            {"parameters": {"temprature": 1}},
            f"{PATH}.ollama.parameters.temprature: is not a known key.\n    Did you mean 'temperature'?",
            id="a parameter that Ollama would take in silence",
        ),
        pytest.param(
            "tiny:1b",
            {"parameters": {"top_p": "0.9"}},
            f"{PATH}.ollama.parameters.top_p: '0.9' is not a number.\n    Write 0.9.",
            id="a parameter that would fail at the first request",
        ),
        pytest.param(
            "https://files.lan/tiny.gguf",
            {},
            f"{PATH}.ollama.sha256: is missing, and the source is downloaded.\n"
            "    Write the 64 digits that sha256sum prints for the file.",
            id="a download without a sum",
        ),
        pytest.param(
            "tiny.gguf",
            {"sha256": "short"},
            f"{PATH}.ollama.sha256: 'short' is not a SHA-256 sum.\n"
            "    Write the 64 digits that sha256sum prints for the file.",
            id="no sum at all",
        ),
        pytest.param(
            "ftp://files.lan/tiny.gguf",
            {},
            f"{PATH}.source: 'ftp://files.lan/tiny.gguf' is an address that cannot be downloaded from.\n"
            "    Write https://..., a path, or the name of a model.",
            id="another protocol",
        ),
        pytest.param(
            "/srv/tiny.safetensors",
            {},
            f"{PATH}.source: '/srv/tiny.safetensors' is neither the name of a model nor a GGUF file.\n"
            "    Write a name such as llama3.1:8b, or a path ending in .gguf.",
            id="a file of another kind",
        ),
        pytest.param(
            "~bob/tiny.gguf",
            {},
            f"{PATH}.source: '~bob/tiny.gguf' is below the home of another user.\n    Write the absolute path.",
            id="the home of another user",
        ),
        pytest.param(
            "tiny.gguf",
            {"store": "/srv/models"},
            f"{PATH}.ollama.store: '/srv/models' says where a named model comes from, and the source is a file.\n"
            "    Remove one of the two.",
            id="a store for a file",
        ),
        pytest.param(
            "tiny:1b",
            {"store": "models/ollama"},
            f"{PATH}.ollama.store: 'models/ollama' is not the absolute path of a folder on the host.\n"
            "    Write one such as /srv/models/ollama.",
            id="a store at an unclear place",
        ),
        pytest.param(
            "tiny:1b",
            {"template": "{{ .Prompt }}"},
            f"{PATH}.ollama.template: never mentions tools, and the model is declared to call them.\n"
            "    Remove the template, render .Tools in it, or set tools: false.",
            id="a template that drops the tools",
        ),
        pytest.param(
            "tiny:1b",
            {"name": "tiny:1b"},
            f"{PATH}.ollama.name: 'tiny:1b' is the name of the source, which what is made from it would replace.\n"
            "    Choose another name, or remove it.",
            id="a made model in the place of its source",
        ),
        pytest.param(
            "tiny:1b",
            {"name": "bad name"},
            f"{PATH}.ollama.name: 'bad name' cannot be the name of a model at Ollama.\n"
            "    Write [namespace/]model[:tag], each part of at most 80 characters.",
            id="a name that Ollama refuses",
        ),
        pytest.param(
            "tiny:1b",
            {"name": "mirror.lan:5000/team/tiny"},
            f"{PATH}.ollama.name: 'mirror.lan:5000/team/tiny' names a registry.\n"
            "    Write [namespace/]model[:tag]; the registry is the source's.",
            id="a registry in the wrong place",
        ),
        pytest.param(
            "tiny:1b",
            {"system": ["no", "text"]},
            f"{PATH}.ollama.system: ['no', 'text'] is not text.\n    Write text, or remove the key.",
            id="a system prompt that is a list",
        ),
    ],
)
def test_what_is_refused(source: str, options: Mapping[str, Any], expected: str) -> None:
    assert problems(source, options, tools=True, context=8192) == [expected]


def test_a_public_name_too_long_for_ollama_needs_another_one_there() -> None:
    found = problems("tiny:1b", {}, context=8192, path=f"llm_stack_models.{'a' * 81}")
    assert [each.partition(": ")[2] for each in found] == [
        "is missing, and the model's own name is too long for Ollama.\n    Write a name of at most 80 characters."
    ]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param(Model("chat", "tiny:1b"), "tiny:1b", id="as it comes"),
        pytest.param(Model("chat", "tiny"), "tiny:latest", id="with the tag that is meant"),
        pytest.param(Model("chat", "tiny:1b", 8192), "llm-stack/chat:latest", id="another context"),
        pytest.param(Model("chat", "mirror.lan/a/tiny:1b"), "llm-stack/chat:latest", id="a long name"),
        pytest.param(Model("chat", "tiny.gguf"), "llm-stack/chat:latest", id="a file"),
        pytest.param(
            Model("chat", "tiny:1b", options={"ollama": {"system": "Be brief."}}), "llm-stack/chat:latest", id="made"
        ),
        pytest.param(Model("chat", "tiny", options={"ollama": {"name": "mine"}}), "mine:latest", id="as the user says"),
    ],
)
def test_the_name_at_the_server(model: Model, name: str) -> None:
    found = _ollama.server([model], "127.0.0.1", 11434)["models"][0]
    assert found["ollama_name"] == name
    assert found["parameters"] == ({} if name in ("tiny:1b", "tiny:latest") else {"num_ctx": model.context})


def test_a_server_gets_its_models_and_states_its_context() -> None:
    chat = Model("chat", "tiny:1b", 8192, tools=True, options={"ollama": {"parameters": {"temperature": 0.2}}})
    assert _ollama.server([chat], "127.0.0.1", 11434) == {
        "unit": "ollama.service",
        "bind": "127.0.0.1",
        "port": 11434,
        "environment": {"OLLAMA_CONTEXT_LENGTH": "4096"},
        "models": [
            {
                "name": "chat",
                "ollama_name": "llm-stack/chat:latest",
                "source": {"origin": "registry", "path": "tiny:1b", "sha256": None, "insecure": False, "store": None},
                "context": 8192,
                "tools": True,
                "standby": False,
                "parameters": {"temperature": 0.2, "num_ctx": 8192},
                "system": None,
                "template": None,
            }
        ],
    }


@dataclass(frozen=True)
class Instance:
    model: Model
    host: str = "a"
    unit: str = "ollama.service"
    bind: str = "127.0.0.1"
    port: int = 11434
    needs_key: bool = False


def clashes(*instances: Instance) -> list[str]:
    return [render(each) for each in _ollama.clashes(instances)]


def test_two_models_of_one_name_have_to_be_one_model() -> None:
    plain, again = Model("chat", "tiny:1b"), Model("talk", "Tiny:1b")
    other = Model("other", "huge:1b", 8192, options={"ollama": {"name": "tiny:1b"}})
    assert clashes(Instance(plain), Instance(Model("talk", "tiny:1b")), Instance(other)) == [
        "llm_stack_models.other.ollama.name: 'tiny:1b' is also the name of chat at Ollama, which is another model.\n"
        "    Choose another name for one of them."
    ]
    assert clashes(Instance(plain), Instance(again)) == []


def test_servers_of_two_hosts_may_call_different_models_alike() -> None:
    small = Model("small", "tiny:1b", 8192, options={"ollama": {"name": "chat"}})
    large = Model("large", "huge:1b", 8192, options={"ollama": {"name": "chat"}})
    assert clashes(Instance(small, "a"), Instance(large, "b")) == []
    both = [Instance(model, host) for model in (small, large) for host in ("a", "b")]
    assert len(clashes(*both)) == 1


def test_a_model_does_not_replace_what_another_one_is_made_from() -> None:
    made = Model("chat", "tiny:1b", 8192)
    thief = Model("thief", "huge:1b", 8192, options={"ollama": {"name": "Tiny:1b"}})
    assert clashes(Instance(made), Instance(thief)) == [
        "llm_stack_models.thief.ollama.name: 'tiny:1b' is the source of chat at Ollama, which thief would replace.\n"
        "    Choose another name for one of them."
    ]
    assert clashes(Instance(made), Instance(Model("plain", "tiny:1b"))) == []
