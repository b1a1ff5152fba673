# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is quoted is read back as it was: by the shell, and by systemd's rules written down here a second time."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._quoting import env_file, systemd_argv
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12) | st.text("ab %$\"\\`;#'~", max_size=8)
ARGUMENT = TEXT | st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)


def read_env_file(text: str) -> dict[str, str]:
    """Read an EnvironmentFile= by the rules of systemd.exec(5)."""
    found = {}
    for line in text.splitlines():
        name, value = line.split("=", 1)
        if value.startswith('"'):
            assert re.fullmatch(r'"([^"\\]|\\.)*"', value)
            value = re.sub(r'\\(["\\`$])', r"\1", value[1:-1])
        found[name] = value
    return found


def read_exec_start(line: str) -> list[str]:
    """Read a command line by the rules of systemd.service(5): quotes, escapes, specifiers, variables."""
    words = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)|([^ "\\%$]+)(?: |$)', line):
        word = bare or re.sub(r'\\(x[0-9a-f]{2}|["\\])', lambda found: unescape(found.group(1)), quoted)
        assert not re.search(r"(?<!%)(%%)*%(?!%)", word)
        assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word)
        words.append(word.replace("%%", "%").replace("$$", "$"))
    return words


def unescape(escape: str) -> str:
    return chr(int(escape[1:], 16)) if escape.startswith("x") else escape


@given(st.dictionaries(NAME, TEXT, max_size=4))
@settings(max_examples=200, deadline=None)
def test_an_environment_is_read_back_as_it_was(variables: dict[str, str]) -> None:
    text = env_file(variables)
    assert text.count("\n") == len(variables)
    assert read_env_file(text) == variables


def test_the_shell_reads_the_same_environment() -> None:
    value = 'a "b" $HOME `id` \\n \\\\ %h ; # \' é'
    script = env_file({"VALUE": value}) + 'printf %s "$VALUE"'
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout == value


@given(st.lists(ARGUMENT, max_size=5))
@settings(max_examples=200, deadline=None)
def test_arguments_are_read_back_as_they_were(arguments: list[str]) -> None:
    line = systemd_argv(["/usr/bin/env", *arguments])
    assert "\n" not in line
    assert read_exec_start(line) == ["/usr/bin/env", *arguments]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/bin/true"], "/bin/true"),
        (["/bin/echo", "a b", ""], '/bin/echo "a b" ""'),
        (["/bin/echo", "%h", "$HOME", "${HOME}"], '/bin/echo "%%h" "$$HOME" "$${HOME}"'),
        (["/bin/echo", 'say "hi"', "back\\slash"], '/bin/echo "say \\"hi\\"" "back\\\\slash"'),
        (["/bin/echo", ";", "'", "~"], '/bin/echo ";" "\'" "~"'),
        (["/bin/echo", "two\nlines"], '/bin/echo "two\\x0alines"'),
        (["/bin/echo", 5, 1.5], "/bin/echo 5 1.5"),
        (["/opt/my program", "x"], '"/opt/my program" x'),
    ],
)
def test_command_lines(argv: list[object], expected: str) -> None:
    assert systemd_argv(argv) == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "argv: is empty.\n    Begin with the absolute path of a program."),
        (
            ["env"],
            "argv[0]: 'env' is not the absolute path of a program, without variables.\n"
            "    Write the path in full, such as /usr/bin/env.",
        ),
        (
            ["/home/$USER/x"],
            "argv[0]: '/home/$USER/x' is not the absolute path of a program, without variables.\n"
            "    Write the path in full, such as /usr/bin/env.",
        ),
        (["/bin/a", True], "argv[1]: is of type bool.\n    Write text or a number."),
        (["/bin/a", None], "argv[1]: is of type NoneType.\n    Write text or a number."),
        (["/bin/a", "b\0"], "argv[1]: holds a NUL character.\n    No program can be given one. Remove it."),
    ],
)
def test_refused_command_lines(argv: list[object], expected: str) -> None:
    with pytest.raises(StackError) as refusal:
        systemd_argv(argv)
    assert str(refusal.value).split("\n\n")[1] == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"A-B": "canary"},
            "environment.A-B: cannot be the name of a variable.\n"
            "    Use letters, digits and underscores, and begin with a letter or an underscore.",
        ),
        (
            {"A": "canary\n"},
            "environment.A: holds a line break or another control character.\n    Write it on one line.",
        ),
        ({"A": True}, "environment.A: is of type bool.\n    Write text or a number."),
        ({"A": None}, "environment.A: is of type NoneType.\n    Write text or a number."),
        ({"A": ["canary"]}, "environment.A: is of type list.\n    Write text or a number."),
    ],
)
def test_refused_environments_show_no_value(variables: dict[str, object], expected: str) -> None:
    with pytest.raises(StackError) as refusal:
        env_file(variables)
    assert str(refusal.value).split("\n\n")[1] == expected


def test_an_environment_is_sorted_and_plain_where_it_can_be() -> None:
    assert env_file({"PORT": 8080, "MODEL": "my model", "EMPTY": ""}) == 'EMPTY=""\nMODEL="my model"\nPORT=8080\n'
