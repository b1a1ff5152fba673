# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the module's parameters to the declaration, or to every reason against it at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_spec import SpecError, wanted_from
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    FileSpec,
    Port,
    Requirement,
    UnitSpec,
    Wanted,
)

BODY = "[Service]\nEnvironment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@\n"


def file(path: str = "/h/a.env", **changes: Any) -> dict[str, Any]:
    return {
        "path": path,
        "content": "A=1\n",
        "secret_content": None,
        "mode": "0644",
        "secret": False,
        "generate": {},
        **changes,
    }


def unit(name: str = "a.service", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "content": BODY,
        "enabled": True,
        "state": "started",
        "inputs": [],
        "environment_files": [],
        "watch": [],
        "listens": [],
        "blue_green": False,
        "slot": "",
        "ready_timeout": 300.0,
        "settle": 2.0,
        **changes,
    }


def params(*entries: dict[str, Any], requires: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Parameters of a task with these files (which have a path) and units (which have a name)."""
    return {
        "name": "example",
        "home": "/h",
        "files": [entry for entry in entries if "path" in entry],
        "units": [entry for entry in entries if "name" in entry],
        "requires": list(requires),
    }


def test_a_declaration_says_what_the_parameters_say() -> None:
    given = params(
        file(mode="600", secret_content="A=1\n", content=None),
        file("/h/b", generate={"KEY": "sk-"}, content=None),
        unit(
            inputs=["/h/a.env"],
            environment_files=["/h/a.env"],
            watch=["A_"],
            listens=["127.0.0.1:8080", "[0:0::0001]:8080"],
            state="stopped",
            enabled=False,
            ready_timeout=5.0,
            settle=0.0,
        ),
        unit("b@.service", blue_green=True),
        requires=({"kind": "program", "path": "/bin/sh", "digest": ""},),
    )
    assert wanted_from(given) == Wanted(
        name="example",
        unit_dir="/h/.config/systemd/user",
        home="/h",
        files=(
            FileSpec("/h/a.env", b"A=1\n", 0o600, secret=True),
            FileSpec("/h/b", b"", 0o644, secret=True, generate=(("KEY", "sk-"),)),
        ),
        units=(
            UnitSpec(
                "a.service",
                BODY,
                enabled=False,
                started=False,
                inputs=("/h/a.env",),
                environment_files=("/h/a.env",),
                watch=("A_",),
                listens=(Port("127.0.0.1", 8080), Port("::1", 8080)),
                ready_timeout=5.0,
                settle=0.0,
            ),
            UnitSpec("b@.service", BODY, blue_green=True),
        ),
        requires=(Requirement("program", "/bin/sh", ""),),
    )


def test_the_home_of_the_account_is_written_where_its_mark_stands() -> None:
    """Programs that read neither ~ nor %h get the path; only the host knows it."""
    text = "model: @LLM_STACK_HOME@/models/tiny\n"
    [plain] = wanted_from(params(file(content=text))).files
    [secret] = wanted_from(params(file(content=None, secret_content=text))).files
    assert plain.content == secret.content == b"model: /h/models/tiny\n"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param(file(mode="0600"), "", id="a mode with a leading zero"),
        pytest.param(file(mode="600"), "", id="a mode without one"),
        pytest.param(
            file(mode="384"),
            "files[0].mode: '384' is no octal permission such as \"0600\".",
            id="an octal number as YAML reads it",
        ),
        *(
            pytest.param(
                file(mode=str(int(meant, 8))),
                f"files[0].mode: '{int(meant, 8)}' gives others more than the owner. In quotes, YAML does not take it "
                f'for a number: "{meant}".',
                id=f"{meant} as YAML reads it, which looks octal",
            )
            for meant in ("0644", "0640", "0660", "0664", "0400", "0711")
        ),
        pytest.param(
            file(mode="4755"), "files[0].mode: '4755' is no octal permission such as \"0600\".", id="a set-uid bit"
        ),
        pytest.param(
            file(content=None), "files[0]: /h/a.env has no content. Give content, template or src.", id="no content"
        ),
        pytest.param(file(content=""), "", id="an empty file is a file"),
        pytest.param(file(content=None, generate={"KEY": ""}), "", id="generated content is content"),
        *(
            pytest.param(unit(name), "", id=f"a unit called {name}")
            for name in ("a.service", "a.socket", "llamacpp-Qwen2.5_7B.service", "a:b.service", r"a\x2db.service")
        ),
        *(
            pytest.param(
                unit(name),
                f"units[0].name: '{name}' is no name of a service, socket or timer unit.",
                id=f"no unit: {name}",
            )
            for name in ("a", "a.target", "a b.service", "../a.service", "a/b.service", ".service")
        ),
        pytest.param(
            unit("a@.service"),
            "units[0].name: 'a@.service' and blue_green: false do not fit; name@.service has colours.",
            id="a template without colours",
        ),
        pytest.param(
            unit(content=f"{BODY}Environment=\"A=/srv/it's mine\"\n"), "", id="an apostrophe within other quotes"
        ),
        pytest.param(
            unit(content=f"{BODY}Environment=A=it's\n"),
            "units[0]: a.service has an open quote in: Environment=A=it's",
            id="an open quote",
        ),
        pytest.param(
            unit(blue_green=True),
            "units[0].name: 'a.service' and blue_green: true do not fit; name@.service has colours.",
            id="colours without a template",
        ),
        pytest.param(unit(content=None), "units[0]: a.service has no content. Give content or template.", id="no text"),
        pytest.param(
            unit(content="[Service]\n"),
            "units[0]: a.service lacks the line Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@, without which a stale "
            "process is invisible.",
            id="no digest",
        ),
        *(
            pytest.param(
                unit(listens=[text]),
                f"units[0].listens: '{text}' is no address and port such as 127.0.0.1:8080.",
                id=f"no address and port: {text}",
            )
            for text in (
                *("8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http"),
                *("localhost:80", "127.1:80", "[fe80::1%lo]:80"),
            )
        ),
    ],
)  # fmt: skip
def test_an_entry_is_fine_or_refused_with_its_reason(entry: dict[str, Any], problem: str) -> None:
    if not problem:
        wanted_from(params(entry))
        return
    with pytest.raises(SpecError) as caught:
        wanted_from(params(entry))
    assert str(caught.value) == f"Transaction example cannot be carried out. Nothing was changed.\n{problem}"


def test_all_reasons_are_told_at_once() -> None:
    given = params(
        file(mode="rw"), file(content=None), unit(), unit(listens=["x"]), unit("b.service", content=""), unit("c.mount")
    )
    with pytest.raises(SpecError) as caught:
        wanted_from(given)
    assert str(caught.value).splitlines() == [
        "Transaction example cannot be carried out. Nothing was changed.",
        "files[0].mode: 'rw' is no octal permission such as \"0600\".",
        "files[1]: /h/a.env has no content. Give content, template or src.",
        "files: '/h/a.env' is declared twice.",
        "units: 'a.service' is declared twice.",
        "units[1].listens: 'x' is no address and port such as 127.0.0.1:8080.",
        "units[2]: b.service has no content. Give content or template.",
        "units[3].name: 'c.mount' is no name of a service, socket or timer unit.",
    ]


def test_two_units_of_one_slot_have_to_exclude_each_other() -> None:
    apart = BODY.replace("[Service]", "[Unit]\nConflicts=b.service\nAfter=b.service\n[Service]")
    other = BODY.replace("[Service]", "[Unit]\nConflicts=a.service\n[Service]")
    first, second = unit(content=apart, slot="gpu"), unit("b.service", content=other, slot="gpu", state="stopped")
    assert [spec.slot for spec in wanted_from(params(first, second)).units] == ["gpu", "gpu"]
    given = params(unit(slot="gpu"), unit("b.service", slot="gpu"), unit("c@.service", slot="cpu", blue_green=True))
    with pytest.raises(SpecError) as caught:
        wanted_from(given)
    assert str(caught.value).splitlines()[1:] == [
        "units: a.service and b.service are to run in the slot gpu, which holds one. Stop all but one.",
        "units: a.service lacks the line Conflicts=b.service, which is in the same slot gpu.",
        "units: neither a.service nor b.service of the slot gpu has the line After= with the other, so one would start "
        "while the other stops.",
        "units: b.service lacks the line Conflicts=a.service, which is in the same slot gpu.",
        "units: c@.service has the slot cpu and blue_green: true, which runs two of it. Keep one of them.",
    ]


def test_a_refusal_quotes_no_content() -> None:
    with pytest.raises(SpecError) as caught:
        wanted_from(params(file(mode="9", secret_content="KEY=canary\n"), unit(content="canary")))
    assert "canary" not in str(caught.value)
