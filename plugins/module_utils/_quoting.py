# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write values so that systemd reads back exactly these: the file of EnvironmentFile=, the line of ExecStart=."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:=,@+-]+")


def env_file(variables: Mapping[str, object]) -> str:
    """Give the text of an EnvironmentFile=, sorted by name; a secret in it is never part of a refusal."""
    problems = [problem for name, value in sorted(variables.items()) for problem in _check_variable(name, value)]
    if problems:
        raise StackError(problems)
    return "".join(f"{name}={_env_quoted(str(value))}\n" for name, value in sorted(variables.items()))


def _env_quoted(value: str) -> str:
    """Quote as the shell does: inside double quotes, systemd takes a backslash before these four characters away."""
    return value if _PLAIN_WORD.fullmatch(value) else '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def _check_variable(name: str, value: object) -> Iterator[Problem]:
    path = f"environment.{name}"
    if not _NAME.fullmatch(name):
        remedy = "Use letters, digits and underscores, and begin with a letter or an underscore."
        yield Problem(path, NOTHING, "cannot be the name of a variable.", remedy)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        yield Problem(path, NOTHING, f"is of type {type(value).__name__}.", "Write text or a number.")
    elif any(ord(character) < 32 or ord(character) == 127 for character in str(value)):
        yield Problem(path, NOTHING, "holds a line break or another control character.", "Write it on one line.")


def systemd_argv(argv: Sequence[object]) -> str:
    """Give the command line of ExecStart= that starts exactly these arguments: nothing in them is expanded."""
    words = [str(each) if isinstance(each, (int, float)) and not isinstance(each, bool) else each for each in argv]
    problems = list(_check_argv(words))
    if problems:
        raise StackError(problems)
    return " ".join(_word(str(word)) for word in words)


def _check_argv(words: Sequence[object]) -> Iterator[Problem]:
    if not words:
        yield Problem("argv", NOTHING, "is empty.", "Begin with the absolute path of a program.")
    for index, word in enumerate(words):
        path = f"argv[{index}]"
        if not isinstance(word, str):
            yield Problem(path, NOTHING, f"is of type {type(word).__name__}.", "Write text or a number.")
        elif "\0" in word:
            yield Problem(path, NOTHING, "holds a NUL character.", "No program can be given one. Remove it.")
        elif index == 0 and (not word.startswith("/") or "$" in word):
            wrong = "is not the absolute path of a program, without variables."
            yield Problem(path, word, wrong, "Write the path in full, such as /usr/bin/env.")


def _word(word: str) -> str:
    """Quote one argument. systemd expands % and $ even inside quotes, unless they are doubled."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found.group()):02x}", escaped) + '"'
