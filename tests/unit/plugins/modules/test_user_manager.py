# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module user_manager, with accounts, groups and commands that exist in the test only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.modules import user_manager

Run = Callable[..., dict[str, Any]]


@dataclass
class Accounts:
    """The accounts of a host."""

    home: dict[str, str] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=lambda: {"video": [], "render": []})
    lingering: set[str] = field(default_factory=set)
    managers: bool = True
    """Whether a user manager that is started comes up."""
    running: bool = False
    commands: list[str] = field(default_factory=list)
    refuse: str = ""
    seconds: float = 0.0

    def passwd(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(pw_name=name, pw_dir=self.home[name], pw_uid=998, pw_gid=998)

    def numbers(self) -> dict[str, int]:
        return {**{name: 44 + place for place, name in enumerate(self.members)}, **dict.fromkeys(self.home, 998)}

    def group(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(gr_gid=self.numbers()[name])

    def memberships(self, name: str, primary: int) -> list[int]:
        return [primary, *(self.numbers()[group] for group, inside in self.members.items() if name in inside)]

    def command(self, words: list[str]) -> tuple[int, str, str]:
        self.commands.append(" ".join(words))
        if words[0] == self.refuse:
            return 1, "", "Permission denied\n"
        if words[0] == "useradd":
            home = words[words.index("--home-dir") + 1] if "--home-dir" in words else f"/home/{words[-1]}"
            self.home[words[-1]] = home
        if words[0] == "usermod":
            for group in words[3].split(","):
                self.members[group].append(words[-1])
        if words[0] == "loginctl":
            (self.lingering.add if words[1] == "enable-linger" else self.lingering.discard)(words[2])
        if words[0] == "systemctl":
            self.running = self.managers
        return 0, "", ""

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """A host with no account for the stack."""
    made = Accounts()
    monkeypatch.setattr(user_manager, "pwd", SimpleNamespace(getpwnam=made.passwd))
    monkeypatch.setattr(user_manager, "grp", SimpleNamespace(getgrnam=made.group))
    monkeypatch.setattr(user_manager.os, "getgrouplist", made.memberships)
    monkeypatch.setattr(user_manager, "lingers", lambda name: name in made.lingering)
    monkeypatch.setattr(user_manager, "Manager", lambda _uid: SimpleNamespace(present=lambda: made.running))
    monkeypatch.setattr(user_manager, "time", made)
    monkeypatch.setattr(user_manager.os, "geteuid", lambda: 0)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _self, words: made.command(words))
    return made


@pytest.fixture
def run(accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the module and return its result."""

    def call(check: bool = False, **options: object) -> dict[str, Any]:
        arguments = {"name": "llm", **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            user_manager.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def items(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["kind"], item["expected"], item["actual"]) for item in result["items"]]


SHELL = {"shell": "/bin/sh"}
START = "systemctl start user@998.service"
CREATE = "useradd --system --user-group --create-home --shell /bin/bash"


def test_an_account_is_made_joins_its_groups_lingers_and_has_a_manager(accounts: Accounts, run: Run) -> None:
    predicted = run(check=True, groups=["render", "video"])
    assert (predicted["exists"], predicted["home"], accounts.commands) == (False, "/home/llm", [])
    assert "uid" not in predicted
    made = run(groups=["render", "video"])
    assert items(made) == items(predicted) == [
        ("account", "exists", "absent"),
        ("groups", "member of render, video", "not a member"),
        ("linger", "lingers", "the opposite"),
    ]  # fmt: skip
    assert accounts.commands == [
        f"{CREATE} llm",
        "usermod --append --groups render,video llm",
        "loginctl enable-linger llm",
        START,
    ]
    assert (made["exists"], made["home"], made["uid"]) == (True, "/home/llm", 998)
    assert made["diff"]["after"] == "account: exists\ngroups: member of render, video\nlinger: lingers\n"
    again = run(groups=["render", "video"])
    assert (again["changed"], again["items"], again["diff"]["after"]) == (False, [], "")


def test_a_new_account_gets_the_home_and_shell_that_are_asked_for(accounts: Accounts, run: Run) -> None:
    predicted = run(check=True, home="/srv/llm")
    made = run(home="/srv/llm", **SHELL)
    assert accounts.commands[0] == (
        "useradd --system --user-group --create-home --shell /bin/sh --home-dir /srv/llm llm"
    )
    assert predicted["home"] == made["home"] == "/srv/llm"


def test_an_account_that_exists_keeps_its_home(accounts: Accounts, run: Run) -> None:
    accounts.home["llm"], accounts.running = "/var/lib/llm", True
    accounts.lingering.add("llm")
    result = run(home="/srv/llm", **SHELL)
    assert (result["changed"], result["home"], accounts.commands) == (False, "/var/lib/llm", [])


@pytest.mark.parametrize(
    ("spoil", "expected", "commands"),
    [
        pytest.param(
            lambda host: host.lingering.clear(),
            [("linger", "lingers", "the opposite")],
            ["loginctl enable-linger llm", START],
            id="an account that lost its linger",
        ),
        pytest.param(
            lambda host: setattr(host, "running", False),
            [("user-manager", "running", "not running")],
            [START],
            id="a manager that was stopped",
        ),
        pytest.param(
            lambda host: host.members["video"].clear(),
            [("groups", "member of video", "not a member")],
            ["usermod --append --groups render,video llm", START],
            id="an account that lost a group",
        ),
        pytest.param(
            lambda host: host.members.update(other=["llm"]),
            [],
            [],
            id="a group of somebody else's choice is left alone",
        ),
    ],
)
def test_only_what_differs_is_done(
    accounts: Accounts,
    run: Run,
    spoil: Callable[[Accounts], None],
    expected: list[tuple[str, str, str]],
    commands: list[str],
) -> None:
    run(groups=["render", "video"])
    accounts.commands.clear()
    spoil(accounts)
    assert items(run(groups=["render", "video"])) == expected
    assert accounts.commands == commands
    assert not run(groups=["render", "video"])["changed"]


def test_the_account_s_own_group_counts(accounts: Accounts, run: Run) -> None:
    run()
    accounts.commands.clear()
    assert not run(groups=["llm"])["changed"]


def test_linger_that_ends_starts_no_manager(accounts: Accounts, run: Run) -> None:
    run()
    accounts.commands.clear()
    assert items(run(linger=False)) == [("linger", "does not linger", "the opposite")]
    assert accounts.commands == ["loginctl disable-linger llm"]


def test_removing_on_a_host_without_the_account_makes_none(accounts: Accounts, run: Run) -> None:
    for check in (True, False):
        result = run(check=check, linger=False)
        assert (result["changed"], result["exists"]) == (False, False)
    assert accounts.commands == []


def test_without_root_nothing_is_tried(accounts: Accounts, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_manager.os, "geteuid", lambda: 1000)
    assert run()["msg"] == (
        "Account llm cannot be managed without root. Set become: true for this task. Nothing was changed."
    )
    assert accounts.commands == []


def test_a_command_that_fails_is_quoted(accounts: Accounts, run: Run) -> None:
    accounts.refuse = "useradd"
    assert run()["msg"] == f"{CREATE} llm failed with exit code 1: Permission denied."
    assert accounts.commands == [f"{CREATE} llm"]


def test_a_manager_that_does_not_come_up_is_waited_for_and_explained(accounts: Accounts, run: Run) -> None:
    accounts.managers = False
    assert run(timeout=7)["msg"] == (
        "The user manager of llm did not come up in 7 s. Look at: systemctl status user@998.service. "
        "It needs the packages dbus-user-session and libpam-systemd."
    )
    assert 7 < accounts.seconds < 8


@pytest.mark.parametrize("check", [True, False])
def test_a_group_that_is_not_there_is_refused_before_the_account_is_made(
    accounts: Accounts, run: Run, check: bool
) -> None:
    assert run(check=check, groups=["video", "gpu", "llm"])["msg"] == (
        "groups: gpu: there is no such group on this host. Create it (groupadd --system), or remove it here. "
        "Nothing was changed."
    )
    assert accounts.commands == []
