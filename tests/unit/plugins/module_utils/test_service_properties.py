# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whatever happened to a host, one deploy brings it to the declaration, and what check predicts is what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import unit_digest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileSpec, Found, Requirement, Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError
from example_services import server
from host_events import Act, bare_host, declarations, events, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_host import check, deploy


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(events, max_size=8), declare=declarations)
def test_one_deploy_brings_any_host_to_the_declaration(acts: list[Act], declare: Callable[[Path], Wanted]) -> None:
    with bare_host() as host:
        deploy(host, declare(host.home))
        for act in acts:
            act(host)
        host.sleep(60)
        deploy(host, declare(host.home))
        host.sleep(60)
        assert check(host, declare(host.home)) == []
        assert len(host.processes()) == 3
        host.reboot()
        assert check(host, declare(host.home)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(events, max_size=6), declare=declarations, bad=refused)
def test_a_refused_change_leaves_something_serving_that_one_deploy_makes_right(
    acts: list[Act], declare: Callable[[Path], Wanted], bad: Callable[[Path], Wanted]
) -> None:
    with bare_host() as host:
        deploy(host, declare(host.home))
        for act in acts:
            act(host)
        host.sleep(60)
        with pytest.raises(ChangeError):
            deploy(host, bad(host.home))
        host.sleep(60)
        deploy(host, declare(host.home))
        host.sleep(60)
        assert check(host, declare(host.home)) == []


@settings(max_examples=50, deadline=None)
@given(
    change=st.sampled_from(["body", "input", "undeclared input", "requirement", "identity", "salt"]),
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
def test_the_digest_changes_with_each_thing_that_a_process_reads(change: str, text: str) -> None:
    home = Path("/home/llm")
    wanted = server(home, words="%h/venv/bin/python")
    spec = replace(wanted.units[0], inputs=(*wanted.units[0].inputs, "/etc/other"))
    wanted = replace(wanted, requires=(Requirement("environment", "/home/llm/venv", "digest"),))
    found = Found(salt=b"salt", requires={"/home/llm/venv": "1"})
    before = unit_digest(wanted, spec, found)
    if change == "body":
        spec = replace(spec, body=spec.body + text)
    elif change == "input":
        wanted = replace(wanted, files=(replace(wanted.files[0], content=wanted.files[0].content + text.encode()),))
    elif change == "undeclared input":
        found = replace(found, files={"/etc/other": replace(found.file("/etc/other"), content=text.encode())})
    elif change == "requirement":
        wanted = replace(wanted, requires=(Requirement("environment", "/home/llm/venv", "digest" + text),))
    elif change == "identity":
        found = replace(found, requires={"/home/llm/venv": "1" + text})
    else:
        found = replace(found, salt=b"salt" + text.encode())
    assert unit_digest(wanted, spec, found) != before


def test_the_digest_ignores_what_the_process_does_not_read() -> None:
    wanted = server(Path("/home/llm"))
    other = replace(
        wanted,
        files=(*wanted.files, FileSpec("/home/llm/unrelated", b"x")),
        requires=(Requirement("file", "/home/llm/other.gguf", "d"),),
    )
    found = Found(salt=b"salt")
    assert unit_digest(wanted, wanted.units[0], found) == unit_digest(other, other.units[0], found)
