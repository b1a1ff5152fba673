# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""gateway.py: what it refuses, and that READY waits for every declared deployment. LiteLLM itself runs in molecule."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

CONFIG = "model_list: [{model_name: tiny, litellm_params: {api_key: os.environ/ENGINE_KEY}}]\n"


class Uvicorn:
    """What the launcher stands on: the connections of its clients, which end with it."""

    def __init__(self, connections: list[Any]) -> None:
        self.servers: list[Any] = []
        self.server_state = SimpleNamespace(connections=set(connections))
        self.cut_off: list[str] = []

    async def shutdown(self, sockets: object = None) -> None:  # noqa: ARG002 - as uvicorn has it
        self.cut_off = [each.name for each in self.server_state.connections if waits(each)]


def waits(connection: Any) -> bool:
    return connection.cycle is None or connection.cycle.response_complete


class Connection:
    """A client that has connected, and asks after so many seconds; never where it only had an answer before."""

    def __init__(self, name: str, asks_after: float | None, had_an_answer: bool = False) -> None:
        self.name, self.asks_after = name, asks_after
        self.cycle = SimpleNamespace(response_complete=True) if had_an_answer else None

    async def ask(self) -> None:
        if self.asks_after is not None:
            await asyncio.sleep(self.asks_after)
            self.cycle = SimpleNamespace(response_complete=False)


@pytest.fixture
def gateway(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The launcher, beside stand-ins for what only the gateway's environment has."""
    for name in ("httpx", "litellm", "litellm.proxy", "litellm.proxy.proxy_server"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    uvicorn = ModuleType("uvicorn")
    uvicorn.Server = Uvicorn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uvicorn", uvicorn)
    return load("litellm/files/gateway.py")


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The messages that systemd gets."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)

        def received() -> list[str]:
            messages = []
            try:
                while True:
                    messages.append(channel.recv(4096).decode())
            except BlockingIOError:
                return messages

        yield received


@pytest.mark.parametrize(
    ("declared", "loaded", "expected"),
    [
        pytest.param(["a", "b"], ["b", "a"], [], id="all are there"),
        pytest.param(["a", "b"], ["a"], ["b (1 of 1)"], id="one was dropped"),
        pytest.param(["a", "a", "b"], ["a", "b"], ["a (1 of 2)"], id="one of a pool was dropped"),
    ],
)
def test_dropped(gateway: ModuleType, declared: list[str], loaded: list[str], expected: list[str]) -> None:
    assert gateway.dropped(declared, loaded) == expected


def start(gateway: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str, **environ: str) -> int:
    """Run main() as far as it goes without LiteLLM, and return its exit code."""
    for name in ("LITELLM_MASTER_KEY", "LISTEN_FDS", "LISTEN_PID", "ENGINE_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["gateway.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        gateway.main()
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("config", "environ", "message"),
    [
        pytest.param(
            CONFIG,
            {"LITELLM_MASTER_KEY": "sk-canary"},
            "PATH needs ENGINE_KEY in the environment, and there is no value.\n"
            "    Look into the file that EnvironmentFile= of this unit names; deploy writes it.",
            id="a variable without a value, which LiteLLM would take for None",
        ),
        pytest.param(
            CONFIG,
            {"ENGINE_KEY": ""},
            "PATH needs ENGINE_KEY, LITELLM_MASTER_KEY in the environment, and there is no value.\n"
            "    Look into the file that EnvironmentFile= of this unit names; deploy writes it.",
            id="no master key",
        ),
        pytest.param(
            CONFIG,
            {"LITELLM_MASTER_KEY": "sk-canary", "ENGINE_KEY": "none"},
            "no listening socket was handed over (LISTEN_FDS), so there is no port to serve.\n"
            "    Give the unit Sockets=litellm.socket and start it with systemctl --user.",
            id="no socket",
        ),
        pytest.param(
            CONFIG,
            {"LITELLM_MASTER_KEY": "sk-canary", "ENGINE_KEY": "none", "LISTEN_FDS": "1", "LISTEN_PID": "1"},
            "no listening socket was handed over (LISTEN_FDS), so there is no port to serve.\n"
            "    Give the unit Sockets=litellm.socket and start it with systemctl --user.",
            id="a socket for another process",
        ),
        pytest.param("model_list: []", {}, "PATH declares no model: model_list is missing or empty.", id="no model"),
        pytest.param("models: [x]", {}, "PATH declares no model: model_list is missing or empty.", id="a misspelt key"),
    ],
)
def test_refusals(
    gateway: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    notified: Callable[[], list[str]],
    tmp_path: Path,
    config: str,
    environ: dict[str, str],
    message: str,
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    code = start(gateway, monkeypatch, str(path), **environ)
    said = capsys.readouterr().err.replace(str(path), "PATH")
    assert (code, said) == (2, f"gateway.py: {message}\n")
    assert [each.replace(str(path), "PATH") for each in notified()] == [
        f"STATUS=not started: {message.splitlines()[0]}"
    ]
    assert "canary" not in said


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_use(
    gateway: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    assert start(gateway, monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said == "gateway.py: one argument is needed: the path of the LiteLLM configuration.\n"


def test_a_file_that_is_not_there_is_named(
    gateway: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(gateway, monkeypatch, "/nowhere/config.yaml") == 2
    assert "/nowhere/config.yaml cannot be read: [Errno 2]" in capsys.readouterr().err


def test_sockets_are_taken_from_descriptor_3_upwards(gateway: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(fileno: int) -> int:
        return fileno

    monkeypatch.setattr(gateway, "socket", SimpleNamespace(socket=take))
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    assert gateway.inherited_sockets() == [3, 4]


async def application(_scope: dict[str, Any], _receive: object, send: Callable[..., Any]) -> None:
    """Start the way Starlette does: a fault while it says so becomes `failed`, and is raised again."""
    try:
        await send({"type": "lifespan.startup.complete"})
    except Exception:
        await send({"type": "lifespan.startup.failed", "message": "Traceback"})
        raise


async def refusing(_scope: dict[str, Any], _receive: object, send: Callable[..., Any]) -> None:
    await send({"type": "lifespan.startup.failed", "message": "LiteLLM's own words"})


def lifespan(gateway: ModuleType, app: Callable[..., Any], declared: list[str]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        wrapped = gateway.Gateway(app, "config.yaml", declared)
        try:
            await wrapped({"type": "lifespan"}, None, send)
        except gateway.NotReady:
            return

    asyncio.run(run())
    return sent


@pytest.fixture
def loaded(gateway: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What LiteLLM holds in its router; the warm-up is left out."""
    names = ["tiny"]
    router = SimpleNamespace(model_list=[{"model_name": name} for name in names])
    server = sys.modules["litellm.proxy.proxy_server"]
    server.llm_router = router  # type: ignore[attr-defined]
    sys.modules["litellm.proxy"].proxy_server = server  # type: ignore[attr-defined]

    async def nothing(_app: object, _router: object) -> None:
        return None

    monkeypatch.setattr(gateway, "warm_up", nothing)
    return names


@pytest.mark.usefixtures("loaded")
def test_the_start_is_complete_when_every_declared_deployment_is_loaded(gateway: ModuleType) -> None:
    assert lifespan(gateway, application, ["tiny"]) == [{"type": "lifespan.startup.complete"}]


@pytest.mark.usefixtures("loaded")
def test_a_dropped_deployment_fails_the_start(gateway: ModuleType, notified: Callable[[], list[str]]) -> None:
    text = (
        "gateway.py: LiteLLM left out lost (1 of 1) of config.yaml; it logged the reason above.\n"
        "    A gateway without a declared model does not take over."
    )
    sent = lifespan(gateway, application, ["tiny", "lost"])
    assert sent == [{"type": "lifespan.startup.failed", "message": text}]
    assert notified() == [
        "STATUS=not ready: LiteLLM left out lost (1 of 1) of config.yaml; it logged the reason above."
    ]


@pytest.mark.usefixtures("loaded")
def test_litellms_own_refusal_is_passed_on(gateway: ModuleType) -> None:
    text = "LiteLLM's own words\ngateway.py: LiteLLM did not start; its own words stand above."
    assert lifespan(gateway, refusing, ["tiny"]) == [{"type": "lifespan.startup.failed", "message": text}]


@pytest.mark.parametrize(
    ("draining", "expected"),
    [
        pytest.param(False, [], id="while it serves, connections stay open"),
        pytest.param(True, [(b"connection", b"close")], id="when it stops, each answer ends its connection"),
    ],
)
def test_connections(gateway: ModuleType, draining: bool, expected: list[tuple[bytes, bytes]]) -> None:
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    wrapped = gateway.Gateway(app, "config.yaml", [])
    wrapped.draining = draining
    asyncio.run(wrapped({"type": "http"}, None, send))
    assert sent[0]["headers"] == expected


@pytest.mark.parametrize(
    ("connections", "cut_off", "least"),
    [
        pytest.param([], [], 0.1, id="nobody is there"),
        pytest.param([Connection("busy", 0.0)], [], 0.1, id="who is being answered is waited for by uvicorn"),
        pytest.param([Connection("slow", 0.3)], [], 0.3, id="a client that takes its time to ask"),
        pytest.param([Connection("again", 0.3, True)], [], 0.3, id="a client that asks once more"),
        pytest.param([Connection("silent", None, True)], ["silent"], 1.0, id="a client that asks no more"),
    ],
)
def test_a_stop_cuts_off_nobody_who_may_be_about_to_ask(
    gateway: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    connections: list[Connection],
    cut_off: list[str],
    least: float,
) -> None:
    monkeypatch.setattr(gateway, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(gateway, "PATIENCE_SECONDS", 1.0)

    async def stop() -> tuple[list[str], float]:
        server = gateway.Server.__new__(gateway.Server)
        Uvicorn.__init__(server, connections)
        server.gateway, server.drain_seconds = SimpleNamespace(draining=False), 1
        asking = [asyncio.create_task(each.ask()) for each in connections]
        began = asyncio.get_running_loop().time()
        await server.shutdown()
        took = asyncio.get_running_loop().time() - began
        await asyncio.gather(*asking)
        return server.cut_off, took

    left, took = asyncio.run(stop())
    assert left == cut_off
    assert least <= took, "it did not wait"
