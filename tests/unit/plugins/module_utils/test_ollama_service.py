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
    file = {**CHAT, "ollama_name": "file", "source": {"origin": "host", "path": "/srv/tiny.gguf"}}
    assert [each.get("state") for each in decide(CHAT, file, update=True)["models"]] == ["latest", None]
    same = decide(CHAT)["declaration"]["requires"]
    assert decide(CHAT, update=True)["declaration"]["requires"] == same


def test_a_folder_of_models_elsewhere() -> None:
    decided = decide(CHAT, models_directory="/srv/ollama")
    assert decided["folder"] == "/srv/ollama"
    assert decided["declaration"]["requires"][1]["path"].startswith("/srv/ollama/manifests/")
    file = next(each for each in decided["declaration"]["files"] if each["path"].endswith("server.env"))
    assert file["vars"]["settings"]["OLLAMA_MODELS"] == "/srv/ollama"


# What is refused; one by one in test_engines_refused.py


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
