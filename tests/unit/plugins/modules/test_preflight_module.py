# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module preflight as a task runs it: a model's files, a driver's program that prints what was recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils import _host_facts, _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Entry, dump, identity_from
from ansible_collections.lab.llm_stack.plugins.module_utils._requires import verify_preflight
from ansible_collections.lab.llm_stack.plugins.modules import preflight

Run = Callable[..., dict[str, Any]]
WEIGHTS = 2_147_592
UNIT = "vllm-tiny.service"
CARD = "0, GPU-a, {total}, 10, {free}, 580.65.06, 8.9, [N/A], NVIDIA GeForce RTX 4090"


@pytest.fixture
def home(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account with a model, a vLLM, and a card of 24 GiB."""
    folder = tmp_path / "model"
    shutil.copytree(root / "tests/fixtures/models/tiny-tools-hf", folder)
    (folder / "model.safetensors.header").rename(folder / "model.safetensors")
    (folder / "tokenizer.json").write_text("{}")
    with (folder / "model.safetensors").open("r+b") as target:
        target.truncate(WEIGHTS)
    site = tmp_path / "env/lib/python3.11/site-packages"
    for name in ("vllm/__init__.py", "vllm-0.33.0.dist-info/METADATA"):
        (site / name).parent.mkdir(parents=True)
        (site / name).touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 33554432 kB\nMemAvailable: 25165824 kB\n")
    monkeypatch.setattr(_proc, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(_host_facts, "_SERVICES", str(tmp_path / "bin"))
    (tmp_path / "bin/gcc").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    card(tmp_path, 24564, 24100)
    return tmp_path


def card(home: Path, total: int, free: int) -> None:
    """Let nvidia-smi show one card, in MiB."""
    line = CARD.format(total=total, free=free)
    program = home / "bin/nvidia-smi"
    program.write_text(f"#!/bin/sh\ncase $1 in *compute-apps*) ;; *) echo '{line}' ;; esac\n")
    program.chmod(0o755)


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module as a task does."""

    def call(check: bool = False, **changes: object) -> dict[str, Any]:
        instance = {"name": "tiny", "unit": UNIT, "folder": str(home / "model"), "port": 1, "digest": "77aa", **changes}
        arguments = {
            "instances": [instance],
            "environment": str(home / "env"),
            "state": str(home / "state"),
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            preflight.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def files(home: Path) -> list[str]:
    return sorted(str(each.relative_to(home)) for each in (home / "state").rglob("*") if each.is_file())


def test_the_documented_options_are_the_real_ones() -> None:
    options = yaml.safe_load(preflight.DOCUMENTATION)["options"]

    def compare(documented: dict[str, Any], spec: dict[str, Any]) -> None:
        assert documented.keys() == spec.keys()
        for name, real in spec.items():
            facts = {key: documented[name].get(key) for key in real if key != "options"}
            assert facts == {key: value for key, value in real.items() if key != "options"}, name

    compare(options, preflight.ARGUMENT_SPEC)
    compare(options["instances"]["suboptions"], preflight.INSTANCE_SPEC)


def test_the_documented_result_is_the_real_one(run: Run) -> None:
    documented = yaml.safe_load(preflight.RETURN)["fit"]["contains"]
    assert run()["fit"][0].keys() == documented.keys()


def test_an_instance_that_passes_leaves_a_record_that_the_service_module_accepts(run: Run, home: Path) -> None:
    record = home / f"state/preflight/{UNIT}.json"
    result = run()
    assert (result["changed"], result["version"], result["fit"][0]["verdict"]) == (True, "0.33.0", "fits")
    assert record.stat().st_mode & 0o777 == 0o600
    assert verify_preflight(str(record), "77aa") == []
    assert verify_preflight(str(record), "88bb") != []
    content = json.loads(record.read_text())
    assert content["fit"]["needs"][0]["amount"]["most"] == 1_072_384
    assert (content["card"], content["start_timeout"]) == ("NVIDIA GeForce RTX 4090", 900)


def test_a_second_run_changes_nothing(run: Run, home: Path) -> None:
    run()
    before = (home / f"state/preflight/{UNIT}.json").read_bytes()
    assert run()["changed"] is False
    assert (home / f"state/preflight/{UNIT}.json").read_bytes() == before


def test_what_passed_before_and_goes_on_is_not_refused_again(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    card(home, 2048, 1000)
    assert run()["failed"] is True
    assert run(standby=True)["changed"] is False
    monkeypatch.setattr(_host_facts, "pids_of", lambda units: {unit: [1] for unit in units})
    monkeypatch.setattr(_host_facts, "resident", lambda _pid: 1 << 30)
    result = run()
    assert result["changed"] is False
    assert [each["code"] for each in result["fit"][0]["warnings"]] == ["weights-over-memory"]
    assert run(digest="88bb")["failed"] is True


def test_another_digest_is_another_thing(run: Run) -> None:
    run()
    assert run(digest="88bb")["changed"] is True


@pytest.mark.parametrize("check", [True, False], ids=["in check mode", "in a run"])
def test_what_is_refused_leaves_nothing(run: Run, home: Path, check: bool) -> None:
    card(home, 2048, 1000)
    result = run(check)
    assert result["failed"] is True
    assert result["msg"].startswith(
        "1 problem in 1 variable. Nothing was changed on any host.\n\nllm_stack_models.tiny: "
    )
    assert [each["code"] for each in result["fit"][0]["refused"]] == ["weights-over-memory"]
    assert not (home / "state").exists()


def test_check_mode_says_the_same_and_writes_nothing(run: Run, home: Path) -> None:
    predicted = run(check=True)
    assert not (home / "state").exists()
    assert predicted["changed"] is True
    assert run()["fit"] == predicted["fit"]
    assert files(home) == [f"state/preflight/{UNIT}.json"]
    assert run(check=True)["changed"] is False


def test_what_earlier_tasks_would_have_brought_is_not_missed_in_check_mode(run: Run, home: Path) -> None:
    shutil.rmtree(home / "env")
    (home / "model").rename(home / "later")
    assert [each["code"] for each in run()["fit"][0]["refused"]] == ["model-folder", "vllm-metadata"]
    result = run(check=True)
    assert result["changed"] is True
    assert [each["code"] for each in result["fit"][0]["warnings"]] == ["model-folder", "vllm-metadata"]
    assert "A run brings it first, and looks at it then" in result["fit"][0]["warnings"][0]["text"]


def test_what_is_there_and_broken_is_refused_in_check_mode(run: Run, home: Path) -> None:
    (home / "model/config.json").unlink()
    assert [each["code"] for each in run(check=True)["fit"][0]["refused"]] == ["model-config"]


def test_a_refusal_that_is_accepted_is_a_warning(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    # In a process that has loaded the controller's side of Ansible, warnings are shown and not returned.
    monkeypatch.setattr(preflight.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    card(home, 2048, 1000)
    result = run(accept=["memory"])
    assert result["changed"] is True
    assert any("does not fit into NVIDIA GeForce RTX 4090." in each for each in warnings)


def test_what_is_accepted_and_does_not_exist_is_refused(run: Run) -> None:
    result = run(accept=["tigth"])
    assert "llm_stack_models.tiny.vllm.accept: 'tigth' is no verdict" in result["msg"]


def test_the_ledger_is_used(run: Run, home: Path) -> None:
    run()
    identity = identity_from(json.loads((home / f"state/preflight/{UNIT}.json").read_text())["identity"])
    assert identity is not None
    entry = Entry(identity, 12 << 20, 3 << 20, load_seconds=400.0, seen="2026-11-20T19:01:20Z")
    (home / "state/ledger.json").write_bytes(dump([entry]))
    result = run(digest="88bb")["fit"][0]
    assert (result["start_timeout"], result["fit"]["needs"][0]["amount"]["most"]) == (1200, 12 << 20)
    assert result["measured"].startswith("An earlier start corrects the estimate from 1.8")


def test_the_ledger_tells_nothing_of_other_files_in_the_same_folder(run: Run, home: Path) -> None:
    test_the_ledger_is_used(run, home)
    weights = home / "model/model.safetensors"
    header = {"lm_head.weight": {"dtype": "BF16", "shape": [1 << 20], "data_offsets": [0, 2 << 20]}}
    content = json.dumps(header).encode()
    weights.write_bytes(len(content).to_bytes(8, "little") + content + bytes(2 << 20))
    result = run(digest="88bb")
    told = result["fit"][0]
    assert (told["measured"], told["start_timeout"], told["fit"]["needs"][0]["amount"]["most"]) == ("", 900, 2 << 20)
    # What the next start takes is written down for these files.
    assert result["changed"] is True
    record = json.loads((home / f"state/preflight/{UNIT}.json").read_text())
    assert record["identity"]["revision"] == "2097152 bytes"


def test_files_of_a_commit_are_known_by_it(run: Run, home: Path) -> None:
    run(revision="c0ffee")
    assert json.loads((home / f"state/preflight/{UNIT}.json").read_text())["identity"]["revision"] == "c0ffee"


def test_an_edited_ledger_stops_nothing(run: Run, home: Path) -> None:
    (home / "state").mkdir()
    (home / "state/ledger.json").write_text("{")
    assert run()["fit"][0]["verdict"] == "fits"


def test_a_record_that_cannot_be_written_is_named(run: Run, home: Path) -> None:
    (home / "state").touch()
    assert str(home / "state") in run()["msg"]


def test_llama_cpp_is_asked_itself(run: Run, home: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = home / "bin/llama-fit-params"
    program.write_text("#!/bin/sh\n[ -f $LLAMA_ARG_MODEL ] && [ $LLAMA_ARG_CTX_SIZE = 8192 ] && echo 'CUDA0 3 8 77'\n")
    program.chmod(0o755)
    instance = {
        "name": "tiny",
        "unit": "llamacpp-tiny.service",
        "engine": "llamacpp",
        "folder": str(root / "models/tiny-tools.gguf"),
        "settings": {"LLAMA_ARG_CTX_SIZE": 8192, "LLAMA_ARG_N_PARALLEL": 1},
        "port": 1,
        "digest": "x",
    }
    arguments = {"instances": [instance], "program": str(home / "bin/llama-server"), "state": str(home / "state")}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        preflight.main()
    fit = json.loads(capsys.readouterr().out)["fit"][0]["fit"]
    assert [(each["amount"]["most"] >> 20, each["why"]) for each in fit["needs"]][::2] == [
        (3, "as llama-fit-params says"),
        (77, "as llama-fit-params says"),
    ]


def test_several_instances_are_refused_together(run: Run, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    instances = [
        {"name": name, "unit": f"{name}.service", "folder": str(home / name), "port": 1, "digest": "x"}
        for name in ("one", "two")
    ]
    arguments = {"instances": instances, "environment": str(home / "env"), "state": str(home / "state")}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        preflight.main()
    message = json.loads(capsys.readouterr().out)["msg"]
    assert message.startswith("2 problems in 1 variable.")
    assert "llm_stack_models.one.source" in message
    assert "llm_stack_models.two.source" in message
