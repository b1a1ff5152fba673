# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Render on the controller, then converge with one module call on the host.

Templates are rendered exactly as ansible.builtin.template renders them (same search path, ``trim_blocks``), so a file
moved from one to the other does not change by a byte. What tells of the rendering itself (``ansible_managed``,
``template_path`` and the like) is not defined: it would differ from one controller to the next.
"""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template
from ansible_collections.lab.llm_stack.plugins.plugin_utils._git import head

MODULE = "lab.llm_stack.service"


class ActionModule(ActionBase):
    """Render the task's templates and hand everything to the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        self._templars: dict[tuple[str, ...], Templar] = {}
        args = dict(self._task.args)
        args.update(args.pop("declaration", None) or {})
        args["files"] = [self._file(entry, task_vars) for entry in self._entries(args, "files")]
        args["units"] = [self._unit(entry, task_vars) for entry in self._entries(args, "units")]
        args["requires"] = [self._requirement(entry) for entry in self._entries(args, "requires")]
        args.setdefault("holder", f"{account()} on {platform.node()}")
        args.setdefault("source", head(str(task_vars.get("inventory_dir") or "")))
        if "llm_stack_break_lock" in task_vars:
            args.setdefault("break_lock", str(task_vars["llm_stack_break_lock"]))
        # Ansible's line in the host's syslog shows files as text, in which it finds no secret that has a line break.
        silent = {**task_vars, "ansible_no_target_syslog": True}
        result.update(self._execute_module(module_name=MODULE, module_args=args, task_vars=silent))
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def _entries(self, args: Mapping[str, Any], option: str) -> list[dict[str, Any]]:
        entries = args.get(option) or []
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise AnsibleActionFail(
                f"{MODULE}: {option} must be a list of dictionaries, but is {type(entries).__name__}."
            )
        return [dict(entry) for entry in entries]

    def _file(self, entry: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Give a file its content; secret content travels in the option that Ansible never logs."""
        content = self._content(entry, task_vars)
        if content is not None:
            secret = bool(entry.get("secret")) or entry.get("secret_content") is not None
            entry["secret_content" if secret else "content"] = content
            entry.pop("content" if secret else "secret_content", None)
        return entry

    def _unit(self, entry: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        content = self._content(entry, task_vars)
        if content is not None:
            entry["content"] = content
        return entry

    def _content(self, entry: dict[str, Any], task_vars: dict[str, Any]) -> str | None:
        """Resolve template, src or content of an entry, and drop what the module need not see."""
        sources = [name for name in ("content", "secret_content", "template", "src") if entry.get(name) is not None]
        if len(sources) > 1:
            subject = entry.get("path") or entry.get("name")
            raise AnsibleActionFail(f"{MODULE}: {subject} has {' and '.join(sources)}. Keep one of them.")
        template, source = entry.pop("template", None), entry.pop("src", None)
        extra = entry.pop("vars", None) or {}
        if template is not None:
            return self._render(template, {**task_vars, **extra})
        if source is not None:
            return str(self._loader.get_text_file_contents(self._find("files", source)))
        content = entry["secret_content"] if entry.get("secret_content") is not None else entry.get("content")
        return None if content is None else str(content)

    def _render(self, name: str, variables: dict[str, Any]) -> str:
        path = self._find("templates", name)
        search = [*variables.get("ansible_search_path", []), self._loader.get_basedir(), os.path.dirname(path)]
        search = [folder for each in search for folder in (os.path.join(each, "templates"), each)]
        templar = self._templar_for(search)
        templar.available_variables = variables
        text = trust_as_template(self._loader.get_text_file_contents(path))
        overrides = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}
        return str(templar.template(text, escape_backslashes=False, overrides=overrides))

    def _templar_for(self, search: list[str]) -> Templar:
        """Give one templar to all templates of a folder: making one costs as much as what it renders."""
        if tuple(search) not in self._templars:
            self._templars[tuple(search)] = self._templar.copy_with_new_env(searchpath=search)
        return self._templars[tuple(search)]

    def _requirement(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Take the fingerprint of a controller file that the host must have a copy of."""
        source = entry.pop("src", None)
        if source:
            # Only who has such files pays for the reader.
            from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint

            path = self._find("files", source)
            entry["digest"] = fingerprint(path)
        return entry

    def _find(self, folder: str, name: str) -> str:
        try:
            return str(self._find_needle(folder, name))
        except AnsibleError as error:
            raise AnsibleActionFail(f"{MODULE}: {error}") from error


def account() -> str:
    """Who runs this; in a container an account may have a number and no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
