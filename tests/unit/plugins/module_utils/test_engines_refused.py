# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the roles ollama and llamacpp refuse before a host is touched, and the exact words: one row, one bad input.

The plan refuses the same of what users declare, and some more: tests/fixtures/refused has a file for each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_service import llamacpp_service
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_service import ollama_service
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render

PLANS = sorted((Path(__file__).parents[3] / "fixtures/plans").glob("*.yml"))
SUM = "ab" * 32
ASSET = "ollama-linux-amd64.tar.zst"
LOCKED = {
    "tag": "v0.35.0",
    "assets": {ASSET: {"url": f"https://releases.example/v0.35.0/{ASSET}", "size": 1, "sha256": SUM}},
}
BUILD = "llama-b1-bin-ubuntu-x64.tar.gz"
BUILDS = {"tag": "b1", "assets": {BUILD: {"url": f"https://releases.example/b1/{BUILD}", "size": 1, "sha256": SUM}}}
CHAT: dict[str, Any] = {
    "name": "chat",
    "ollama_name": "llm-stack/chat:latest",
    "source": {"origin": "registry", "path": "llama3.1:8b"},
    "context": 8192,
    "parameters": {"num_ctx": 8192},
}


def server(name: str = "tiny", bind: str = "127.0.0.1", port: int = 8080, **changes: Any) -> dict[str, Any]:
    """A native server as the role takes it; changes in capitals are settings, and None takes one away."""
    own = {"LLAMA_ARG_HOST": bind, "LLAMA_ARG_PORT": str(port), "LLAMA_ARG_ALIAS": name}
    settings = {**own, **{key: value for key, value in changes.items() if key.isupper()}}
    rest = {key: value for key, value in changes.items() if not key.isupper()}
    source = {"origin": "host", "path": "/srv/tiny.gguf"}
    kept = {key: value for key, value in settings.items() if value is not None}
    return {"name": name, "bind": bind, "port": port, "source": source, "settings": kept, **rest}


def python(**changes: Any) -> dict[str, Any]:
    """A Python server, likewise."""
    own = {"LLAMA_PYTHON_HOST": "127.0.0.1", "LLAMA_PYTHON_PORT": "8000", "LLAMA_PYTHON_MODEL_ALIAS": "tiny"}
    return {**server(port=8000), "server": "python", "settings": own, **changes}


OLLAMA = [
    pytest.param(
        {"port": 99999},
        "ollama_port: 99999 is not a port that an account may open; Ollama would listen on 11434 instead.\n"
        "    Write a number from 1024 to 65535.",
        id="a port that is none",
    ),
    pytest.param(
        {"bind": "0.0.0.0"},
        "ollama_bind: '0.0.0.0' is reached from other hosts, and Ollama asks nobody for a key.\n"
        "    Whoever reaches the port can use, replace and delete models. Let the gateway stand before it on "
        "127.0.0.1,\n"
        "    or set ollama_allow_unauthenticated: true and close the port to all others.",
        id="open to everybody",
    ),
    pytest.param(
        {"bind": "gpu-01"},
        "ollama_bind: 'gpu-01' is not an IP address.\n    Write one such as 127.0.0.1.",
        id="an address that is a name",
    ),
    pytest.param(
        {"environment": {"OLLAMA_KEEP_ALIVE": "five minutes"}},
        "ollama_environment.OLLAMA_KEEP_ALIVE: 'five minutes' is not a duration.\n"
        "    Write 10m, 24h, a number of seconds, or -1 for ever.",
        id="a duration in words, which counts as 5 minutes",
    ),
    pytest.param(
        {"environment": {"OLLAMA_FLASH_ATTENTION": "off"}},
        "ollama_environment.OLLAMA_FLASH_ATTENTION: 'off' is not true or false.\n    Write false, without quotes.",
        id="a word for a boolean, which counts as true",
    ),
    pytest.param(
        {"environment": {"OLLAMA_NUM_PARALLEL": 0}},
        "ollama_environment.OLLAMA_NUM_PARALLEL: 0 is out of range.\n    Write a number of requests from 1 to 256.",
        id="no request at a time",
    ),
    pytest.param(
        {"environment": {"OLLAMA_KV_CACHE_TYPE": "q8"}},
        "ollama_environment.OLLAMA_KV_CACHE_TYPE: 'q8' is not a type of the cache.\n    Known: f16, q4_0, q8_0.",
        id="a cache of an unknown type",
    ),
    pytest.param(
        {"environment": {"OLLAMA_ORIGINS": "*"}},
        "ollama_environment.OLLAMA_ORIGINS: '*' lets every page of every site that a browser here shows use the "
        "models.\n    Name the origins, such as https://chat.example.",
        id="every page of every site",
    ),
    pytest.param(
        {"environment": {"OLLAMA_KEEPALIVE": "5m"}},
        "ollama_environment.OLLAMA_KEEPALIVE: is not known to Ollama, which would ignore it in silence.\n"
        "    Did you mean 'OLLAMA_KEEP_ALIVE'?",
        id="a misspelt variable",
    ),
    pytest.param(
        {"environment": {"OLLAMA_CONTEXT_LENGTH": 65536}},
        "ollama_environment.OLLAMA_CONTEXT_LENGTH: is derived: each model has its own context.\n"
        "    Set context of the model in llm_stack_models.",
        id="a context for all",
    ),
    pytest.param(
        {"environment": {"OLLAMA_HOST": "0.0.0.0"}},
        "ollama_environment.OLLAMA_HOST: is derived from the address and the port.\n"
        "    Set ollama_bind and ollama_port.",
        id="an address past the check",
    ),
    pytest.param(
        {"environment": {"OLLAMA_NO_CLOUD": False}},
        "ollama_environment.OLLAMA_NO_CLOUD: is always 1: prompts stay on the host.\n"
        "    Declare a provider for what is to be answered elsewhere.",
        id="the cloud",
    ),
    pytest.param(
        {"environment": {"OLLAMA_REGISTRIES": "mirror.lan"}},
        "ollama_environment.OLLAMA_REGISTRIES: is known to no release of Ollama.\n"
        "    Name the registry in the source: host[:port]/namespace/model:tag.",
        id="folklore",
    ),
    pytest.param(
        {"environment": {"HTTPS_PROXY": "http://me:secret@proxy.lan:3128"}},
        "ollama_environment.HTTPS_PROXY: holds a password, which the server writes into its journal when it "
        "starts.\n    Use a proxy that knows the host by its address.",
        id="a password for the journal",
    ),
    pytest.param(
        {"environment": {"OLLAMA_DEBUG_LOG_REQUESTS": True}},
        "ollama_environment.OLLAMA_DEBUG_LOG_REQUESTS: writes every prompt to the disk.\n    Remove it.",
        id="prompts on the disk",
    ),
    pytest.param(
        {"release_lock": {**LOCKED, "tag": "v0.34.2"}},
        "llm_stack_release_lock.ollama.tag: 'v0.34.2' has CVE-2026-103663: whoever reaches the port runs programs "
        "as the account.\n"
        "    Use 0.35.0 or newer, or add CVE-2026-103663 to ollama_accept_vulnerabilities and say why.",
        id="a version with a hole",
    ),
    pytest.param(
        {"release_lock": {**LOCKED, "tag": "v0.35.0-rc1"}},
        "llm_stack_release_lock.ollama.tag: 'v0.35.0-rc1' has CVE-2026-103663: whoever reaches the port runs "
        "programs as the account.\n"
        "    Use 0.35.0 or newer, or add CVE-2026-103663 to ollama_accept_vulnerabilities and say why.",
        id="a version before its release",
    ),
    pytest.param(
        {"accepted": ["CVE-2026-10366"]},
        "ollama_accept_vulnerabilities[0]: 'CVE-2026-10366' is not a known vulnerability.\n"
        "    Did you mean 'CVE-2026-103663'?",
        id="a misspelt hole",
    ),
    pytest.param(
        {"release_lock": {}},
        "llm_stack_release_lock.ollama: pins no release, and the method release installs nothing without a "
        "checksum.\n"
        "    Run make pin RELEASE=ollama TAG=TAG: it writes the checksums that the publisher states into the lock.",
        id="no checksum",
    ),
    pytest.param(
        {"release_lock": {**LOCKED, "assets": {ASSET: {"url": "https://releases.example/o"}}}},
        f"llm_stack_release_lock.ollama.assets.{ASSET}.sha256: is not the checksum of an archive.\n"
        "    Run make pin RELEASE=ollama TAG=v0.35.0: it writes the checksums that the publisher states into the "
        "lock.",
        id="a lock without the checksum",
    ),
    pytest.param(
        {"machine": "riscv64"},
        "llm_stack_release_lock.ollama.assets: has no build for Linux on riscv64.\n"
        "    Pin another release, or use another method.",
        id="another machine",
    ),
    pytest.param(
        {"release": {"version": "0.35.0", "url": "https://mirror.lan/o.tgz"}},
        "ollama_release.sha256: does not pin the archive of the method release.\n"
        "    Write the checksum of sha256sum.txt of the same release, as 64 hexadecimal digits.",
        id="an archive without its checksum",
    ),
    pytest.param(
        {"backend": "rocm"},
        "ollama_backend: 'rocm' needs a second archive that is unpacked over the first, which this version cannot "
        "do.\n    Install Ollama with ROCm yourself, and set the method existing.",
        id="two archives in one folder",
    ),
    pytest.param(
        {"method": "existing", "program": "ollama"},
        "ollama_program: 'ollama' is not the absolute path of a program, without spaces, quotes and $.\n"
        "    Write one such as /usr/bin/ollama.",
        id="a program at an unclear place",
    ),
    pytest.param(
        {"models_directory": "models"},
        "ollama_models_directory: 'models' is not the absolute path of a folder, without spaces, quotes and $.\n"
        "    Write one such as /srv/models/ollama, or leave it out.",
        id="a folder at an unclear place",
    ),
    pytest.param(
        {"models": [{**CHAT, "ollama_name": "bad name"}]},
        "ollama_models[0].ollama_name: 'bad name' cannot be the name of a model at Ollama.\n"
        "    Write [namespace/]model[:tag], each part of at most 80 characters.",
        id="a name that Ollama refuses",
    ),
    pytest.param(
        {"models": [{**CHAT, "parameters": {"num_ctx": 8192, "temprature": 1}}]},
        "ollama_models[0].parameters.temprature: is not a known key.\n    Did you mean 'temperature'?",
        id="a parameter that Ollama would take in silence",
    ),
    pytest.param(
        {"models": [{**CHAT, "parameters": {}}]},
        "ollama_models[0].context: 8192 is nowhere written into the model, so that Ollama would give it 4096.\n"
        "    Add num_ctx: 8192 to its parameters.",
        id="the silent 4096",
    ),
    pytest.param(
        {"models": [{**CHAT, "parameters": {"num_ctx": 4096}}]},
        "ollama_models[0].parameters.num_ctx: 4096 is not the declared context, 8192.\n    Write one of the two.",
        id="two contexts",
    ),
    pytest.param(
        {"models": [{**CHAT, "source": {"origin": "url", "path": "https://files.lan/tiny.gguf"}}]},
        "ollama_models[0].source.sha256: is missing, and the source is downloaded.\n"
        "    Write the 64 digits that sha256sum prints for the file.",
        id="a download without a sum",
    ),
    pytest.param(
        {"models": [{**CHAT, "source": {"origin": "store", "path": "tiny:1b", "store": "models"}}]},
        "ollama_models[0].source.store: 'models' is not the absolute path of a folder on the host.\n"
        "    Write one such as /srv/models/ollama.",
        id="a store at an unclear place",
    ),
    pytest.param(
        {"models": [{**CHAT, "source": {"origin": "registry", "path": "tiny:480b-cloud"}}]},
        "ollama_models[0].source.path: 'tiny:480b-cloud' runs in Ollama's cloud, which this stack switches off.\n"
        "    Name a tag that runs here, or declare a provider.",
        id="a model of the cloud",
    ),
    pytest.param(
        {"models": [CHAT, {**CHAT, "name": "talk", "parameters": {"num_ctx": 8192, "seed": 1}}]},
        "ollama_models[1].ollama_name: 'llm-stack/chat:latest' is also the name of ollama_models[0], which is another "
        "model.\n    Choose another name for one of them.",
        id="two models of one name",
    ),
]

LLAMACPP = [
    pytest.param(
        [server(port=99999)],
        {},
        "llamacpp_instances[0].port: 99999 is not a port that an account may open; llama-server would listen on "
        "another one, and not say so.\n    Write a number from 1024 to 65535.",
        id="a port that is none",
    ),
    pytest.param(
        [server(), server("other")],
        {},
        "llamacpp_instances[1].port: 8080 is already the port of llamacpp_instances[0].\n    Choose another.",
        id="one port for two",
    ),
    pytest.param(
        [server(), server("Tiny", port=8081)],
        {},
        "llamacpp_instances[1].name: 'Tiny' is also the name of llamacpp_instances[0].\n    Choose another.",
        id="one name for two",
    ),
    pytest.param(
        [server("my model")],
        {},
        "llamacpp_instances[0].name: 'my model' cannot be part of the name of a unit.\n"
        "    Use letters, digits and . _ - only, and begin with a letter or a digit.",
        id="a name that is none of a unit",
    ),
    pytest.param(
        [server(bind="gpu-01")],
        {},
        "llamacpp_instances[0].bind: 'gpu-01' is not an IP address.\n    Write one such as 127.0.0.1.",
        id="an address that is a name",
    ),
    pytest.param(
        [server(bind="0.0.0.0", needs_key=True)],
        {"api_key": "k"},
        "llamacpp_instances[0].bind: '0.0.0.0' stands for every address, and would open the model to every network.\n"
        "    Write the one address that other hosts reach this host by.",
        id="every address",
    ),
    pytest.param(
        [server(bind="192.0.2.7")],
        {},
        "llamacpp_instances[0].bind: '192.0.2.7' is reached from other hosts, and the server asks for no key.\n"
        "    Write needs_key: true and set llamacpp_api_key, or bind 127.0.0.1.",
        id="open to everybody",
    ),
    pytest.param(
        [server(needs_key=True)],
        {},
        "llamacpp_api_key: is empty, although other hosts reach tiny.\n    Write a key, best from a vault.",
        id="a key that is not there",
    ),
    *(
        pytest.param(
            [server(needs_key=True)],
            {"api_key": key},
            "llamacpp_api_key: holds what no request can carry in a key.\n"
            "    Write ASCII without a space at its ends, without ',', such as openssl rand -hex 32 prints.",
            id=name,
        )
        for name, key in (
            ("a comma, which ends a key of llama.cpp", "correct-horse,battery"),
            ("a key with a space at its end", "correct-horse "),
            ("a key with a letter beyond ASCII", "schlüssel-0123456789"),
        )
    ),
    pytest.param(
        [server(source={"origin": "url", "path": "https://files.lan/tiny.gguf"})],
        {},
        "llamacpp_instances[0].source.sha256: is missing, and the source is downloaded.\n"
        "    Write the 64 digits that sha256sum prints for the file.",
        id="a download without a sum",
    ),
    pytest.param(
        [server(source={"origin": "host", "path": "/srv/tiny.safetensors"})],
        {},
        "llamacpp_instances[0].source.path: '/srv/tiny.safetensors' is not a GGUF file, and llamacpp reads nothing "
        "else.\n    Name a file ending in .gguf.",
        id="a file of another kind",
    ),
    pytest.param(
        [server(LLAMA_ARG_MODELS_DIR="/srv/models")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_MODELS_DIR: makes the server look for models elsewhere: without one "
        "it is a router, healthy and empty.\n    Remove it, and name the file in source.",
        id="a router by accident",
    ),
    pytest.param(
        [server(LLAMA_ARG_MODEL="")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_MODEL: is derived from the source.\n    Remove it.",
        id="an empty model, which makes a router",
    ),
    pytest.param(
        [server(LLAMA_ARG_CTX_SISE="4096")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_CTX_SISE: is not known to this server, which would ignore it.\n"
        "    Did you mean 'LLAMA_ARG_CTX_SIZE'?",
        id="a misspelt variable",
    ),
    pytest.param(
        [server(LLAMA_API_KEY="abc-canary")],
        {},
        "llamacpp_instances[0].settings.LLAMA_API_KEY: does not belong here.\n"
        "    Write needs_key: true and set llamacpp_api_key.",
        id="a key that everybody on the host could read",
    ),
    pytest.param(
        [server(LLAMA_ARG_PORT="9931")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_PORT: '9931' contradicts the instance: it has to be 8080.\n"
        "    Write '8080'.",
        id="two ports",
    ),
    pytest.param(
        [server(LLAMA_ARG_ALIAS=None)],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_ALIAS: is missing: it has to be tiny.\n    Write 'tiny'.",
        id="a model without its public name",
    ),
    pytest.param(
        [server(context=4096, parallel=2, LLAMA_ARG_CTX_SIZE="4096", LLAMA_ARG_N_PARALLEL="2")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_CTX_SIZE: '4096' contradicts the instance: it has to be 8192.\n"
        "    Write '8192', which is 4096 tokens for each of 2 requests.",
        id="a context that its slots divide",
    ),
    pytest.param(
        [server(LLAMA_ARG_TOP_K="4\n0")],
        {},
        "llamacpp_instances[0].settings.LLAMA_ARG_TOP_K: '4\\n0' is not text on one line.\n"
        "    Write the value in quotes.",
        id="a value of two lines",
    ),
    pytest.param(
        [server(accept=["memry"])],
        {},
        "llamacpp_instances[0].accept[0]: 'memry' is no finding of the preflight.\n    Did you mean 'memory'?",
        id="an accepted finding that is none",
    ),
    pytest.param(
        [python(tools=True)],
        {"python_lock": "llama-cpp-python==1 --hash=sha256:" + SUM},
        "llamacpp_instances[0].tools: true cannot be kept by llama.cpp's Python server: it returns a model's calls as "
        "text.\n    Write server: native, or tools: false.",
        id="tools at the Python server",
    ),
    pytest.param(
        [python()],
        {"python_lock": "", "python_wheel": "mine.whl"},
        "llamacpp_python_wheel: 'mine.whl' is not a SHA-256 sum.\n"
        "    Write the 64 digits that sha256sum prints for the wheel.",
        id="a wheel without its sum",
    ),
    pytest.param(
        [server()],
        {"method": "existing", "program": "llama-server"},
        "llamacpp_program: 'llama-server' is not the absolute path of a program, without spaces, quotes and $.\n"
        "    Write one such as /usr/bin/llama-server.",
        id="a program without its path",
    ),
    pytest.param(
        [server()],
        {"method": "existing", "program": "/opt/my tools/llama-server"},
        "llamacpp_program: '/opt/my tools/llama-server' is not the absolute path of a program, without spaces, quotes "
        "and $.\n    Write one such as /usr/bin/llama-server.",
        id="a program whose path systemd would take apart",
    ),
    pytest.param(
        [server()],
        {"release_lock": {}},
        "llm_stack_release_lock.llamacpp: pins no release, and the method release installs nothing without a "
        "checksum.\n    Run make pin RELEASE=llamacpp TAG=TAG: it writes the checksums that the publisher states "
        "into the lock.",
        id="no checksum",
    ),
    pytest.param(
        [server()],
        {"release_lock": {"tag": "b1", "assets": {BUILD: {"url": "https://example.org/x", "sha256": "later"}}}},
        f"llm_stack_release_lock.llamacpp.assets.{BUILD}.sha256: 'later' is not the checksum of an archive.\n"
        "    Run make pin RELEASE=llamacpp TAG=b1: it writes the checksums that the publisher states into the lock.",
        id="a checksum that is none",
    ),
    pytest.param(
        [server()],
        {"backend": "vulkan"},
        "llm_stack_release_lock.llamacpp.assets: has no build with vulkan for x86_64.\n"
        "    Backends of this release for x86_64: cpu.\n    Pin another release, or use another method.",
        id="a backend that the release has not",
    ),
    pytest.param(
        [server()],
        {"machine": "riscv64"},
        "llm_stack_release_lock.llamacpp.assets: has no build for Linux on riscv64.\n"
        "    Pin another release, or use another method.",
        id="another machine",
    ),
    pytest.param(
        [server()],
        {"release": {"version": "b1", "url": "ftp://mirror.lan/x", "sha256": SUM}},
        "llamacpp_release.url: 'ftp://mirror.lan/x' does not pin the archive of the method release.\n"
        "    Write the address of the archive, of the publisher or of a mirror, or src, a file on the controller.",
        id="another protocol",
    ),
    pytest.param(
        [server()],
        {"release": {"version": "b1", "url": "https://mirror.lan/x", "sha265": SUM, "sha256": SUM}},
        "llamacpp_release.sha265: is not a known key.\n    Did you mean 'sha256'?",
        id="a misspelt key of a release",
    ),
]


def ollama(models: tuple[dict[str, Any], ...] | list[dict[str, Any]] = (), **options: Any) -> None:
    place = {"home": "~", "bind": "127.0.0.1", "port": 11434, "ready_timeout": 60}
    ollama_service(list(models), **{**place, "method": "release", "release_lock": LOCKED, **options})


def llamacpp(instances: list[dict[str, Any]], **options: Any) -> None:
    how = {"home": "~", "ready_timeout": 60, "method": "release", "release_lock": BUILDS, "python": "/usr/bin/python3"}
    llamacpp_service(instances, **{**how, **options})


@pytest.mark.parametrize(("options", "expected"), OLLAMA)
def test_ollama_refuses(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(StackError) as caught:
        ollama(**options)
    assert [render(each) for each in caught.value.problems] == [expected]


@pytest.mark.parametrize(("instances", "options", "expected"), LLAMACPP)
def test_llamacpp_refuses(instances: list[dict[str, Any]], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(StackError) as caught:
        llamacpp(instances, **options)
    assert [render(each) for each in caught.value.problems] == [expected]


def test_what_the_rows_change_is_fine_by_itself() -> None:
    ollama([CHAT])
    llamacpp([server(), server("other", port=8081, context=4096, LLAMA_ARG_CTX_SIZE="4096")])
    llamacpp([python()], python_lock=f"llama-cpp-python==1 --hash=sha256:{SUM}")


@pytest.mark.parametrize("case", PLANS, ids=[file.stem for file in PLANS])
def test_what_the_plan_derives_is_never_refused(case: Path) -> None:
    for host in yaml.safe_load(case.read_text(encoding="utf-8"))["plan"]["hosts"].values():
        ollama(host.get("ollama", {}).get("models", []), allow_unauthenticated=True)
        instances = host.get("llamacpp", {}).get("instances", [])
        llamacpp(instances, api_key="k", python_lock=f"llama-cpp-python==1 --hash=sha256:{SUM}")


def test_there_are_enough_and_each_says_where_and_what_to_do() -> None:
    messages = [str(row.values[-1]) for row in (*OLLAMA, *LLAMACPP)]
    assert len(messages) >= 60
    assert [
        each for each in messages if not re.match(r"(ollama|llamacpp|llm_stack)_[\w.\[\]-]+: \S.*\n    \S", each)
    ] == []
    assert [each for each in messages if "canary" in each] == []


def test_all_is_refused_at_once() -> None:
    with pytest.raises(StackError) as caught:
        llamacpp([server(port=80, bind="x", LLAMA_ARG_NOPE="1"), server("a b")], release_lock={})
    assert [each.path for each in caught.value.problems] == [
        "llamacpp_instances[0].port",
        "llamacpp_instances[0].bind",
        "llamacpp_instances[0].settings.LLAMA_ARG_NOPE",
        "llamacpp_instances[1].name",
        "llm_stack_release_lock.llamacpp",
    ]
