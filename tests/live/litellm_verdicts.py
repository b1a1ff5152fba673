#!/usr/bin/env python3
# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LiteLLM itself says of configurations: it loads each, really, and counts the deployments that it keeps.

Runs in the environment of the pinned LiteLLM, with nothing else installed:

    PYTHON tests/live/litellm_verdicts.py FILE...     one line of JSON: file name -> verdict
    PYTHON tests/live/litellm_verdicts.py -v FILE...  a table, with the reason of each refusal

A verdict is "accepts", "accepts, starts ollama", "drops N" or "rejects". A file is a case of the checker's tests: below
"config" the text of a configuration, below "known" the variables of the gateway's environment, below "files" what
stands beside the configuration. The proxy is imported once; each case is loaded in a fork of its own, because LiteLLM
keeps what it reads in its modules.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# Nothing is fetched, and nothing of the caller's environment decides.
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOG": "CRITICAL",
}
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}


def environment(case: dict[str, Any]) -> dict[str, str]:
    """The variables a case says are set; the key of the gateway is, unless it says."""
    given = (case.get("known") or {}).get("environment")
    named = ["LITELLM_MASTER_KEY"] if given is None else given
    return {**ENVIRONMENT, **QUIET, **{name: f"sk-verdict-{name.lower()}" for name in named}}


async def load(path: str, declared: int) -> tuple[str, str]:
    """Load a configuration as the proxy does at its start, its check of the master key included."""
    from litellm.proxy import proxy_server
    from litellm.proxy.auth import master_key_boot_check

    spawned: list[str] = []
    proxy_server.run_ollama_serve = lambda: spawned.append("ollama")
    proxy_server.master_key = os.environ.get("LITELLM_MASTER_KEY")  # as the start does before it reads the file
    router, _models, settings = await proxy_server.ProxyConfig().load_config(router=None, config_file_path=path)
    verdict = master_key_boot_check.master_key_boot_verdict(
        master_key=proxy_server.master_key,
        environment_master_key=os.environ.get("LITELLM_MASTER_KEY"),
        general_settings=dict(settings or {}),
        config_file_path=path,
        override_env_is_on=False,
        salt_key_is_set=False,
        database_is_configured=False,
    )
    if isinstance(verdict, master_key_boot_check.UnsafeMasterKeyRefused):
        return "rejects", f"master key: {verdict.reason}"
    lost = declared - len(router.model_list)
    if lost:
        return f"drops {lost}", ""
    return ("accepts, starts ollama" if spawned else "accepts"), ""


def judge(case: dict[str, Any]) -> tuple[str, str]:
    """Give the verdict on one case, and the reason of a refusal."""
    import yaml

    os.environ.clear()
    os.environ.update(environment(case))
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.yaml"
        for name, text in {path.name: case["config"], **case.get("files", {})}.items():
            (path.parent / name).write_text(text, encoding="utf-8")
        try:
            parsed = yaml.safe_load(case["config"])
            declared = len(parsed.get("model_list") or []) if isinstance(parsed, dict) else 0
            return asyncio.run(load(str(path), declared))
        except BaseException as error:  # noqa: BLE001 - sys.exit() and every exception mean that the proxy does not start
            return "rejects", f"{type(error).__name__}: {error}"


def in_a_fork(case: dict[str, Any]) -> tuple[str, str]:
    """Judge a case in a child process and read its answer from a pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            answer = judge(case)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    verdict, reason = json.loads(answer or '["rejects", "the process ended"]')
    return verdict, reason


def main() -> None:
    """Judge the files named on the command line."""
    os.environ.update(QUIET)
    import litellm.proxy.proxy_server  # noqa: F401 - imported once, before the forks
    import yaml

    verbose = sys.argv[1:2] == ["-v"]
    files = [Path(name) for name in sys.argv[2 if verbose else 1 :]]
    cases = {file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    verdicts = {name: in_a_fork(case) for name, case in cases.items()}
    if not verbose:
        print(json.dumps({name: verdict for name, (verdict, _reason) in verdicts.items()}))
    for name, (verdict, reason) in verdicts.items() if verbose else ():
        told = cases[name].get("litellm", "-")
        print(f"{'' if told == verdict else 'DIFFERS '}{name}: {verdict} (recorded: {told}) {reason[:300]}")


if __name__ == "__main__":
    main()
