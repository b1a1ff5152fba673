# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One generated value in several secret files: made once, kept, never shown; a change restarts its readers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import diffs, secret_values
from ansible_collections.lab.llm_stack.plugins.module_utils._service_spec import SpecError, wanted_from
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileSpec, Wanted
from example_services import gateway
from simulated_host import SimulatedHost, check, deploy

SECRETS = ".config/example/secrets.env"
CLIENT = ".config/example/client.env"


def with_client(home: Path) -> Wanted:
    """The gateway, and a file for a client that holds the same key in other words."""
    content = b"URL=http://127.0.0.1:4000\nKEY=@secret:GATEWAY_KEY@\n"
    client = FileSpec(f"{home}/{CLIENT}", content, 0o600, secret=True)
    return replace(gateway(home), files=(*gateway(home).files, client))


def values(host: SimulatedHost, path: str) -> dict[str, str]:
    return read_environment((host.home / path).read_bytes())


def test_both_files_hold_the_value_that_was_made_once(host: SimulatedHost) -> None:
    deploy(host, with_client(host.home))
    key = values(host, SECRETS)["GATEWAY_KEY"]
    assert key.startswith("sk-")
    assert values(host, CLIENT) == {"URL": "http://127.0.0.1:4000", "KEY": key}
    assert check(host, with_client(host.home)) == []
    assert values(host, SECRETS)["GATEWAY_KEY"] == key


def test_a_value_that_a_person_replaced_reaches_the_other_file_and_the_process(host: SimulatedHost) -> None:
    deploy(host, with_client(host.home))
    host.sleep(60)
    (host.home / SECRETS).write_text("GATEWAY_KEY=sk-chosen\n")
    assert ("file", f"~/{CLIENT}") in check(host, with_client(host.home))
    deploy(host, with_client(host.home))
    assert values(host, CLIENT)["KEY"] == "sk-chosen"
    assert check(host, with_client(host.home)) == []


def test_no_diff_shows_it_and_every_log_is_cleaned_of_it(host: SimulatedHost) -> None:
    _wanted, comparison, found = host.read(with_client(host.home))
    shown = "".join(block["before"] + block["after"] for block in diffs(comparison, found))
    made = secret_values(comparison.writes, found.files)
    assert "KEY=(secret)" in shown
    assert "@secret" not in shown
    assert not [value for value in made if value.startswith("sk-") and value in shown]


def file(path: str, content: str = "", secret: bool = True, **generate: str) -> dict[str, Any]:
    return {
        "path": path,
        "content": None,
        "secret_content": content,
        "mode": "0600",
        "secret": secret,
        "generate": generate,
    }


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param(
            [file("/a", KEY="sk-"), file("/b", "X=@secret:KYE@\n")],
            "files[1]: /b refers to @secret:KYE@, which 0 files generate, not one. Generated here: KEY.",
            id="a name that nobody generates",
        ),
        pytest.param(
            [file("/b", "X=@secret:KEY@\n")],
            "files[0]: /b refers to @secret:KEY@, which 0 files generate, not one. Generated here: none.",
            id="nothing is generated",
        ),
        pytest.param(
            [file("/a", KEY="sk-"), file("/b", KEY=""), file("/c", "X=@secret:KEY@\n")],
            "files[2]: /c refers to @secret:KEY@, which 2 files generate, not one. Generated here: KEY.",
            id="a name that two files generate",
        ),
        pytest.param(
            [file("/a", KEY="sk-"), {**file("/b", secret=False), "content": "@secret:KEY@", "secret_content": None}],
            "files[1]: /b refers to @secret:KEY@, but is not secret. Set secret: true.",
            id="a file that a diff would show",
        ),
    ],
)
def test_a_reference_that_cannot_be_kept_is_refused(files: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(SpecError) as refused:
        wanted_from({"name": "x", "home": "/h", "files": files, "units": [], "requires": []})
    assert str(refused.value) == f"Transaction x cannot be carried out. Nothing was changed.\n{reason}"
