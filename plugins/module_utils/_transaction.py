# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Make it so, or put everything back.

The order is the promise: the snapshot reaches the disk before the first change and leaves it after the manifest, so a
run that is killed anywhere leaves either the old service, the new one, or a snapshot from which the next run goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._files import close_directories, write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._lock import now
from ansible_collections.lab.llm_stack.plugins.module_utils._proc import LOADING
from ansible_collections.lab.llm_stack.plugins.module_utils._readiness import StartError, Watch
from ansible_collections.lab.llm_stack.plugins.module_utils._removal import remove_files
from ansible_collections.lab.llm_stack.plugins.module_utils._requires import installations, serve_from
from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import OTHER_PROGRAM, reload_needed
from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import secret_values
from ansible_collections.lab.llm_stack.plugins.module_utils._service_items import differs
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import deployed, read_file, read_units
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    ChangeError,
    Comparison,
    Decision,
    Found,
    Wanted,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._slot_switch import Outages, excluded_at_start
from ansible_collections.lab.llm_stack.plugins.module_utils._state import Snapshot, State
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import (
    Manager,
    ManagerError,
    enable_linger,
    unset_variables,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._undo import has_changed, put_back

RESTORE_TIMEOUT = 600.0
"""Seconds that the previous version may take to serve again; it is given more patience than a new one."""


@dataclass
class Transaction:
    """One run that changes a host. ``on_step`` is told the name of each step before it is taken."""

    wanted: Wanted
    found: Found
    comparison: Comparison
    manager: Manager
    state: State
    facts: Mapping[str, object] = field(default_factory=dict)
    on_step: Callable[[str], None] = lambda _name: None
    ready: dict[str, float] = field(default_factory=dict)
    outages: Outages = field(default_factory=Outages)

    @property
    def watch(self) -> Watch:
        return Watch(self.manager, secret_values(self.comparison.writes, self.found.files))

    def run(self) -> None:
        """Converge; on any failure restore the previous state and raise ChangeError with both facts."""
        snapshot = self._take_snapshot()
        try:
            self._converge()
        except (StartError, ManagerError, OSError) as error:
            serving = self._restore(snapshot)
            raise ChangeError(self._tell(error, serving), self.outages.ended(self.watch.now())) from error
        except BaseException:
            self._restore(snapshot)
            raise
        self.commit()

    # --- forward ---------------------------------------------------------------------------------------------

    def _take_snapshot(self) -> Snapshot:
        """Keep the old state; a snapshot that a killed run left is older and therefore the one to keep."""
        self.on_step("snapshot")
        units = self.found.units.values()
        touched = {write.path for write in self.comparison.writes} | set(self.comparison.orphan_files)
        files = {path: self.found.file(path) for path in touched}
        files.update({path: read_file(path) for path in self.found.drop_ins})
        snapshot = Snapshot(
            now(),
            files,
            tuple(u.name for u in units if u.alive),
            tuple(u.name for u in units if u.file_state == "enabled"),
        )
        older = self.state.snapshot()
        if older:
            snapshot = replace(older, files={**files, **older.files})
        self.state.write_snapshot(snapshot)
        return snapshot

    def _converge(self) -> None:
        self.on_step("linger")
        self._linger()
        self.on_step("write")
        close_directories(self.found.open_directories)
        units_changed = self._write(late=False) or bool(self.found.drop_ins)
        for path in self.found.drop_ins:
            self.state.keep(path)
        # Not only after a write of this run: one that was killed may have written and not reloaded.
        if (
            units_changed
            or self.found.interrupted
            or any(reload_needed(self.found.unit(d.serving), d.digest, self.found) for d in self.comparison.decisions)
        ):
            self.on_step("daemon-reload")
            self.manager.systemctl("daemon-reload")
        self.on_step("start")
        self._start_all()
        self.on_step("retire")
        # What serves now is enabled before what served is disabled: a boot in between starts one of them.
        for decision in sorted(self.comparison.decisions, key=lambda each: not each.spec.enabled):
            self._enable(decision)
            self._retire(decision)
        self.on_step("write-late")
        if self._write(late=True):
            self.manager.systemctl("daemon-reload")
            # A unit that was gone from the disk may still have been enabled, which shows only now.
            idle = [name for d in self.comparison.decisions for name in d.spec.instances() if name != d.serving]
            self._order("disable", [n for n, u in read_units(self.manager, idle).items() if u.file_state == "enabled"])
        self.on_step("prune")
        self._prune()

    def _linger(self) -> None:
        if self.found.linger:
            return
        refusal = enable_linger()
        if refusal:
            raise OSError(
                f"linger cannot be enabled by the account itself ({refusal}). As an administrator, run once: "
                f"loginctl enable-linger {self.facts.get('account', '')}"
            )

    def _write(self, late: bool) -> bool:
        """Write what differs; tell whether a unit file was among it."""
        unit_files = False
        for write in self.comparison.writes:
            if write.late == late and differs(write, self.found.file(write.path)):
                write_atomic(write.path, write.content, write.mode)
                unit_files = unit_files or write.path.startswith(self.wanted.unit_dir + "/")
        return unit_files

    def _start_all(self) -> None:
        """Start or restart what needs it: all at once, unless a port must become free or a socket be bound anew."""
        decisions = [d for d in self.comparison.decisions if d.action in ("start", "restart", "switch", "wait")]
        before = {d.serving: self.found.unit(d.serving) for d in decisions}
        changed = [d for d in decisions if d.action != "wait"]
        if changed:
            self._reset_failed([d.serving for d in changed])
            self._free_ports(changed)
            loading = LOADING if any(OTHER_PROGRAM in decision.reasons for decision in changed) else ()
            watched = tuple(prefix for decision in changed for prefix in decision.spec.watch)
            unset_variables(self.manager, (*watched, *loading))
        for decision in changed:
            verb = "restart" if before[decision.serving].alive else "start"
            self.outages.begin(decision.spec.slot, self.wanted, self.found, self.watch.now())
            # Within a slot this one order also stops the other unit first: killed here, we leave no slot empty.
            self.manager.systemctl(verb, "--no-block", "--", decision.serving)
        self._stop_what_leaves()
        for decision in decisions:
            seen, waits = before[decision.serving], decision.action == "wait"
            old = "" if waits else seen.invocation
            self.ready[decision.serving] = self.watch.ready(
                decision.serving, decision.spec.ready_timeout, old, seen.restarts if waits else 0
            )
            self.outages.end(decision.spec.slot, self.watch.now())
        self.watch.settled(changed)

    def _stop_what_leaves(self) -> None:
        for decision in self.comparison.decisions:
            if decision.action == "stop":
                live = [n for n in decision.spec.instances() if self.found.unit(n).alive]
                self.manager.systemctl("stop", "--", *live)
                self.watch.gone(live)

    def _reset_failed(self, names: Iterable[str]) -> None:
        """Forget earlier failures and starts, so that a start limit does not forbid the attempt."""
        # A pattern stands for the units that the manager has in memory; a name that it has not would be an error.
        self._order("reset-failed", [f"{name[:-1]}[{name[-1]}]" for name in names])

    def _free_ports(self, changed: Sequence[Decision]) -> None:
        """Stop first where a socket is bound anew, or where a port is still held by another unit of ours."""
        sockets = [d.serving for d in changed if d.serving.endswith(".socket") and d.action == "restart"]
        stop = list(sockets)
        if sockets:
            users = [d.spec for d in self.comparison.decisions if any(f"Sockets={s}" in d.spec.body for s in sockets)]
            stop += [name for spec in users for name in spec.instances()]
        held = {port.unit for port in self.found.ports if port.holder and port.unit}
        stop += [name for name in (*(d.serving for d in changed), *self.comparison.orphan_units) if name in held]
        if any(d.spec.slot for d in changed):
            # What is no longer declared tells no slot, so it may hold the one that is about to be taken.
            stop += [name for name in self.comparison.orphan_units if self.found.unit(name).alive]
        self._order("stop", stop)

    def _enable(self, decision: Decision) -> None:
        enabled = self.found.unit(decision.serving).file_state == "enabled"
        if enabled != decision.spec.enabled:
            self._order("disable" if enabled else "enable", [decision.serving])

    def _retire(self, decision: Decision) -> None:
        """Take the other colour out of service; it drains for as long as its unit allows, and we do not wait."""
        for name in decision.retire:
            if self.found.unit(name).file_state == "enabled":
                self.manager.systemctl("disable", "--quiet", "--", name)
            if self.found.unit(name).alive:
                self.manager.systemctl("stop", "--no-block", "--", name)

    def _prune(self) -> None:
        """Remove exactly what the manifest says we made and the declaration no longer has."""
        units = self.comparison.orphan_units
        loaded = [name for name in units if self.found.unit(name).load != "not-found"]
        self._order("stop", loaded)
        self._order("disable", loaded)
        remove_files((*self.comparison.orphan_files, *self.found.leftovers))
        if units:
            self.manager.systemctl("daemon-reload")

    def commit(self) -> None:
        self.on_step("manifest")
        found, comparison, record = self.found, self.comparison, self.found.manifest.trusted
        # Without pruning, what an earlier run left is still ours to remove some day.
        kept = [path for path in record.files if found.exists(path) and path not in comparison.orphan_files]
        contents = {path: found.file(path).content or b"" for path in kept}
        contents.update({write.path: write.content for write in comparison.writes})
        files = {path: hashlib.sha256(found.salt + content).hexdigest() for path, content in contents.items()}
        units = {*self.wanted.unit_names, *record.units} - {*comparison.orphan_units}
        left = deployed(self.manager, units, record.deployed, self.ready)
        ports = {address: unit for address, unit in record.ports.items() if unit in units}
        ports.update({str(port): spec.name for spec in self.wanted.units for port in spec.listens})
        serving = installations(self.wanted.requires)
        noted = {"deployed": left, "serving": serving, "ports": ports, "installed": record.installed}
        self.state.write_manifest(files, sorted(units), {**self.facts, **noted})
        serve_from(serving)
        self.on_step("end")
        self.state.drop_snapshot()

    # --- back ------------------------------------------------------------------------------------------------

    def _restore(self, snapshot: Snapshot) -> str:
        """Put the previous state back and prove it; return what serves now, in words."""
        self.on_step("restore")
        try:
            return self._put_back(snapshot)
        except (StartError, ManagerError, OSError) as error:
            return f"The previous version could not be brought back: {error} Its files are in {self.state.directory}."

    def _put_back(self, snapshot: Snapshot) -> str:
        names = sorted({*self.wanted.unit_names, *snapshot.active})
        units = read_units(self.manager, names)
        enabled = {name for name in names if units[name].file_state == "enabled"}
        # A socket stays bound as it was started, and cannot be bound anew while a service holds it.
        rebind = any(path.endswith(".socket") and has_changed(path, file) for path, file in snapshot.files.items())
        running = [name for name in names if units[name].active not in ("inactive", "failed")]
        newcomers = [name for name in running if name not in snapshot.active]
        # The new colour may serve on until the old one is back; anything else could hold the old one's port.
        colours = {name for spec in self.wanted.units if spec.blue_green for name in spec.instances()}
        later = colours | excluded_at_start(self.wanted, snapshot)
        self._order("stop", running if rebind else [name for name in newcomers if name not in later])
        self._reset_failed(names)
        self._order("disable", enabled - {*snapshot.enabled})
        for path, file in snapshot.files.items():
            put_back(path, file)
        self.manager.systemctl("daemon-reload")
        self._order("enable", {*snapshot.enabled} - enabled)
        took = self._serve_again(snapshot.active)
        # Whose file is gone by now cannot be stopped once more.
        self._order("stop", [name for name, unit in read_units(self.manager, newcomers).items() if unit.alive])
        serve_from(self.found.manifest.trusted.serving)
        self.state.drop_snapshot()
        if not snapshot.active:
            return "Nothing served before, so nothing serves now; the files are as they were."
        now = {n: "kept serving" if s is None else f"is serving again (ready after {s:.1f} s)" for n, s in took.items()}
        return f"{'; '.join(map(' '.join, now.items()))}. The declaration was not applied."

    def _order(self, verb: str, names: Iterable[str]) -> None:
        """Tell the manager to do something with units, where there are any."""
        if names:
            self.manager.systemctl(verb, "--quiet", "--", *sorted(names))

    def _serve_again(self, names: Sequence[str]) -> dict[str, float | None]:
        """Bring back what served, sockets first; None for a unit that never stopped."""
        took: dict[str, float | None] = {}
        for name in sorted(names, key=lambda each: not each.endswith(".socket")):
            unit = read_units(self.manager, [name])[name]
            took[name] = None
            if not unit.running or unit.process_digest != unit.digest:
                self.manager.systemctl("restart", "--no-block", "--", name)
                took[name] = self.watch.ready(name, RESTORE_TIMEOUT, unit.invocation)
        return {name: seconds for name, seconds in took.items() if name.endswith(".service")} or took

    @staticmethod
    def _tell(error: Exception, now_serving: str) -> str:
        lines = getattr(error, "lines", ())
        return "\n".join([str(error), *(f"    {line}" for line in lines), now_serving])
