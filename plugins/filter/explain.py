# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lab.llm_stack.explain: who set a value at the gateway, in which file, and what it overrode.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

_FORMS = ("text", "data")


def explain(
    declaration: Mapping[str, Any], key: str = "", form: str = "text", variables: Mapping[str, Any] | None = None
) -> str | list[dict[str, Any]]:
    """Explain every value at a key and below it; ``variables`` are those whose files are to be named."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._explain import as_data, as_text
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._plan import explained
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

    _check(declaration, form)
    origins = {path: where for name, value in (variables or {}).items() for path, where in _origins(value, name)}
    tell = as_text if form == "text" else as_data
    try:
        return tell(explained(plain(declaration)), str(key), origins)
    except StackError as error:
        raise AnsibleFilterError(str(error)) from error


def _check(declaration: object, form: str) -> None:
    if not isinstance(declaration, Mapping):
        wanted = "takes a declaration, which is a mapping, and was given a"
        raise AnsibleFilterError(f"lab.llm_stack.explain {wanted} {type(declaration).__name__}.")
    if form not in _FORMS:
        raise AnsibleFilterError(f"lab.llm_stack.explain: form: '{form}' is not a form. Known: {', '.join(_FORMS)}.")


def _origins(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield the file and line of a variable and of everything in it, where Ansible has kept them."""
    try:
        from ansible._internal._datatag._tags import Origin
    except ImportError:  # no interface of Ansible's: another version may keep it elsewhere
        return
    origin = Origin.get_tag(value)
    if origin and origin.path:
        file = _near(Path(str(origin.path)))
        yield path, f"{file}:{origin.line_num}" if origin.line_num else file
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _origins(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _origins(inner, f"{path}[{index}]")


def _near(file: Path) -> str:
    """Write a file below the current directory as seen from there."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


class FilterModule:
    """The filter lab.llm_stack.explain."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"explain": explain}
