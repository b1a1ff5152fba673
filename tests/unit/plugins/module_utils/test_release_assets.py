# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a release fits a host: the names are those of the publishers' own build scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._release_assets import (
    Asset,
    choose_llamacpp,
    choose_ollama,
    llamacpp_asset,
    locked,
    ollama_asset,
)

TAG = "b11669"
LLAMACPP = [
    f"llama-{TAG}-bin-ubuntu-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-arm64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-s390x.tar.gz",
    f"llama-{TAG}-bin-ubuntu-vulkan-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-vulkan-arm64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-cuda-12.8-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-cuda-13.4-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-cuda-13.4-arm64.tar.gz",
    f"cudart-llama-{TAG}-bin-ubuntu-cuda-12.8-x64.tar.gz",
    f"cudart-llama-{TAG}-bin-ubuntu-cuda-13.4-x64.tar.gz",
    f"cudart-llama-{TAG}-bin-ubuntu-cuda-13.4-arm64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-rocm-10.0-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-openvino-2026.2-x64.tar.gz",
    f"llama-{TAG}-bin-ubuntu-sycl-fp16-x64.tar.gz",
    f"llama-{TAG}-bin-macos-arm64.tar.gz",
    f"llama-{TAG}-bin-win-cuda-12.4-x64.zip",
    f"llama-{TAG}-ui.tar.gz",
]
OLLAMA = [
    "ollama-linux-amd64.tar.zst",
    "ollama-linux-amd64-rocm.tar.zst",
    "ollama-linux-amd64-mlx.tar.zst",
    "ollama-linux-arm64.tar.zst",
    "ollama-linux-arm64-jetpack6.tar.zst",
    "sha256sum.txt",
]


@pytest.mark.parametrize(
    ("machine", "backend", "toolkit", "name", "companions", "why"),
    [
        ("x86_64", "cpu", "", "ubuntu-x64", [], "for x86_64, with cpu, needs glibc 2.35"),
        ("aarch64", "cpu", "", "ubuntu-arm64", [], "for aarch64, with cpu"),
        ("x86_64", "vulkan", "", "ubuntu-vulkan-x64", [], "for x86_64, with vulkan"),
        (
            "x86_64",
            "cuda",
            "",
            "ubuntu-cuda-12.8-x64",
            [f"cudart-llama-{TAG}-bin-ubuntu-cuda-12.8-x64.tar.gz"],
            "for x86_64, with cuda 12.8, the oldest beside 13.4, since it runs with the most drivers, needs glibc 2.39",
        ),
        (
            "x86_64",
            "cuda",
            "13.4",
            "ubuntu-cuda-13.4-x64",
            [f"cudart-llama-{TAG}-bin-ubuntu-cuda-13.4-x64.tar.gz"],
            "for x86_64, with cuda 13.4, needs glibc 2.39",
        ),
        (
            "aarch64",
            "cuda",
            "",
            "ubuntu-cuda-13.4-arm64",
            [f"cudart-llama-{TAG}-bin-ubuntu-cuda-13.4-arm64.tar.gz"],
            "for aarch64, with cuda 13.4, needs glibc 2.39",
        ),
        ("x86_64", "rocm", "", "ubuntu-rocm-10.0-x64", [], "for x86_64, with rocm 10.0"),
    ],
)
def test_the_build_of_llamacpp_for_a_host_and_why(
    machine: str, backend: str, toolkit: str, name: str, companions: list[str], why: str
) -> None:
    choice = choose_llamacpp(LLAMACPP, machine, backend, "lock", toolkit)
    assert choice.asset.name == f"llama-{TAG}-bin-{name}.tar.gz"
    assert [each.name for each in choice.companions] == companions
    assert choice.why == why


@pytest.mark.parametrize(
    "name",
    [f"llama-{TAG}-ui.tar.gz", f"llama-{TAG}-bin-macos-arm64.tar.gz", "sha256sum.txt", LLAMACPP[12], LLAMACPP[13]],
)
def test_what_is_no_build_for_this_stack_is_left_alone(name: str) -> None:
    assert llamacpp_asset(name) is None
    assert ollama_asset(name) is None


def test_a_tag_may_hold_what_a_name_is_taken_apart_by() -> None:
    assert llamacpp_asset("llama-v0.7.0-rc-1-bin-ubuntu-x64.tar.gz") == Asset(
        "llama-v0.7.0-rc-1-bin-ubuntu-x64.tar.gz", "x86_64", "cpu", glibc="2.35"
    )


@pytest.mark.parametrize(
    ("machine", "backend", "names", "why"),
    [
        ("x86_64", "cpu", ["ollama-linux-amd64.tar.zst"], "for x86_64"),
        ("x86_64", "cuda", ["ollama-linux-amd64.tar.zst"], "for x86_64, CUDA inside"),
        (
            "x86_64",
            "rocm",
            ["ollama-linux-amd64.tar.zst", "ollama-linux-amd64-rocm.tar.zst"],
            "for x86_64, ROCm beside it",
        ),
        ("aarch64", "cuda", ["ollama-linux-arm64.tar.zst"], "for aarch64, CUDA inside"),
    ],
)
def test_the_archive_of_ollama_for_a_host_and_why(machine: str, backend: str, names: list[str], why: str) -> None:
    choice = choose_ollama(OLLAMA, machine, backend, "lock")
    assert [choice.asset.name, *(each.name for each in choice.companions)] == names
    assert choice.why == why


@pytest.mark.parametrize(
    ("names", "machine", "backend", "toolkit", "said"),
    [
        pytest.param([], "x86_64", "cpu", "", "lock: has no build for Linux on x86_64.", id="nothing at all"),
        pytest.param(
            LLAMACPP,
            "s390x",
            "cuda",
            "",
            "lock: has no build with cuda for s390x.\n    Backends of this release for s390x: cpu.",
            id="a backend that this machine does not have",
        ),
        pytest.param(
            LLAMACPP,
            "x86_64",
            "cuda",
            "12.4",
            "lock: has no build with cuda 12.4 for x86_64.\n    Known: 12.8, 13.4.",
            id="a toolkit that is not there",
        ),
    ],
)
def test_a_release_without_the_build_is_refused(
    names: list[str], machine: str, backend: str, toolkit: str, said: str
) -> None:
    with pytest.raises(StackError) as caught:
        choose_llamacpp(names, machine, backend, "lock", toolkit)
    assert said in str(caught.value)


def test_ollama_without_its_addition_for_rocm_is_refused() -> None:
    with pytest.raises(StackError) as caught:
        choose_ollama(["ollama-linux-amd64.tar.zst"], "x86_64", "rocm", "llm_stack_release_lock.ollama")
    assert "llm_stack_release_lock.ollama: has no build with rocm for x86_64." in str(caught.value)


@pytest.mark.parametrize("lock", [{}, {"tag": TAG}, {"tag": TAG, "assets": {}}, {"assets": {"a": {}}}])
def test_a_release_without_checksums_is_refused_with_the_command_that_gets_them(lock: Mapping[str, Any]) -> None:
    with pytest.raises(StackError) as caught:
        locked(lock, "llamacpp", "llm_stack_release_lock.llamacpp")
    assert str(caught.value).splitlines()[2:] == [
        "llm_stack_release_lock.llamacpp: pins no release, and the method release installs nothing without a checksum.",
        "    Run make pin RELEASE=llamacpp TAG=TAG: it writes the checksums that the publisher states into the lock.",
    ]
