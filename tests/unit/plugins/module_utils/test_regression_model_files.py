# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A model that is replaced leaves the file of the old one alone, since the old one may have to serve again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.lab.llm_stack.plugins.filter.llamacpp_service import decide

SETTINGS: dict[str, Any] = {
    "method": "existing",
    "program": "/usr/bin/llama-server",
    "home": "/home/llm",
    "ready_timeout": 60,
}


def instance(source: dict[str, Any]) -> dict[str, Any]:
    settings = {"LLAMA_ARG_HOST": "127.0.0.1", "LLAMA_ARG_PORT": "8080", "LLAMA_ARG_ALIAS": "tiny"}
    return {"name": "tiny", "port": 8080, "bind": "127.0.0.1", "source": source, "settings": settings}


def placed(source: dict[str, Any], directory: Path = Path("/")) -> str:
    """Where the model's file goes: told alike to the unit, to what it requires and to what is fetched."""
    decided = decide([instance(source)], **SETTINGS, source_directory=str(directory))
    (unit,) = decided["declaration"]["units"]
    path = decided["declaration"]["requires"][1]["path"]
    assert unit["vars"]["unit"]["model"] == path.replace("/home/llm", "%h")
    assert [model["target"] for model in decided["models"]] == ([] if source["origin"] == "host" else [path])
    return str(path)


def test_other_bytes_of_the_controller_get_another_name(tmp_path: Path) -> None:
    names = []
    for content in (b"one", b"two", b"one"):
        (tmp_path / "tiny.gguf").write_bytes(content)
        names.append(placed({"origin": "controller", "path": "tiny.gguf", "sha256": None}, tmp_path))
    assert names[0] == names[2] != names[1]
    assert {Path(name).parent for name in names} == {Path("/home/llm/.local/share/llm-stack/models")}


def test_another_download_gets_another_name() -> None:
    source = {"origin": "url", "path": "https://models.example.org/tiny.gguf"}
    names = {placed({**source, "sha256": digit * 64}) for digit in "ab"}
    assert names == {f"/home/llm/.local/share/llm-stack/models/tiny-{digit * 12}.gguf" for digit in "ab"}


def test_a_file_of_the_host_stays_where_it_is() -> None:
    assert placed({"origin": "host", "path": "/srv/tiny.gguf", "sha256": None}) == "/srv/tiny.gguf"


def test_a_file_that_the_controller_lacks_is_refused_before_a_host_is_touched(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        placed({"origin": "controller", "path": "tiny.gguf", "sha256": None}, tmp_path)
    assert str(refusal.value) == (
        "lab.llm_stack.llamacpp_service: 1 problem in 1 variable. Nothing was changed on any host.\n\n"
        f"llm_stack_models.tiny.source: '{tmp_path}/tiny.gguf' cannot be read on the controller: "
        "No such file or directory.\n"
        "    A relative source starts at the inventory; an absolute one is a file on the host."
    )
