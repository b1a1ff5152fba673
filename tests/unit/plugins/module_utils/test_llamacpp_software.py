# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What llama.cpp's servers run from: archives by a lock, and the Python server's environment."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_service import llamacpp_service
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_software import (
    BUILD_FLAGS,
    Install,
    python,
    releases,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._release_assets import BACKENDS
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import environment_digest, parse

SHA, OTHER = "ab" * 32, "cd" * 32
CPU, CUDA = "llama-b1-bin-ubuntu-x64.tar.gz", "llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz"
RUNTIME = f"cudart-{CUDA}"


def entry(name: str, sha256: str = SHA) -> dict[str, Any]:
    return {"url": f"https://example.org/b1/{name}", "size": 1, "sha256": sha256}


RELEASE_LOCK = {
    "tag": "b1",
    "repository": "o/n",
    "assets": {CPU: entry(CPU), CUDA: entry(CUDA), RUNTIME: entry(RUNTIME, OTHER)},
}
CHOSEN = {
    "name": "llamacpp",
    "version": "b1",
    "sha256": SHA,
    "program": "llama-server",
    "strip_top": True,
    "machine": "x86_64",
    "glibc": "2.35",
    "why": "for x86_64, with cpu, needs glibc 2.35",
}


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        pytest.param({}, {"url": f"https://example.org/b1/{CPU}"}, id="from the publisher"),
        pytest.param(
            {"release_mirror": "http://mirror.example/llama/"},
            {"url": f"http://mirror.example/llama/{CPU}"},
            id="from a mirror",
        ),
        pytest.param({"release_directory": "/srv/files"}, {"src": f"/srv/files/{CPU}"}, id="from the controller"),
    ],
)
def test_a_locked_release_is_installed_by_its_checksum_wherever_it_comes_from(
    changes: dict[str, Any], source: dict[str, str]
) -> None:
    assert releases(Install("release", release_lock=RELEASE_LOCK, **changes)) == [{**CHOSEN, **source}]


def service(**install: Any) -> dict[str, Any]:
    server = install.pop("server", "native")
    own = {"HOST": "127.0.0.1", "PORT": "8080", "ALIAS" if server == "native" else "MODEL_ALIAS": "tiny"}
    prefix = "LLAMA_ARG_" if server == "native" else "LLAMA_PYTHON_"
    instance = {
        "name": "tiny",
        "port": 8080,
        "bind": "127.0.0.1",
        "source": {"origin": "host", "path": "/m.gguf", "sha256": None},
        "settings": {f"{prefix}{name}": value for name, value in own.items()},
        "server": server,
    }
    return llamacpp_service([instance], home="~", ready_timeout=60, **install)


def test_a_build_for_cuda_finds_its_libraries_in_the_archive_that_goes_with_it() -> None:
    result = service(method="release", release_lock=RELEASE_LOCK, backend="cuda")
    releases_dir = "~/.local/share/llm-stack/releases"
    assert [(each["name"], each["strip_top"]) for each in result["releases"]] == [
        ("llamacpp", True),
        ("llamacpp-runtime", False),
    ]
    assert [each["path"] for each in result["declaration"]["requires"]] == [
        f"{releases_dir}/llamacpp/b1-abababab",
        f"{releases_dir}/llamacpp-runtime/b1-cdcdcdcd",
        "/m.gguf",
        "~/.local/state/llm-stack/preflight/llamacpp-tiny.service.json",
    ]
    [unit] = result["declaration"]["units"]
    assert unit["vars"]["unit"]["libraries"] == [
        "%h/.local/share/llm-stack/releases/llamacpp-runtime/b1-cdcdcdcd",
        "%h/.local/share/llm-stack/releases/llamacpp-runtime/b1-cdcdcdcd/llama-b1",
    ]


def test_a_release_that_the_user_names_counts_before_the_lock() -> None:
    named = {"version": "b2", "src": "files/mine.tar.gz", "sha256": OTHER, "program": "bin/llama-server"}
    [release] = releases(Install("release", release=named, release_lock=RELEASE_LOCK))
    assert release == {"name": "llamacpp", "strip_top": True, "why": "as llamacpp_release says", **named}


LOCK = f"""# a comment
jinja2==3.1.6 \\
    --hash=sha256:{SHA}
llama-cpp-python==0.3.36 \\
    --hash=sha256:{SHA}
markupsafe==3.0.4 \\
    --hash=sha256:{SHA}
"""


def test_the_python_server_is_built_with_the_flags_of_its_backend() -> None:
    assert set(BUILD_FLAGS) == set(BACKENDS)
    result = service(server="python", method="pip", python_lock=LOCK, python="/usr/bin/python3", python_backend="cuda")
    build = {"CMAKE_ARGS": "-DGGML_CUDA=ON"}
    digest = environment_digest(LOCK, "/usr/bin/python3", build)
    path = f".local/share/llm-stack/envs/llamacpp-python/{digest}"
    assert result["python"] == {"requirements": LOCK, "build": build, "allow_source": ["llama-cpp-python"]}
    assert result["declaration"]["requires"][0] == {"kind": "environment", "path": f"~/{path}", "digest": digest}
    [unit] = result["declaration"]["units"]
    launcher = "llama_python_server.py"
    assert unit["vars"]["unit"]["argv"] == [f"%h/{path}/bin/python", f"%h/.config/llm-stack/llamacpp/{launcher}"]
    assert unit["vars"]["unit"]["model_variable"] == "LLAMA_PYTHON_MODEL"
    assert [each["src"] for each in result["declaration"]["files"] if "src" in each] == [launcher, "ready.py"]
    assert unit["inputs"][1:] == [f"~/.config/llm-stack/llamacpp/{name}" for name in ("ready.py", launcher)]


def test_a_host_with_the_python_server_alone_needs_no_other() -> None:
    result = service(server="python", method="release", python_lock=LOCK, python="/usr/bin/python3")
    assert (result["native"], result["releases"]) == (False, [])
    assert [each["kind"] for each in result["declaration"]["requires"]] == ["environment", "file", "preflight"]


def test_each_backend_makes_an_environment_of_its_own() -> None:
    paths = {
        python(Install("pip", python_lock=LOCK, python="/usr/bin/python3", python_backend=backend), "~", "~/etc").argv[
            0
        ]
        for backend in BACKENDS
    }
    assert len(paths) == len(BACKENDS)


def test_a_wheel_that_was_given_takes_the_place_of_the_source() -> None:
    built = python(Install("pip", python_lock=LOCK, python="/usr/bin/python3", python_wheel=OTHER), "~", "~/etc").build
    assert (built["build"], built["allow_source"]) == ({}, [])
    pins, problems = parse(built["requirements"])
    assert {pin.name: pin.hashes for pin in pins} == {
        "jinja2": (f"sha256:{SHA}",),
        "llama-cpp-python": (f"sha256:{OTHER}",),
        "markupsafe": (f"sha256:{SHA}",),
    }
    assert problems == []
