# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The controller's half of the service module: sources become content, and secrets travel apart."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.lab.llm_stack.plugins.action.service import ActionModule
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint
from playing import play


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role with a template, a file and a model."""
    for folder in ("templates", "files"):
        (tmp_path / folder).mkdir()
    (tmp_path / "templates/server.env.j2").write_text("{% for name in names %}\n{{ name }}={{ value }}\n{% endfor %}\n")
    (tmp_path / "files/script.py").write_text("print('{{ not a template }}')\n")
    (tmp_path / "files/model.gguf").write_bytes(b"GGUF" * 1000)
    return tmp_path


def sent(task: Any, option: str, entry: dict[str, Any], **how: Any) -> dict[str, Any]:
    """What the module gets of one entry."""
    action, calls = task(ActionModule, {"name": "example", option: [entry]}, **how)
    action.run(task_vars={"value": "of the task", "names": ["A"]})
    [call] = calls
    return dict(call[option][0])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param({"path": "/a", "content": "x"}, {"path": "/a", "content": "x"}, id="content as it is"),
        pytest.param(
            {"path": "/a", "template": "server.env.j2"}, {"path": "/a", "content": "A=of the task\n"}, id="a template"
        ),
        pytest.param(
            {"path": "/a", "template": "server.env.j2", "vars": {"names": ["B", "C"], "value": 1}},
            {"path": "/a", "content": "B=1\nC=1\n"},
            id="a template with variables of its own, which win",
        ),
        pytest.param(
            {"path": "/a", "src": "script.py"},
            {"path": "/a", "content": "print('{{ not a template }}')\n"},
            id="a file is taken as it is",
        ),
        pytest.param(
            {"path": "/a", "content": "x", "secret": True},
            {"path": "/a", "secret_content": "x", "secret": True},
            id="secret content travels where nothing is logged",
        ),
        pytest.param(
            {"path": "/a", "secret_content": "x"},
            {"path": "/a", "secret_content": "x"},
            id="and stays there when it came that way",
        ),
        pytest.param(
            {"path": "/a", "template": "server.env.j2", "secret": True},
            {"path": "/a", "secret_content": "A=of the task\n", "secret": True},
            id="a secret template",
        ),
        pytest.param(
            {"path": "/a", "generate": {"K": ""}},
            {"path": "/a", "generate": {"K": ""}},
            id="nothing but generated values",
        ),
        pytest.param({"path": "/a", "content": ""}, {"path": "/a", "content": ""}, id="an empty file"),
    ],
)
def test_a_file_gets_its_content(role: Path, task: Any, entry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(task, "files", entry) == expected


def test_a_unit_gets_its_text(role: Path, task: Any) -> None:
    assert sent(task, "units", {"name": "a.service", "template": "server.env.j2"}) == {
        "name": "a.service",
        "content": "A=of the task\n",
    }


def test_a_required_file_is_told_by_its_fingerprint(role: Path, task: Any) -> None:
    entry = {"kind": "file", "path": "/models/a.gguf", "src": "model.gguf"}
    assert sent(task, "requires", entry) == {
        "kind": "file",
        "path": "/models/a.gguf",
        "digest": fingerprint(str(role / "files/model.gguf")),
    }
    assert sent(task, "requires", {"kind": "program", "path": "/bin/sh"}) == {"kind": "program", "path": "/bin/sh"}


def test_the_run_is_told_apart_by_who_runs_it_where(role: Path, task: Any) -> None:
    action, calls = task(ActionModule, {"name": "example"})
    action.run(task_vars={})
    assert re.fullmatch(r"\S+ on \S+", calls[0]["holder"])
    action, calls = task(ActionModule, {"name": "example", "holder": "me"})
    action.run(task_vars={})
    assert calls[0]["holder"] == "me"


def test_who_has_a_number_and_no_name_is_told_by_the_number(
    role: Path, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4242424)
    action, calls = task(ActionModule, {"name": "example"})
    action.run(task_vars={})
    assert calls[0]["holder"].startswith("uid 4242424 on ")


def test_a_declaration_stands_for_its_options(role: Path, task: Any) -> None:
    declaration = {"files": [{"path": "/a", "content": "x"}], "requires": [{"kind": "program", "path": "/bin/sh"}]}
    action, calls = task(ActionModule, {"name": "example", "declaration": declaration})
    action.run(task_vars={})
    assert (calls[0]["files"], calls[0]["requires"], calls[0]["units"]) == (
        declaration["files"],
        declaration["requires"],
        [],
    )
    assert "declaration" not in calls[0]


@pytest.mark.parametrize("diff", [True, False])
def test_a_diff_is_returned_only_where_one_is_asked_for(role: Path, task: Any, diff: bool) -> None:
    action, _calls = task(ActionModule, {"name": "example"}, answer={"diff": [], "changed": False}, diff=diff)
    assert ("diff" in action.run(task_vars={})) == diff


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(
            {"files": [{"path": "/a", "content": "x", "template": "server.env.j2"}]},
            "lab.llm_stack.service: /a has content and template. Keep one of them.",
            id="two sources of a file",
        ),
        pytest.param(
            {"files": [{"path": "/a", "secret_content": "canary", "content": "canary", "src": "x"}]},
            "lab.llm_stack.service: /a has content and secret_content and src. Keep one of them.",
            id="three, of which one is secret",
        ),
        pytest.param(
            {"units": [{"name": "a.service", "content": "x", "template": "server.env.j2"}]},
            "lab.llm_stack.service: a.service has content and template. Keep one of them.",
            id="two sources of a unit",
        ),
        pytest.param(
            {"files": "/a"}, "lab.llm_stack.service: files must be a list of dictionaries, but is str.", id="no list"
        ),
        pytest.param(
            {"units": ["a.service"]},
            "lab.llm_stack.service: units must be a list of dictionaries, but is list.",
            id="a list of names",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(role: Path, task: Any, args: dict[str, Any], said: str) -> None:
    action, calls = task(ActionModule, {"name": "example", **args})
    with pytest.raises(AnsibleActionFail) as caught:
        action.run(task_vars={})
    assert (caught.value.message, calls) == (said, [])


@pytest.mark.parametrize(
    "args",
    [
        pytest.param({"files": [{"path": "/a", "template": "absent.j2"}]}, id="a template"),
        pytest.param({"files": [{"path": "/a", "src": "absent"}]}, id="a file"),
        pytest.param({"requires": [{"kind": "file", "path": "/a", "src": "absent"}]}, id="a model"),
    ],
)
def test_a_source_that_is_not_there_is_named_with_where_it_was_looked_for(
    role: Path, task: Any, args: dict[str, Any]
) -> None:
    action, calls = task(ActionModule, {"name": "example", **args})
    with pytest.raises(AnsibleActionFail, match=r"lab\.llm_stack\.service: .*absent") as caught:
        action.run(task_vars={})
    assert str(role) in str(caught.value)
    assert calls == []


TEMPLATES = {
    "plain.j2": "plain\n",
    "no newline at the end.j2": "plain",
    "blocks.j2": "{% for n in [1, 2] %}\n  {% if n > 1 %}\n  n={{ n }}\n  {% endif %}\n{% endfor %}\nend\n\n",
    "comments.j2": "{#- ours -#}\n# {{ 'text' | comment }}\n{# gone #}\nend\n",
    "escapes.j2": "a\\nb \\\\ {{ 'x\\ny' }} {{ backslash }} ${HOME} %h %%i \"quoted\"\n",
    "unicode.j2": "Grüße {{ '€' }}\n",
    "include.j2": "before\n{% include 'plain.j2' %}\nafter\n",
    "filters.j2": "{{ {'b': [1, true, none], 'a': 'x'} | to_nice_yaml(indent=2) }}{{ [1] | to_json }} {{ true }}\n",
    "windows.j2": "a\r\nb\r\n",
    "variables.j2": "{{ inventory_hostname }} {{ playbook_dir | basename }} {{ late }}\n",
}
PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  vars: {backslash: 'c:\\d', late: "{{ 'va' ~ 'lue' }}"}
  tasks:
    - ansible.builtin.template: {src: "{{ item }}", dest: "{{ out }}/{{ item }}"}
      loop: "{{ names }}"
    - lab.llm_stack.service:
        name: example
        home: "{{ out }}/home"
        files: "{{ files }}"
      check_mode: true
      diff: true
      register: result
    - ansible.builtin.copy: {content: "{{ result.diff | to_json }}", dest: "{{ out }}/diff.json"}
"""


@pytest.mark.slow
def test_a_template_is_rendered_as_ansible_renders_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "templates").mkdir()
    out.mkdir()
    for name, text in TEMPLATES.items():
        (tmp_path / "templates" / name).write_bytes(text.encode())
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    extra = {
        "out": str(out),
        "names": list(TEMPLATES),
        "files": [{"path": f"{out}/home/{name}", "template": name} for name in TEMPLATES],
        "ansible_python_interpreter": sys.executable,
    }
    options = ("-i", "localhost,", "-c", "local", "-e", json.dumps(extra))
    done = play(tmp_path, "play.yml", *options, HOME=os.environ["HOME"])
    assert done.returncode == 0, done.stdout + done.stderr
    shown = {Path(each["after_header"]).name: each["after"] for each in json.loads((out / "diff.json").read_text())}
    assert {name: shown.get(name, "").encode() for name in TEMPLATES} == {
        name: (out / name).read_bytes() for name in TEMPLATES
    }
