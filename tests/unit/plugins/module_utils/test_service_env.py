# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Environment files: read as systemd reads what we write, and values that are made once."""

from __future__ import annotations

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._env import generated_content, read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._quoting import env_file
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, {}, id="no file"),
        pytest.param(b"", {}, id="an empty file"),
        pytest.param(b"A=1\nB=two\n", {"A": "1", "B": "two"}, id="one assignment a line"),
        pytest.param(b"# A=1\n; B=2\n  # C=3\n\nno assignment\n", {}, id="comments and other lines"),
        pytest.param(b"A=x=y\n", {"A": "x=y"}, id="an equals sign in a value"),
        pytest.param(b"A=\n", {"A": ""}, id="an empty value"),
        pytest.param(b'A="x y"\nB=\'x "y"\'\n', {"A": "x y", "B": 'x "y"'}, id="quotes"),
        pytest.param(b'A="say \\"hi\\" for 5\\$ \\\\ \\`"\n', {"A": 'say "hi" for 5$ \\ `'}, id="escapes in quotes"),
        pytest.param(b'A="\n', {"A": '"'}, id="a lone quote is no pair"),
        pytest.param(b"A=1\nA=2\n", {"A": "2"}, id="the last assignment counts"),
        pytest.param(b"A=\xff\n", {"A": "�"}, id="bytes that are no text"),
    ],
)
def test_read_environment(content: bytes | None, expected: dict[str, str]) -> None:
    assert read_environment(content) == expected


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]))


@given(st.dictionaries(names, values))
def test_what_is_written_is_read_back(variables: dict[str, str]) -> None:
    assert read_environment(env_file(variables).encode()) == variables


def test_a_generated_value_is_made_once_and_kept() -> None:
    first = generated_content(b"# ours\nA=1", None, {"KEY": "sk-"})
    made = read_environment(first)["KEY"]
    assert first == f"# ours\nA=1\nKEY={made}\n".encode()
    assert (made[:3], len(made)) == ("sk-", 35)
    assert generated_content(b"# ours\nA=1", first, {"KEY": "sk-"}) == first
    assert generated_content(b"", None, {"KEY": "sk-"}) != generated_content(b"", None, {"KEY": "sk-"})


@pytest.mark.parametrize(
    ("current", "kept"),
    [
        pytest.param(b"KEY=sk-mine\n", "sk-mine", id="a value that a person wrote"),
        pytest.param(b'KEY="sk-mine"\nOTHER=1\n', "sk-mine", id="a quoted value, and nothing else of the file"),
    ],
)
def test_a_value_on_the_host_is_kept(current: bytes, kept: str) -> None:
    assert generated_content(b"", current, {"KEY": "sk-"}) == f"KEY={kept}\n".encode()


@pytest.mark.parametrize("current", [b"KEY=\n", b"# KEY=sk-old\n", b"OTHER=1\n"])
def test_an_empty_or_absent_value_is_made_anew(current: bytes) -> None:
    assert read_environment(generated_content(b"", current, {"KEY": "sk-"}))["KEY"].startswith("sk-")
