# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Run the server of llama-cpp-python, configured by variables: LLAMA_PYTHON_ and the name of a setting of its own.

Usage: llama_python_server.py   (no arguments: LLAMA_PYTHON_MODEL, LLAMA_PYTHON_PORT, ..., and LLAMA_API_KEY)

The server by itself reads MODEL, HOST, PORT, SEED and more of such names from whatever environment it is started in,
and ignores a name that it does not know. Here only what has the prefix counts, and an unknown name is refused. It also
lets every web page of a browser on this host read its answers; here none may.

LLAMA_PYTHON_DRAIN_SECONDS (default 10): how long requests that run at SIGTERM may take to finish.

Exit: by SIGTERM itself after one; 1 when the server does not start; 2 for a variable that is unknown, missing or has a
value that does not fit.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import sys
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

Application = Any  # of starlette, which is not there when this file is checked
Validation = Any  # pydantic's ValidationError, likewise

PREFIX = "LLAMA_PYTHON_"
DRAIN = f"{PREFIX}DRAIN_SECONDS"
REQUIRED = ("model", "port")


def given(environ: Mapping[str, str]) -> dict[str, Any]:
    """Collect the settings by their own names; a list or a mapping is written as JSON."""
    found = {name[len(PREFIX) :].lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    found.pop("drain_seconds", None)
    return {name: _read(value) for name, value in found.items()}


def _read(value: str) -> object:
    if value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def problems(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Say everything that is wrong with the names of the variables, and with the port, in one go."""
    settings = given(environ)
    found = [
        f"{PREFIX}{name.upper()} is not set: one server serves one model on one port."
        for name in REQUIRED
        if not settings.get(name)
    ]
    for name in sorted(set(settings) - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
        found.append(f"{PREFIX}{name.upper()} is not known here.{hint}")
    port = str(settings.get("port", ""))
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        found.append(f"{PREFIX}PORT: '{port}' does not fit: use 1 to 65535.")
    if not environ.get(DRAIN, "10").isdigit():
        found.append(f"{DRAIN}: '{environ[DRAIN]}' does not fit: use a whole number of seconds.")
    return found


def unfit(error: Validation) -> list[str]:
    """Word what pydantic says of values; it is not asked for the values themselves, which may be secret."""
    entries = error.errors(include_input=False, include_url=False)
    return [f"{PREFIX}{'_'.join(str(each) for each in entry['loc']).upper()}: {entry['msg']}." for entry in entries]


def fail(code: int, *lines: str) -> NoReturn:
    """Say each line on standard error, under the server's own, and end."""
    sys.stderr.writelines(f"llama_python_server.py: {line}\n" for line in lines)
    sys.exit(code)


def without_strangers(environ: dict[str, str], known: Collection[str]) -> dict[str, str]:
    """Leave out the variables that the server would take for settings, such as HOST or SEED of the user manager."""
    return {name: value for name, value in environ.items() if name.lower() not in known}


def application(environ: Mapping[str, str], key: str | None) -> Application:
    """Load the model and return the web application that answers for it."""
    app_module = importlib.import_module("llama_cpp.server.app")
    settings_module = importlib.import_module("llama_cpp.server.settings")
    cors = importlib.import_module("starlette.middleware.cors").CORSMiddleware
    settings = given(environ)
    model = {name: value for name, value in settings.items() if name in settings_module.ModelSettings.model_fields}
    server = {name: value for name, value in settings.items() if name in settings_module.ServerSettings.model_fields}
    app = app_module.create_app(
        server_settings=settings_module.ServerSettings(**server, api_key=key),
        model_settings=[settings_module.ModelSettings(**model)],
    )
    app.user_middleware = [each for each in app.user_middleware if each.cls is not cors]
    return app


def main() -> None:
    environ = dict(os.environ)
    try:
        uvicorn = importlib.import_module("uvicorn")
        known = set(importlib.import_module("llama_cpp.server.settings").Settings.model_fields) - {"api_key"}
        refused = problems(environ, known)
        if refused:
            fail(2, *refused)
        kept = without_strangers(environ, {*known, "api_key", "config_file"})
        os.environ.clear()
        os.environ.update(kept)
        app = application(environ, environ.get("LLAMA_API_KEY") or None)
    except ImportError as error:
        fail(1, f"llama-cpp-python cannot be loaded: {error}", "Run deploy again.")
    except Exception as error:  # noqa: BLE001 - a Python library raises what it likes; its words go to the journal
        if hasattr(error, "errors"):
            fail(2, *unfit(error))
        fail(1, f"the server did not start: {type(error).__name__}: {error}", "The lines above are llama.cpp's own.")
    settings, drain = given(environ), int(environ.get(DRAIN, "10"))
    host, port = str(settings.get("host", "127.0.0.1")), int(settings["port"])
    uvicorn.run(app, host=host, port=port, timeout_graceful_shutdown=drain)


if __name__ == "__main__":
    main()
