# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight is told of llama.cpp's instances."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp, _llamacpp_python
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_preflight import looks, requirements, settings_of
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_software import Install, Software
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_settings import llamacpp_settings
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Instance

SERVERS = {
    "native": Software(
        ("/opt/llama-server",), ({"kind": "program", "path": "/opt"},), "LLAMA_ARG_MODEL", stops_itself=False
    ),
    "python": Software(("/env/bin/python",), ({"kind": "environment", "path": "/env"},), "LLAMA_PYTHON_MODEL"),
}


def instance(name: str = "tiny", **changes: Any) -> dict[str, Any]:
    base = {"name": name, "bind": "127.0.0.1", "port": 8080, "target": f"~/{name}.gguf", "settings": {}}
    return {**base, **changes}


def digests(*instances: dict[str, Any], **install: Any) -> list[str]:
    found = looks(instances, SERVERS, Install(**{"method": "existing", **install}), "~")
    return [each["digest"] for each in requirements(found)]


def test_what_computes_alike_is_judged_together() -> None:
    found = looks(
        [instance("a"), instance("b"), instance("c", server="python")],
        SERVERS,
        Install("existing", backend="cuda", python_backend="cpu"),
        "~",
    )
    assert [(call["backend"], [each["name"] for each in call["instances"]]) for call in found] == [
        ("cpu", ["c"]),
        ("cuda", ["a", "b"]),
    ]
    assert {call["program"] for call in found} == {"/opt/llama-server"}


def test_the_wheel_computes_on_the_cpu_whatever_else_is_said() -> None:
    servers = {"native": Software(("/env/bin/python",), (), "LLAMA_ARG_MODEL")}
    [call] = looks([instance()], servers, Install("pip", backend="cuda"), "~")
    assert (call["backend"], call["program"]) == ("cpu", "")


def test_a_card_behind_vulkan_is_not_judged() -> None:
    assert looks([instance()], SERVERS, Install("release", backend="vulkan"), "~") == []


def test_the_others_of_a_slot_give_back_what_they_hold() -> None:
    [call] = looks(
        [instance("a", slot="gpu"), instance("b", slot="gpu"), instance("c")], SERVERS, Install("distro"), "~"
    )
    assert [each["replaces"] for each in call["instances"]] == [["llamacpp-b.service"], ["llamacpp-a.service"], []]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"target": "~/other.gguf"}, id="another file"),
        pytest.param({"settings": {"LLAMA_ARG_CTX_SIZE": "1"}}, id="another setting"),
        pytest.param({"context": 9}, id="another context"),
        pytest.param({"accept": ["tight"]}, id="something that is accepted"),
        pytest.param({"server": "python"}, id="another server"),
    ],
)
def test_another_thing_is_looked_at_again(changes: dict[str, Any]) -> None:
    assert digests(instance(**changes)) != digests(instance())


def test_another_backend_is_looked_at_again() -> None:
    assert digests(instance(), backend="cuda") != digests(instance())


def test_the_same_thing_is_not() -> None:
    assert digests(instance(standby=True, port=1, bind="::1")) == digests(instance())


OPTIONS = {"ubatch": 128, "flash_attn": False, "cache_type_k": "q8_0", "cache_type_v": "q4_0"}


@pytest.mark.parametrize("server", ["native", "python"])
def test_both_servers_tell_what_decides_about_memory(server: str) -> None:
    derive = _llamacpp.settings if server == "native" else _llamacpp_python.settings
    settings = settings_of({"settings": derive("tiny", 2048, OPTIONS, "127.0.0.1", 8080)})
    read = llamacpp_settings(Instance("tiny", "u", "/m.gguf", 8080, "d", settings=settings))
    assert (read.context, read.parallel, read.ubatch, read.flash_attn) == (2048, 1, 128, False)
    assert (read.cache_type_k, read.cache_type_v) == ("q8_0", "q4_0")


def test_the_native_server_tells_of_flash_attention_and_of_each_request() -> None:
    settings = settings_of({"settings": _llamacpp.settings("t", 2048, {**OPTIONS, "parallel": 4}, "::1", 8080)})
    read = llamacpp_settings(Instance("tiny", "u", "/m.gguf", 8080, "d", settings=settings))
    assert (read.context, read.parallel, read.flash_attn) == (2048, 4, False)
