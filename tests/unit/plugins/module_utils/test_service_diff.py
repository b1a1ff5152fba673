# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What ``--diff`` shows: every difference, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import diffs, redact, secret_values
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    Comparison,
    FileFound,
    Found,
    Item,
    Write,
)
from example_services import both, gateway, server
from simulated_host import SimulatedHost, deploy

ABSENT = FileFound()


def block(write: Write, file: FileFound) -> tuple[str, str]:
    blocks = diffs(Comparison((), (write,), (), (), ()), Found(files={write.path: file}))
    assert [each["before_header"] for each in blocks] == [each["after_header"] for each in blocks]
    return (blocks[0]["before"], blocks[0]["after"]) if blocks else ("", "")


def plain(content: bytes, mode: int = 0o644) -> Write:
    return Write("/etc/a", content, mode, secret=False, declared="/etc/a")


def secret(content: bytes, mode: int = 0o600) -> Write:
    return Write("/etc/a", content, mode, secret=True, declared="/etc/a")


@pytest.mark.parametrize(
    ("write", "file", "expected"),
    [
        pytest.param(plain(b"a\n"), FileFound(b"a\n", 0o644), ("", ""), id="no difference, no block"),
        pytest.param(plain(b"a\n"), ABSENT, ("", "a\n"), id="a new file"),
        pytest.param(plain(b"b\n"), FileFound(b"a\n", 0o644), ("a\n", "b\n"), id="other content"),
        pytest.param(
            plain(b"a\n"), FileFound(b"a\n", 0o600), ("(mode 0600)\na\n", "(mode 0644)\na\n"), id="another mode"
        ),
        pytest.param(
            plain(b"a\n"), FileFound(strange="a link to /dev/null"), ("(a link to /dev/null)\n", "a\n"), id="a link"
        ),
        pytest.param(
            plain(b"\xff"),
            FileFound(b"\xfe", 0o644),
            ("�(other bytes)\n", "�(as declared)\n"),
            id="bytes that look alike",
        ),
        pytest.param(secret(b"KEY=new-value\n"), ABSENT, ("", "KEY=(secret)\n"), id="a new secret"),
        pytest.param(
            secret(b"KEY=new-value\nSAME=same-value\n"),
            FileFound(b"KEY=old-value\nSAME=same-value\n", 0o600),
            ("KEY=(secret)\nSAME=(secret)\n", "KEY=(secret, changed)\nSAME=(secret)\n"),
            id="a secret that changes",
        ),
        pytest.param(
            secret(b"KEY=v\n"),
            FileFound(b"KEY=v\nOLD=o\n", 0o600),
            ("KEY=(secret)\nOLD=(secret)\n", "KEY=(secret)\n"),
            id="a secret that goes",
        ),
        pytest.param(
            secret(b"KEY=v\n"),
            FileFound(b"KEY=v\n", 0o644),
            ("(mode 0644)\nKEY=(secret)\n", "(mode 0600)\nKEY=(secret)\n"),
            id="a secret that others can read",
        ),
        pytest.param(
            secret(b"# new comment\nKEY=v\n"),
            FileFound(b"# old comment\nKEY=v\n", 0o600),
            ("KEY=(secret)\n(other bytes)\n", "KEY=(secret)\n(as declared)\n"),
            id="a comment beside a secret is no less a secret",
        ),
        pytest.param(
            secret(b"canary-new"),
            FileFound(b"canary-old", 0o600),
            ("(secret)\n", "(secret, changed)\n"),
            id="no variables",
        ),
        pytest.param(secret(b"canary==\n"), ABSENT, ("", "(secret)\n"), id="base64 is no assignment"),
        pytest.param(
            secret(b'{"token": "canary=1"}\n'),
            FileFound(b"canary=2\n", 0o600),
            ("(secret)\n", "(secret, changed)\n"),
            id="text with an equals sign is no assignment",
        ),
    ],
)
def test_a_file_is_shown(write: Write, file: FileFound, expected: tuple[str, str]) -> None:
    assert block(write, file) == expected


@pytest.mark.parametrize(
    "item",
    [
        Item(kind, "subject", "as declared", "as found")
        for kind in (
            "not-active", "stale-process", "active", "not-enabled", "enabled", "daemon-reload", "linger",
            "extra-dropin", "foreign-port-owner", "orphan-unit", "orphan-file", "interrupted-run", "manifest",
            "leftover",
        )
    ],
    ids=lambda item: item.kind,
)  # fmt: skip
def test_a_difference_that_is_no_file_is_a_block(item: Item) -> None:
    assert diffs(Comparison((item,), (), (), (), ()), Found()) == [
        {
            "before": "as found\n",
            "after": "as declared\n",
            "before_header": "subject",
            "after_header": "subject",
        }
    ]


def test_two_colours_that_change_alike_share_a_block(host: SimulatedHost) -> None:
    deploy(host, gateway(host.home))
    _wanted, comparison, found = host.read(gateway(host.home, "answer=2"))
    headers = [block["after_header"].replace(f"{host.home}/", "~/") for block in diffs(comparison, found)]
    assert headers == [
        "~/.config/example/{a,b}/config",
        "~/.config/systemd/user/gateway@{a,b}.service",
        "gateway@a.service",
    ]
    host.edit(host.home / ".config/example/b/config", b"other\n")
    _wanted, comparison, found = host.read(gateway(host.home, "answer=2"))
    headers = [block["after_header"].replace(f"{host.home}/", "~/") for block in diffs(comparison, found)]
    assert headers[:2] == ["~/.config/example/a/config", "~/.config/example/b/config"]


def forget_everything(host: SimulatedHost) -> None:
    for path in (host.home / ".config").rglob("*.*"):
        if path.is_file():
            path.unlink()
    host.lingering = False
    host.systemctl("stop", "server.service")
    host.strangers["127.0.0.1", 8080] = "eve"


def edit_everything(host: SimulatedHost) -> None:
    for path in (host.home / ".config").rglob("*.*"):
        if path.is_file():
            host.edit(path, path.read_bytes() + b"# edited\n")
    host.edit(host.unit_dir / "server.service.d/x.conf", b"[Service]\n")
    host.edit(host.unit_dir / ".llm-stack-1.tmp", b"")
    host.systemctl("disable", "server.service")
    host.systemctl("enable", "gateway@b.service")
    host.systemctl("start", "gateway@b.service")


@pytest.mark.parametrize("happen", [forget_everything, edit_everything])
def test_every_item_is_visible_in_a_block(host: SimulatedHost, happen: Callable[[SimulatedHost], None]) -> None:
    wanted = both(server(host.home), gateway(host.home))
    deploy(host, wanted)
    host.sleep(60)
    happen(host)
    _wanted, comparison, found = host.read(wanted)
    headers = " ".join(each["after_header"] for each in diffs(comparison, found))
    visible = headers + headers.replace("{a,b}", "a") + headers.replace("{a,b}", "b")
    assert len({item.kind for item in comparison.items}) > 4
    assert [item.subject for item in comparison.items if item.subject not in visible] == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"KEY=canary-value\n", id="a variable"),
        pytest.param(b"canary-value", id="a bare token"),
        pytest.param(b"canary-value==\n", id="base64"),
        pytest.param(b"token: canary=value\nother: canary2\n", id="other text"),
    ],
)
def test_no_form_of_a_secret_gets_out(content: bytes) -> None:
    write = secret(content)
    for file in (ABSENT, FileFound(b"KEY=older-canary\n", 0o600), FileFound(content, 0o644)):
        found = Found(files={write.path: file})
        assert "canary" not in json.dumps(diffs(Comparison((), (write,), (), (), ()), found))
        values = secret_values([write], found.files)
        said = [redact(f"refused {line}", values) for line in (*content.decode().splitlines(), *values)]
        assert "canary" not in " ".join(said)
        assert redact("nothing of it", values) == "nothing of it"


def test_a_quoted_value_is_known_as_the_process_knows_it() -> None:
    assert secret_values([secret(b'# ours\nKEY="canary \\"value"\n')], {}) == {'canary "value'}


def test_the_longest_secret_is_removed_first() -> None:
    assert redact("abcdef-more abcdef", {"abcdef", "abcdef-more"}) == "(secret) (secret)"


def test_values_too_short_to_be_told_from_text_stay() -> None:
    assert secret_values([secret(b"A=1\nB=true\nC=sk-123\n")], {}) == {"sk-123"}


def test_files_that_are_no_secret_hold_none() -> None:
    assert secret_values([replace(secret(b"A=123456\n"), secret=False)], {}) == set()
