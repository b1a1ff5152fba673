# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The decisions of the role ollama: what is refused before a host is touched, and what the host gets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_settings as settings
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_models import wanted_from
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_service import ollama_service
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render

SUM = "ab" * 32
ASSET = "ollama-linux-amd64.tar.zst"
LOCKED = {
    "tag": "v0.35.0",
    "assets": {ASSET: {"url": f"https://releases.example/v0.35.0/{ASSET}", "size": 1, "sha256": SUM}},
}
CHAT: dict[str, Any] = {
    "name": "chat",
    "ollama_name": "llm-stack/chat:latest",
    "source": {"origin": "registry", "path": "llama3.1:8b", "sha256": None, "insecure": False, "store": None},
    "context": 8192,
    "tools": True,
    "standby": False,
    "parameters": {"num_ctx": 8192},
    "system": None,
    "template": None,
}
PLACE = {"home": "~", "bind": "127.0.0.1", "port": 11434, "ready_timeout": 60}


def decide(*models: dict[str, Any], **options: Any) -> dict[str, Any]:
    return ollama_service(models, **{**PLACE, "method": "release", "release_lock": LOCKED, **options})


def refusals(*models: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(StackError) as caught:
        decide(*models, **options)
    return [render(each) for each in caught.value.problems]


# What the host gets


def test_the_program_comes_from_a_folder_of_its_version() -> None:
    decided = decide()
    folder = f"~/.local/share/llm-stack/releases/ollama/0.35.0-{SUM[:8]}"
    assert decided["releases"] == [
        {
            "name": "ollama",
            "strip_top": False,
            "version": "0.35.0",
            "machine": "x86_64",
            "sha256": SUM,
            "why": "for x86_64",
            "url": f"https://releases.example/v0.35.0/{ASSET}",
        }
    ]
    assert decided["declaration"]["requires"] == [{"kind": "release", "path": folder, "digest": SUM}]
    unit = decided["declaration"]["units"][0]
    assert (unit["name"], unit["listens"]) == ("ollama.service", ["127.0.0.1:11434"])
    assert unit["vars"]["unit"]["argv"] == [f"{folder.replace('~', '%h')}/bin/ollama", "serve"]


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"release_mirror": "https://mirror.example/ollama/"}, {"url": f"https://mirror.example/ollama/{ASSET}"}),
        ({"release_directory": "/srv/releases"}, {"src": f"/srv/releases/{ASSET}"}),
        (
            {"release": {"version": "v0.36.1", "src": "/srv/o.tar.gz", "sha256": SUM}},
            {"src": "/srv/o.tar.gz", "version": "0.36.1"},
        ),
    ],
)
def test_an_archive_comes_from_where_the_user_says(options: dict[str, Any], source: dict[str, str]) -> None:
    (archive,) = decide(**options)["releases"]
    assert source.items() <= archive.items()


def test_the_server_gets_its_variables_and_says_its_context() -> None:
    decided = decide(environment={"OLLAMA_KEEP_ALIVE": -1, "OLLAMA_FLASH_ATTENTION": True, "OLLAMA_NUM_PARALLEL": 2})
    file = next(each for each in decided["declaration"]["files"] if each["path"].endswith("server.env"))
    assert file["vars"]["settings"] == {
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_HOST": "127.0.0.1:11434",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NUM_PARALLEL": "2",
    }


def test_ready_means_the_installed_version_and_a_token() -> None:
    words = decide()["declaration"]["units"][0]["vars"]["unit"]["ready_argv"]
    assert words[2:6] == ["http://127.0.0.1:11434", "60", "--at-least", "0.35.0"]
    assert words[-3:] == ["--version", "0.35.0", "--generate"]
    existing = decide(method="existing", program="/usr/bin/ollama", generate=False, accepted=["CVE-2026-103663"])
    words = existing["declaration"]["units"][0]["vars"]["unit"]["ready_argv"]
    assert words[4:] == ["--at-least", "0.18.2", "--program", "/usr/bin/ollama"]


def test_models_are_proven_by_the_same_call_and_started_without() -> None:
    decided = decide(CHAT)
    manifest = "~/.ollama/models/manifests/registry.ollama.ai/llm-stack/chat/latest"
    (model,) = decided["models"]
    need = {"kind": "ollama_model", "path": manifest, "digest": wanted_from([model])[0].identity()}
    need["server"] = "http://127.0.0.1:11434"
    assert decided["declaration"]["requires"][1:] == [need]
    assert decided["server"]["requires"] == decided["declaration"]["requires"][:1]
    assert model == {
        "name": "llm-stack/chat:latest",
        "source": "llama3.1:8b",
        "parameters": {"num_ctx": 8192},
        "context": 8192,
        "capabilities": ["tools"],
    }


def test_a_file_is_brought_to_the_host_under_a_name_of_its_bytes() -> None:
    source = {"origin": "controller", "path": "models/tiny.gguf"}
    decided = decide(
        {**CHAT, "source": source},
        source_directory="/srv/inventory",
        fingerprints={"/srv/inventory/models/tiny.gguf": SUM},
    )
    target = f"~/.local/share/llm-stack/models/chat-{SUM[:12]}.gguf"
    assert decided["files"] == [
        {"name": "chat", "target": target, "from": "/srv/inventory/models/tiny.gguf", "sha256": None, "url": ""}
    ]
    assert decided["models"][0]["path"] == target
    assert "source" not in decided["models"][0]


def test_an_update_asks_registries_and_nobody_else() -> None:
    file = {**CHAT, "source": {"origin": "host", "path": "/srv/tiny.gguf"}}
    assert [each.get("state") for each in decide(CHAT, file, update=True)["models"]] == ["latest", None]
    same = decide(CHAT)["declaration"]["requires"]
    assert decide(CHAT, update=True)["declaration"]["requires"] == same


def test_a_folder_of_models_elsewhere() -> None:
    decided = decide(CHAT, models_directory="/srv/ollama")
    assert decided["folder"] == "/srv/ollama"
    assert decided["declaration"]["requires"][1]["path"].startswith("/srv/ollama/manifests/")
    file = next(each for each in decided["declaration"]["files"] if each["path"].endswith("server.env"))
    assert file["vars"]["settings"]["OLLAMA_MODELS"] == "/srv/ollama"


# What is refused


@pytest.mark.parametrize(
    ("options", "expected"),
    [
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
    ],
)
def test_what_is_refused(options: dict[str, Any], expected: str) -> None:
    assert refusals(**options) == [expected]


def test_all_is_refused_at_once() -> None:
    found = refusals(port=80, bind="x", environment={"A": 1, "OLLAMA_DEBUG": 7}, accepted=["none"])
    assert [each.partition(":")[0] for each in found] == [
        "ollama_port",
        "ollama_bind",
        "ollama_environment.A",
        "ollama_environment.OLLAMA_DEBUG",
        "ollama_accept_vulnerabilities[0]",
    ]


@pytest.mark.parametrize("accepted", [["CVE-2026-103663"]])
def test_a_hole_is_accepted_by_its_name(accepted: list[str]) -> None:
    lock = {**LOCKED, "tag": "v0.34.2"}
    assert decide(release_lock=lock, accepted=accepted)["releases"][0]["version"] == "0.34.2"


@pytest.mark.parametrize("value", ["5m", "1h30m", "90", 90, -1, "-1", "1.5h", "300ms"], ids=[str(n) for n in range(8)])
def test_durations(value: object) -> None:
    assert list(settings.check_environment({"OLLAMA_KEEP_ALIVE": value}, "e")) == []
