# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The values that the service module works with: what is wanted, what was found, how they differ.

Only data and the smallest questions about it: ``_service_read`` reads, ``_service_plan`` compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils._manifest import Manifest

COLOURS = ("a", "b")
"""The two instances of a blue/green unit; exactly one of them serves."""

DIGEST_MARK = "@LLM_STACK_DIGEST@"
"""Stands in a unit's text where the module writes the digest of everything the process reads at start."""

DIGEST_VARIABLE = "LLM_STACK_DIGEST"

HOME_MARK = "@LLM_STACK_HOME@"
"""Stands in a file's text for the account's home, which only the host may know."""


class ChangeError(Exception):
    """A change that did not work; str() says what failed, why, and what serves now.

    ``outage`` has the seconds for which each slot served nothing, where one was emptied.
    """

    def __init__(self, text: str, outage: Mapping[str, float] | None = None) -> None:
        super().__init__(text)
        self.outage = dict(outage or {})


@dataclass(frozen=True)
class FileSpec:
    """A file as it should be. ``path`` is absolute and may hold ``%i``, which stands for each colour."""

    path: str
    content: bytes
    mode: int = 0o644
    secret: bool = False
    generate: tuple[tuple[str, str], ...] = ()
    """Pairs of variable name and prefix: values that are made once on the host and then kept."""


@dataclass(frozen=True)
class Port:
    """A TCP port that a unit's own process must hold."""

    address: str
    number: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.number}" if ":" in self.address else f"{self.address}:{self.number}"


@dataclass(frozen=True)
class UnitSpec:
    """A systemd user unit as it should be; ``name@.service`` with ``blue_green`` stands for both colours."""

    name: str
    body: str
    enabled: bool = True
    started: bool = True
    inputs: tuple[str, ...] = ()
    """Paths of the files that the process reads at start; they are part of its digest."""
    environment_files: tuple[str, ...] = ()
    """Those inputs that systemd reads as EnvironmentFile=."""
    watch: tuple[str, ...] = ()
    """Prefixes of variables that only the environment files may set in the running process."""
    listens: tuple[Port, ...] = ()
    blue_green: bool = False
    slot: str = ""
    """What only one unit at a time may hold, such as the memory of a card; empty where it shares nothing."""
    ready_timeout: float = 300.0
    settle: float = 2.0

    def instance(self, colour: str) -> str:
        """The unit's name for one colour (the name itself where there are no colours)."""
        return self.name.replace("@.", f"@{colour}.") if self.blue_green else self.name

    def instances(self) -> tuple[str, ...]:
        """Every concrete unit that this specification stands for."""
        return tuple(self.instance(colour) for colour in COLOURS) if self.blue_green else (self.name,)


@dataclass(frozen=True)
class Requirement:
    """Something installed by another step that must be in place before the units may start."""

    kind: str
    path: str
    digest: str
    server: str = ""
    """Address of the server that has it, where it is no file of ours."""
    file: str = ""
    """The file that the install step brought to make it from, where there is one."""


@dataclass(frozen=True)
class Wanted:
    """The declaration of one transaction."""

    name: str
    unit_dir: str
    files: tuple[FileSpec, ...] = ()
    units: tuple[UnitSpec, ...] = ()
    requires: tuple[Requirement, ...] = ()
    home: str = ""
    """The account's home, which a unit may call %h."""

    def unit_path(self, name: str) -> str:
        """Where a unit's file lives."""
        return f"{self.unit_dir}/{name}"

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Every concrete unit of this transaction."""
        return tuple(name for spec in self.units for name in spec.instances())


@dataclass(frozen=True)
class FileFound:
    """A file as it is; ``content`` is None where there is none, ``changed_at`` its ctime in seconds since the epoch.

    A file of another account, or one behind a link, has its content too where it can be read.
    """

    content: bytes | None = None
    mode: int = 0
    changed_at: float = 0.0
    strange: str = ""
    """Why this is no plain file of ours: a link, a directory, another owner."""
    link: str = ""
    """Where it leads, when it is a link."""


@dataclass(frozen=True)
class UnitFound:
    """A unit as the user manager and the kernel know it."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    file_state: str = ""
    result: str = ""
    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    digest: str = ""
    """The digest in the manager's memory; empty where the unit carries none."""
    pid: int = 0
    restarts: int = 0
    exit_code: int = 0
    """Of the main process; the signal's number where it was ended by one."""
    by_signal: bool = False
    invocation: str = ""
    started_at: float = 0.0
    """When the main process started, in seconds since the epoch; 0 without a process."""
    process: Mapping[str, str] = field(default_factory=dict)
    """The environment of the main process."""
    memory: str = ""
    """A digest of what the manager holds of the unit beside its environment."""
    program: str = ""
    """A digest of the main process's program and command line."""
    stopped_at: float = 0.0
    """When it became inactive, in seconds since the epoch; 0 where it never was."""

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")

    @property
    def alive(self) -> bool:
        """Running, or on its way there."""
        return self.active in ("active", "reloading", "activating")

    @property
    def process_digest(self) -> str:
        return self.process.get(DIGEST_VARIABLE, "") if self.pid else self.digest


@dataclass(frozen=True)
class PortFound:
    """Who listens on a port: a unit of the user manager, or a stranger in words."""

    port: Port
    unit: str = ""
    holder: str = ""


@dataclass(frozen=True)
class Found:
    """Everything that was read from the host before deciding."""

    files: Mapping[str, FileFound] = field(default_factory=dict)
    units: Mapping[str, UnitFound] = field(default_factory=dict)
    ports: tuple[PortFound, ...] = ()
    old_ports: tuple[PortFound, ...] = ()
    """Ports that only an earlier declaration had, and that its units hold to this moment."""
    drop_ins: tuple[str, ...] = ()
    """Drop-in files beside our units that nobody declared."""
    foreign_drop_ins: tuple[str, ...] = ()
    """The same where only an administrator can remove them."""
    open_directories: Mapping[str, int] = field(default_factory=dict)
    """Directories of ours in which others may put files, with their modes."""
    leftovers: tuple[str, ...] = ()
    """Temporary files of a run that was killed."""
    account: str = "account"
    """The name of the account that this is about."""
    manager: bool = True
    linger: bool = True
    manifest: Manifest = field(default_factory=Manifest)
    interrupted: str = ""
    """When an earlier run was killed before it ended; empty where none was."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Per required path the identity of what is installed there, part of the digest of what runs from it."""
    salt: bytes = b""

    def file(self, path: str) -> FileFound:
        """What is at a path."""
        return self.files.get(path, FileFound())

    def unit(self, name: str) -> UnitFound:
        """What a unit is like."""
        return self.units.get(name, UnitFound(name))

    def exists(self, path: str) -> bool:
        """Whether anything is at this path."""
        return self.file(path).content is not None or bool(self.file(path).strange)


@dataclass(frozen=True)
class Item:
    """One difference between what is wanted and what is: the same for check, diff, report and tests."""

    kind: str
    subject: str
    expected: str
    actual: str
    remedy: str = "deploy"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Write:
    """One concrete file as it must end up. ``late`` files belong to the idle colour and wait for the switch."""

    path: str
    content: bytes
    mode: int
    secret: bool
    declared: str
    """The path as declared: ``%i`` or ``@.`` stands for the colour."""
    late: bool = False


@dataclass(frozen=True)
class Decision:
    """What happens to one unit, and why. ``serving`` is the unit that serves afterwards."""

    spec: UnitSpec
    action: str
    serving: str
    digest: str
    reasons: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()
    """Units that stop and are disabled once ``serving`` is ready."""


@dataclass(frozen=True)
class Comparison:
    """All differences, and what follows from them."""

    items: tuple[Item, ...]
    writes: tuple[Write, ...]
    decisions: tuple[Decision, ...]
    orphan_units: tuple[str, ...]
    orphan_files: tuple[str, ...]
    told: tuple[Item, ...] = ()
    """Differences that the transaction does not mend: it only tells them."""
