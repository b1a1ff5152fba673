# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Transactions on a simulated host: what they do in which order, and what is left when they fail."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _release
from ansible_collections.lab.llm_stack.plugins.module_utils._removal import remove_all
from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import diffs
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import compare
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Requirement, Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError, Transaction
from example_services import both, gateway, server
from simulated_host import Killed, SimulatedHost, check, deploy

UNITS = ".config/systemd/user"


@pytest.fixture
def deployed(host: SimulatedHost) -> SimulatedHost:
    """The gateway and the server, deployed a while ago."""
    deploy(host, stack(host))
    host.sleep(3600)
    host.calls.clear()
    return host


def stack(host: SimulatedHost, settings: str = "SRV_A=1", config: str = "answer=1") -> Wanted:
    return both(server(host.home, settings), gateway(host.home, config))


def refusal(host: SimulatedHost, wanted: Wanted) -> str:
    with pytest.raises(ChangeError) as caught:
        deploy(host, wanted)
    host.sleep(60)
    return str(caught.value)


STEPS = [
    "snapshot",
    "linger",
    "write",
    "daemon-reload",
    "start",
    "retire",
    "write-late",
    "prune",
    "manifest",
    "end",
]


def test_a_first_deploy_goes_through_every_step_and_starts_what_it_declared(host: SimulatedHost) -> None:
    steps: list[str] = []
    transaction = deploy(host, stack(host), steps.append)
    assert steps == STEPS
    assert transaction is not None
    assert transaction.ready == {"server.service": 0.4, "gateway.socket": 0.0, "gateway@a.service": 0.0}
    assert host.calls == [
        "daemon-reload",
        "reset-failed gateway.socke[t] gateway@a.servic[e] server.servic[e]",
        "show-environment",
        "start server.service",
        "start gateway.socket",
        "start gateway@a.service",
        "enable server.service",
        "enable gateway.socket",
        "enable gateway@a.service",
        "daemon-reload",
    ]


def test_no_limit_on_starts_forbids_a_change_that_is_wanted(host: SimulatedHost) -> None:
    """The manager counts every start, also one that it was told to make."""

    def wanted(number: int) -> Wanted:
        found = server(host.home, f"SRV_A={number}")
        [spec] = found.units
        body = spec.body.replace("[Unit]\n", "[Unit]\nStartLimitBurst=2\n")
        return replace(found, units=(replace(spec, body=body),))

    for number in range(5):
        deploy(host, wanted(number))
        host.sleep(60)
        assert check(host, wanted(number)) == []


def test_a_change_switches_colours_and_touches_no_other_unit(deployed: SimulatedHost) -> None:
    deploy(deployed, stack(deployed, config="answer=2"))
    assert deployed.calls == [
        "daemon-reload",
        "reset-failed gateway@b.servic[e]",
        "show-environment",
        "start gateway@b.service",
        "enable gateway@b.service",
        "disable gateway@a.service",
        "stop gateway@a.service",
        "daemon-reload",
    ]
    assert (check(deployed, stack(deployed, config="answer=2")), list(deployed.processes())) == (
        [],
        ["gateway.socket", "gateway@b.service", "server.service"],
    )


def test_the_old_colour_keeps_its_files_until_the_new_one_is_ready(deployed: SimulatedHost) -> None:
    seen: dict[str, bytes] = {}

    def look(step: str) -> None:
        seen[step] = (deployed.home / ".config/example/a/config").read_bytes()

    deploy(deployed, stack(deployed, config="answer=2"), look)
    assert (seen["start"], seen["retire"], seen["prune"]) == (b"answer=1\n", b"answer=1\n", b"answer=2\n")


def test_the_digest_is_the_same_for_both_colours(deployed: SimulatedHost) -> None:
    texts = {(deployed.unit_dir / f"gateway@{colour}.service").read_bytes() for colour in "ab"}
    assert len(texts) == 1


def test_a_colour_that_still_drains_is_waited_for_without_losing_patience(deployed: SimulatedHost) -> None:
    deploy(deployed, stack(deployed, config="answer=2 drain=600"))
    deployed.sleep(60)
    deploy(deployed, stack(deployed, config="answer=3 drain=600"))
    deployed.sleep(1)
    deploy(deployed, stack(deployed, config="answer=4"))
    assert check(deployed, stack(deployed, config="answer=4")) == []
    assert [name for name in deployed.processes() if "@" in name] == ["gateway@b.service"]


def test_looking_at_a_colour_that_drains_costs_the_new_one_no_patience(
    deployed: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy host each look takes a moment of its own, and a drain of minutes has many."""
    deploy(deployed, stack(deployed, config="answer=2 drain=600"))
    deployed.sleep(60)
    deploy(deployed, stack(deployed, config="answer=3 drain=600"))
    deployed.sleep(1)
    show = deployed.show

    def slowly(units: Sequence[str]) -> list[dict[str, str]]:
        deployed.sleep(0.1)
        return show(units)

    monkeypatch.setattr(deployed, "show", slowly)
    deploy(deployed, stack(deployed, config="answer=4"))
    assert check(deployed, stack(deployed, config="answer=4")) == []


def test_a_changed_port_binds_the_socket_anew_with_its_service(deployed: SimulatedHost) -> None:
    wanted = both(server(deployed.home), gateway(deployed.home, port=4001))
    deploy(deployed, wanted)
    assert (check(deployed, wanted), deployed.units["gateway.socket"].bound) == ([], ("127.0.0.1", 4001))


def test_two_services_may_exchange_their_ports(host: SimulatedHost) -> None:
    deploy(host, both(server(host.home, port=8080), server(host.home, port=8081, name="other")))
    swapped = both(server(host.home, port=8081), server(host.home, port=8080, name="other"))
    deploy(host, swapped)
    assert check(host, swapped) == []


def test_a_renamed_service_takes_over_the_port(deployed: SimulatedHost) -> None:
    renamed = both(server(deployed.home, name="other"), gateway(deployed.home))
    deploy(deployed, renamed)
    assert check(deployed, renamed) == []
    assert list(deployed.processes()) == ["gateway.socket", "gateway@a.service", "other.service"]


def test_when_both_colours_are_stale_the_one_that_starts_is_new(deployed: SimulatedHost) -> None:
    deployed.systemctl("start", "gateway@b.service")
    deployed.sleep(60)
    deploy(deployed, stack(deployed, config="answer=2"))
    deployed.sleep(60)
    assert check(deployed, stack(deployed, config="answer=2")) == []


def test_a_service_that_heals_itself_is_waited_for(deployed: SimulatedHost) -> None:
    deployed.kill("server.service")
    deployed.sleep(2.1)
    assert check(deployed, stack(deployed)) == [("not-active", "server.service")]
    deploy(deployed, stack(deployed))
    assert check(deployed, stack(deployed)) == []


def test_a_drop_in_is_kept_aside_and_its_process_restarted(deployed: SimulatedHost) -> None:
    text = b"[Service]\nEnvironment=EXTRA=1\n"
    deployed.edit(deployed.unit_dir / "server.service.d/90-mine.conf", text)
    deployed.systemctl("daemon-reload")
    deployed.systemctl("restart", "server.service")
    deployed.sleep(60)
    deploy(deployed, stack(deployed))
    kept = list(Path(deployed.state.directory, "removed").iterdir())
    assert [path.read_bytes() for path in kept] == [text]
    assert "EXTRA" not in deployed.units["server.service"].environ


def test_a_drop_in_of_both_colours_is_found_once_and_kept_whole(deployed: SimulatedHost) -> None:
    path = deployed.unit_dir / "gateway@.service.d/90-mine.conf"
    deployed.edit(path, b"[Service]\nEnvironment=EXTRA=1\n")
    assert check(deployed, stack(deployed)) == [("extra-dropin", f"~/{UNITS}/gateway@.service.d/90-mine.conf")]
    deploy(deployed, stack(deployed))
    kept = list(Path(deployed.state.directory, "removed").iterdir())
    assert [path.read_bytes() for path in kept] == [b"[Service]\nEnvironment=EXTRA=1\n"]


def installed(home: Path, version: str) -> Requirement:
    """Make a release as the install step leaves it: there, and current."""
    shelf = home / ".local/share/llm-stack/releases/server"
    (shelf / version).mkdir(parents=True, exist_ok=True)
    (shelf / version / ".llm-stack-release.json").write_text("{}")
    (shelf / "current").unlink(missing_ok=True)
    (shelf / "current").symlink_to(version)
    return Requirement("release", str(shelf / version), "")


def test_what_is_put_back_is_current_again(host: SimulatedHost) -> None:
    """The install step switches the link before anybody knows whether the new release can serve."""
    link = host.home / ".local/share/llm-stack/releases/server/current"
    deploy(host, replace(server(host.home), requires=(installed(host.home, "1"),)))
    refused = replace(server(host.home, "SRV_A=2 boot=exit"), requires=(installed(host.home, "2"),))
    refusal(host, refused)
    assert link.readlink() == Path("1")
    deploy(host, replace(server(host.home, "SRV_A=3"), requires=(installed(host.home, "3"),)))
    assert link.readlink() == Path("3")


def test_going_back_by_declaration_is_noted_too(host: SimulatedHost) -> None:
    """What is still there needs no install step, which would have switched the link."""
    first, second = (installed(host.home, version) for version in "12")
    deploy(host, replace(server(host.home), requires=(second,)))
    deploy(host, replace(server(host.home, "SRV_A=2"), requires=(first,)))
    assert (host.home / ".local/share/llm-stack/releases/server/current").readlink() == Path("1")


def test_a_file_that_serves_is_the_last_to_go(host: SimulatedHost) -> None:
    model = host.home / "models/tiny-0123456789ab.gguf"
    model.parent.mkdir()
    model.write_bytes(b"")
    _release.write_note(str(model), "")
    os.utime(_release.note_path(str(model)), (1, 1))
    deploy(host, replace(server(host.home), requires=(Requirement("file", str(model), ""),)))
    assert os.stat(_release.note_path(str(model))).st_mtime > 1


def test_a_link_whose_version_is_gone_is_left_alone(host: SimulatedHost) -> None:
    shelf = host.home / ".local/share/llm-stack/releases/server"
    deploy(host, replace(server(host.home), requires=(installed(host.home, "1"),)))
    refused = replace(server(host.home, "SRV_A=2 boot=exit"), requires=(installed(host.home, "2"),))
    (shelf / "1/.llm-stack-release.json").unlink()
    refusal(host, refused)
    assert (shelf / "current").readlink() == Path("2")


AGAIN = "server.service is serving again (ready after 0.4 s). The declaration was not applied."
KEPT = "gateway@a.service kept serving; " + AGAIN


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(
            "boot=exit log=xyz",
            "server.service did not become ready: it exited with code 1 after 0.4 s.\n"
            "    The cause is not known. Its last lines:\n"
            "      xyz\n" + KEPT,
            id="it exits at once",
        ),
        pytest.param(
            "boot=exit code=2",
            "server.service did not become ready: it exited with code 2 after 0.4 s.\n"
            "    Its journal is empty or cannot be read.\n" + KEPT,
            id="it exits for good",
        ),
        pytest.param(
            "boot=late-exit",
            "server.service did not become ready: it became ready and then it exited with code 1.\n"
            "    Its journal is empty or cannot be read.\n" + KEPT,
            id="it exits after it was ready",
        ),
        pytest.param(
            "boot=unready",
            "server.service did not become ready: its readiness check failed after 0.4 s.\n"
            "    Its journal is empty or cannot be read.\n" + KEPT,
            id="its readiness check fails",
        ),
        pytest.param(
            "boot=never",
            "server.service did not become ready: it gave no sign of being ready within 10 s.\n"
            "    Its journal is empty or cannot be read.\n" + KEPT,
            id="it never becomes ready",
        ),
    ],
)
def test_a_service_that_does_not_start_is_undone(deployed: SimulatedHost, settings: str, said: str) -> None:
    before = deployed.picture()
    assert refusal(deployed, stack(deployed, settings=f"SRV_A=2 {settings}", config="answer=1")) == said
    assert (deployed.picture(), check(deployed, stack(deployed))) == (before, [])


def test_a_cause_that_is_known_is_told_with_its_remedy(deployed: SimulatedHost) -> None:
    wanted = stack(deployed, settings="boot=exit")
    file = replace(wanted.files[0], content=b'boot=exit\nlog="gguf_init_from_reader: invalid magic characters"\n')
    assert refusal(deployed, replace(wanted, files=(file, *wanted.files[1:]))) == (
        "server.service did not become ready: it exited with code 1 after 0.4 s.\n"
        "    Cause: The model file is no GGUF file (an HTML page or an LFS pointer).\n"
        "    Log: gguf_init_from_reader: invalid magic characters\n"
        "    Delete it and fetch it again, with its sha256 declared.\n" + KEPT
    )


def test_a_colour_that_does_not_start_never_replaces_the_one_that_serves(deployed: SimulatedHost) -> None:
    process = deployed.units["gateway@a.service"].pid
    said = refusal(deployed, stack(deployed, config="boot=exit"))
    assert said.splitlines()[-1] == (
        "gateway@a.service kept serving; server.service kept serving. The declaration was not applied."
    )
    assert deployed.units["gateway@a.service"].pid == process
    assert check(deployed, stack(deployed)) == []


def test_a_failed_change_of_port_gives_the_old_port_back(deployed: SimulatedHost) -> None:
    before = deployed.picture()
    refusal(deployed, both(server(deployed.home), gateway(deployed.home, "boot=exit", port=4001)))
    assert deployed.units["gateway.socket"].bound == ("127.0.0.1", 4000)
    assert (deployed.picture(), check(deployed, stack(deployed))) == (before, [])


def test_a_first_deploy_that_fails_leaves_nothing(host: SimulatedHost) -> None:
    said = refusal(host, stack(host, settings="boot=exit"))
    assert said.endswith("Nothing served before, so nothing serves now; the files are as they were.")
    assert (list(host.files()), host.processes(), host.enabled) == ([".local/state/llm-stack/digest.key"], {}, set())
    assert [unit.name for unit in host.units.values() if unit.active == "failed"] == []


@pytest.mark.parametrize("step", STEPS[1:-2])
def test_a_disk_that_is_full_at_any_step_ends_where_it_began(deployed: SimulatedHost, step: str) -> None:
    before = deployed.picture()

    def full(name: str) -> None:
        if name == step:
            raise OSError(28, "No space left on device")

    with pytest.raises(ChangeError, match=r"^\[Errno 28\] No space left on device\n.* was not applied\.$"):
        deploy(deployed, stack(deployed, "SRV_A=2", "answer=2"), full)
    deployed.sleep(60)
    assert (deployed.picture(), check(deployed, stack(deployed))) == (before, [])


@pytest.mark.parametrize("step", STEPS[1:-2])
def test_a_first_deploy_leaves_nothing_wherever_it_fails(host: SimulatedHost, step: str) -> None:
    def full(name: str) -> None:
        if name == step:
            raise OSError(28, "No space left on device")

    with pytest.raises(ChangeError, match="Nothing served before, so nothing serves now"):
        deploy(host, stack(host), full)
    assert (list(host.files()), host.processes(), host.enabled) == ([".local/state/llm-stack/digest.key"], {}, set())


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("step", STEPS[1:-2])
def test_a_run_that_is_ended_is_undone_and_stays_ended(
    deployed: SimulatedHost, step: str, signal: type[BaseException]
) -> None:
    before = deployed.picture()

    def end(name: str) -> None:
        if name == step:
            raise signal

    with pytest.raises(signal):
        deploy(deployed, stack(deployed, "SRV_A=2", "answer=2"), end)
    deployed.sleep(60)
    assert (deployed.picture(), check(deployed, stack(deployed))) == (before, [])


def test_a_restore_that_fails_says_so_and_where_the_old_files_are(deployed: SimulatedHost) -> None:
    old = deployed.home / ".config/example/server.env"

    def spoil(step: str) -> None:
        if step == "restore":
            deployed.strangers["127.0.0.1", 8080] = "eve"

    with pytest.raises(ChangeError) as caught:
        deploy(deployed, stack(deployed, settings="boot=exit"), spoil)
    assert str(caught.value).splitlines()[-1] == (
        "The previous version could not be brought back: server.service did not become ready: it exited with code 1 "
        f"after 0.4 s. Its files are in {deployed.state.directory}."
    )
    snapshot = deployed.state.snapshot()
    assert snapshot is not None
    assert snapshot.files[str(old)].content == b"SRV_A=1\nport=8080\n"


def test_a_link_in_the_place_of_a_file_comes_back_when_the_change_fails(deployed: SimulatedHost) -> None:
    path, elsewhere = deployed.home / ".config/example/server.env", deployed.home / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    refusal(deployed, stack(deployed, settings="boot=exit"))
    assert (path.is_symlink(), path.read_bytes()) == (True, b"SRV_A=1\nport=8080\n")


def test_a_file_of_another_owner_comes_back_when_the_change_fails(
    deployed: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edited with sudo, it belongs to root from then on."""
    path = deployed.home / ".config/example/server.env"
    deployed.edit(path, b"SRV_A=5\nport=8080\n")
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    refusal(deployed, stack(deployed, "boot=exit"))
    assert path.read_bytes() == b"SRV_A=5\nport=8080\n"


def test_a_run_that_was_killed_gives_a_file_of_another_owner_back(
    deployed: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deployed.home / ".config/example/server.env"
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    deployed.fuse = 4
    with pytest.raises(Killed):
        deploy(deployed, stack(deployed, "SRV_A=2"))
    deployed.revive()
    refusal(deployed, stack(deployed, "boot=exit"))
    assert path.read_bytes() == b"SRV_A=1\nport=8080\n"


@pytest.mark.parametrize("how", ["a link", "another owner"])
def test_a_key_that_was_made_here_is_kept_however_its_file_came_to_be_there(
    deployed: SimulatedHost, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path, elsewhere = deployed.home / ".config/example/secrets.env", deployed.home / "secrets.env"
    key = path.read_bytes()
    if how == "a link":
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4321)
    deploy(deployed, stack(deployed))
    assert (path.read_bytes(), path.is_symlink()) == (key, False)


def test_a_key_that_was_made_here_is_never_replaced_because_it_cannot_be_read(deployed: SimulatedHost) -> None:
    path = deployed.home / ".config/example/secrets.env"
    path.unlink()
    path.symlink_to("/nowhere/secrets.env")
    before = deployed.files()
    assert refusal(deployed, stack(deployed)) == (
        f"{path} cannot be read (a link to /nowhere/secrets.env), and holds what was made on this host once: "
        "GATEWAY_KEY.\n    Make it readable for the account; or remove it, and whoever has the old value needs the new "
        "one. Nothing was changed."
    )
    assert (deployed.files(), path.is_symlink()) == (before, True)


def test_linger_that_the_account_may_not_enable_names_the_command_for_it(host: SimulatedHost) -> None:
    host.lingering, host.linger_refusal = False, "Access denied"
    assert refusal(host, server(host.home)).splitlines()[0] == (
        "linger cannot be enabled by the account itself (Access denied). As an administrator, run once: "
        "loginctl enable-linger llm"
    )


def test_secrets_are_in_no_error_diff_or_record(host: SimulatedHost) -> None:
    deploy(host, gateway(host.home, key="sk-first-canary"))
    host.sleep(60)
    wanted, comparison, found = host.read(gateway(host.home, key="sk-second-canary"))
    log = b'boot=exit\nlog="refused sk-second-canary after sk-first-canary"\n'
    broken = replace(wanted, files=(replace(wanted.files[0], content=log), *wanted.files[1:]))
    said = refusal(host, broken)
    assert "      refused (secret) after (secret)" in said.splitlines()
    told = [said, json.dumps(diffs(comparison, found)), json.dumps([item.as_dict() for item in comparison.items])]
    told.append((Path(host.state.directory) / "manifest.json").read_text())
    assert [text for text in told if "canary" in text] == []


def test_pruning_off_keeps_the_memory_of_what_is_no_longer_declared(deployed: SimulatedHost) -> None:
    wanted, _comparison, found = deployed.read(gateway(deployed.home, "answer=2"))
    Transaction(wanted, found, compare(wanted, found, prune=False), deployed, deployed.state).run()
    assert ("orphan-unit", "server.service") in check(deployed, gateway(deployed.home, "answer=2"))


def test_removing_all_leaves_only_what_is_shared_with_other_transactions(deployed: SimulatedHost) -> None:
    manifest = deployed.state.manifest()
    remove_all(manifest.units, manifest.files, deployed, deployed.state)  # type: ignore[arg-type]
    assert (list(deployed.files()), deployed.processes(), deployed.enabled) == (
        [".local/state/llm-stack/digest.key"],
        {},
        set(),
    )
