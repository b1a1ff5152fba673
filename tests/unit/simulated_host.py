# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A host in memory: a user manager that follows systemd's rules, processes that do what their files say, real files.

One long file, because its rules depend on each other. The real reading, comparing and changing code runs against it.
Time is simulated, so a wait of ten minutes takes none. A process reads what its unit names (EnvironmentFile= and the
files in ExecStart=) when it starts, and obeys these settings in there: ``boot`` (ready, never, exit, late-exit,
killed, and unready: ExecStartPost= fails), ``code`` of an exit, ``port``, ``drain``, ``log``,
and ``card``: there is one, which a second process finds taken.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _files,
    _proc,
    _readiness,
    _removal,
    _service_read,
    _state,
    _transaction,
    _undo,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import compare, with_generated
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    Comparison,
    FileFound,
    Found,
    Wanted,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._state import State
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import ManagerError
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import Transaction

BOOT_SECONDS = 0.4
"""From the start of a process until it reports ready, or exits when it is told to."""
RESTART_SECONDS = 2.0
STARTS_ALLOWED = 5
MANAGER_PID = 1
STRANGER_PID = 4711


NEEDED = {"service": "ExecStart", "socket": "ListenStream", "timer": "OnCalendar"}
"""The setting without which a unit of each kind cannot start."""


class Killed(BaseException):
    """The run was killed: nothing of it happens any more, not even its own undoing."""


@dataclass
class Unit:
    """What the manager holds of one unit."""

    name: str
    text: str | None = None
    drop_ins: tuple[str, ...] = ()
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    restarts: int = 0
    starts: int = 0
    """Since the manager was last told to forget them; the interval of the limit never ends here."""
    exit_code: int = 0
    killed: bool = False
    invocation: str = ""
    pid: int = 0
    started_at: float = 0.0
    command: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    bound: tuple[str, int] | None = None
    due: float = 0.0
    then: Callable[[], None] | None = None
    start_after_stop: bool = False
    heirs: list[str] = field(default_factory=list)
    """Units that start when this one is gone, because they exclude it."""


@dataclass
class SimulatedHost:
    """Implements the interface of Manager over files below ``home``."""

    home: Path
    uid: int = 1000
    now: float = 1000.0
    units: dict[str, Unit] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    changed: dict[str, float] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)
    strangers: dict[tuple[str, int], str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    """The manager's own environment, which its processes inherit."""
    lingering: bool = True
    linger_refusal: str = ""
    orphans: dict[str, list[int]] = field(default_factory=dict)
    """Processes that the kernel cannot end, by their unit."""
    calls: list[str] = field(default_factory=list)
    fuse: int = -1
    """Effects until the run is killed; negative for never."""
    dead: bool = False
    pids: int = 100

    # --- what a person or an accident does -------------------------------------------------------------------

    @property
    def unit_dir(self) -> Path:
        return self.home / ".config/systemd/user"

    @property
    def state(self) -> State:
        return State(str(self.home / ".local/state/llm-stack"), "example")

    def edit(self, path: str | Path, content: bytes) -> None:
        """Edit a file by hand."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
        self.changed[str(path)] = self.now

    def kill(self, name: str) -> None:
        """End a process by force."""
        unit = self.unit(name)
        if unit.active == "deactivating":
            self._dead(unit)
        else:
            self._exit(unit, "signal", 9)
            unit.killed = True

    def reboot(self) -> None:
        """Start anew: only what is enabled comes up."""
        self.units.clear()
        self.sleep(30)
        for name in sorted(self.enabled, key=lambda each: not each.endswith(".socket")):
            with contextlib.suppress(ManagerError):
                self._start(name)
        self.sleep(5)

    def processes(self) -> dict[str, str]:
        """Every running unit with the digest of its process (of its memory for a socket)."""
        running = (unit for _name, unit in sorted(self.units.items()) if unit.active == "active")
        return {unit.name: (unit.environ or self._environment(unit)).get("LLM_STACK_DIGEST", "") for unit in running}

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Every file below the home directory with its content and mode."""
        found = (path for path in sorted(self.home.rglob("*")) if path.is_file() and path.name != "lock")
        return {str(p.relative_to(self.home)): (p.read_bytes(), p.stat().st_mode & 0o777) for p in found}

    def picture(self) -> tuple[object, ...]:
        """Everything that a restore must bring back."""
        return self.files(), self.processes(), frozenset(self.enabled)

    # --- time ------------------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            waiting = [unit for unit in self.units.values() if unit.then and unit.due <= end]
            if not waiting:
                break
            unit = min(waiting, key=lambda each: each.due)
            self.now, event, unit.then = max(self.now, unit.due), unit.then, None
            assert event is not None
            event()
        self.now = end

    def _at(self, unit: Unit, seconds: float, event: Callable[[], None]) -> None:
        unit.due, unit.then = self.now + seconds, event

    # --- the manager's interface -----------------------------------------------------------------------------

    def present(self) -> bool:
        return True

    def wait(self, _seconds: float) -> bool:
        return True

    def systemctl(self, *arguments: str) -> str:
        self._effect()
        verb, *rest = arguments
        names = [word for word in rest if not word.startswith("-")]
        self.calls.append(" ".join([verb, *names]))
        if verb == "daemon-reload":
            for unit in self.units.values():
                self._load(unit)
        if verb == "show-environment":
            return "".join(f"{name}={value}\n" for name, value in self.environ.items())
        for name in names:
            getattr(self, f"_{verb.replace('-', '_')}")(name, *(["--now" in rest] if verb == "disable" else []))
        if verb in ("stop", "disable") and "--no-block" not in rest:
            self._drain(names)
        return ""

    def show(self, units: Sequence[str]) -> list[dict[str, str]]:
        if self.dead:
            raise Killed
        return [self._properties(self.unit(name)) for name in units]

    def journal(self, _unit: str, invocation: str) -> list[str]:
        return self.logs.get(invocation, [])

    def unit(self, name: str) -> Unit:
        """The unit in memory; one that is idle and wanted by nobody is read anew each time, as systemd does."""
        unit = self.units.setdefault(name, Unit(name))
        if unit.active == "inactive" and not (unit.text and name in self.enabled):
            self._load(unit)
        return unit

    def _load(self, unit: Unit) -> None:
        path = self.unit_dir / unit.name
        unit.text = path.read_text() if path.is_file() else None
        folders = {unit.name, unit.name.replace("@a.", "@.").replace("@b.", "@.")}
        unit.drop_ins = tuple(str(each) for name in sorted(folders) for each in self.unit_dir.glob(f"{name}.d/*.conf"))

    def _properties(self, unit: Unit) -> dict[str, str]:
        on_disk = (self.unit_dir / unit.name).exists()
        state = ("enabled" if unit.name in self.enabled else "disabled") if on_disk else ""
        return {
            "Id": unit.name,
            "LoadState": "not-found" if unit.text is None else "loaded",
            "ActiveState": unit.active,
            "SubState": unit.sub,
            "UnitFileState": state,
            "Result": unit.result,
            "FragmentPath": "" if unit.text is None else str(self.unit_dir / unit.name),
            "DropInPaths": " ".join(unit.drop_ins),
            "Environment": " ".join(f"{name}={value}" for name, value in self._environment(unit).items()),
            "MainPID": str(unit.pid),
            "NRestarts": str(unit.restarts),
            "ExecMainCode": "2" if unit.killed else "1",
            "ExecMainStatus": str(unit.exit_code),
            "InvocationID": unit.invocation,
            "ExecStart": " ".join(self._assigned(unit, "ExecStart")),
        }

    # --- verbs -----------------------------------------------------------------------------------------------

    def _enable(self, name: str) -> None:
        self._must_exist(name, "enable")
        self.enabled.add(name)

    def _disable(self, name: str, now: bool) -> None:
        self._must_exist(name, "disable")
        self.enabled.discard(name)
        if now:
            self._stop(name)

    def _unset_environment(self, name: str) -> None:
        self.environ.pop(name, None)

    def _must_exist(self, name: str, verb: str) -> None:
        if not os.path.lexists(self.unit_dir / name):
            raise ManagerError(f"systemctl {verb} {name}: Unit file {name} does not exist.")

    def _reset_failed(self, pattern: str) -> None:
        name = pattern.replace("[", "").replace("]", "")
        unit = self.unit(name)
        unit.restarts, unit.starts = 0, 0
        if unit.active == "failed":
            unit.active, unit.sub = "inactive", "dead"

    def _restart(self, name: str) -> None:
        users = [unit.name for unit in self._users(name) if unit.active == "active"]
        self._stop(name)
        self._start(name)
        for user in users:
            self._start(user)

    def _stop(self, name: str) -> None:
        for user in self._users(name):
            self._stop(user.name)
        unit = self.unit(name)
        if unit.text is None and unit.active == "inactive":
            raise ManagerError(f"systemctl --user stop -- {name}: Failed to stop {name}: Unit {name} not loaded.")
        unit.start_after_stop = False
        for other in self.units.values():
            other.heirs = [heir for heir in other.heirs if heir != name]
        drain = float(unit.settings.get("drain", 0))
        if unit.active == "deactivating":
            return
        if drain and unit.pid:
            unit.active, unit.sub = "deactivating", "stop-sigterm"
            self._at(unit, drain, lambda: self._dead(unit))
        elif unit.active != "failed":
            self._dead(unit)

    def _dead(self, unit: Unit) -> None:
        again, heirs, unit.heirs = unit.start_after_stop, unit.heirs, []
        unit.active, unit.sub, unit.result = "inactive", "dead", "success"
        unit.pid, unit.bound, unit.then = 0, None, None
        unit.environ, unit.settings, unit.start_after_stop = {}, {}, False
        for name in [unit.name] * again + heirs:
            # Nobody waits for such a start, so nobody is told that it failed.
            with contextlib.suppress(ManagerError):
                self._start(name)

    def _drain(self, names: Sequence[str]) -> None:
        """A stop that blocks takes as long as the process drains."""
        for name in names:
            unit = self.unit(name)
            if unit.active == "deactivating":
                self.sleep(unit.due - self.now)

    def _start(self, name: str) -> None:
        unit = self.unit(name)
        if unit.text is None:
            raise ManagerError(f"systemctl --user start -- {name}: Unit {name} not found.")
        if not self._assigned(unit, NEEDED[name.rpartition(".")[2]]):
            raise ManagerError(f"systemctl --user start -- {name}: Unit {name} has a bad unit file setting.")
        leaving = [other for other in self._excluded(unit) if self._leaves(other)]
        if unit.active == "deactivating":
            unit.start_after_stop = True
        elif leaving:
            leaving[0].heirs.append(name)
        elif unit.sub == "auto-restart" or unit.active not in ("active", "activating"):
            unit.restarts = 0
            self._load_if_idle(unit)
            self._count(unit)

    def _count(self, unit: Unit) -> None:
        """Run a unit unless it was started too often, by whomever."""
        unit.starts += 1
        if any(unit.starts > int(limit) for limit in self._assigned(unit, "StartLimitBurst")):
            unit.active, unit.sub, unit.result = "failed", "failed", "start-limit-hit"
        else:
            self._run(unit)

    def _excluded(self, unit: Unit) -> list[Unit]:
        """The units that this one cannot run beside; each of the two may say so."""
        named = [self.units[name] for name in self._assigned(unit, "Conflicts") if name in self.units]
        return named + [each for each in self.units.values() if unit.name in self._assigned(each, "Conflicts")]

    def _leaves(self, unit: Unit) -> bool:
        """Stop a unit, and tell whether it takes its time."""
        if unit.active not in ("inactive", "failed"):
            self._stop(unit.name)
        return unit.active == "deactivating"

    def _load_if_idle(self, unit: Unit) -> None:
        if unit.active == "inactive" and unit.name not in self.enabled:
            self._load(unit)

    # --- processes -------------------------------------------------------------------------------------------

    def _run(self, unit: Unit) -> None:
        self.pids += 1
        unit.invocation, unit.result, unit.exit_code, unit.killed = f"run-{self.pids}", "success", 0, False
        self.logs[unit.invocation] = []
        if unit.name.endswith(".socket"):
            self._listen(unit)
            return
        if unit.name.endswith(".timer"):
            unit.active, unit.sub = "active", "waiting"
            return
        for socket in self._assigned(unit, "Sockets"):
            self._start(socket)
        unit.pid, unit.started_at = self.pids, self.now
        unit.active, unit.sub = "activating", "start"
        unit.environ, unit.settings = self._read_at_start(unit)
        unit.command = " ".join(self._assigned(unit, "ExecStart"))
        self._at(unit, BOOT_SECONDS, lambda: self._boot(unit))

    def _listen(self, unit: Unit) -> None:
        address, _colon, port = self._assigned(unit, "ListenStream")[0].rpartition(":")
        unit.bound = (address, int(port))
        if self._taken(unit) or any(user.active in ("active", "activating") for user in self._users(unit.name)):
            unit.active, unit.sub, unit.result, unit.bound = "failed", "failed", "resources", None
        else:
            unit.active, unit.sub = "active", "listening"

    def _read_at_start(self, unit: Unit) -> tuple[dict[str, str], dict[str, str]]:
        environ, settings = {**self.environ, **self._environment(unit)}, {}
        for path in self._assigned(unit, "EnvironmentFile"):
            environ.update(read_environment(_files.read(path)))
        for path in " ".join(self._assigned(unit, "ExecStart")).split()[1:]:
            settings.update(read_environment(_files.read(path)))
        return environ, {**settings, **environ}

    def _boot(self, unit: Unit) -> None:
        boot = unit.settings.get("boot", "ready")
        if "card" in unit.settings and any(
            "card" in each.settings and each.pid for each in self.units.values() if each is not unit
        ):
            self.logs[unit.invocation].append("ggml_cuda: out of memory")
            boot = "exit"
        if "port" in unit.settings:
            unit.bound = ("127.0.0.1", int(unit.settings["port"]))
            if self._taken(unit):
                line = f"couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {unit.settings['port']}"
                self.logs[unit.invocation].append(line)
                boot = "exit"
        if boot == "unready":
            self._exit(unit, "exit-code", 15)
            unit.killed = True
        elif boot == "killed":
            self._exit(unit, "signal", 9)
        elif boot == "exit":
            self._exit(unit, "exit-code", int(unit.settings.get("code", 1)))
        elif boot != "never":
            unit.active, unit.sub = "active", "running"
            if boot == "late-exit":
                self._at(unit, 1.0, lambda: self._exit(unit, "exit-code", int(unit.settings.get("code", 1))))

    def _exit(self, unit: Unit, result: str, code: int) -> None:
        if "log" in unit.settings:
            self.logs[unit.invocation].append(unit.settings["log"])
        unit.pid, unit.bound, unit.then, unit.result, unit.exit_code = 0, None, None, result, code
        unit.active, unit.sub = "failed", "failed"
        if code == 2 or "Restart=always" not in (unit.text or ""):
            return
        if unit.restarts >= STARTS_ALLOWED:
            unit.result = "start-limit-hit"
            return
        unit.active, unit.sub = "activating", "auto-restart"
        self._at(unit, RESTART_SECONDS, lambda: self._again(unit))

    def _again(self, unit: Unit) -> None:
        unit.restarts += 1
        try:
            self._run(unit)
        except ManagerError:  # the unit it requires is not there
            unit.active, unit.sub, unit.result = "failed", "failed", "resources"

    def _users(self, socket: str) -> list[Unit]:
        return [unit for unit in self.units.values() if socket in self._assigned(unit, "Sockets")]

    def _assigned(self, unit: Unit, key: str) -> list[str]:
        texts = [unit.text or "", *(Path(path).read_text() for path in unit.drop_ins if os.path.exists(path))]
        lines = [line for text in texts for line in text.splitlines() if line.startswith(f"{key}=")]
        instance = unit.name.rpartition("@")[2].partition(".")[0]
        return [line[len(key) + 1 :].replace("%h", str(self.home)).replace("%i", instance) for line in lines]

    def _environment(self, unit: Unit) -> dict[str, str]:
        words = [word for line in self._assigned(unit, "Environment") for word in shlex.split(line)]
        return {word.partition("=")[0]: word.partition("=")[2] for word in words}

    def _taken(self, unit: Unit) -> bool:
        others = [each.bound for each in self.units.values() if each is not unit]
        return unit.bound in others or unit.bound in self.strangers

    # --- the kernel's interface, in the place of _proc --------------------------------------------------------

    covers = staticmethod(_proc.covers)

    def is_here(self, address: str) -> bool:
        return _proc.is_here(address)

    def _process(self, pid: int) -> Unit:
        return next((unit for unit in self.units.values() if unit.pid == pid), Unit(""))

    def started_at(self, pid: int) -> float:
        return self._process(pid).started_at

    def program(self, pid: int, variables: Mapping[str, str]) -> str:
        return self._process(pid).command + _proc.loaded_by(variables).decode()

    def environment(self, pid: int) -> dict[str, str]:
        return dict(self._process(pid).environ)

    def listeners(self, ports: Sequence[int]) -> list[_proc.Listener]:
        wanted = set(ports)
        ours = {unit.bound: unit.name for unit in self.units.values() if unit.bound}
        every = {**ours, **dict.fromkeys(self.strangers, "stranger")}
        return [_proc.Listener(bound[0], bound[1], 0, owner) for bound, owner in every.items() if bound[1] in wanted]

    def descendants(self, pid: int) -> list[int]:
        return [pid]

    def socket_inodes(self, pid: int) -> set[str]:
        return {self._process(pid).name}

    def holder_of(self, inode: str) -> int:
        if inode == "stranger":
            return STRANGER_PID
        return MANAGER_PID if inode.endswith(".socket") else self.units[inode].pid

    def unit_of(self, pid: int) -> str:
        return {MANAGER_PID: "init.scope", STRANGER_PID: ""}.get(pid, self._process(pid).name)

    def of_unit(self, name: str) -> list[int]:
        unit = self.unit(name)
        return [pid for pid in (unit.pid, *self.orphans.get(name, ())) if pid]

    def describe(self, pid: int, _uid: int) -> str:
        return {MANAGER_PID: "pid 1 (systemd) of llm", STRANGER_PID: "pid 4711 (python3) of eve"}.get(
            pid, f"pid {pid} (serve) of llm"
        )

    # --- what a run does to the host --------------------------------------------------------------------------

    def _effect(self) -> None:
        if self.dead or self.fuse == 0:
            self.dead = True
            raise Killed
        self.fuse -= 1

    def revive(self) -> None:
        """Let the next run begin."""
        self.dead, self.fuse = False, -1

    def write(self, path: str, content: bytes, mode: int) -> None:
        try:
            self._effect()
        except Killed:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            (Path(path).parent / _files.temporary_name()).write_bytes(content[: len(content) // 2])
            raise
        _files.write_atomic(path, content, mode)
        self.changed[path] = self.now

    def remove(self, path: str) -> bool:
        self._effect()
        return _files.remove(path)

    def enable_linger(self) -> str:
        self._effect()
        self.lingering = not self.linger_refusal
        return self.linger_refusal

    def read_file(self, path: str) -> FileFound:
        return replace(self._read_file(path), changed_at=self.changed.get(path, 0.0))

    _read_file = staticmethod(_service_read.read_file)

    def read(self, wanted: Wanted) -> tuple[Wanted, Comparison, Found]:
        """What check mode sees."""
        found = _service_read.read_found(wanted, self, self.state, "llm", {r.path: "1" for r in wanted.requires})
        wanted = with_generated(wanted, found)
        return wanted, compare(wanted, found), found


def check(host: SimulatedHost, wanted: Wanted) -> list[tuple[str, str]]:
    """Kind and subject of every difference; paths as seen from the home directory."""
    _wanted, comparison, _found = host.read(wanted)
    return [(item.kind, item.subject.replace(f"{host.home}/", "~/")) for item in comparison.items]


def deploy(
    host: SimulatedHost, wanted: Wanted, on_step: Callable[[str], None] = lambda _name: None
) -> Transaction | None:
    """Converge like the module does; None when there was nothing to do."""
    host.state.make_salt()
    complete, comparison, found = host.read(wanted)
    if not comparison.items:
        return None
    facts = {"account": "llm", "holder": "a test"}
    transaction = Transaction(complete, found, comparison, host, host.state, facts, on_step)
    transaction.run()
    return transaction


@contextlib.contextmanager
def simulated_host(home: Path) -> Iterator[SimulatedHost]:
    """Let the real code read and change a simulated host."""
    host = SimulatedHost(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_service_read, "_proc", host)
        patch.setattr(_service_read, "lingers", lambda _account: host.lingering)
        patch.setattr(_service_read, "read_file", host.read_file)
        patch.setattr(_readiness, "time", host)
        patch.setattr(_transaction, "enable_linger", host.enable_linger)
        for module in (_transaction, _state, _undo):
            patch.setattr(module, "write_atomic", host.write)
        for module in (_removal, _state, _undo):
            patch.setattr(module, "remove", host.remove)
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield host
