# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a removal leaves, and the deploy after it: alone on the host, and with a key that shows up nowhere else."""

from __future__ import annotations

import getpass
import json
import platform
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from observed import CONFIG, DATA, LOCK_HOLDER, STATE, UNITS, Stack, eventually
from played import Played, assert_clean, check, play, start

pytestmark = pytest.mark.only_in("account")

CANARY, OTHER = f"sk-canary-{secrets.token_hex(8)}", f"sk-other-{secrets.token_hex(8)}"
MINE = f"{UNITS}/mine.service"


@pytest.fixture(scope="module")
def models(faulty: Stack) -> str:
    """What the removal must leave: the model files, and a unit that is not ours."""
    faulty.output("printf '[Service]\\nExecStart=/bin/true\\n' > %s", MINE)
    return faulty.output(f"cd {DATA}/models && sha256sum *.gguf")


@pytest.fixture(scope="module")
def removed(models: str) -> Played:
    assert models
    played = play("remove", "--diff")
    assert played.code == 0, played.output
    return played


def test_the_removal_names_what_it_removes(faulty: Stack, removed: Played) -> None:
    units = {subject for kind, subject in removed.items if kind == "orphan-unit"}
    assert units == {"litellm.socket", "litellm@a.service", "litellm@b.service", "llamacpp-tiny.service"}
    assert ("orphan-file", faulty.home(f"{CONFIG}/litellm/secrets.env")) in removed.items


def test_a_removal_leaves_no_unit_process_or_port(faulty: Stack, removed: Played) -> None:
    assert removed.code == 0
    # The user manager itself goes when logind no longer sees a session of the account, which is logind's business.
    processes = f"pgrep --list-full --uid {faulty.account} | grep -vE '/systemd --user$|\\(sd-pam\\)$' || true"
    assert eventually(lambda: faulty.root(processes) == "", seconds=30), faulty.root(processes)
    assert faulty.run("test -e /var/lib/systemd/linger/%s", faulty.account).rc == 1
    assert faulty.root("ss --no-header --listening --tcp --numeric 'sport = :4000 or sport = :8080'") == ""
    places = f"{UNITS} {CONFIG} {STATE} {DATA}/envs"
    assert faulty.output(f"find {places} ! -type d ! -name mine.service 2> /dev/null || true") == ""


def test_a_removal_leaves_the_models_and_what_is_not_ours(faulty: Stack, removed: Played, models: str) -> None:
    assert removed.code == 0
    assert faulty.output(f"cd {DATA}/models && sha256sum *.gguf") == models
    assert faulty.run("test -e %s", MINE).rc == 0


def test_a_second_removal_has_nothing_to_do(removed: Played) -> None:
    assert removed.code == 0
    again = play("remove")
    assert (again.code, again.changed, again.items) == (0, 0, set()), again.output


def test_a_check_of_a_bare_host_predicts_everything_and_writes_nothing(faulty: Stack, removed: Played) -> None:
    assert removed.code == 0
    # What ssh and sudo note of a login is theirs, and so is the folder in which Ansible unpacks a module.
    places = "/etc /home /opt /root /srv /usr/local /var/lib ! -path '*/.ansible*' ! -path '/var/lib/sudo/*'"
    tree = f"find {places} -xdev -printf '%p %y %m %u %s %T@ %C@ %l\\n' | sort"
    before = faulty.root(tree)
    predicted = check()
    assert faulty.root(tree) == before
    kinds = {kind for kind, _subject in predicted.items}
    assert {"linger", "environment", "file", "unit-file", "not-active", "not-enabled"} <= kinds, predicted.items
    assert not kinds & {"stale-process", "manifest", "interrupted-run"}


@dataclass(frozen=True)
class Deployed:
    """Two deploys at once: the one that came first, and the one that came while it was at work."""

    first: Played
    second: Played


@pytest.fixture(scope="module")
def deployed(faulty: Stack, removed: Played) -> Iterator[Deployed]:
    assert removed.code == 0
    at_work = faulty.when(f"kill -0 $({LOCK_HOLDER}) 2> /dev/null && [ -e {STATE}/litellm/snapshot.json ]", "echo now")
    playing = start("deploy", "-vvv", "--diff", variables={"litellm_master_key": CANARY})
    assert at_work.communicate(timeout=240)[0] == "now\n"
    second = play("deploy")
    yield Deployed(playing.ended(), second)
    faulty.output("rm %s", MINE)


def test_a_deploy_after_a_removal_serves_again(faulty: Stack, deployed: Deployed) -> None:
    assert deployed.first.code == 0, deployed.first.output
    assert faulty.answers()
    assert_clean({"litellm_master_key": CANARY})


def test_the_second_of_two_deploys_is_told_who_is_at_work(deployed: Deployed) -> None:
    who = rf"litellm: {re.escape(getpass.getuser())} on {re.escape(platform.node())}, pid \d+, since \S+Z"
    assert re.fullmatch(
        rf"Another run is changing this account's services: {who}\.\n.*-e llm_stack_break_lock=[0-9a-f]{{8}}\n"
        r"Or wait for it to end\. Nothing was changed\.",
        deployed.second.message,
    ), deployed.second.output


def test_the_key_is_in_one_file_only_and_nobody_else_may_read_it(faulty: Stack, deployed: Deployed) -> None:
    assert deployed.first.code == 0
    places = "/etc /home /opt /root /run /srv /tmp /usr/local /var"
    holding = faulty.root(f"grep -rlsFe {CANARY} --devices=skip {places} || true").splitlines()
    assert holding == [faulty.home(f"{CONFIG}/litellm/secrets.env")]
    assert faulty.output("stat --format=%%a %s", holding[0]) == "600"


def test_the_key_is_in_the_environment_of_the_gateway_and_in_no_command_line(faulty: Stack, deployed: Deployed) -> None:
    assert deployed.first.code == 0
    # As the account: even the container's root may not look into the environment of others.
    search = faulty.background("sh", "-c", f"grep -lsFe {CANARY} /proc/[0-9]*/environ | cut -d/ -f3")
    processes = search.communicate(timeout=60)[0].split()
    units = {faulty.root(f"cat /proc/{pid}/cgroup").rpartition("/")[2] for pid in processes}
    assert units == {faulty.slot()}
    assert CANARY not in faulty.root("ps -eww -o args")
    assert CANARY not in faulty.output("systemctl --user show --property=Environment,ExecStart 'litellm@*'")


def test_the_key_is_in_no_journal(faulty: Stack, deployed: Deployed) -> None:
    assert deployed.first.code == 0
    journal = faulty.root("journalctl --no-pager --all --output=json")
    assert "ansible-lab.llm_stack." in journal, "no line of any module, so this shows nothing"
    assert CANARY not in journal


def test_the_key_is_in_no_output_however_talkative(faulty: Stack, deployed: Deployed) -> None:
    assert "LITELLM_MASTER_KEY=(secret)" in deployed.first.output
    changed = play("deploy", "-vvv", "--check", "--diff", variables={"litellm_master_key": OTHER})
    assert "LITELLM_MASTER_KEY=(secret, changed)" in changed.output
    for played in (deployed.first, deployed.second, changed):
        told = played.output + json.dumps([step.answer for step in played.steps])
        assert CANARY not in told
        assert OTHER not in told
    assert OTHER not in faulty.root("journalctl --no-pager --all --output=json")
