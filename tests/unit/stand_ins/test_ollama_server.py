# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The traps of Ollama's API, one by one. They run against the stand-in, and unchanged against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import ollama_servers as servers
import pytest
from ollama_servers import TINY, call, lines

SUM = servers.sha256(TINY.read_bytes())
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(params=servers.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with servers.started(request.param, tmp_path / "home", OLLAMA_CONTEXT_LENGTH="2048") as address:
        yield address


@pytest.fixture
def tiny(url: str) -> str:
    assert call(f"{url}/api/blobs/sha256:{SUM}", TINY.read_bytes())[0] == 201
    status, text = call(f"{url}/api/create", {"model": "tiny", "files": {"a.gguf": f"sha256:{SUM}"}})
    assert (status, lines(text)[-1]) == (200, {"status": "success"})
    return url


def test_an_empty_server_lists_nothing_in_two_ways(url: str) -> None:
    assert json.loads(call(f"{url}/api/tags")[1]) == {"models": []}
    assert json.loads(call(f"{url}/v1/models")[1])["data"] is None


def test_a_blob_is_201_then_200_and_its_sum_is_compared(url: str) -> None:
    blob = f"{url}/api/blobs/sha256:{SUM}"
    assert call(blob, method="HEAD")[0] == 404
    assert [call(blob, TINY.read_bytes())[0] for _round in range(2)] == [201, 200]
    assert call(blob, method="HEAD")[0] == 200
    status, text = call(f"{url}/api/blobs/sha256:{'0' * 64}", b"other")
    assert status == 400
    assert "digest mismatch, expected" in json.loads(text)["error"]
    assert call(f"{url}/api/blobs/sha256:short", method="HEAD")[0] == 400


def test_the_digest_in_the_list_has_no_prefix_and_is_not_the_files(tiny: str) -> None:
    (listed,) = json.loads(call(f"{tiny}/api/tags")[1])["models"]
    assert len(listed["digest"]) == 64
    assert listed["digest"] != SUM


def test_creating_again_gives_the_same_digest(tiny: str) -> None:
    before = json.loads(call(f"{tiny}/api/tags")[1])["models"][0]["digest"]
    call(f"{tiny}/api/create", {"model": "tiny", "files": {"b.gguf": f"sha256:{SUM}"}})
    assert json.loads(call(f"{tiny}/api/tags")[1])["models"][0]["digest"] == before


def test_tools_stand_in_show_and_not_in_the_list(tiny: str) -> None:
    (listed,) = json.loads(call(f"{tiny}/api/tags")[1])["models"]
    assert "tools" not in listed["capabilities"]
    shown = json.loads(call(f"{tiny}/api/show", {"model": "tiny"})[1])
    assert {"tools", "completion"} <= set(shown["capabilities"])
    assert "digest" not in shown


def test_names_have_no_case(tiny: str) -> None:
    assert call(f"{tiny}/api/copy", {"source": "tiny", "destination": "Tiny:latest"})[0] == 200
    assert [each["name"] for each in json.loads(call(f"{tiny}/api/tags")[1])["models"]] == ["tiny:latest"]
    assert call(f"{tiny}/api/show", {"model": "TINY"})[0] == 200


def test_a_failure_in_a_stream_comes_under_a_200(url: str) -> None:
    with servers.registry() as registry:
        status, text = call(f"{url}/api/pull", {"model": registry.name("team/gone:v1"), "insecure": True})
    assert status == 200
    assert lines(text)[0] == {"status": "pulling manifest"}
    assert lines(text)[-1] == {"error": "pull model manifest: file does not exist"}


def test_without_a_stream_it_has_a_status(url: str) -> None:
    with servers.registry() as registry:
        body = {"model": registry.name("team/gone:v1"), "insecure": True, "stream": False}
        assert call(f"{url}/api/pull", body) == (500, '{"error":"pull model manifest: file does not exist"}')


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/show", {"model": ""}, 400, "model is required"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
        ("/api/copy", {"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
        ("/api/copy", {"source": "tiny", "destination": "bad name"}, 400, 'destination "bad name" is invalid'),
        ("/api/generate", {"model": "nope", "prompt": "x"}, 404, "model 'nope' not found"),
        ("/api/generate", {"model": "", "prompt": "x"}, 404, "model '' not found"),
        ("/api/chat", {"model": "", "messages": HELLO}, 400, "model is required"),
        ("/api/chat", {"model": "tiny", "messages": HELLO, "think": True}, 400, '"tiny" does not support thinking'),
        ("/api/chat", {"model": "tiny", "messages": HELLO, "keep_alive": "zz"}, 400, 'time: invalid duration "zz"'),
        ("/api/create", {"model": "x"}, 400, "neither 'from' or 'files' was specified"),
        ("/api/create", {"model": "bad name"}, 400, "invalid model name"),
        ("/api/pull", {}, 400, "invalid model name"),
    ],
)
def test_words_of_errors(tiny: str, path: str, body: object, status: int, words: str) -> None:
    found, text = call(tiny + path, body)
    assert (found, json.loads(text)["error"]) == (status, words)


def test_bodies_and_paths_that_are_none(url: str) -> None:
    assert call(f"{url}/api/show", b"", "POST") == (400, '{"error":"missing request body"}')
    assert call(f"{url}/api/nothing") == (404, "404 page not found")
    assert call(f"{url}/api/tags", {}, "POST") == (405, "405 method not allowed")


def test_foreign_host_names_and_pages_get_403(url: str) -> None:
    assert call(f"{url}/api/tags", headers={"Host": "evil.example"}) == (403, "")
    assert call(f"{url}/api/tags", headers={"Origin": "https://evil.example"}) == (403, "")
    assert call(f"{url}/api/tags", headers={"Host": "localhost"})[0] == 200


def test_a_call_of_a_tool_has_an_object_for_arguments_and_ends_with_stop(tiny: str) -> None:
    weather = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": weather}}
    body = {"model": "tiny", "messages": HELLO, "tools": [tool], "stream": False}
    answer = json.loads(call(f"{tiny}/api/chat", body)[1])
    assert isinstance(answer["message"]["tool_calls"][0]["function"]["arguments"], dict)
    assert answer["done_reason"] == "stop"


def test_what_is_loaded_says_its_context(tiny: str) -> None:
    call(f"{tiny}/api/generate", {"model": "tiny", "prompt": "hello", "stream": False})
    (loaded,) = json.loads(call(f"{tiny}/api/ps")[1])["models"]
    assert loaded["context_length"] == 2048
    assert loaded["size_vram"] == 0
    assert "capabilities" not in loaded
    body = {"model": "tiny", "keep_alive": 0, "stream": False}
    assert json.loads(call(f"{tiny}/api/generate", body)[1])["done_reason"] == "unload"
    assert json.loads(call(f"{tiny}/api/ps")[1]) == {"models": []}


def test_a_created_model_brings_its_context_and_v1_cannot_change_it(tiny: str) -> None:
    call(f"{tiny}/api/create", {"model": "wide", "from": "tiny", "parameters": {"num_ctx": 4096}})
    shown = json.loads(call(f"{tiny}/api/show", {"model": "wide"})[1])
    assert shown["parameters"].split() == ["num_ctx", "4096"]
    assert shown["parameters"].index("4096") == 31
    body = {"model": "wide", "messages": HELLO, "options": {"num_ctx": 512}}
    assert json.loads(call(f"{tiny}/v1/chat/completions", body)[1])["system_fingerprint"] == "fp_ollama"
    loaded = {each["name"]: each["context_length"] for each in json.loads(call(f"{tiny}/api/ps")[1])["models"]}
    assert loaded["wide:latest"] == 4096


def test_deleting_keeps_what_others_use(tiny: str) -> None:
    call(f"{tiny}/api/copy", {"source": "tiny", "destination": "other"})
    assert call(f"{tiny}/api/delete", {"model": "tiny"}, "DELETE") == (200, "")
    assert call(f"{tiny}/api/delete", {"model": "tiny"}, "DELETE") == (404, '{"error":"model \'tiny\' not found"}')
    body = {"model": "other", "messages": HELLO, "stream": False}
    assert call(f"{tiny}/api/chat", body)[0] == 200


@pytest.mark.parametrize("kind", servers.KINDS)
def test_a_port_that_is_none_is_replaced_in_silence(kind: str, tmp_path: Path) -> None:
    """Why every value is checked before it gets there: this server would listen on 11434."""
    command = servers.STAND_IN if kind == "stand-in" else [os.environ["OLLAMA_BINARY"]]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:99999"}
    with subprocess.Popen([*command, "serve"], env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert "default=11434" in next(line for line in process.stderr if "invalid port" in line)
        finally:
            process.terminate()


@pytest.mark.parametrize("kind", servers.KINDS)
def test_a_second_server_on_a_port_ends_with_these_words(kind: str, tmp_path: Path) -> None:
    command = servers.STAND_IN if kind == "stand-in" else [os.environ["OLLAMA_BINARY"]]
    with servers.started(kind, tmp_path / "first") as url:
        address = url.removeprefix("http://")
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "OLLAMA_HOST": address}
        how = {"env": environment, "capture_output": True, "text": True, "timeout": 20}
        done = subprocess.run([*command, "serve"], check=False, **how)
    assert done.returncode == 1
    assert f"Error: listen tcp {address}: bind: address already in use" in done.stderr
