# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module service as Ansible calls it, on a simulated host."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Found
from ansible_collections.lab.llm_stack.plugins.module_utils._state import Snapshot, State
from ansible_collections.lab.llm_stack.plugins.modules import service
from example_services import GATEWAY, SERVER, SOCKET
from simulated_host import Killed, SimulatedHost, simulated_host

Run = Callable[..., dict[str, Any]]
CANARY = "sk-canary-0123456789"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SimulatedHost]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with simulated_host(tmp_path / "home") as simulated:
        simulated.home.mkdir()
        yield simulated
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def run(host: SimulatedHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the module and return its result."""
    monkeypatch.setattr(service, "Manager", lambda _uid: host)

    def call(check: bool = False, **options: object) -> dict[str, Any]:
        arguments = {"name": "example", "home": str(host.home), "holder": "ada on her-machine", **options}
        arguments = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            service.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def declaration(host: SimulatedHost, settings: str = "SRV_A=1", **changes: object) -> dict[str, Any]:
    """A server and a gateway, as a role writes them."""
    etc = f"{host.home}/.config/example"
    server = {
        "name": "server.service",
        "content": SERVER.format(name="server", words=""),
        "inputs": [f"{etc}/server.env"],
        "environment_files": [f"{etc}/server.env"],
        "watch": ["SRV_"],
        "listens": ["127.0.0.1:8080"],
        "ready_timeout": 10,
    }
    gateway = {
        "name": "gateway@.service",
        "content": GATEWAY,
        "blue_green": True,
        "inputs": [f"{etc}/%i/config", f"{etc}/secrets.env"],
        "environment_files": [f"{etc}/secrets.env"],
        "watch": ["GATEWAY_"],
    }
    socket = {"name": "gateway.socket", "content": SOCKET.format(port=4000), "listens": ["127.0.0.1:4000"]}
    return {
        "files": [
            {"path": f"{etc}/server.env", "content": "\n".join([*settings.split(), "port=8080", ""]), "mode": "0600"},
            {"path": f"{etc}/%i/config", "content": "answer=1\n", "mode": "0600"},
            {"path": f"{etc}/secrets.env", "secret_content": f"GATEWAY_KEY={CANARY}\n", "mode": "0600"},
        ],
        "units": [server, socket, gateway],
        **changes,
    }


def test_check_mode_predicts_what_apply_does_and_writes_nothing(host: SimulatedHost, run: Run) -> None:
    predicted = run(check=True, **declaration(host))
    assert (host.files(), os.listdir(host.home), host.calls) == ({}, [], [])
    applied = run(**declaration(host))
    assert predicted["changed"] is applied["changed"] is True
    assert predicted["items"] == applied["items"]
    assert [each["after_header"] for each in predicted["diff"]] == [each["after_header"] for each in applied["diff"]]
    assert predicted["serving"] == applied["serving"] == {
        "server.service": "server.service",
        "gateway.socket": "gateway.socket",
        "gateway@.service": "gateway@a.service",
    }  # fmt: skip
    assert "ready" not in predicted
    assert set(applied["ready"]) == {"server.service", "gateway.socket", "gateway@a.service"}


@pytest.mark.parametrize("check", [True, False])
def test_an_address_that_this_host_has_not_is_refused_before_anything_is_changed(
    host: SimulatedHost, run: Run, check: bool
) -> None:
    """A socket that may be bound before the network is up would take any address, and nobody would ever reach it."""
    wanted = declaration(host)
    wanted["units"][1]["listens"] = ["192.0.2.7:4000"]
    wanted["units"][0]["listens"] = ["[2001:db8::7]:8080"]
    assert run(check=check, **wanted)["msg"] == (
        "192.0.2.7 is no address of this host, and gateway.socket is to listen on 192.0.2.7:4000.\n"
        "2001:db8::7 is no address of this host, and server.service is to listen on [2001:db8::7]:8080.\n"
        "    Correct llm_stack_address of this host, or bring its network up. Nothing was changed."
    )
    assert (list(host.processes()), host.calls) == ([], [])


def test_an_address_that_went_away_is_no_reason_to_refuse_what_runs(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(**declaration(host))
    host.sleep(60)
    monkeypatch.setattr(host, "is_here", lambda _address: False)
    assert run(**declaration(host))["changed"] is False


def test_a_second_run_changes_nothing_and_says_what_it_looked_at(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    host.sleep(60)
    before = host.picture()
    for check in (True, False):
        again = run(check=check, **declaration(host))
        assert (again["changed"], again["items"], again["diff"], again["missing"]) == (False, [], [], [])
        assert again["checked"] > 15
        assert "ready" not in again
    assert host.picture() == before


def half_done(host: SimulatedHost) -> None:
    """What a look into the middle of a deploy finds."""
    host.state.write_snapshot(Snapshot("2026-11-23T10:00:00Z", {}, (), ()))
    host.edit(host.home / ".config/example/server.env", b"SRV_A=half\n")
    host.systemctl("stop", "server.service")


def test_a_check_that_meets_a_deploy_says_who_is_at_it_and_calls_nothing_a_difference(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    # In a process that has loaded the controller's side of Ansible, warnings are shown and not returned.
    monkeypatch.setattr(service.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    run(**declaration(host), source="a" * 40)
    with host.state.lock("bob on his-machine"):
        half_done(host)
        result = run(check=True, **declaration(host))
    assert (result["changed"], result["items"], result["diff"], result["checked"]) == (False, [], [], 0)
    (row,) = result["unchecked"]
    assert row["what"] == "the services of example, and what they answer"
    assert re.fullmatch(
        r"a run changes them: example: bob on his-machine, pid \d+, since 20\S+Z\. Look again when it has ended\.",
        row["why"],
    )
    assert (result["missing"], result["source"]) == ([], "")
    assert f"The services of example were not compared: {row['why']}" in warnings
    kinds = [item["kind"] for item in run(check=True, **declaration(host))["items"]]
    assert {"interrupted-run", "file", "not-active"} <= {*kinds}


def test_a_check_during_which_a_deploy_ended_says_so(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(**declaration(host))
    real = service.read_found

    def meanwhile(*arguments: Any) -> Found:
        with host.state.lock("bob on his-machine"):
            half_done(host)
            return real(*arguments)

    monkeypatch.setattr(service, "read_found", meanwhile)
    result = run(check=True, **declaration(host))
    assert (result["items"], result["changed"]) == ([], False)
    assert "another run, which has ended meanwhile" in result["unchecked"][0]["why"]


def test_a_check_that_cannot_read_what_a_deploy_just_moves_does_not_fail(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(**declaration(host))

    def gone(*_arguments: Any) -> Found:
        raise FileNotFoundError(2, "No such file or directory", "server.env")

    monkeypatch.setattr(service, "read_found", gone)
    with host.state.lock("bob on his-machine"):
        assert "bob on his-machine" in run(check=True, **declaration(host))["unchecked"][0]["why"]
    assert "No such file" in run(check=True, **declaration(host))["msg"]


def test_what_is_as_declared_is_so_also_while_a_deploy_begins(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    with host.state.lock("bob on his-machine"):
        result = run(check=True, **declaration(host))
    assert ("unchecked" in result, result["items"], result["checked"] > 15) == (False, [], True)


def test_a_check_leaves_every_trace_of_drift_as_it_is(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    host.edit(host.unit_dir / "server.service.d/x.conf", b"[Service]\n")
    host.edit(host.home / ".config/example/.llm-stack-1.tmp", b"")
    host.edit(host.home / ".config/example/server.env", b"x")
    before, calls = host.picture(), len(host.calls)
    result = run(check=True, **declaration(host, "SRV_A=2"))
    assert result["changed"]
    assert (host.picture(), len(host.calls)) == (before, calls)


def test_a_missing_requirement_is_told_and_nothing_is_changed(host: SimulatedHost, run: Run) -> None:
    requires = [{"kind": "program", "path": f"{host.home}/bin/server"}]
    missing = [{"kind": "program", "path": f"{host.home}/bin/server", "reasons": ["is no executable file"]}]
    for check in (True, False):
        result = run(check=check, **declaration(host, requires=requires))
        assert (result["changed"], result["missing"], result["items"], result["checked"]) == (False, missing, [], 0)
    assert host.calls == []


def test_after_the_install_step_a_check_predicts_and_a_run_insists(host: SimulatedHost, run: Run) -> None:
    requires = [{"kind": "program", "path": f"{host.home}/bin/server"}]
    predicted = run(check=True, **declaration(host, requires=requires, assume_installed=True))
    assert (predicted["changed"], predicted["missing"]) == (True, [])
    refused = run(**declaration(host, requires=requires, assume_installed=True))
    assert refused["msg"] == (
        "What the services need is not installed although the install step ran: "
        f"{host.home}/bin/server: is no executable file."
    )
    assert host.calls == []


def test_a_second_run_at_the_same_time_is_told_who_runs(host: SimulatedHost, run: Run) -> None:
    with State(host.state.root, "llamacpp").lock("bob on his-machine"):
        result = run(**declaration(host))
        assert "llamacpp: bob on his-machine" in run(check=True, **declaration(host))["unchecked"][0]["why"]
    start, _colon, rest = result["msg"].partition(": llamacpp: bob on his-machine, pid ")
    assert start == "Another run is changing this account's services"
    assert rest.startswith(f"{os.getpid()}, since 20")
    assert re.search(r"-e llm_stack_break_lock=[0-9a-f]{8}\nOr wait for it to end\. Nothing was changed\.$", rest)
    assert host.calls == []


def test_a_host_without_a_user_manager_is_told_what_starts_one(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "wait", lambda _seconds: False, raising=False)
    monkeypatch.setattr(host, "uid", 0)
    result = run(**declaration(host))
    assert result["msg"] == (
        "There is no systemd user manager for account root: /run/user/0/systemd/private is absent, also after 15 s. On "
        "a host that runs systemd, an administrator starts it for good with: loginctl enable-linger root. "
        "Nothing was changed."
    )
    assert list(host.files()) == []


def test_a_stranger_on_a_port_stops_everything_before_the_first_change(host: SimulatedHost, run: Run) -> None:
    host.strangers["0.0.0.0", 8080] = "eve"
    host.strangers["127.0.0.1", 4000] = "eve"
    result = run(**declaration(host))
    assert result["msg"] == (
        "A port is taken. Nothing was changed.\n"
        "127.0.0.1:8080 should be held by server.service, but is pid 4711 (python3) of eve; "
        "stop it, or declare another port.\n"
        "127.0.0.1:4000 should be held by gateway.socket, but is pid 4711 (python3) of eve; "
        "stop it, or declare another port."
    )
    assert ([name for name in host.files() if "/.config/" in f"/{name}"], host.calls) == ([], [])


def test_contradictions_are_refused_in_check_mode_too(host: SimulatedHost, run: Run) -> None:
    broken = declaration(host, files=[{"path": "/a", "content": "x", "mode": "rw"}])
    for check in (True, False):
        assert run(check=check, **broken)["msg"] == (
            "Transaction example cannot be carried out. Nothing was changed.\n"
            "files[0].mode: 'rw' is no octal permission such as \"0600\"."
        )


def test_a_service_that_does_not_start_fails_the_task_with_both_facts(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    host.sleep(60)
    before = host.picture()
    result = run(**declaration(host, "SRV_A=2 boot=exit"))
    assert result["failed"]
    assert result["msg"].splitlines()[0] == "server.service did not become ready: it exited with code 1 after 0.4 s."
    assert result["msg"].splitlines()[-1].endswith("The declaration was not applied.")
    assert host.picture() == before


def test_no_secret_is_in_any_answer(host: SimulatedHost, run: Run) -> None:
    answers = [run(check=True, **declaration(host)), run(**declaration(host))]
    host.edit(host.home / ".config/example/secrets.env", b"GATEWAY_KEY=sk-another-canary\n")
    answers += [run(check=True, **declaration(host)), run(**declaration(host, "boot=exit log=" + CANARY))]
    assert [text for text in map(json.dumps, answers) if CANARY in text and "invocation" not in text] == []
    assert [text for text in map(json.dumps, answers) if "sk-another-canary" in text] == []


def ends_the_run(host: SimulatedHost, times: int) -> Callable[[float], None]:
    """Time passes, and somebody sends SIGTERM while it does."""
    passes, left = host.sleep, [times]

    def sleep(seconds: float) -> None:
        passes(seconds)
        if left[0]:
            left[0] -= 1
            os.kill(os.getpid(), signal.SIGTERM)

    return sleep


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_is_told_to_end_puts_everything_back(
    host: SimulatedHost, run: Run, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    run(**declaration(host))
    host.sleep(60)
    before = host.picture()
    monkeypatch.setattr(host, "sleep", ends_the_run(host, times), raising=False)
    result = run(**declaration(host, "SRV_A=2 boot=never"))
    assert result["msg"] == "ended by signal 15"
    assert host.picture() == before


def test_absent_removes_everything_and_then_finds_nothing(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    host.sleep(60)
    predicted = run(check=True, state="absent")
    assert predicted["changed"]
    assert len(host.processes()) == 3
    removed = run(state="absent")
    assert removed["items"] == predicted["items"]
    assert [item["kind"] for item in removed["items"]] == ["orphan-unit"] * 4 + ["orphan-file"] * 8
    assert (list(host.files()), host.processes(), host.enabled) == (
        [".local/state/llm-stack/digest.key"], {}, set(),
    )  # fmt: skip
    assert not run(state="absent")["changed"]


def test_absent_waits_for_a_gateway_that_drains(host: SimulatedHost, run: Run) -> None:
    wanted = declaration(host)
    wanted["files"][1]["content"] = "answer=1\ndrain=600\n"
    run(**wanted)
    host.sleep(60)
    assert run(state="absent")["changed"]
    assert host.processes() == {}


def test_absent_also_removes_what_a_killed_first_run_has_begun(
    host: SimulatedHost, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for effects in range(1, 100):
        host.fuse = effects
        try:
            run(**declaration(host))
        except Killed:
            host.revive()
        else:
            break
        host.sleep(60)
        run(state="absent")
        left = [name for name in host.files() if not name.endswith((".tmp", "digest.key"))]
        assert (effects, left, host.processes(), host.enabled) == (effects, [], {}, set())
    assert effects > 20


def test_an_edited_record_removes_nothing(host: SimulatedHost, run: Run) -> None:
    run(**declaration(host))
    path = Path(host.state.directory, "manifest.json")
    precious = host.home / "precious"
    precious.write_text("mine")
    path.write_text(path.read_text().replace(f"{host.home}/.config/example/server.env", str(precious)))
    assert run(state="absent")["msg"].endswith("Nothing was changed.")
    assert (precious.exists(), len(host.processes())) == (True, 3)
