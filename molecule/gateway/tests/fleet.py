# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The hosts of this scenario, and the gateway as its apps see it: an address and a key."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra
from gateway_load import Gateway
from observed import Stack, engine, eventually

ACCOUNT = "deploy"
GATEWAY_PORT = 4000
APART_PORT = 4001
SCRIPTED_PORT = 9000
CHAT = "/v1/chat/completions"
NETWORKS = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
HELLO = [{"role": "user", "content": "hello"}]


def host(name: str) -> Stack:
    """Return a host of the scenario by its name in the inventory."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return Stack(testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}"), name, ACCOUNT)


# -- the way in -----------------------------------------------------------------------------------------------------


@contextmanager
def tunnels(stack: Stack, *ports: int) -> Iterator[list[int]]:
    """Forward ports of a host's loopback to this machine, over the same connection that Ansible uses."""
    near = [_free_port() for _port in ports]
    forwards = [f"-L127.0.0.1:{here}:127.0.0.1:{there}" for here, there in zip(near, ports, strict=True)]
    variables = stack.host.ansible.get_variables()
    command = ["ssh", "-N", "-i", variables["ansible_ssh_private_key_file"], "-o", "ExitOnForwardFailure=yes"]
    command += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    command += [*shlex.split(variables["ansible_ssh_common_args"]), *forwards, f"{ACCOUNT}@{stack.name}"]
    with subprocess.Popen(command) as ssh:
        try:
            assert eventually(lambda: all(map(_is_open, near)), seconds=20), command
            yield near
        finally:
            ssh.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# -- one request ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def said(self) -> str:
        """The text of a chat."""
        return str(self.body["choices"][0]["message"]["content"])

    def litellm(self, name: str) -> str | None:
        """Return what LiteLLM says in a header of its own."""
        return self.headers.get(f"x-litellm-{name}")


@dataclass(frozen=True)
class Client:
    """Someone with a key, or without one. Nothing is ever asked twice."""

    port: int
    key: str = field(default="", repr=False)

    def request(self, method: str, path: str, body: object = None, wait: float = 60.0) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait)
        began = time.monotonic()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        known = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, known, text, time.monotonic() - began)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def chat(self, model: str, wait: float = 60.0, **more: object) -> Answer:
        return self.request("POST", CHAT, {"model": model, "max_tokens": 8, "messages": HELLO, **more}, wait)


@dataclass(frozen=True)
class Scripted:
    """The engine whose models do what their names say."""

    client: Client

    def forget(self) -> None:
        assert self.client.request("DELETE", "/calls").status == 200

    def calls(self) -> list[str]:
        """The models that were asked since, in order."""
        return [call["model"] for call in self._arrived()]

    def keys(self) -> list[str]:
        """The keys that came with them."""
        return [call["key"] for call in self._arrived()]

    def _arrived(self) -> list[dict[str, Any]]:
        return list(self.client.get("/calls").body["calls"])

    def held(self) -> list[str]:
        """The models that hang and whose client still waits."""
        return list(self.client.get("/calls").body["held"])


# -- many requests --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """An answer under load: when it began, its status, the engine it came from, and how many tries that took."""

    at: float
    status: int
    engine: str
    retries: int


class Watched(Gateway):
    """A gateway that notes who answered."""

    def __init__(self, client: Client) -> None:
        super().__init__("127.0.0.1", client.port, client.key)
        object.__setattr__(self, "seen", [])

    seen: list[Seen]

    def ask(self, connection: http.client.HTTPConnection, body: Mapping[str, object]) -> http.client.HTTPResponse:
        response = super().ask(connection, body)
        engine, retries = (response.getheader(f"x-litellm-{n}") for n in ("model-api-base", "attempted-retries"))
        self.seen.append(Seen(time.monotonic(), response.status, str(engine), int(retries or 0)))
        return response


# -- faults ---------------------------------------------------------------------------------------------------------


def address(stack: Stack) -> str:
    """The address of a host, as `create` wrote it down."""
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "addresses" / stack.name
    return path.read_text(encoding="utf-8").strip()


@contextmanager
def engine_killed(stack: Stack) -> Iterator[None]:
    """Kill the engine on a host, and keep it dead for a while."""
    unit = "llamacpp-tiny.service"
    stack.output(f"systemctl --user kill --signal=KILL {unit}; systemctl --user stop {unit}")
    try:
        yield
    finally:
        stack.output(f"systemctl --user reset-failed {unit}; systemctl --user start {unit}")


@contextmanager
def unplugged(stack: Stack) -> Iterator[None]:
    """Take a host off the network, as a power cut or a pulled cable does: nobody says goodbye."""
    (network,) = engine(["tools/podman", "inspect", "--format", NETWORKS, stack.container]).split()
    engine(["tools/podman", "network", "disconnect", network, stack.container])
    try:
        yield
    finally:
        engine(["tools/podman", "network", "connect", "--ip", address(stack), network, stack.container])
