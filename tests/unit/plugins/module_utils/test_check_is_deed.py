# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a check predicts is what the deploy after it does to the host: each item has its deed, each deed its item."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Comparison, Item, Wanted
from host_events import Act, bare_host, declarations, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_host import SimulatedHost, check, deploy

RECORDS = ".local/state/llm-stack/"
OF_FILES = ("file", "unit-file", "orphan-file", "leftover", "extra-dropin")
OF_PROCESSES = ("stale-process", "not-active", "active", "orphan-unit")
OF_BOOT = ("not-enabled", "enabled", "orphan-unit")
OF_RECORDS = ("manifest", "interrupted-run")
OF_OTHERS = ("daemon-reload", "orphan-port")
Declare = Callable[[Path], Wanted]


@dataclass(frozen=True)
class Seen:
    """What a deploy could change: files, the run of each unit that is not down, and what starts at boot."""

    files: dict[str, tuple[bytes, int]]
    runs: dict[str, str]
    enabled: frozenset[str]
    ordered: frozenset[str]
    """The units that were ever enabled or disabled."""

    @classmethod
    def of(cls, host: SimulatedHost) -> Seen:
        up = {name: unit.invocation for name, unit in host.units.items() if unit.active in ("active", "activating")}
        ordered = [call.split()[1:] for call in host.calls if call.startswith(("enable ", "disable "))]
        return cls(host.files(), up, frozenset(host.enabled), frozenset(name for names in ordered for name in names))


def differing(before: dict[str, object], after: dict[str, object]) -> set[str]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def subjects(items: Collection[Item], kinds: Collection[str]) -> set[str]:
    return {item.subject for item in items if item.kind in kinds}


def predicted_files(host: SimulatedHost, items: Collection[Item]) -> set[str]:
    units = {str(host.unit_dir / name) for name in subjects(items, ["orphan-unit"])}
    paths = subjects(items, OF_FILES) | units
    return {str(Path(path).relative_to(host.home)) for path in paths}


def outside_records(paths: set[str]) -> set[str]:
    """Without what tells of the run itself."""
    return {path for path in paths if not path.startswith(RECORDS)}


def switched(comparison: Comparison) -> set[str]:
    """Of a change of colours the item names the one that leaves; the other one comes."""
    return {each.serving for each in comparison.decisions if each.action == "switch"}


def assert_deed(host: SimulatedHost, comparison: Comparison, before: Seen, after: Seen) -> None:
    """Every difference between before and after was an item, and every item made one."""
    items = comparison.items
    files = differing({**before.files}, {**after.files})
    assert outside_records(files) == outside_records(predicted_files(host, items))
    runs = differing({**before.runs}, {**after.runs})
    expected = subjects(items, OF_PROCESSES) | switched(comparison)
    # A unit that was on its way is waited for, and one that is not declared may have been down already.
    waited = {each.serving for each in comparison.decisions if each.action == "wait"}
    down = {name for name in subjects(items, ["orphan-unit"]) if name not in before.runs}
    assert runs <= expected
    assert expected - waited - down <= runs
    boot = subjects(items, OF_BOOT)
    assert before.enabled ^ after.enabled <= boot | expected
    # Of a unit whose file is gone nobody can tell whether it starts at boot, so it is enabled in any case.
    assert boot <= after.ordered | down
    assert {item.kind for item in items} <= {*OF_FILES, *OF_PROCESSES, *OF_BOOT, *OF_RECORDS, *OF_OTHERS}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.lists(events, max_size=3), declarations), min_size=1, max_size=3))
def test_each_item_of_a_check_is_a_deed_of_the_deploy(steps: list[tuple[list[Act], Declare]]) -> None:
    with bare_host() as host:
        for acts, declare in steps:
            for act in acts:
                act(host)
            host.sleep(60)
            host.state.make_salt()
            host.calls.clear()
            wanted, before = declare(host.home), Seen.of(host)
            _wanted, comparison, _found = host.read(wanted)
            assert Seen.of(host) == before
            transaction = deploy(host, wanted)
            assert (transaction.comparison.items if transaction else ()) == comparison.items
            host.sleep(60)
            if transaction:
                assert_deed(host, comparison, before, Seen.of(host))
            else:
                assert (Seen.of(host), host.calls) == (before, [])
            assert check(host, wanted) == []
