# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module ollama_model against a server: the stand-in, and unchanged a real one where OLLAMA_BINARY names it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ollama_servers as servers
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils import _acceptance, _ollama_forget
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_record as record
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import Client
from ansible_collections.lab.llm_stack.plugins.modules import ollama_model, ollama_model_info
from ollama_servers import TINY, Registry, call

Run = Callable[..., dict[str, Any]]
FILE = {"name": "tiny", "path": str(TINY)}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a home of its own, and so a record of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture(params=servers.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, home: Path) -> Iterator[str]:
    with servers.started(kind, home) as address:
        yield address


@pytest.fixture
def registry() -> Iterator[Registry]:
    with servers.registry() as server:
        server.add("team/tiny:v1", TINY.read_bytes())
        yield server


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], url: str) -> Run:
    """Call the module with these models and return its result."""

    def call_module(*models: dict[str, Any], check: bool = False, **options: object) -> dict[str, Any]:
        arguments = {"url": url, "models": list(models), **options}
        with (
            patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}),
            pytest.raises(SystemExit),
        ):
            ollama_model.main()
        return dict(json.loads(capsys.readouterr().out))

    return call_module


def kinds(result: dict[str, Any]) -> list[tuple[str, str]]:
    assert not result.get("failed"), result["msg"]
    assert result["changed"] == bool(result["items"])
    return [(item["kind"], item["subject"]) for item in result["items"]]


def tags(url: str) -> dict[str, str]:
    return {each["name"]: each["digest"] for each in json.loads(call(f"{url}/api/tags")[1])["models"]}


# Where models come from


def test_from_a_file_once(run: Run, url: str) -> None:
    wanted = {**FILE, "parameters": {"num_ctx": 2048}, "context": 2048, "capabilities": ["tools"]}
    assert kinds(run(wanted, check=True)) == [("model-create", "tiny")]
    assert tags(url) == {}
    assert kinds(run(wanted)) == [("model-create", "tiny")]
    assert list(tags(url)) == ["tiny:latest"]
    assert kinds(run(wanted)) == kinds(run(wanted, check=True)) == []


def test_other_parameters_make_it_anew(run: Run, url: str) -> None:
    run({**FILE, "parameters": {"num_ctx": 2048}})
    before = tags(url)
    wanted = {**FILE, "parameters": {"num_ctx": 4096}}
    assert kinds(run(wanted, check=True)) == kinds(run(wanted)) == [("model-create", "tiny")]
    assert tags(url) != before


def test_another_file_makes_it_anew(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    shutil.copy(TINY, file)
    run({"name": "tiny", "path": str(file)})
    content = bytearray(TINY.read_bytes())
    content[-4:] = b"\0\0\0\0"
    file.write_bytes(content)
    assert kinds(run({"name": "tiny", "path": str(file)})) == [("model-create", "tiny")]


def test_one_that_was_replaced_by_hand_is_made_anew(run: Run, url: str) -> None:
    run(FILE, {"name": "other", "path": str(TINY), "parameters": {"seed": 7}})
    call(f"{url}/api/copy", {"source": "other", "destination": "tiny"})
    assert kinds(run(FILE, check=True)) == kinds(run(FILE)) == [("model-create", "tiny")]
    assert kinds(run(FILE)) == []


def test_from_a_registry_of_ones_own_under_its_long_name(run: Run, url: str, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    wanted = {"name": long, "insecure": True}
    assert kinds(run(wanted, check=True)) == [("model-pull", long)]
    assert kinds(run(wanted)) == [("model-pull", long)]
    assert list(tags(url)) == [long]
    registry.asked.clear()
    assert kinds(run(wanted)) == []
    assert registry.asked == []


def test_an_alias_shares_everything_and_follows_its_source(run: Run, url: str, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    wanted = {"name": "short", "source": long, "insecure": True}
    steps = [("model-pull", long), ("model-copy", "short")]
    assert kinds(run(wanted, check=True)) == kinds(run(wanted)) == steps
    assert tags(url)["short:latest"] == tags(url)[long]
    assert kinds(run(wanted)) == []
    run({"name": "short", "path": str(TINY), "parameters": {"seed": 1}})
    assert kinds(run(wanted)) == [("model-copy", "short")]


def test_latest_asks_the_registry_and_the_digest_decides(run: Run, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    made = {"name": "made", "source": long, "insecure": True, "state": "latest", "parameters": {"seed": 1}}
    run(made)
    assert kinds(run(made)) == []
    registry.add("team/tiny:v1", TINY.read_bytes(), temperature=0.1)
    foreseen = run(made, check=True)
    assert kinds(foreseen) == []
    assert foreseen["unknown"] == [f"{long}: present; only a pull tells whether the registry has another."]
    assert kinds(run(made)) == [("model-pull", long), ("model-create", "made")]


def test_a_store_that_was_seeded(run: Run, url: str, home: Path, tmp_path: Path, registry: Registry) -> None:
    run({"name": registry.name("team/tiny:v1"), "insecure": True})
    store = tmp_path / "store"
    shutil.copytree(home / ".ollama/models", store)
    source = store / "manifests" / registry.name("team/tiny:v1").replace(":v1", "/v1")
    target = store / "manifests/registry.ollama.ai/library/seeded/1b"
    target.parent.mkdir(parents=True)
    source.rename(target)
    run({"name": registry.name("team/tiny:v1"), "state": "absent"})
    wanted = {"name": "seeded:1b", "store": str(store)}
    assert kinds(run(wanted, check=True)) == kinds(run(wanted)) == [("model-seed", "seeded:1b")]
    assert list(tags(url)) == ["seeded:1b"]
    assert kinds(run(wanted)) == []
    body = {"model": "seeded:1b", "prompt": "hello", "stream": False}
    assert call(f"{url}/api/generate", body)[0] == 200


def test_a_damaged_blob_of_a_store_is_found_while_it_is_copied(run: Run, url: str, tmp_path: Path) -> None:
    blob = tmp_path / "store/blobs" / f"sha256-{'0' * 64}"
    manifest = tmp_path / "store/manifests/registry.ollama.ai/library/bad/1b"
    for path, content in (
        (blob, "not this"),
        (manifest, json.dumps({"config": {"digest": f"sha256:{'0' * 64}", "size": 8}})),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(content)
    result = run({"name": "bad:1b", "store": str(tmp_path / "store")})
    assert f"{blob}: is damaged: its sum is" in result["msg"]
    assert tags(url) == {}


def test_absent_deletes_the_name_alone(run: Run, url: str) -> None:
    run(FILE, {"name": "second", "source": "tiny"})
    gone = {"name": "TINY", "state": "absent"}
    assert kinds(run(gone, check=True)) == kinds(run(gone)) == [("model-delete", "TINY")]
    assert list(tags(url)) == ["second:latest"]
    assert kinds(run(gone)) == []
    assert "tiny:latest" not in record.load()


# What came by us, and goes by us


def forget(url: str, name: str) -> list[str]:
    return _ollama_forget.forget(Client(url), name)


def test_what_a_model_was_made_from_goes_with_the_last_that_was(run: Run, url: str, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    made = [
        {"name": name, "source": long, "insecure": True, "parameters": {"seed": seed}}
        for seed, name in enumerate(("one", "two"))
    ]
    run(*made)
    assert sorted(tags(url)) == [long, "one:latest", "two:latest"]
    assert forget(url, "one") == ["one:latest"]
    assert forget(url, "one") == []
    assert forget(url, "two") == ["two:latest", long]
    assert (tags(url), record.load()) == ({}, {})


def test_a_source_that_is_declared_itself_stays(run: Run, url: str, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    run({"name": "short", "source": long, "insecure": True}, {"name": long, "insecure": True})
    assert forget(url, "short") == ["short:latest"]
    assert [*tags(url)] == [long]


def test_what_was_there_before_us_is_not_ours(run: Run, url: str, home: Path, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    call(f"{url}/api/pull", {"model": long, "insecure": True})
    run({"name": long, "insecure": True}, {"name": "made", "source": long, "insecure": True})
    folder = str(home / ".ollama/models")
    assert [record.is_ours(record.manifest_path(folder, name)) for name in (long, "made")] == [False, True]
    assert forget(url, long) == []
    assert forget(url, "made") == ["made:latest"]
    assert [*tags(url)] == [long]


def test_what_somebody_replaced_since_is_theirs(run: Run, url: str, home: Path) -> None:
    run(FILE, {"name": "other", "path": str(TINY), "parameters": {"seed": 7}})
    call(f"{url}/api/copy", {"source": "other", "destination": "tiny"})
    assert record.is_ours(record.manifest_path(str(home / ".ollama/models"), "tiny")) is False
    assert forget(url, "tiny") == []
    assert "tiny:latest" in tags(url)
    assert "tiny:latest" not in record.load()


def test_what_came_before_a_failure_came_by_us(run: Run, url: str, registry: Registry) -> None:
    long = registry.name("team/tiny:v1")
    gone = {"name": registry.name("team/gone:v1"), "insecure": True}
    assert run({"name": long, "insecure": True}, gone)["failed"]
    # It is there, and nobody has asked it yet what it can do.
    assert (record.load()[long].brought, record.load()[long].declared) == (True, "")
    assert kinds(run({"name": long, "insecure": True})) == []
    assert record.load()[long].declared
    assert forget(url, long) == [long]


# Honesty


def test_a_model_that_lacks_what_was_declared_is_refused_and_asked_again(run: Run, url: str) -> None:
    wanted = {**FILE, "capabilities": ["tools", "vision"]}
    for _round in range(2):
        assert run(wanted)["msg"] == (
            f"1 problem with what is at {url}. Nothing there was removed.\n\n"
            "tiny.capabilities: 'vision' is not among what tiny can do: completion, tools.\n"
            "    Remove it, or choose another model."
        )


def test_more_context_than_a_model_was_made_for_is_refused(run: Run) -> None:
    result = run({**FILE, "context": 65536, "parameters": {"num_ctx": 65536}})
    assert "tiny.context: 65536 is more than tiny was made for, 8192; Ollama would cut it in silence." in result["msg"]


def test_a_context_that_a_model_brings_itself_counts(run: Run, registry: Registry) -> None:
    registry.add("team/small:v1", TINY.read_bytes(), num_ctx=1024)
    long = registry.name("team/small:v1")
    result = run({"name": long, "insecure": True, "context": 4096})
    assert f"{long}.context: 4096 is declared, but {long} brings 1024 of its own, which counts." in result["msg"]
    made = {"name": "wide", "source": long, "insecure": True, "context": 4096, "parameters": {"num_ctx": 4096}}
    assert kinds(run(made)) == [("model-create", "wide")]


# The proof on the disk


def test_what_is_noted_can_be_proven_without_the_server(run: Run, home: Path) -> None:
    wanted = {**FILE, "parameters": {"seed": 3}, "context": 4096, "capabilities": ["tools"]}
    path = record.manifest_path(str(home / ".ollama/models"), "tiny")
    declared = record.identity(wanted)
    assert record.verify(path, declared) == ["is not at the server"]
    run(wanted)
    assert record.verify(path, declared) == []
    assert record.verify(path, record.identity({**wanted, "context": 2048})) == [
        "is declared otherwise than when it was made"
    ]
    blob = max((home / ".ollama/models/blobs").iterdir(), key=lambda each: each.stat().st_size)
    blob.unlink()
    assert len(record.verify(path, declared)) == 1
    assert record.verify(path, declared)[0].startswith("has lost its blob sha256:")


# Errors


def test_an_error_under_a_200_is_an_error(run: Run, registry: Registry) -> None:
    long = registry.name("team/gone:v1")
    assert run({"name": long, "insecure": True})["msg"] == (
        f"pull of {long}: pull model manifest: file does not exist.\n"
        "    The registry has no model of this name and tag. Correct the source."
    )


def test_a_mirror_without_location_is_named(run: Run, registry: Registry) -> None:
    registry.location = False
    result = run({"name": registry.name("team/tiny:v1"), "insecure": True})
    assert "http: no Location header in response" in result["msg"]
    assert "The mirror sends blobs without a Location header" in result["msg"]


def test_a_blob_that_is_another_is_named(run: Run, url: str, registry: Registry) -> None:
    digest = max(registry.blobs, key=lambda each: len(registry.blobs[each]))
    registry.blobs[digest] = bytes(len(registry.blobs[digest]))
    result = run({"name": registry.name("team/tiny:v1"), "insecure": True})
    assert "digest mismatch, file must be downloaded again" in result["msg"]
    assert tags(url) == {}


def test_a_file_that_is_not_the_declared_one_is_refused_before_it_is_sent(run: Run, url: str) -> None:
    result = run({**FILE, "sha256": "0" * 64})
    assert f"tiny.path: '{TINY}' is not the declared file: its sum is" in result["msg"]
    assert tags(url) == {}


def test_a_file_that_is_no_gguf_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_text("<html>login</html>")
    result = run({"name": "no", "path": str(tmp_path / "no.gguf")})
    assert result["msg"].startswith("creation of no: ")


def test_all_that_contradicts_itself_is_told_at_once(run: Run) -> None:
    result = run(
        {"name": "bad name"},
        {"name": "a", "path": "/x.gguf", "source": "b"},
        {"name": "c", "sha256": "0" * 64},
        {"name": "d", "capabilities": ["tool"]},
        {"name": "e", "path": "/x.gguf", "state": "latest"},
        {"name": "f", "system": "Be brief."},
        {"name": "g", "source": "h", "context": 4096, "parameters": {"num_ctx": 8192}},
        {"name": "i", "source": "j"},
        {"name": "I:latest", "source": "k"},
    )
    assert [line.partition(": ")[0] for line in result["msg"].splitlines() if line.startswith("models[")] == [
        "models[0].name",
        "models[1].path",
        "models[2].sha256",
        "models[3].capabilities",
        "models[4].state",
        "models[5].name",
        "models[6].parameters.num_ctx",
        "models[8].name",
    ]


def test_a_server_that_is_down(run: Run) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert run(FILE, url=silent)["msg"] == f"GET {silent}/api/tags: nothing listens there."
        foreseen = run(FILE, url=silent, check=True)
    assert kinds(foreseen) == [("model-create", "tiny")]
    assert foreseen["unknown"] == [f"nothing answers at {silent}, so its models are taken to be absent."]


@pytest.fixture
def foreign(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address under a name that it does not know as its own."""
    resolve = socket.getaddrinfo

    def resolved(host: str, *arguments: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host == "ollama.example.org" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return url.replace("127.0.0.1", "ollama.example.org")


def test_a_server_that_knows_no_such_host_name_answers_403_without_a_word(run: Run, foreign: str) -> None:
    assert run(FILE, url=foreign)["msg"] == (
        f"{foreign}/api/tags: it answered 403 without a word.\n"
        "    Ollama refuses foreign host names on loopback. Use 127.0.0.1 or localhost in url."
    )


def test_a_server_without_models_lists_null_in_one_place_and_nothing_in_the_other(run: Run, url: str) -> None:
    """Whoever asks /v1/models of it gets no list at all; nobody may fall over that."""
    listed = Answer(*call(f"{url}/v1/models")[:1], {}, call(f"{url}/v1/models")[1])
    assert json.loads(listed.text)["data"] is None
    verdict = _acceptance.judge({"check": "model_identity", "model": "chat", "url": url}, [listed])
    assert (verdict.state, verdict.evidence) == ("fail", "200, but it lists no model")
    ready = [sys.executable, str(servers.ROOT / "roles/llamacpp/files/ready.py"), url, "chat", "0.2"]
    done = subprocess.run(ready, capture_output=True, text=True, timeout=20, check=False)
    assert "/v1/models lists no model, not chat" in done.stderr
    assert kinds(run({"name": "nothing", "state": "absent"})) == []


# Downloads


def test_a_download_pauses_and_goes_on(run: Run, registry: Registry) -> None:
    registry.pause = 0.05
    wanted = {"name": registry.name("team/tiny:v1"), "insecure": True}
    first = run(wanted, slice=0.2)
    assert kinds(first) == []
    assert 0 < first["unfinished"]["completed"] < first["unfinished"]["total"] == TINY.stat().st_size
    registry.pause = 0
    deadline = time.monotonic() + 20
    while (last := run(wanted, slice=0.2))["unfinished"]:
        assert time.monotonic() < deadline
    assert kinds(last) == [("model-pull", wanted["name"])]


# Looking


def test_info_tells_what_is_there(run: Run, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run({**FILE, "parameters": {"num_ctx": 2048}})
    call(f"{url}/api/generate", {"model": "tiny", "prompt": "hello", "stream": False})
    with patch_module_args({"url": url}), pytest.raises(SystemExit):
        ollama_model_info.main()
    found = json.loads(capsys.readouterr().out)
    assert found["changed"] is False
    assert found["version"] == json.loads(call(f"{url}/api/version")[1])["version"]
    (model,) = found["models"]
    assert model["name"] == "tiny:latest"
    assert model["digest"] == tags(url)["tiny:latest"]
    assert {"tools", "completion"} <= set(model["capabilities"])
    assert (model["context"], model["trained_context"]) == (2048, 8192)
    assert (model["loaded"]["context"], model["loaded"]["on_card"]) == (2048, 0.0)
