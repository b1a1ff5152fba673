# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker as people meet it: the filter in a playbook, and the command on a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.lab.llm_stack.plugins.filter.check_gateway import FilterModule

check_gateway = FilterModule().filters()["check_gateway"]

SOUND = """\
model_list:
  - model_name: tiny
    litellm_params: {model: openai/tiny, api_base: "http://127.0.0.1:8080/v1", api_key: none}
router_settings:
  timeout: 120
"""
KNOWN = ["--env", "LITELLM_MASTER_KEY", "--host", "gpu-01"]
MISSPELT = SOUND.replace("timeout", "tiemout")
TWICE = f"{SOUND}  timeout: 5\n"


def test_the_filter_gives_findings_as_data_and_as_text() -> None:
    found = check_gateway(f"{SOUND}  num_retrys: 3\n", environment=["LITELLM_MASTER_KEY"])
    wrong = "is not known here to LiteLLM 1.106.2, which would ignore it in silence."
    assert found == [
        {
            "level": "error",
            "path": "router_settings.num_retrys",
            "found": None,
            "wrong": wrong,
            "remedy": "Did you mean 'num_retries'?",
            "text": f"error    router_settings.num_retrys: {wrong}\n    Did you mean 'num_retries'?",
        }
    ]


def test_the_filter_takes_parsed_data_and_says_nothing_when_all_is_well() -> None:
    params = {"model": "openai/tiny", "api_base": "http://gpu-01:8080/v1", "api_key": "none", "timeout": 5}
    config = {"model_list": [{"model_name": "tiny", "litellm_params": params}]}
    assert check_gateway(config, environment=["LITELLM_MASTER_KEY"], hosts=["gpu-01"]) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param([], "lab.llm_stack.check_gateway takes text or a mapping, and was given a list.", id="a list"),
        pytest.param("a: [", "is not YAML", id="text that is no YAML"),
    ],
)
def test_the_filter_refuses_what_it_cannot_read(config: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        check_gateway(config)


def check_config(root: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools/check-config"), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_command_says_what_it_checked_when_all_is_well(root: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SOUND)
    (tmp_path / "env").write_text("# the key\nexport LITELLM_MASTER_KEY=secret\n")
    result = check_config(root, "--env-file", tmp_path / "env", "--host", "gpu-01", tmp_path / "config.yaml")
    said = "no errors and no warnings in 9 values, by what LiteLLM 1.106.2 does with them.\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, said, "")


def test_the_command_names_file_and_line_and_fails_on_errors(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(TWICE)
    result = check_config(root, *KNOWN, file)
    assert result.returncode == 1
    assert result.stdout == (
        f"{file}:5: error    router_settings.timeout: is written 2 times, on lines 5 and 6; only the last one counts.\n"
        "    Keep one.\n"
        "1 error in 9 values, by what LiteLLM 1.106.2 does with them.\n"
    )


def test_the_command_does_not_fail_on_warnings(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(SOUND)
    result = check_config(root, file)
    assert result.returncode == 0
    assert "warning  environment: needs these variables" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "config.yaml was not checked: [Errno 2]", id="no file"),
        pytest.param("a: [", "config.yaml, line 1, column 5: is not YAML:", id="no YAML"),
    ],
)
def test_the_command_tells_a_file_it_cannot_read_from_a_broken_one(
    root: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "config.yaml"
    if text is not None:
        file.write_text(text)
    result = check_config(root, file)
    assert result.returncode == 2
    assert result.stdout == ""
    assert said in result.stderr
