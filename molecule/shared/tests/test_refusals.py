# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What cannot work is refused by the real playbook, in words to act upon, and the host stays as it is.

Which declarations are refused, and how, is told by tests/fixtures/refused; here is a sample of them, and what only a
host can find out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from observed import PROJECT, Stack, eventually
from played import Variables, play

pytestmark = pytest.mark.only_in("default")

LOCK = PROJECT / "roles/llamacpp/files/requirements.txt"
SERVED = "http://127.0.0.1:8099"


@pytest.fixture(scope="module")
def before(faulty: Stack) -> str:
    return faulty.imprint()


def refusal(stack: Stack, before: str, variables: Variables) -> str:
    """Deploy what cannot work, which must leave the host as it was; return what is said."""
    played = play("deploy", variables=variables)
    assert played.code != 0, played.output
    assert stack.imprint() == before
    return played.message


@pytest.mark.parametrize(
    "name",
    [
        "alias_to_nothing",
        "number_as_text",
        "port_of_two_models",
        "secret_in_the_gateway",
        "typo_in_a_key",
        "unknown_engine",
    ],
)
def test_a_broken_declaration(faulty: Stack, before: str, name: str) -> None:
    case = yaml.safe_load((PROJECT / f"tests/fixtures/refused/{name}.yml").read_text(encoding="utf-8"))
    declared = {f"llm_stack_{key}": value for key, value in case["declaration"].items() if key != "hosts"}
    said = refusal(faulty, before, declared)
    assert case["message"].replace("workstation", faulty.name) in said


def test_a_mirror_that_does_not_answer(faulty: Stack, before: str) -> None:
    mirror = {"llamacpp_python": "/usr/bin/python3.11", "llamacpp_index_url": "http://127.0.0.1:9/simple"}
    said = refusal(faulty, before, mirror)
    assert "the index http://127.0.0.1:9/simple could not be reached" in said
    assert "\n    Set index_url to an index or mirror that this host reaches, or find_links to a directory" in said
    assert said.endswith(" stays the current environment.")


def test_an_interpreter_that_is_not_there(faulty: Stack, before: str) -> None:
    assert refusal(faulty, before, {"llamacpp_python": "/usr/bin/python3.99"}) == (
        "1 problem in 1 variable. Nothing was changed on any host.\n\n"
        "python: '/usr/bin/python3.99' is no interpreter on this host.\n"
        "    Install one (Debian: apt install python3 python3-venv), or name another."
    )


def test_a_package_that_is_not_the_one_of_the_lock(faulty: Stack, before: str, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    said = refusal(faulty, before, {"llamacpp_requirements": str(lock)})
    assert re.match(r"The environment llamacpp was not installed: \S+ from .+ is not the file of the lock\.\n", said)
    assert said.endswith(" stays the current environment.")


def test_a_model_that_is_not_the_declared_one(faulty: Stack, before: str) -> None:
    models = {"tiny": {"source": f"{SERVED}/other.gguf", "llamacpp": {"sha256": "0" * 64}}}
    faulty.output("mkdir -p served && head -c 100000 /dev/zero > served/other.gguf")
    (sha256,) = faulty.output("sha256sum < served/other.gguf").split()[:1]
    with serving(faulty, "served", 8099):
        said = refusal(faulty, before, {"llm_stack_models": models})
    assert "0" * 64 in said
    assert sha256 in said
    assert said.endswith("What was installed before is unchanged.")


def test_a_port_that_somebody_else_holds(faulty: Stack, before: str) -> None:
    with serving(faulty, "served", 8099):
        said = refusal(faulty, before, {"llm_stack_gateway": {"port": 8099}})
    assert re.fullmatch(
        r"A port is taken\. Nothing was changed\.\n127\.0\.0\.1:8099 should be held by litellm\.socket, but is "
        rf"pid \d+ \(python3\) of {faulty.account}; stop it, or declare another port\.",
        said,
    )


@contextmanager
def serving(stack: Stack, directory: str, port: int) -> Iterator[None]:
    """A web server of the account that is none of ours."""
    server = f"python3 -m http.server --bind 127.0.0.1 --directory {stack.home(directory)} {port}"
    stack.output(f"systemd-run --user --quiet --collect --unit=stranger {server}")
    assert eventually(lambda: stack.run(f"curl --silent --fail {SERVED}/").rc == 0, seconds=10)
    try:
        yield
    finally:
        stack.output("systemctl --user stop stranger.service")
