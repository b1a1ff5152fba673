# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Which files belong to a snapshot, when a folder is one, and whose business a token is."""

from __future__ import annotations

import json
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _hub, _snapshot
from ansible_collections.lab.llm_stack.plugins.module_utils._download import Refused
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError

TEXT = {"config.json", "tokenizer.json", "LICENSE", "1_Pooling/config.json"}


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        pytest.param({"model.safetensors", "tiny-q4.gguf", ".gitattributes", "a.png"}, 3, id="other engines, pictures"),
        pytest.param({"model.safetensors", "pytorch_model.bin", "model.onnx", "x.h5"}, 3, id="the weights once more"),
        pytest.param({"pytorch_model.bin"}, 0, id="weights of an older kind are better than none"),
        pytest.param({"model.safetensors", "original/consolidated.00.pth", "consolidated.00.pth"}, 2, id="Llama"),
        pytest.param(
            {"model-00001-of-00001.safetensors", "model.safetensors.index.json", "consolidated.safetensors"},
            1,
            id="a consolidated copy",
        ),
        pytest.param(
            {"model.safetensors", "consolidated.safetensors", "params.json", "tekken.json", _snapshot.INDEX},
            2,
            id="Mistral's own format, which vLLM is told to load",
        ),
        pytest.param({"consolidated.safetensors", "params.json"}, 0, id="nothing but a consolidated one"),
    ],
)
def test_what_vllm_needs_is_selected(names: set[str], left_out: int) -> None:
    chosen = _snapshot.selected(sorted(TEXT | names))
    assert len(chosen) == len(TEXT | names) - left_out
    assert set(chosen) >= TEXT
    assert any(name.endswith((".safetensors", ".bin")) for name in chosen)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("config.json", True),
        ("1_Pooling/config.json", True),
        ("a..b/c d.txt", True),
        ("../x", False),
        ("a/../x", False),
        ("/etc/passwd", False),
        ("a//b", False),
        ("", False),
        ("a\\b", False),
        ("a\nb", False),
        (".llm-stack-model.json", False),
        ("model.safetensors.part", False),
        ("{{ lookup('pipe', 'id') }}", False),
    ],
)
def test_a_path_that_leaves_its_folder_or_means_something_to_us_is_none(name: str, plain: bool) -> None:
    assert _snapshot.is_plain(name) is plain


def test_a_digest_names_paths_sizes_and_proofs_and_nothing_else() -> None:
    files = {"a": {"size": 1, "sha256": "x"}, "b": {"size": 2}}
    same = {"b": {"size": 2, "sha256": None}, "a": {"sha256": "x", "size": 1, "note": "y"}}
    assert _snapshot.digest_of(files) == _snapshot.digest_of(same)
    others = [{**files, "b": {"size": 3}}, {"a": files["a"]}, {**files, "a": {"size": 1, "sha256": "y"}}]
    assert len({_snapshot.digest_of(each) for each in [files, *others]}) == 4


def test_the_name_git_has_for_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some content\n" * 1000)
    told = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True).stdout.strip()
    assert _snapshot.blob_of(str(path)) == told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder that others made."""
    for name in ("config.json", "tokenizer.json", "a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    places = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (tmp_path / _snapshot.INDEX).write_text(json.dumps(places))
    return tmp_path


def test_a_folder_that_others_made_will_do_when_no_list_is_asked_for(folder: Path) -> None:
    assert _snapshot.verify_snapshot(str(folder), "") == []
    assert _snapshot.verify_snapshot(str(folder), "0" * 64) == [
        "is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"
    ]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("rm b.safetensors", "lacks b.safetensors of its weights"),
        ("rm config.json", "is no model folder: it has no config.json"),
        ("rm *.safetensors *.index.json", "holds no weights"),
        ("touch x.incomplete", "holds x.incomplete, which a download left unfinished"),
        ("ln -sf nowhere b.safetensors", "holds b.safetensors, a link to a file that is not there"),
        ("echo '[' > model.safetensors.index.json", "lacks a readable model.safetensors.index.json of its weights"),
        ("echo '{\"weight_map\": 1}' > *.index.json", "lacks a readable model.safetensors.index.json of its weights"),
    ],
)
def test_a_folder_that_others_made_and_that_is_not_whole(folder: Path, broken: str, reason: str) -> None:
    subprocess.run(["bash", "-c", broken], cwd=folder, check=True)
    assert _snapshot.verify_snapshot(str(folder), "") == [reason]


class Redirecting(HTTPServer):
    """Redirects to whatever is asked for, and notes which tokens arrive."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Redirecting

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("Authorization", ""))
        _path, _mark, to = self.path.partition("?to=")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[tuple[Redirecting, Redirecting]]:
    pair = Redirecting(), Redirecting()
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in pair]
    for thread in threads:
        thread.start()
    yield pair
    for server, thread in zip(pair, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_redirect_within_the_hub_keeps_the_token_and_one_elsewhere_loses_it_for_good(
    servers: tuple[Redirecting, Redirecting],
) -> None:
    hub, other = servers
    client = Client(f"{hub.url}/a/prefix", "secret", 5)
    assert client.read_json(f"{hub.url}/renamed?to=/new") == {}
    assert hub.tokens == ["Bearer secret", "Bearer secret"]
    client.read(f"{hub.url}/x?to={other.url}/file?to={hub.url}/back")
    assert (other.tokens, hub.tokens[2:]) == ([""], ["Bearer secret", ""])
    client.read(f"{other.url}/straight")
    assert other.tokens == ["", ""]


def test_a_mirror_gets_the_password_that_netrc_has_for_it_and_nobody_else_does(
    servers: tuple[Redirecting, Redirecting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, other = servers
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    Client(mirror.url, timeout=5).read(f"{mirror.url}/x?to={other.url}/file")
    Client(mirror.url, "token", 5).read(f"{mirror.url}/x")
    assert (mirror.tokens, other.tokens) == ([f"Basic {b64encode(b'me:s3cret').decode()}", "Bearer token"], [""])
    for text in ("machine elsewhere login me password s3cret\n", "default login me password s3cret\n"):
        netrc.write_text(text)
        Client(mirror.url, timeout=5).read(f"{mirror.url}/x")
    netrc.unlink()
    Client(mirror.url, timeout=5).read(f"{mirror.url}/x")
    assert mirror.tokens[2:] == ["", "", ""]


def test_a_netrc_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine mirror.example.org pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(Refused, match=r"netrc cannot be read: bad follower token 'pass'"):
        Client("http://mirror.example.org", timeout=5).open_at("http://mirror.example.org/x")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_web_servers_are_asked(servers: tuple[Redirecting, Redirecting], url: str) -> None:
    client = Client("http://127.0.0.1", "secret", 5)
    with pytest.raises(Refused):
        client.open_at(url)
    with pytest.raises(Refused, match="answers 302"):
        client.open_at(f"{servers[0].url}/x?to={url}")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param([], "the answer does not name a commit (sha) and files (siblings).", id="another thing"),
        pytest.param({"sha": "main", "siblings": []}, "the answer does not name a commit", id="a branch"),
        pytest.param(
            {"sha": "0" * 40, "siblings": [{"rfilename": "../../.bashrc", "size": 1}, {"rfilename": "a", "size": 1}]},
            "1 of 2 files have no plain path and size.",
            id="a path out of the folder",
        ),
        pytest.param(
            {"sha": "0" * 40, "siblings": [{"rfilename": "config.json"}]},
            "1 of 1 files have no plain path and size.\n    Name an endpoint that answers to ?blobs=true.",
            id="a mirror that tells no sizes",
        ),
    ],
)
def test_a_listing_that_cannot_be_used_is_refused_whole(answer: object, cause: str) -> None:
    with pytest.raises(InstallError) as refusal:
        _hub.parse(answer, "acme/tiny", "https://hub.example.org/api")
    assert str(refusal.value).startswith(f"https://hub.example.org/api was not read: {cause}")


def test_of_what_the_hub_publishes_the_best_proof_is_kept() -> None:
    pointer, sha256, blob = "1" * 40, "a" * 64, "2" * 40
    siblings = [
        {"rfilename": "large", "size": 5, "blobId": pointer, "lfs": {"sha256": sha256, "size": 5, "pointerSize": 130}},
        {"rfilename": "small", "size": 1, "blobId": blob},
        {"rfilename": "mirrored", "size": 1},
        {"rfilename": "strange", "size": 1, "blobId": pointer, "lfs": {"sha256": "unknown"}},
    ]
    assert _hub.parse({"sha": "0" * 40, "siblings": siblings}, "acme/tiny", "").files == {
        "large": {"size": 5, "sha256": sha256},
        "small": {"size": 1, "blob": blob},
        "mirrored": {"size": 1},
        # The name that git has for a pointer says nothing of the file it stands for.
        "strange": {"size": 1},
    }
