#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A stand-in for Ollama, which no registry of packages carries: ollama_server.py serve

It answers the HTTP API as a real 0.32.15 was measured to: names, digests, words of errors, streams whose failures
come as a line under a 200. It stores models as Ollama does and takes the same variables. It computes nothing: answers
are canned. The tests that use it run unchanged against a real server, which OLLAMA_BINARY names.

Further variables, for what a test needs and a real server has from elsewhere:

    STAND_IN_VERSION    what /api/version says              STAND_IN_REGISTRY   where registry.ollama.ai is
    STAND_IN_VRAM       the share of a loaded model that is on the card, 0 to 1

As a program bin/ollama it is as picky as the real one: without lib/ollama/llama-server it serves and never generates.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ollama_openai import v1_answer, v1_chunks, v1_error, v1_model, whole
from ollama_store import Model, Refusal, Store, encoded, environment, parsed, shown

DEFAULT_CONTEXT, DEFAULT_PORT = 4096, 11434
LOCAL_NAMES = re.compile(r"localhost|.*\.(local|internal|localhost)|127\.[\d.]+|\[?::1\]?|10\..*|192\.168\..*")

Lines = Iterator[dict[str, Any]]


class Loaded:
    """A model in memory, and until when."""

    def __init__(self, model: Model, context: int, keep: float) -> None:
        self.model, self.context = model, context
        self.until = time.time() + keep if keep >= 0 else 9e9


class Ollama:
    """What the server knows."""

    def __init__(self) -> None:
        home = os.environ.get("HOME")
        if not home:
            sys.exit("panic: $HOME is not defined")
        self.store = Store(Path(environment("OLLAMA_MODELS") or f"{home}/.ollama/models"))
        self.version = environment("STAND_IN_VERSION") or self._packed_version() or "0.35.0"
        self.registry = environment("STAND_IN_REGISTRY")
        self.loaded: dict[str, Loaded] = {}
        self.lock = threading.Lock()

    # -- what is there ----------------------------------------------------------------------------------------------

    @staticmethod
    def library() -> Path | None:
        """Where a packed server looks for its runner; None where it was not packed."""
        program = Path(sys.argv[0]).resolve()
        return program.parent.parent / "lib/ollama" if program.name == "ollama" else None

    def _packed_version(self) -> str:
        library = self.library()
        file = library / "STAND_IN_VERSION" if library else None
        return file.read_text().strip() if file and file.exists() else ""

    def need(self, name: str, as_sent: bool = True) -> Model:
        found = self.store.find(name) if name else None
        if not found:
            raise Refusal(404, f"model '{name if as_sent or not name else shown(parsed(name))}' not found")
        return found

    def details(self, model: Model, lengths: bool) -> dict[str, Any]:
        known = model.gguf
        family = known.get("general.architecture", "")
        found = {
            "parent_model": "",
            "format": "gguf",
            "family": family,
            "families": [family],
            "parameter_size": "398K",
            "quantization_level": "unknown",
        }
        if lengths:
            found["context_length"] = known.get(f"{family}.context_length", 0)
            found["embedding_length"] = known.get(f"{family}.embedding_length", 0)
        return found

    def capabilities(self, model: Model, everything: bool) -> list[str]:
        """The list misses what only the chat template of the GGUF file says."""
        template = model.layer("application/vnd.ollama.image.template").decode()
        inner = str(model.gguf.get("tokenizer.chat_template", ""))
        tools = ".Tools" in template or (everything and ("tools" in inner or "tool_call" in inner))
        return ["tools", "completion"] if tools else ["completion"]

    def listed(self, model: Model) -> dict[str, Any]:
        return {
            "name": model.name,
            "model": model.name,
            "modified_at": stamp(model.changed),
            "size": model.size,
            "digest": model.digest,
            "details": self.details(model, lengths=True),
            "capabilities": self.capabilities(model, everything=False),
        }

    def running(self) -> list[Loaded]:
        with self.lock:
            self.loaded = {key: each for key, each in self.loaded.items() if each.until > time.time()}
            return sorted(self.loaded.values(), key=lambda each: -each.until)

    def process(self, each: Loaded) -> dict[str, Any]:
        memory = each.model.size + each.context * 256
        share = float(environment("STAND_IN_VRAM") or 0)
        return {
            "name": each.model.name,
            "model": each.model.name,
            "size": memory,
            "digest": each.model.digest,
            "details": self.details(each.model, lengths=False),
            "expires_at": stamp(each.until) if each.until < 9e9 else "2319-03-04T18:12:06.123456789Z",
            "size_vram": int(memory * share),
            "context_length": each.context,
        }

    def show(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("model") or body.get("name")
        if not name:
            raise Refusal(400, "model is required")
        model = self.need(name, as_sent=False)
        known = {key: value for key, value in model.gguf.items() if not key.startswith("tokenizer.chat_template")}
        found = {
            "modelfile": f"FROM {model.name}\n",
            "template": model.layer("application/vnd.ollama.image.template").decode() or "{{ .Prompt }}",
            "details": self.details(model, lengths=False),
            "model_info": known,
            "tensors": [],
            "capabilities": self.capabilities(model, everything=True),
            "modified_at": stamp(model.changed),
        }
        if model.parameters:
            found["parameters"] = parameter_text(model.parameters)
        system = model.layer("application/vnd.ollama.image.system").decode()
        return {**found, "system": system} if system else found

    # -- what it does -----------------------------------------------------------------------------------------------

    def load(self, model: Model, options: dict[str, Any], keep_alive: object) -> Loaded:
        context = options.get("num_ctx", model.parameters.get("num_ctx", 0))
        if not isinstance(context, int):
            raise Refusal(500, 'option "num_ctx" must be of type integer')
        context = context or int(environment("OLLAMA_CONTEXT_LENGTH") or 0) or DEFAULT_CONTEXT
        family = str(model.gguf.get("general.architecture"))
        context = min(context, int(model.gguf.get(f"{family}.context_length", context)))
        library = self.library()
        runner = library / "llama-server" if library else None
        if runner and (not runner.exists() or "broken" in runner.read_text()):
            raise Refusal(500, "llama-server process has terminated: exit status 1")
        each = Loaded(model, context, seconds(keep_alive))
        with self.lock:
            self.loaded[model.name] = each
        return each

    def answer(self, body: dict[str, Any], chat: bool) -> Lines:
        """Chat and generate: canned words, or a call of the first tool offered."""
        name = body.get("model") or ""
        if chat and not name:
            raise Refusal(400, "model is required")
        model = self.need(name)
        if body.get("tools") and "tools" not in self.capabilities(model, everything=True):
            raise Refusal(400, f'"{name}" does not support tools')
        if body.get("think"):
            raise Refusal(400, f'"{name}" does not support thinking')
        prompt = " ".join(str(m.get("content")) for m in body.get("messages") or []) if chat else body.get("prompt")
        start = {"model": name, "created_at": stamp(time.time())}
        empty: dict[str, Any] = {"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}
        if not prompt and seconds(body.get("keep_alive")) == 0:
            self.loaded.pop(model.name, None)
            yield {**start, **empty, "done": True, "done_reason": "unload"}
            return
        loaded = self.load(model, body.get("options") or {}, body.get("keep_alive"))
        if not prompt:
            yield {**start, **empty, "done": True, "done_reason": "load"}
            return
        yield from self._words(start, empty, body, loaded, str(prompt), chat)

    def _words(
        self,
        start: dict[str, Any],
        empty: dict[str, Any],
        body: dict[str, Any],
        loaded: Loaded,
        prompt: str,
        chat: bool,
    ) -> Lines:
        tokens = len(prompt.split())
        if chat and tokens > loaded.context:
            words = f"request ({tokens} tokens) exceeds the available context size ({loaded.context} tokens)"
            inner = {"code": 400, "message": words, "type": "exceed_context_size_error"}
            raise Refusal(400, json.dumps({"error": inner}))
        # What has a tool's result is answered with words.
        returned = [each.get("role") for each in body.get("messages") or []][-1:] == ["tool"]
        call = [] if returned else called(body.get("tools") or [])
        if not call:
            word = (
                {"message": {"role": "assistant", "content": "I do as I am told."}} if chat else {"response": "I do."}
            )
            yield {**start, **word, "done": False}
        last = {"message": {**empty["message"], "tool_calls": call}} if chat and call else empty
        counts = {"prompt_eval_count": min(tokens, loaded.context), "eval_count": 6, "total_duration": 1000000}
        seen = {} if chat else {"context": [1, 2, 3]}
        yield {**start, **last, "done": True, "done_reason": "stop", **seen, **counts}

    def pull(self, body: dict[str, Any]) -> Lines:
        name = body.get("model") or body.get("name") or " "
        parsed(name)
        yield from self.store.pull(name, bool(body.get("insecure")), self.registry)

    def create(self, body: dict[str, Any]) -> Lines:
        yield from self.store.create(body, self.registry)

    def copy(self, body: dict[str, Any]) -> None:
        for key in ("source", "destination"):
            try:
                parsed(body.get(key, ""))
            except Refusal:
                raise Refusal(400, f'{key} "{body.get(key, "")}" is invalid') from None
        found = self.store.find(body["source"])
        if not found:
            raise Refusal(404, f'model "{body["source"]}" not found')
        self.store.write(body["destination"], found.raw)

    def delete(self, body: dict[str, Any]) -> None:
        name = body.get("model") or body.get("name")
        if not name:
            raise Refusal(400, "model is required")
        try:
            found = self.store.find(name)
        except Refusal:
            raise Refusal(400, f'name "{name}" is invalid') from None
        if not found:
            raise Refusal(404, f"model '{name}' not found")
        self.store.delete(found)
        self.loaded.pop(found.name, None)


def called(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A call of the first tool, with a word for each of its required parameters; arguments are an object."""
    if not tools:
        return []
    function = tools[0]["function"]
    wanted = (function.get("parameters") or {}).get("required") or ["city"]
    return [
        {"id": "0" * 32, "function": {"index": 0, "name": function["name"], "arguments": dict.fromkeys(wanted, "Rome")}}
    ]


def parameter_text(parameters: dict[str, Any]) -> str:
    pairs = [
        (key, each) for key, value in parameters.items() for each in (value if isinstance(value, list) else [value])
    ]
    return "\n".join(f"{key:<31}{json.dumps(each)}" for key, each in pairs)


def seconds(keep_alive: object) -> float:
    """A number of seconds or a Go duration; what cannot be read in the environment counts as five minutes."""
    if keep_alive is None:
        try:
            return seconds(environment("OLLAMA_KEEP_ALIVE") or "5m")
        except Refusal:
            return 300.0
    if isinstance(keep_alive, (int, float)):
        return float(keep_alive)
    written = str(keep_alive)
    if re.fullmatch(r"-?\d+", written):
        return float(written)
    pairs = re.findall(r"(-?[\d.]+)(ms|h|m|s)", written)
    if not pairs or "".join(number + unit for number, unit in pairs) != written:
        raise Refusal(400, f'time: invalid duration "{written}"')
    return sum(float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in pairs)


def stamp(moment: float) -> str:
    told = datetime.datetime.fromtimestamp(min(moment, 9e9), datetime.UTC)
    return told.strftime("%Y-%m-%dT%H:%M:%S.%f") + "139Z"


class Handler(BaseHTTPRequestHandler):
    """The API: one method of Ollama for each path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        sys.stderr.write(f"[GIN] {format % args}\n")

    def _route(self) -> None:
        path = self.path.split("?")[0]
        if not self._welcome():
            self._send(403, b"", "")
            return
        known = self._table().get(path) or next(
            (f for key, f in self._prefixes().items() if path.startswith(key)), None
        )
        if not known:
            self._send(404, b"404 page not found", "text/plain")
        elif self.command not in known:
            self._send(405, b"405 method not allowed", "text/plain")
        else:
            try:
                known[self.command]()
            except Refusal as refusal:
                self._json({"error": refusal.message}, refusal.status)

    do_GET = do_HEAD = do_POST = do_DELETE = _route  # noqa: N815 - the names are those of the base class

    def _welcome(self) -> bool:
        """Who comes through another name or from another page is not welcome at a server on loopback."""
        host = (self.headers.get("Host") or "localhost").rsplit(":", 1)[0].lower()
        known = LOCAL_NAMES.fullmatch(host) or host == socket.gethostname().lower() or not self.server.loopback
        origin = self.headers.get("Origin")
        page = re.sub(r"^https?://", "", origin or "localhost").split(":")[0]
        return bool(known) and page in ("localhost", "127.0.0.1", "0.0.0.0")

    def _table(self) -> dict[str, dict[str, Callable[[], None]]]:
        ollama = self.server.ollama
        version = answering(self, lambda: {"version": ollama.version})
        tags = answering(self, lambda: {"models": [ollama.listed(each) for each in ollama.store.models()]})
        return {
            "/": dict.fromkeys(("GET", "HEAD"), lambda: self._send(200, b"Ollama is running", "text/plain")),
            "/api/version": dict.fromkeys(("GET", "HEAD"), version),
            "/api/tags": dict.fromkeys(("GET", "HEAD"), tags),
            "/api/status": {"GET": answering(self, cloud)},
            "/api/ps": {"GET": answering(self, lambda: {"models": [ollama.process(e) for e in ollama.running()]})},
            "/api/show": {"POST": lambda: self._json(ollama.show(self._body()))},
            "/api/pull": {"POST": lambda: self._stream(ollama.pull)},
            "/api/create": {"POST": lambda: self._stream(ollama.create)},
            "/api/generate": {"POST": lambda: self._stream(lambda body: ollama.answer(body, chat=False))},
            "/api/chat": {"POST": lambda: self._stream(lambda body: ollama.answer(body, chat=True))},
            "/api/copy": {"POST": lambda: self._quiet(ollama.copy)},
            "/api/delete": {"DELETE": lambda: self._quiet(ollama.delete)},
            "/v1/models": {"GET": lambda: self._json({"object": "list", "data": self._v1_models() or None})},
            "/v1/chat/completions": {"POST": self._v1_chat},
        }

    def _prefixes(self) -> dict[str, dict[str, Callable[[], None]]]:
        return {"/api/blobs/": {"HEAD": self._blob, "POST": self._upload}, "/v1/models/": {"GET": self._v1_model}}

    # -- blobs ------------------------------------------------------------------------------------------------------

    def _blob(self) -> None:
        there = self.server.ollama.store.blob(self.path.rsplit("/", 1)[1]).exists()
        self._send(200 if there else 404, b"", "")

    def _upload(self) -> None:
        digest, length = self.path.rsplit("/", 1)[1], int(self.headers.get("Content-Length") or 0)
        self._send(self.server.ollama.store.receive(digest, self.rfile, length), b"", "")  # type: ignore[arg-type]

    # -- the OpenAI form --------------------------------------------------------------------------------------------

    def _v1_models(self) -> list[dict[str, Any]]:
        return [v1_model(each.name, each) for each in self.server.ollama.store.models()]

    def _v1_model(self) -> None:
        name = self.path.removeprefix("/v1/models/")
        found = self.server.ollama.store.find(name)
        if found:
            self._json(v1_model(name, found))
        else:
            self._json(v1_error(f"model '{shown(parsed(name))}' not found", "not_found_error"), 404)

    def _v1_chat(self) -> None:
        """The same answer in the other form; options are not passed on, so a context cannot be asked for."""
        body = self._body()
        if not body.get("messages"):
            self._json(v1_error("[] is too short - 'messages'", "invalid_request_error"), 400)
            return
        inner = {key: body[key] for key in ("model", "messages", "tools") if key in body}
        try:
            lines = list(self.server.ollama.answer(inner, chat=True))
        except Refusal as refusal:
            kind = {404: "not_found_error", 400: "invalid_request_error"}.get(refusal.status, "api_error")
            self._json(v1_error(refusal.message, kind), refusal.status)
            return
        if body.get("stream"):
            self._sse(v1_chunks(lines, body))
        else:
            self._json(v1_answer(lines, body))

    def _sse(self, chunks: list[dict[str, Any]]) -> None:
        text = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
        self._send(200, text.encode(), "text/event-stream")

    # -- requests and answers ---------------------------------------------------------------------------------------

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not raw:
            raise Refusal(400, "missing request body")
        try:
            return dict(json.loads(raw))
        except ValueError:
            first = raw[:2].decode("utf-8", "replace")[-1:]
            words = f"invalid character '{first}' looking for beginning of object key string"
            raise Refusal(400, words) from None

    def _quiet(self, step: Callable[[dict[str, Any]], None]) -> None:
        step(self._body())
        self._send(200, b"", "")

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, encoded(value), "application/json; charset=utf-8")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _stream(self, step: Callable[[dict[str, Any]], Lines]) -> None:
        """Stream unless told not to: what fails after the first line comes as a line, under the 200 that was sent."""
        body = self._body()
        lines = step(body)
        first = next(lines)
        if body.get("stream") is False:
            self._json(whole([first, *lines]))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._chunk(first)
            for line in lines:
                self._chunk(line)
        except Refusal as refusal:
            self._chunk({"error": refusal.message})
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, line: dict[str, Any]) -> None:
        content = encoded(line) + b"\n"
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()


def answering(handler: Handler, made: Callable[[], object]) -> Callable[[], None]:
    return lambda: handler._json(made())


def cloud() -> dict[str, Any]:
    off = environment("OLLAMA_NO_CLOUD").lower() not in ("", "0", "false")
    return {"cloud": {"disabled": off, "source": "env" if off else "none"}}


class Server(ThreadingHTTPServer):
    """One server; the address says whether it guards itself against foreign names."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], ollama: Ollama) -> None:
        self.ollama = ollama
        self.loopback = address[0].startswith("127.") or address[0] in ("localhost", "::1")
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)


def listen_address() -> tuple[str, int]:
    """OLLAMA_HOST, as Ollama reads it: a port that is none is replaced by the usual one."""
    text = re.sub(r"^https?://", "", environment("OLLAMA_HOST")) or "127.0.0.1"
    host, colon, port = (
        text.rpartition(":") if re.search(r":\d*[^\]]*$", text) and "]" not in text[-1:] else (text, "", "")
    )
    if not colon:
        return text.strip("[]"), DEFAULT_PORT
    if not port.isdigit() or int(port) > 65535:
        sys.stderr.write(f'level=WARN msg="invalid port, using default" port={port} default={DEFAULT_PORT}\n')
        return host.strip("[]") or "127.0.0.1", DEFAULT_PORT
    return host.strip("[]") or "127.0.0.1", int(port)


def main() -> int:
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"ollama version is {Ollama().version}\n")
        return 0
    if sys.argv[1:] != ["serve"]:
        sys.stderr.write("Usage: ollama serve\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_args: os._exit(0))
    address = listen_address()
    try:
        Server(address, Ollama()).serve_forever()
    except OSError as error:
        if error.errno != 98:
            sys.stderr.write(f"Error: mkdir {error.filename}: {str(error.strerror).lower()}\n")
            return 1
        sys.stderr.write(f"Error: listen tcp {address[0]}:{address[1]}: bind: address already in use\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
