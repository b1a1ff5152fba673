# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Serve LiteLLM on the socket that systemd hands over, and say READY only when every declared deployment is in.

Usage: gateway.py CONFIG.yaml        in a unit with Type=notify and Sockets=litellm.socket

Environment: LITELLM_MASTER_KEY (required); GATEWAY_DRAIN_SECONDS (default 600): how long requests that run at
SIGTERM may take to finish. The unit's TimeoutStopSec= has to be longer than that.

Exit: by SIGTERM after a drain, which systemd counts as clean; 2 for a wrong argument, socket, key or variable;
3 when LiteLLM does not start, or starts without a declared deployment. Before READY=1 nothing is answered, so a
gateway that ends with 2 or 3 never served a request.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Router = Any  # litellm.Router, whose import takes seconds

# At SIGTERM a client may just have connected, or be about to reuse its connection: answer those first, then close. On a
# busy machine a client takes its time, so who is connected and asks nothing is closed no sooner than while it serves.
LINGER_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
WARM_UP_MODEL = "llm-stack-warm-up"


class NotReady(Exception):
    """Why this gateway must not serve; the text is for people."""


def notify(*lines: str) -> None:
    """Tell systemd; started by hand there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall("\n".join(lines).encode())


def inherited_sockets() -> list[socket.socket]:
    """Return the listening sockets of litellm.socket: systemd passes them from descriptor 3 upwards."""
    count = int(os.environ.get("LISTEN_FDS", "0"))
    if not count or os.environ.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        raise NotReady(
            "no listening socket was handed over (LISTEN_FDS), so there is no port to serve.\n"
            "    Give the unit Sockets=litellm.socket and start it with systemctl --user."
        )
    return [socket.socket(fileno=3 + number) for number in range(count)]


def read_config(path: str) -> dict[str, Any]:
    """Return the configuration; LiteLLM itself starts without models when the file is missing."""
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise NotReady(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or not config.get("model_list"):
        raise NotReady(f"{path} declares no model: model_list is missing or empty.")
    return config


def unset_variables(value: object) -> set[str]:
    """Return the names behind os.environ/NAME that have no value: LiteLLM reads them as None and goes on."""
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return {name for item in items for name in unset_variables(item)}
    reference = re.fullmatch(r"os\.environ/(\w+)", value) if isinstance(value, str) else None
    return {reference[1]} if reference and not os.environ.get(reference[1]) else set()


def check_environment(path: str, config: dict[str, Any]) -> None:
    """Refuse a configuration whose secrets are not there; LiteLLM wants a master key in any case."""
    missing = sorted(unset_variables([config, "os.environ/LITELLM_MASTER_KEY"]))
    if missing:
        raise NotReady(
            f"{path} needs {', '.join(missing)} in the environment, and there is no value.\n"
            "    Look into the file that EnvironmentFile= of this unit names; deploy writes it."
        )


def dropped(declared: list[str], loaded: list[str]) -> list[str]:
    """Name the declared deployments that are not loaded: LiteLLM logs why, leaves them out and starts."""
    missing = Counter(declared) - Counter(loaded)
    return [f"{name} ({count} of {declared.count(name)})" for name, count in sorted(missing.items())]


async def answer_warm_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stand in for an engine: one short chat completion, whole or as a stream."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    stream = json.loads(await reader.readexactly(int(length[1]) if length else 0)).get("stream")
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ready"}}
    choice["delta"] = choice["message"]
    body = json.dumps(
        {"id": "0", "object": "chat.completion", "created": 0, "model": WARM_UP_MODEL, "choices": [choice]}
    )
    body = f"data: {body}\n\ndata: [DONE]\n\n" if stream else body
    media = "text/event-stream" if stream else "application/json"
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nConnection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def warm_up(app: Application, router: Router) -> None:
    """Send a chat and a streamed chat through the whole gateway to a stand-in of our own, never to an engine.

    LiteLLM imports half of its code at the first request. A mocked answer would leave the HTTP client out.
    """
    from litellm.types.router import Deployment, LiteLLM_Params

    engine = await asyncio.start_server(answer_warm_up, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{engine.sockets[0].getsockname()[1]}/v1"
    params = LiteLLM_Params(model=f"openai/{WARM_UP_MODEL}", api_base=base, api_key="none")
    deployment = router.add_deployment(Deployment(model_name=WARM_UP_MODEL, litellm_params=params))
    try:
        headers = {"Authorization": f"Bearer {os.environ['LITELLM_MASTER_KEY']}"}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
            for stream in (False, True):
                chat = {"model": WARM_UP_MODEL, "stream": stream, "messages": [{"role": "user", "content": "ready?"}]}
                answer = await client.post("/v1/chat/completions", json=chat)
                if answer.status_code != 200 or "ready" not in answer.text:
                    raise NotReady(f"the warm-up request got {answer.status_code}: {answer.text[:300]}")
    finally:
        router.delete_deployment(deployment.model_info.id)
        engine.close()


class Gateway:
    """LiteLLM's application, whose start is complete only when what it serves is what was declared."""

    def __init__(self, app: Application, path: str, declared: list[str]) -> None:
        self.app, self.path, self.declared, self.draining = app, path, declared, False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, self.closing(send) if self.draining else send)

    async def lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        refusal = ""

        async def checked(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self.check()
                except NotReady as reason:
                    refusal = str(reason)
                    raise
            if message["type"] == "lifespan.startup.failed":
                own_words = "" if refusal else f"{message.get('message', '')}\n"
                refusal = refusal or "LiteLLM did not start; its own words stand above."
                notify(f"STATUS=not ready: {refusal.splitlines()[0]}")
                message = {**message, "message": f"{own_words}gateway.py: {refusal}"}
            await send(message)

        await self.app(scope, receive, checked)

    async def check(self) -> None:
        from litellm.proxy import proxy_server

        router = proxy_server.llm_router
        missing = dropped(self.declared, [entry["model_name"] for entry in router.model_list] if router else [])
        if missing:
            raise NotReady(
                f"LiteLLM left out {', '.join(missing)} of {self.path}; it logged the reason above.\n"
                "    A gateway without a declared model does not take over."
            )
        notify("STATUS=warming up")
        await warm_up(self.app, router)

    def closing(self, send: Send) -> Send:
        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await send(message)

        return close


class Server(uvicorn.Server):
    """uvicorn that keeps systemd informed and loses no request when it stops."""

    def __init__(self, gateway: Gateway, drain_seconds: int) -> None:
        self.gateway, self.drain_seconds = gateway, drain_seconds
        super().__init__(
            uvicorn.Config(
                gateway,
                http="h11",
                lifespan="on",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=drain_seconds,
                timeout_keep_alive=int(PATIENCE_SECONDS),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            count = len(self.gateway.declared)
            notify("READY=1", f"STATUS=serving {count} {'deployment' if count == 1 else 'deployments'}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        notify("STOPPING=1", f"STATUS=finishing running requests, for {self.drain_seconds} s at most")
        for listener in self.servers:
            listener.close()
        self.gateway.draining = True
        ends = time.monotonic() + PATIENCE_SECONDS
        await asyncio.sleep(LINGER_SECONDS)
        while self.may_be_asked() and time.monotonic() < ends:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets=sockets)

    def may_be_asked(self) -> bool:
        """Whether a client holds a connection on which nothing runs: its next request may be on the way."""
        return any(not each.cycle or each.cycle.response_complete for each in self.server_state.connections)


def main() -> None:
    try:
        if len(sys.argv) != 2:
            raise NotReady("one argument is needed: the path of the LiteLLM configuration.")
        path = sys.argv[1]
        config = read_config(path)
        check_environment(path, config)
        sockets = inherited_sockets()
    except NotReady as reason:
        notify(f"STATUS=not started: {str(reason).splitlines()[0]}")
        sys.stderr.write(f"gateway.py: {reason}\n")
        sys.exit(2)
    os.environ["CONFIG_FILE_PATH"] = path
    # LiteLLM imports app_auth.py from the directory of its configuration, where deploy owns every file.
    sys.dont_write_bytecode = True
    notify("STATUS=importing LiteLLM")
    from litellm.proxy.proxy_server import app

    declared = [entry["model_name"] for entry in config["model_list"]]
    Server(Gateway(app, path, declared), int(os.environ.get("GATEWAY_DRAIN_SECONDS", "600"))).run(sockets=sockets)


if __name__ == "__main__":
    main()
