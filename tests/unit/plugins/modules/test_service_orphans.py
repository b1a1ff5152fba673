# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What earlier runs installed and nothing requires any more: told, left, and removed where that was asked for."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_record
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint, note_path, write_note
from ansible_collections.lab.llm_stack.plugins.modules import ollama_model, service
from example_services import SERVER
from ollama_servers import KINDS, TINY, call, started
from simulated_host import SimulatedHost, simulated_host

REMEDY = "set llm_stack_prune: true and deploy, or declare it again"
Run = Callable[..., dict[str, Any]]
Needs = list[dict[str, str]]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedHost]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with simulated_host(tmp_path / "home") as simulated:
        simulated.home.mkdir()
        yield simulated
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def run(host: SimulatedHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the module for one service with these requirements, and return its result."""
    monkeypatch.setattr(service, "Manager", lambda _uid: host)
    # Tests of the controller's side in the same process would have warnings printed instead of returned.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)

    def call(requires: Needs, check: bool = False, name: str = "example", **options: object) -> dict[str, Any]:
        env = f"{host.home}/.config/example/{name}.env"
        port = {"example": 8080}.get(name, 8081)
        unit = {"name": f"{name}.service", "content": SERVER.format(name=name, words="")}
        unit |= {"inputs": [env], "environment_files": [env], "listens": [f"127.0.0.1:{port}"]}
        files = [{"path": env, "content": f"port={port}\n"}]
        arguments = {"name": name, "home": str(host.home), "files": files, "units": [unit], "requires": requires}
        arguments |= {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            service.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def model(host: SimulatedHost, name: str) -> dict[str, str]:
    """A model file as the module release leaves it."""
    path = host.home / f".local/share/llm-stack/models/{name}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    write_note(str(path), sha256)
    return {"kind": "download", "path": str(path), "digest": sha256}


def version(host: SimulatedHost, kind: str, name: str, digest: str) -> dict[str, str]:
    """An environment or a release, as complete as a check looks."""
    path = host.home / f".local/share/llm-stack/{kind}s/{name}/{digest}"
    path.mkdir(parents=True)
    python = path / "bin/python"
    python.parent.mkdir()
    python.write_bytes(b"")
    note: dict[str, object] = {"digest": digest, "sha256": digest, "distributions": [], "pth": []}
    note |= {"interpreter": str(python), "files": {"bin/python": "file of 0 bytes"}}
    marker = {"environment": ".llm-stack-env.json", "release": ".llm-stack-release.json"}[kind]
    (path / marker).write_text(json.dumps(note))
    link = path.parent / "current"
    link.unlink(missing_ok=True)
    link.symlink_to(digest)
    return {"kind": kind, "path": str(path), "digest": digest}


def told(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["kind"], item["subject"], item["remedy"]) for item in result["items"]]


def test_a_model_that_nothing_declares_is_told_left_and_removed_when_asked_for(host: SimulatedHost, run: Run) -> None:
    kept, old = model(host, "kept"), model(host, "old")
    run([kept, old])
    assert told(run([kept, old])) == []
    before = host.files()
    left = run([kept])
    assert told(left) == [("orphan-model", old["path"], REMEDY)]
    assert (left["items"][0]["blame"], left["changed"]) == ("intentional", False)
    assert f"orphan-model {old['path']}: installed by an earlier run; {REMEDY}." in json.dumps(left["warnings"])
    assert told(run([kept], check=True)) == told(left)
    assert host.files() == before
    predicted = run([kept], check=True, unneeded="remove")
    assert (told(predicted), predicted["changed"]) == ([("orphan-model", old["path"], "deploy")], True)
    assert host.files() == before
    assert run([kept], unneeded="remove")["items"] == predicted["items"]
    gone = {each for each in before if each not in host.files()}
    assert {str(host.home / each) for each in gone} == {old["path"], note_path(old["path"])}
    assert told(run([kept], unneeded="remove")) == []


def test_what_was_there_before_us_is_never_ours_to_remove(host: SimulatedHost, run: Run) -> None:
    mine = host.home / "mine.gguf"
    mine.write_bytes(b"x")
    beside = host.home / ".local/share/llm-stack/models/mine.gguf"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(b"y")
    needs = [
        {"kind": "file", "path": str(mine), "digest": fingerprint(str(mine))},
        {"kind": "file", "path": str(beside)},
    ]
    run(needs)
    assert told(run([], unneeded="remove")) == []
    assert mine.exists()
    assert beside.exists()


@pytest.mark.parametrize("kind", ["environment", "release"])
def test_the_version_before_stays_until_nothing_of_its_name_is_needed(host: SimulatedHost, run: Run, kind: str) -> None:
    old = version(host, kind, "example", "1" * 12)
    run([old])
    new = version(host, kind, "example", "2" * 12)
    run([new])
    assert told(run([new], unneeded="remove")) == []
    result = run([], unneeded="remove")
    assert told(result) == [(f"orphan-{kind}", old["path"], "deploy"), (f"orphan-{kind}", new["path"], "deploy")]
    assert not Path(new["path"]).parent.exists()
    assert told(run([], unneeded="remove")) == []


def test_the_model_file_that_a_new_one_replaced_stays_for_the_way_back(host: SimulatedHost, run: Run) -> None:
    old, new = model(host, f"chat-{'1' * 12}"), model(host, f"chat-{'2' * 12}")
    run([old])
    assert told(run([new], unneeded="remove")) == []
    assert [subject for _kind, subject, _remedy in told(run([], unneeded="remove"))] == [old["path"], new["path"]]


def test_the_file_that_a_model_was_made_from_goes_with_it(host: SimulatedHost, run: Run) -> None:
    brought = model(host, f"chat-{'1' * 12}")
    made = {**model(host, "made"), "file": brought["path"]}
    run([made])
    later = {**made, "file": model(host, f"chat-{'2' * 12}")["path"]}
    assert told(run([later], unneeded="remove")) == []
    Path(later["file"]).unlink()
    assert told(run([], unneeded="remove")) == [
        ("orphan-model", brought["path"], "deploy"),
        ("orphan-model", made["path"], "deploy"),
    ]
    assert not Path(brought["path"]).exists()


def test_what_another_role_has_taken_over_is_no_longer_ours(host: SimulatedHost, run: Run) -> None:
    shared = model(host, "shared")
    run([shared])
    run([shared], name="other")
    assert told(run([], unneeded="remove")) == []
    assert Path(shared["path"]).exists()
    # It has one owner now, who may drop it too.
    assert told(run([], name="other")) == [("orphan-model", shared["path"], REMEDY)]


def test_a_call_that_does_not_declare_everything_judges_nothing(host: SimulatedHost, run: Run) -> None:
    first = model(host, "first")
    run([first])
    assert told(run([], unneeded="ignore")) == []
    assert told(run([])) == [("orphan-model", first["path"], REMEDY)]


def test_an_edited_manifest_makes_nobody_remove_anything(host: SimulatedHost, run: Run) -> None:
    run([model(host, "first")])
    manifest = host.home / ".local/state/llm-stack/example/manifest.json"
    other = model(host, "other")
    record = json.loads(manifest.read_text())
    record["installed"] = {other["path"]: {"kind": "download"}}
    manifest.write_text(json.dumps(record))
    assert [kind for kind, _subject, _remedy in told(run([], check=True, unneeded="remove"))] == ["manifest"]
    run([], unneeded="remove")
    assert Path(other["path"]).exists()


@pytest.mark.parametrize("spoil", [lambda text: text.replace("ada", "eve"), lambda text: text[:50]])
def test_while_the_manifest_of_another_role_is_edited_nothing_is_removed(
    host: SimulatedHost, run: Run, spoil: Callable[[str], str]
) -> None:
    """It may need what is not needed here, such as the file of a model that two engines serve."""
    shared = model(host, "shared")
    run([shared], holder="ada")
    run([shared], name="other", holder="ada")
    path = host.home / ".local/state/llm-stack/other/manifest.json"
    path.write_text(spoil(path.read_text()))
    found = run([], unneeded="remove")
    assert Path(shared["path"]).exists()
    assert [item["remedy"] for item in found["items"] if item["kind"] == "orphan-model"] == [REMEDY]
    run([shared], name="other", holder="ada")
    run([], unneeded="remove")
    assert Path(shared["path"]).exists()


def test_a_run_that_was_killed_before_it_removed_is_completed_by_the_next(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = model(host, "old")
    run([old])
    monkeypatch.setattr(service, "remove_orphans", lambda _found: (_ for _ in ()).throw(OSError("killed")))
    run([], unneeded="remove")
    monkeypatch.undo()
    monkeypatch.setattr(service, "Manager", lambda _uid: host)
    assert told(run([], unneeded="remove")) == [("orphan-model", old["path"], "deploy")]
    assert not Path(old["path"]).exists()


@pytest.mark.parametrize("server", KINDS)
def test_a_model_at_ollama_goes_by_its_server(
    host: SimulatedHost, run: Run, capsys: pytest.CaptureFixture[str], server: str
) -> None:
    with started(server, host.home) as url:
        declared = [{"name": name, "path": str(TINY)} for name in ("kept", "team/old")]
        with patch_module_args({"url": url, "models": declared}), pytest.raises(SystemExit):
            ollama_model.main()
        capsys.readouterr()
        store = f"{host.home}/.ollama/models"
        paths = [_ollama_record.manifest_path(store, each["name"]) for each in declared]
        kept, old = (
            {"kind": "ollama_model", "path": path, "digest": _ollama_record.identity(each), "server": url}
            for path, each in zip(paths, declared, strict=True)
        )
        run([kept, old])
        assert told(run([kept])) == [("orphan-model", old["path"], REMEDY)]
        assert told(run([kept], unneeded="remove")) == [("orphan-model", old["path"], "deploy")]
        listed = [each["name"] for each in json.loads(call(f"{url}/api/tags")[1])["models"]]
        assert listed == ["kept:latest"]
        assert [*_ollama_record.load()] == ["kept:latest"]
        assert told(run([kept])) == []
    told_why = run([], unneeded="remove")["msg"]
    assert told_why.endswith("The services are as declared; the model kept:latest is still there.")


@pytest.mark.parametrize("server", KINDS)
def test_a_model_at_ollama_that_was_there_before_us_stays(
    host: SimulatedHost, run: Run, capsys: pytest.CaptureFixture[str], server: str
) -> None:
    with started(server, host.home) as url:
        blob = hashlib.sha256(TINY.read_bytes()).hexdigest()
        call(f"{url}/api/blobs/sha256:{blob}", TINY.read_bytes())
        call(f"{url}/api/create", {"model": "mine", "files": {"a.gguf": f"sha256:{blob}"}, "stream": False})
        with patch_module_args({"url": url, "models": [{"name": "mine"}]}), pytest.raises(SystemExit):
            ollama_model.main()
        capsys.readouterr()
        path = _ollama_record.manifest_path(f"{host.home}/.ollama/models", "mine")
        digest = _ollama_record.identity({"name": "mine"})
        run([{"kind": "ollama_model", "path": path, "digest": digest, "server": url}])
        assert told(run([], unneeded="remove")) == []
        assert [each["name"] for each in json.loads(call(f"{url}/api/tags")[1])["models"]] == ["mine:latest"]
