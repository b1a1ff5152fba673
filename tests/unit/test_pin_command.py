# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The command that pins models and releases, against publishers of the test's own."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_software, _lock_file
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

Pin = Callable[..., subprocess.CompletedProcess[str]]
REPO, TOKEN = "acme/coder", "hf_canary_4711"
CONFIG = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_position_embeddings": 32768}
CONFIG |= {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "vocab_size": 320}
TEMPLATE = "{% if tools %}<tool_call>{{ tools }}{% endif %}{{ messages }}"
X64, CUDA = "llama-b9000-bin-ubuntu-x64.tar.gz", "llama-b9000-bin-ubuntu-cuda-12.8-x64.tar.gz"


def stand_in(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / f"tests/stand_ins/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def hub(root: Path, tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / "hub" / REPO
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    (folder / "model.safetensors").write_bytes(b"w" * 20_000)
    (folder / "pytorch_model.bin").write_bytes(b"w" * 20_000)
    (folder / "README.md").write_text("A model.")
    with stand_in(root, "model_hub").Hub(tmp_path / "hub") as started:
        yield started


@pytest.fixture
def publisher(root: Path, tmp_path: Path) -> Iterator[Any]:
    llamacpp, ollama = tmp_path / "www/ggml-org/llama.cpp/b9000", tmp_path / "www/ollama/ollama/v0.35.0"
    for folder, names in (
        (llamacpp, (X64, CUDA, "llama-b9000-bin-win-cpu-x64.zip")),
        (ollama, ("ollama-linux-amd64.tgz",)),
    ):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(name.encode() * 100)
    sums = "".join(f"{sha256(path)}  ./{path.name}\n" for path in sorted(ollama.iterdir()))
    (ollama / "sha256sum.txt").write_text(sums)
    with stand_in(root, "release_host").Publisher(tmp_path / "www") as started:
        yield started


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    variables = tmp_path / "inventory/group_vars/all"
    variables.mkdir(parents=True)
    (tmp_path / "inventory/hosts.yml").write_text("all: {children: {vllm: {hosts: {gpu-01: }}}}\n")
    models = {"coder": {"source": REPO}, "tiny": {"source": "files/tiny.gguf"}}
    (variables / "stack.yml").write_text(yaml.safe_dump({"llm_stack_models": models}))
    return tmp_path / "inventory"


@pytest.fixture
def pin(
    root: Path, inventory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Pin]:
    """Carry out the command in this process, without asking Ansible for the models; capitals are its environment."""
    loader = importlib.machinery.SourceFileLoader("pin_command", str(root / "tools/pin"))
    spec = importlib.util.spec_from_loader("pin_command", loader)
    assert spec is not None
    command = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "path", list(sys.path))
        patched.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(command)
        models = yaml.safe_load((inventory / "group_vars/all/stack.yml").read_text())["llm_stack_models"]
        patched.setattr(command, "declared_models", lambda _inventory: models)

        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            for name in ("HF_ENDPOINT", "HF_TOKEN", "GITHUB_TOKEN"):
                patched.delenv(name, raising=False)
            for name, value in variables.items():
                patched.setenv(name, value)
            patched.setattr(sys, "argv", ["pin", "--inventory", str(inventory), *arguments])
            code = command.main()
            printed = capsys.readouterr()
            return subprocess.CompletedProcess(arguments, code, printed.out, printed.err)

        yield run


def test_the_models_are_those_that_ansible_finds(root: Path, hub: Any, inventory: Path) -> None:
    """The command as make calls it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8", "HF_ENDPOINT": hub.url}
    command = [sys.executable, "tools/pin", "--inventory", str(inventory), "model", "coder"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert lock(inventory, "models")["llm_stack_model_lock"]["coder"]["repo"] == REPO


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lock(inventory: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((inventory / f"group_vars/all/{name}.lock.yml").read_text())


def test_a_model_is_pinned_to_a_commit_its_files_and_what_they_show(pin: Pin, hub: Any, inventory: Path) -> None:
    done = pin("model", "coder", HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN)
    path = inventory / "group_vars/all/models.lock.yml"
    assert (done.returncode, done.stderr) == (0, "")
    commit = hub.revision(REPO)
    assert done.stdout == (
        f"coder: {REPO} at {commit[:12]}, 4 files, 0.02 MiB, 32768 tokens at most.\n{path}: written.\n"
    )
    entry = lock(inventory, "models")["llm_stack_model_lock"]["coder"]
    assert (entry["repo"], entry["revision"]) == (REPO, commit)
    assert entry["files"]["model.safetensors"] == {
        "size": 20_000,
        "sha256": sha256(hub.folder / REPO / "model.safetensors"),
    }
    assert sorted(entry["files"]) == ["README.md", "config.json", "model.safetensors", "tokenizer_config.json"]
    expected = {"chats": True, "has_template": True, "mark": "hermes", "renders_tools": True, "max_context": 32768}
    assert entry["evidence"] == expected
    # The weights were not fetched, the token went to the hub alone and stays nowhere.
    assert not any("model.safetensors" in request.path for request in hub.requests)
    assert {request.authorization for request in hub.requests} == {f"Bearer {TOKEN}"}
    assert not any(TOKEN in file.read_text() for file in inventory.rglob("*") if file.is_file())
    before = path.read_bytes()
    again = pin("model", "coder", HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN)
    assert (again.stdout.splitlines()[-1], path.read_bytes()) == (f"{path}: unchanged.", before)


def test_what_is_pinned_is_what_the_plan_asks_for(pin: Pin, hub: Any, inventory: Path) -> None:
    declaration: dict[str, Any] = {
        "models": {"coder": {"source": REPO, "tools": True}},
        "hosts": {"gpu-01": {"groups": ["vllm", "litellm"]}},
    }
    with pytest.raises(StackError, match=r"make pin MODEL=coder"):
        plan(declaration)
    assert pin("model", "coder", HF_ENDPOINT=hub.url).returncode == 0
    pinned = plan({**declaration, "model_lock": lock(inventory, "models")["llm_stack_model_lock"]})
    instance = pinned["hosts"]["gpu-01"]["vllm"]["instances"][0]
    assert instance["source"]["revision"] == hub.revision(REPO)
    assert (instance["tool_calling"]["tool_parser"], instance["tool_calling"]["support"]) == ("hermes", "native")


def test_an_entry_is_put_beside_the_others(pin: Pin, hub: Any, inventory: Path) -> None:
    assert pin("model", "other", "--repo", REPO, HF_ENDPOINT=hub.url).returncode == 0
    (hub.folder / REPO / "README.md").write_text("A newer model.")
    assert pin("model", "coder", "--revision", hub.revision(REPO), HF_ENDPOINT=hub.url).returncode == 0
    entries = lock(inventory, "models")["llm_stack_model_lock"]
    assert sorted(entries) == ["coder", "other"]
    assert entries["coder"]["revision"] != entries["other"]["revision"]


@pytest.mark.parametrize(
    ("model", "fault", "words"),
    [
        pytest.param(
            "coder",
            {"gated": True},
            f"was not read: {REPO} is gated: its owner wants to know who fetches it (Access to this repository is "
            f"restricted).\n    Accept the terms on the page of {REPO} with the account of the token, then set",
            id="gated",
        ),
        pytest.param(
            "coder",
            {"private": True},
            f"was not read: {REPO} is private, or there is no such repository",
            id="private",
        ),
        pytest.param("coder", {"too_many": 9}, "was not read: too many requests (We had to rate limit you).", id="429"),
        pytest.param(
            "coder",
            {"page": True},
            "was not read: the answer is an HTML page, such as that of a proxy or a login.\n"
            "    Make the address reachable from this machine, or name a mirror that is.",
            id="a page",
        ),
        pytest.param(
            "coder",
            {"wrong_bytes": {"config.json"}},
            "/config.json is not the file that the hub lists: expected blob ",
            id="another file",
        ),
        pytest.param("coder", {"cut_after": [10]}, "the answer ended after 10 of ", id="cut off"),
        pytest.param(
            "tiny",
            {},
            "llm_stack_models.tiny.source: 'files/tiny.gguf' is not a repository of a hub, and only those are pinned.\n"
            "    Files and folders are pinned by what they hold; a download by its sha256.",
            id="a file",
        ),
        pytest.param(
            "codr",
            {},
            "llm_stack_models.codr: is not declared in this inventory, or has no source.\n    Declared: coder, tiny.",
            id="not declared",
        ),
    ],
)
def test_a_model_that_cannot_be_pinned(
    pin: Pin, hub: Any, inventory: Path, model: str, fault: dict[str, Any], words: str
) -> None:
    for name, value in fault.items():
        setattr(hub.faults, name, value)
    done = pin("model", model, HF_ENDPOINT=hub.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.endswith("The lock is as it was.\n")
    assert not (inventory / "group_vars/all/models.lock.yml").exists()


def test_a_repository_of_gguf_files_alone(pin: Pin, hub: Any) -> None:
    (hub.folder / REPO / "model.safetensors").unlink()
    (hub.folder / REPO / "pytorch_model.bin").rename(hub.folder / REPO / "coder-q4.gguf")
    done = pin("model", "coder", HF_ENDPOINT=hub.url)
    assert done.stderr == (
        f"source: '{REPO}' holds no weights that vLLM reads.\n    Name the repository that holds the model itself.\n"
        "    Its GGUF files are for llama.cpp: write the address of one as source, such as coder-q4.gguf.\n"
        "The lock is as it was.\n"
    )


@pytest.mark.parametrize("revision", ["v9", "refs/pr/1"])
def test_a_revision_that_is_not_there(pin: Pin, hub: Any, revision: str) -> None:
    done = pin("model", "coder", "--revision", revision, HF_ENDPOINT=hub.url)
    assert f"{REPO} has no such revision (Invalid rev id: " in done.stderr


def test_nobody_at_the_address(pin: Pin) -> None:
    done = pin("model", "coder", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stderr.splitlines()[0].endswith("was not read: Connection refused.")
    assert "name a mirror that is: HF_ENDPOINT for make pin" in done.stderr


def test_variables_that_ansible_would_overlook_beside_the_lock_are_not_lost(
    pin: Pin, hub: Any, inventory: Path
) -> None:
    (inventory / "group_vars/all/stack.yml").rename(inventory / "group_vars/all.yml")
    (inventory / "group_vars/all").rmdir()
    done = pin("model", "coder", HF_ENDPOINT=hub.url)
    assert f"Move it to {inventory}/group_vars/all/main.yml." in done.stderr
    assert not (inventory / "group_vars/all").exists()


def test_a_lock_that_holds_something_else_is_left_alone(pin: Pin, hub: Any, inventory: Path) -> None:
    path = inventory / "group_vars/all/models.lock.yml"
    path.write_text("mine: 1\n")
    done = pin("model", "coder", HF_ENDPOINT=hub.url)
    assert done.stderr.startswith("llm_stack_model_lock: holds more than llm_stack_model_lock, which would be lost.\n")
    assert path.read_text() == "mine: 1\n"


def test_a_release_is_pinned_to_the_checksums_that_are_stated(pin: Pin, publisher: Any, inventory: Path) -> None:
    done = pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url, GITHUB_TOKEN=TOKEN)
    path = inventory / "group_vars/all/releases.lock.yml"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"ggml-org/llama.cpp b9000: 2 archives for Linux with their checksums.\n{path}: written.\n")
    entry = lock(inventory, "releases")["llm_stack_release_lock"]["llamacpp"]
    assert (entry["tag"], entry["repository"], sorted(entry["assets"])) == ("b9000", "ggml-org/llama.cpp", [CUDA, X64])
    file = publisher.folder / "ggml-org/llama.cpp/b9000" / X64
    url = f"{publisher.url}/ggml-org/llama.cpp/releases/download/b9000/{X64}"
    assert entry["assets"][X64] == {"url": url, "size": file.stat().st_size, "sha256": sha256(file)}
    assert publisher.requests == ["/repos/ggml-org/llama.cpp/releases/tags/b9000"]
    assert publisher.authorizations == {f"Bearer {TOKEN}"}
    assert TOKEN not in path.read_text()
    assert pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url).stdout.endswith("unchanged.\n")
    assert pin("release", "ollama", "--tag", "latest", "--api", publisher.url).returncode == 0
    assert sorted(lock(inventory, "releases")["llm_stack_release_lock"]) == ["llamacpp", "ollama"]


def test_what_is_pinned_is_what_the_method_release_installs(pin: Pin, publisher: Any, inventory: Path) -> None:
    wanted = _llamacpp_software.Install("release")
    with pytest.raises(StackError, match=r"make pin RELEASE=llamacpp TAG="):
        _llamacpp_software.releases(wanted)
    assert pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url).returncode == 0
    locks = lock(inventory, "releases")["llm_stack_release_lock"]
    declaration = {"models": {"tiny": {"source": "tiny.gguf"}}, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}}
    assert plan({**declaration, "release_lock": locks})["hosts"]
    archive = _llamacpp_software.releases(replace(wanted, release_lock=locks["llamacpp"]))[0]
    file = publisher.folder / "ggml-org/llama.cpp/b9000" / X64
    assert (archive["version"], archive["sha256"]) == ("b9000", sha256(file))
    assert archive["url"] == f"{publisher.url}/ggml-org/llama.cpp/releases/download/b9000/{X64}"


def test_the_list_of_sums_counts_where_there_is_no_digest(pin: Pin, publisher: Any, inventory: Path) -> None:
    name = "ollama-linux-amd64.tgz"
    publisher.faults.without_digest = {name, "sha256sum.txt"}
    assert pin("release", "ollama", "--tag", "v0.35.0", "--api", publisher.url).returncode == 0
    entry = lock(inventory, "releases")["llm_stack_release_lock"]["ollama"]
    assert entry["assets"][name]["sha256"] == sha256(publisher.folder / "ollama/ollama/v0.35.0" / name)
    assert "/ollama/ollama/releases/download/v0.35.0/ollama-linux-amd64.tgz" not in publisher.requests


def test_two_stated_checksums_that_differ(pin: Pin, publisher: Any) -> None:
    name = "ollama-linux-amd64.tgz"
    publisher.faults.wrong_digest = {name}
    done = pin("release", "ollama", "--tag", "v0.35.0", "--api", publisher.url)
    right = sha256(publisher.folder / "ollama/ollama/v0.35.0" / name)
    assert done.stderr == (
        f"{name} was not pinned: two checksums are stated for it.\n"
        f"    {'0' * 64}  its digest\n    {right}  sha256sum.txt\n"
        "    Do not install it. Ask its publisher which is right, or name another mirror.\n"
        "The lock is as it was.\n"
    )


def test_what_nobody_states_a_checksum_of_is_left_out_and_said(pin: Pin, publisher: Any, inventory: Path) -> None:
    publisher.faults.without_digest = {X64}
    done = pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url)
    assert done.stdout.splitlines()[1] == f"Left out, since nobody states a checksum: {X64}."
    assert sorted(lock(inventory, "releases")["llm_stack_release_lock"]["llamacpp"]["assets"]) == [CUDA]


def test_a_checksum_is_taken_here_only_when_asked_for_and_the_lock_says_so(
    pin: Pin, publisher: Any, inventory: Path
) -> None:
    publisher.faults.without_digest = {X64, CUDA}
    refused = pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url)
    assert refused.stderr == (
        "TAG: 'b9000' states no checksum for any of its archives, and none is made up.\n    Name a newer release.\n"
        "    Or fetch them now and keep the checksums of what arrived: ARGS=--hash-unpublished.\n"
        "The lock is as it was.\n"
    )
    done = pin("release", "llamacpp", "--tag", "b9000", "--api", publisher.url, "--hash-unpublished")
    assert done.stdout.splitlines()[1] == f"Hashed on this machine, since nobody states a checksum: {CUDA}, {X64}."
    assets = lock(inventory, "releases")["llm_stack_release_lock"]["llamacpp"]["assets"]
    file = publisher.folder / "ggml-org/llama.cpp/b9000" / X64
    assert (assets[X64]["sha256"], assets[X64]["hashed_here"]) == (sha256(file), True)


@pytest.mark.parametrize(
    ("engine", "tag", "fault", "words"),
    [
        pytest.param(
            "llamacpp",
            "b1",
            {},
            "was not read: there is no release b1, or no such file (Not Found).\n"
            "    Correct TAG: releases carry tags of their own.",
            id="no such tag",
        ),
        pytest.param(
            "llamacpp",
            "b9000",
            {"exhausted": True},
            "was not read: too many requests (API rate limit exceeded).\n"
            "    Wait up to an hour, or set GITHUB_TOKEN, which raises the limit.",
            id="limit of requests",
        ),
        pytest.param(
            "llamacpp",
            "b9000",
            {"status": 401},
            "was not read: the server answers 401 Unauthorized (told by the test).\n    Correct or unset GITHUB_TOKEN",
            id="bad token",
        ),
        pytest.param("llamacpp", "b9000", {"status": 502}, "was not read: the server answers 502", id="in trouble"),
        pytest.param(
            "llamacpp",
            "b9000",
            {"body": b"<html>Sign in"},
            "was not read: the answer is an HTML page, such as that of a proxy or a login.\n"
            "    Make the address reachable from this machine, or name a mirror: --api https://...",
            id="a page",
        ),
        pytest.param("llamacpp", "b9000", {"body": b"{]"}, "was not read: the answer is not JSON.", id="no JSON"),
        pytest.param("llamacpp", "b9000", {"body": b"[]"}, "does not name a tag (tag_name) and files", id="other JSON"),
        pytest.param(
            "llamacpp",
            "b9000",
            {"body": b'{"tag_name": "b1", "assets": []}'},
            "was not used: it describes the release 'b1'.",
            id="another release",
        ),
        pytest.param("llamacpp", "b9000", {"cut": True}, "was not read: the answer ended after ", id="cut off"),
        pytest.param(
            "llamacpp",
            "b9000",
            {"uploading": {X64, CUDA}},
            "TAG: 'b9000' holds no archive for Linux whose name is known here.",
            id="files that are still being put there",
        ),
        pytest.param(
            "lama", "b9000", {}, "RELEASE: 'lama' is not an engine whose releases are installed.", id="engine"
        ),
        pytest.param("ollama", "../x", {}, "TAG: '../x' cannot be the tag of a release.", id="no tag"),
    ],
)
def test_a_release_that_cannot_be_pinned(
    pin: Pin, publisher: Any, inventory: Path, engine: str, tag: str, fault: dict[str, Any], words: str
) -> None:
    for name, value in fault.items():
        setattr(publisher.faults, name, value)
    done = pin("release", engine, "--tag", tag, "--api", publisher.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert not (inventory / "group_vars/all/releases.lock.yml").exists()


def test_text_that_ansible_would_carry_out_never_gets_into_a_lock() -> None:
    name = "{{ lookup('pipe', 'id') }}.json"
    with pytest.raises(StackError, match="holds a template, which Ansible would carry out"):
        _lock_file.render(_lock_file.MODELS, {"coder": {"files": {name: {"size": 1}}}})


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"no": {"repo": "a/b", "revision": "1" * 40, "files": {}}}, id="a name that YAML takes for false"),
        pytest.param(
            {"b": {"files": {"é ü: #x.json": {"size": 1, "blob": "12345e7"}}, "evidence": {"tokens": ["\uff5c", "]"]}}},
            id="names that need quotes",
        ),
        pytest.param({"1e3": {"assets": {f"a{n}": {"url": "https://x" * 20} for n in range(3)}}}, id="long lines"),
    ],
)
def test_a_lock_is_read_as_it_was_meant(entries: dict[str, Any]) -> None:
    text = _lock_file.render(_lock_file.MODELS, entries)
    assert yaml.safe_load(text) == {_lock_file.MODELS: entries or None}
    assert text == _lock_file.render(_lock_file.MODELS, dict(reversed(entries.items())))
