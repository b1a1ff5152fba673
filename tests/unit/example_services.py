# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Two small declarations that tests deploy: one server with its settings, and a gateway of two colours on a socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileSpec, Port, UnitSpec, Wanted

SERVER = """[Unit]
Description={name}
[Service]
Type=exec
Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@
EnvironmentFile=%h/.config/example/{name}.env
ExecStart=/usr/bin/serve {words}
Restart=always
"""
SOCKET = """[Socket]
Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@
ListenStream=127.0.0.1:{port}
Service=gateway@a.service
"""
GATEWAY = """[Service]
Type=notify
Sockets=gateway.socket
Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@
EnvironmentFile=%h/.config/example/secrets.env
ExecStart=/usr/bin/gateway %h/.config/example/%i/config
Restart=always
"""


def server(home: Path, settings: str = "SRV_A=1", port: int = 8080, name: str = "server", words: str = "") -> Wanted:
    """One service whose process reads one environment file."""
    path = f"{home}/.config/example/{name}.env"
    unit = UnitSpec(
        f"{name}.service",
        SERVER.format(name=name, words=words),
        inputs=(path,),
        environment_files=(path,),
        watch=("SRV_",),
        listens=(Port("127.0.0.1", port),),
        ready_timeout=10,
    )
    content = "".join(f"{line}\n" for line in (*settings.split(), f"port={port}")).encode()
    return Wanted("example", f"{home}/.config/systemd/user", (FileSpec(path, content, 0o600),), (unit,), home=str(home))


def gateway(home: Path, config: str = "answer=1", key: str = "", port: int = 4000) -> Wanted:
    """A socket that stays, and a service in two colours of which one serves; the key is generated unless given."""
    etc = f"{home}/.config/example"
    files = (
        FileSpec(f"{etc}/%i/config", "".join(f"{line}\n" for line in config.split()).encode(), 0o600),
        FileSpec(
            f"{etc}/secrets.env",
            f"GATEWAY_KEY={key}\n".encode() if key else b"",
            0o600,
            secret=True,
            generate=() if key else (("GATEWAY_KEY", "sk-"),),
        ),
    )
    units = (
        UnitSpec("gateway.socket", SOCKET.format(port=port), listens=(Port("127.0.0.1", port),), ready_timeout=10),
        UnitSpec(
            "gateway@.service",
            GATEWAY,
            inputs=(f"{etc}/%i/config", f"{etc}/secrets.env"),
            environment_files=(f"{etc}/secrets.env",),
            watch=("GATEWAY_",),
            blue_green=True,
            ready_timeout=10,
        ),
    )
    return Wanted("example", f"{home}/.config/systemd/user", files, units, home=str(home))


def slot(home: Path, active: str, *others: str, settings: str = "", restarts: str = "drain=5") -> Wanted:
    """Servers of one slot, all of which want the one card; ``active`` runs, the others stand by."""
    names = sorted((active, *others))
    every = [
        server(home, f"card=1 {restarts} {settings if name == active else ''}", 8080 + n, name)
        for n, name in enumerate(names)
    ]
    units = [
        replace(
            each.units[0],
            slot="gpu",
            enabled=name == active,
            started=name == active,
            body=apart(name, names, each.units[0].body),
        )
        for name, each in zip(names, every, strict=True)
    ]
    return replace(every[0], files=tuple(each.files[0] for each in every), units=tuple(units))


def apart(name: str, names: Sequence[str], body: str) -> str:
    """The text of a unit with the lines that keep it apart from the others of its slot."""
    excluded = [f"Conflicts={other}.service\n" for other in names if other != name]
    after = [f"After={other}.service\n" for other in names if other < name]
    return body.replace("[Unit]\n", "".join(["[Unit]\n", *excluded, *after]))


def both(first: Wanted, second: Wanted) -> Wanted:
    """One declaration of two."""
    return replace(first, files=first.files + second.files, units=first.units + second.units)
