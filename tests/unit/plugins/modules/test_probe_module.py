# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module around the probe: its documentation is its argument spec, and it refuses what it cannot run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import PARAMETERS
from ansible_collections.lab.llm_stack.plugins.modules import probe


def params(secrets: Path, *checks: dict[str, Any]) -> dict[str, Any]:
    return {
        "checks": list(checks),
        "secrets_file": str(secrets),
        "apps_directory": str(secrets.parent / "apps"),
        "engines_directory": str(secrets.parent),
        "certified_directory": str(secrets.parent / "certified"),
        "certified_seconds": 3600,
        "deep": False,
        "budget": 0.0,
        "timeout": 30.0,
        "concurrency": 4,
    }


def test_the_documented_options_are_the_real_ones() -> None:
    options = yaml.safe_load(probe.DOCUMENTATION)["options"]
    for name, spec in probe.ARGUMENT_SPEC.items():
        said = {key: options[name].get(key) for key in spec if key != "no_log"}
        assert said == {key: value for key, value in spec.items() if key != "no_log"}
    assert options.keys() == probe.ARGUMENT_SPEC.keys()


def test_the_documented_result_is_the_real_one() -> None:
    returned = yaml.safe_load(probe.RETURN)["results"]
    assert returned["contains"].keys() == returned["sample"][0].keys()


def test_keys_come_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text('# ours\nLITELLM_MASTER_KEY=sk-one\nLLAMA_API_KEY="two"\n')
    keys = {"right": "sk-one", "engine": "two", "engine llamacpp": "", "engine vllm": ""}
    assert probe.prepare(params(file)).keys == keys


def test_a_host_without_a_gateway_has_no_keys(tmp_path: Path) -> None:
    assert not any(probe.prepare(params(tmp_path / "none")).keys.values())


def test_the_keys_of_apps_come_from_their_own_files(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/editor.env").write_text("OPENAI_API_KEY=sk-editor\nOPENAI_MODEL=editor/a\n")
    checks = [
        {"id": app, "host": "b", "check": "app_refused", "url": "http://127.0.0.1:4000", "app": app}
        for app in ("editor", "mail")
    ]
    keys = probe.prepare(params(tmp_path / "secrets.env", *checks)).keys
    assert {name: key for name, key in keys.items() if name.startswith("app ")} == {
        "app editor": "sk-editor",
        "app mail": "",
    }


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(probe.Refused, match=f"^The keys in {tmp_path} cannot be read: Is a directory[.]$"):
        probe.prepare(params(tmp_path))


def test_checks_that_cannot_run_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(probe.Refused) as refused:
        probe.prepare(params(tmp_path / "none", {"check": "route"}, {"id": "a", "host": "b", "check": "magic"}))
    assert str(refused.value) == (
        "checks[0]: id, host, url, model and api_bases are missing.\n"
        "checks[1].check: 'magic' is no kind of check. "
        f"Known: {', '.join(sorted(PARAMETERS))}."
    )
