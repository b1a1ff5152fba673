# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a lock may hold, how versions compare, and what the digest of an environment depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import (
    DEFAULT_PYTHON,
    POISONED,
    checked,
    environment_digest,
    logical_lines,
    parse,
    version_key,
)
from hypothesis import given
from hypothesis import strategies as st

A = "--hash=sha256:" + "a" * 64
B = "--hash=sha256:" + "b" * 64

ELSEWHERE = (
    "\n    Where packages come from is the business of the host: set index_url or find_links,"
    "\n    and make the lock with uv pip compile --no-emit-index-url."
)


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        pytest.param(f"six==1.17.0 {A}", ["six==1.17.0"], id="a pinned name with a hash"),
        pytest.param(f"six==1.17.0 \\\n    {A} \\\n    {B}\n    # via x", ["six==1.17.0"], id="as uv writes it"),
        pytest.param(f"Foo_Bar[x,y]==1.0 {A}", ["foo-bar==1.0"], id="names are spelt as the index has them"),
        pytest.param(
            f"a==1 ; python_version < '3.11' {A}\na==2 ; python_version >= '3.11' {A}",
            ["a==1 ; python_version < '3.11'", "a==2 ; python_version >= '3.11'"],
            id="one version for each Python",
        ),
        pytest.param(f"a==1.0.post1+cpu {A}", ["a==1.0.post1+cpu"], id="a local version"),
        pytest.param(f"a==1 --hash sha256:{'a' * 64}", ["a==1"], id="a hash as a word of its own"),
        pytest.param("# only a comment\n\n", [], id="comments and blank lines"),
    ],
)
def test_a_lock_is_read(text: str, pins: list[str]) -> None:
    found, problems = parse(text)
    assert (list(map(str, found)), problems) == (pins, [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(
            f"six>=1.17 {A}",
            "requirements[1]: 'six>=1.17' is not pinned to one version.\n    Write name==version; uv pip compile does.",
            id="a range",
        ),
        pytest.param(
            f"six==1.* {A}",
            "requirements[1]: 'six==1.*' is not pinned to one version.\n    Write name==version; uv pip compile does.",
            id="a wildcard",
        ),
        pytest.param(
            "six==1.17.0",
            "requirements[1]: 'six==1.17.0' has no hash.\n    Make the lock with uv pip compile --generate-hashes.",
            id="no hash",
        ),
        pytest.param(
            "six==1.17.0 --hash=md5:abc",
            "requirements[1]: 'md5:abc' is not a hash of six.\n    Write --hash=sha256: and 64 hexadecimal digits.",
            id="a weak hash",
        ),
        pytest.param(
            f"six==one {A}",
            "requirements[1]: 'one' is not a version of six.\n    Write it as the index has it.",
            id="a version that is none",
        ),
        pytest.param(
            "-r other.txt",
            f"requirements[1]: '-r' is an option; a lock holds only pinned names.{ELSEWHERE}",
            id="another file",
        ),
        pytest.param(
            "-e .", f"requirements[1]: '-e' is an option; a lock holds only pinned names.{ELSEWHERE}", id="editable"
        ),
        pytest.param(
            "--extra-index-url https://user:secret@mirror.example.org/simple",
            "requirements[1]: '--extra-index-url https://mirror.example.org/simple' names an address." + ELSEWHERE,
            id="an index, its password not shown",
        ),
        pytest.param(
            f"six @ https://example.org/six.whl {A}",
            f"requirements[1]: 'six @ https://example.org/six.whl' names an address.{ELSEWHERE}",
            id="an address",
        ),
        pytest.param(
            f"litellm==1.82.7 {A}",
            "requirements[1]: 'litellm==1.82.7' is on the deny list (a release known to be malicious or unfit).\n"
            "    Pin another version and make the lock again.",
            id="a poisoned release",
        ),
        pytest.param(
            f"LiteLLM==1.82.8.0 {A}",
            "requirements[1]: 'litellm==1.82.8.0' is on the deny list (a release known to be malicious or unfit).\n"
            "    Pin another version and make the lock again.",
            id="a poisoned release in another spelling",
        ),
        pytest.param(
            f"starlette==1.0.1rc1 {A}",
            "requirements[1]: 'starlette==1.0.1rc1' is below the floor 1.0.1.\n"
            "    Pin another version and make the lock again.",
            id="below the floor",
        ),
        pytest.param(
            f"six==1 {A}\nsix==2 {A}",
            "requirements[2]: 'six==2' is pinned again; line 1 pins 1.\n    Remove one of them.",
            id="pinned twice",
        ),
        pytest.param(
            "# nothing",
            "requirements: '# nothing' pins nothing.\n    Give the text of a lock file made by uv.",
            id="nothing pinned",
        ),
    ],
)
def test_a_lock_is_refused(line: str, message: str) -> None:
    with pytest.raises(StackError) as refusal:
        checked(line, POISONED, {"Starlette": "1.0.1"})
    assert list(map(render, refusal.value.problems)) == [message]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() -> None:
    with pytest.raises(StackError) as refusal:
        checked(f"a==1\nlitellm==1.82.7 {A}\n-r x", POISONED, {})
    assert [problem.path for problem in refusal.value.problems] == [f"requirements[{line}]" for line in (1, 2, 3)]


def test_versions_are_ordered_as_the_index_orders_them() -> None:
    ordered = ["1.0.dev1", "1.0a1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.10", "2", "1!0.1"]
    shuffled = ordered[::-2] + ordered[-2::-2]
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0") == version_key("v1.0.0") == version_key("1")


LOCK = f"b==2 {A}\na==1 ; python_version < '3.11' \\\n  {B} \\\n  {A}\n"


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(f"a==1 ; python_version  <  '3.11' {A} {B}\nb==2 {A}", id="order, line breaks and blanks"),
        pytest.param(f"# a comment\nB==2 {A}\n\nA==1;python_version < '3.11' {B} {A}  # why", id="comments, spelling"),
    ],
)
def test_the_digest_depends_on_what_is_installed(same: str) -> None:
    assert environment_digest(same) == environment_digest(LOCK)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(LOCK.replace("b==2", "b==3"), id="another version"),
        pytest.param(LOCK.replace(B, "--hash=sha256:" + "c" * 64), id="another hash"),
        pytest.param(LOCK.replace("3.11", "3.12"), id="another marker"),
        pytest.param(LOCK.splitlines()[0], id="one package less"),
    ],
)
def test_another_lock_has_another_digest(other: str) -> None:
    assert environment_digest(other) != environment_digest(LOCK)


def test_another_interpreter_makes_another_environment() -> None:
    digests = {environment_digest(LOCK), environment_digest(LOCK, DEFAULT_PYTHON), environment_digest(LOCK, "/py")}
    assert len(digests) == 2
    assert all(len(digest) == 12 and set(digest) <= set("0123456789abcdef") for digest in digests)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_no_text_is_taken_silently(text: str) -> None:
    """Each line with anything but a comment in it becomes a pin or a problem, and nothing raises."""
    pins, problems = parse(text)
    assert len(pins) + len(problems) == len(list(logical_lines(text)))
    assert all(pin.hashes and pin.version for pin in pins)


@pytest.mark.parametrize("lock", ["litellm", "llamacpp"])
def test_the_locks_of_the_roles_are_accepted(root: Path, lock: str) -> None:
    text = (root / "roles" / lock / "files" / "requirements.txt").read_text()
    pins = checked(text, POISONED, {"litellm": "1.101.1", "starlette": "1.0.1"})
    assert {"litellm": "litellm", "llamacpp": "xllamacpp"}[lock] in {pin.name for pin in pins}
