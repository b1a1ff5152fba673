# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the filters of vLLM read on the controller: model folders, for their list of files and for what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.lab.llm_stack.plugins.filter.vllm_service import decide
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import digest_of, listed
from ansible_collections.lab.llm_stack.plugins.plugin_utils._model_folder import folders, read

LOCK = f"vllm==0.32.0 --hash=sha256:{'ab' * 32}\n"
TEMPLATE = "{% if tools %}{{ tools }}{% endif %}<tool_call>"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory with a model folder beside it, and one that is none."""
    model = tmp_path / "models/tuned"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"]}))
    (model / "model.safetensors").write_bytes(b"12345678")
    (model / "chat_template.jinja").write_text(TEMPLATE)
    (tmp_path / "models/empty").mkdir()
    return tmp_path


def decided(inventory: Path, *paths: str) -> dict[str, Any]:
    instances = [
        {
            "name": f"m{number}",
            "port": 8001 + number,
            "bind": "127.0.0.1",
            "source": {"origin": "controller", "path": path, "revision": None},
            "settings": {},
        }
        for number, path in enumerate(paths)
    ]
    return decide(
        instances,
        source_directory=str(inventory),
        home="~",
        backend="cpu",
        lock=LOCK,
        requirements="requirements-cpu.txt",
        python="/usr/bin/python3",
        ready_timeout=900,
        memory_timeout=120,
        drain_timeout=60,
    )


def test_a_folder_is_named_by_what_it_holds(inventory: Path) -> None:
    result = decided(inventory, "./models/tuned")
    assert result["models"][0]["src"] == str(inventory / "models/tuned")
    digest = digest_of(listed(str(inventory / "models/tuned")))
    assert result["declaration"]["requires"][1]["digest"] == digest
    (inventory / "models/tuned/model.safetensors").write_bytes(b"87654321")
    assert decided(inventory, "./models/tuned")["declaration"]["requires"][1]["digest"] != digest


def test_every_folder_that_is_no_model_is_refused_at_once(inventory: Path) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        decided(inventory, "./models/empty", "./models/absent")
    assert str(refused.value) == (
        "lab.llm_stack.vllm_service: 2 problems in 1 variable. Nothing was changed on any host.\n\n"
        f"llm_stack_models.m0.source: '{inventory}/models/empty' is no model folder on the controller.\n"
        "    Name the folder that has config.json. A relative source starts at the inventory.\n"
        f"llm_stack_models.m1.source: '{inventory}/models/absent' is no model folder on the controller.\n"
        "    Name the folder that has config.json. A relative source starts at the inventory."
    )


def test_a_folder_shows_what_a_lock_would_say(inventory: Path) -> None:
    seen = read("./models/tuned", str(inventory))
    assert seen == {"evidence": {"chats": True, "has_template": True, "mark": "hermes", "renders_tools": True}}


@pytest.mark.parametrize("path", ["./models/absent", "./models/tuned/config.json"])
def test_what_is_no_folder_shows_nothing(inventory: Path, path: str) -> None:
    assert read(path, str(inventory)) == {}


def test_a_broken_folder_shows_nothing(inventory: Path) -> None:
    (inventory / "models/tuned/config.json").write_text("{")
    assert read("./models/tuned", str(inventory)) == {}


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"source": "./a", "engine": "vllm"}, {"m": "./a"}),
        ({"source": "../a", "vllm": {}}, {"m": "../a"}),
        ({"source": "./a"}, {}),
        ({"source": "./a.gguf", "engine": "llamacpp"}, {}),
        ({"source": "/a", "engine": "vllm"}, {}),
        ({"source": "org/name", "engine": "vllm"}, {}),
        ({"source": 7, "engine": "vllm"}, {}),
        ("text", {}),
    ],
)
def test_whose_folder_is_looked_into(entry: object, found: dict[str, str]) -> None:
    assert folders({"m": entry}) == found
    assert folders(None) == {}
