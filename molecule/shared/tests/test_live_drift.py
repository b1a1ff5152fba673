# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What takes too long to show each time: fifty clean checks in a row, and whatever people do to a host at random.

tests/live/drift runs it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from observed import CONFIG, STATE, UNITS, Stack, eventually
from played import assert_clean, check, deploy, play

pytestmark = [
    pytest.mark.only_in("default"),
    pytest.mark.skipif("LLM_STACK_LIVE" not in os.environ, reason="by hand: tests/live/drift"),
]
ENGINE = "llamacpp-tiny.service"
SOURCE = [{"kind": "source-*", "reason": "the tests run on work in progress", "until": "9999-12-31"}]
CHECKS = 50
SEQUENCES = int(os.environ.get("LLM_STACK_SEQUENCES", "10"))
SEED = int(os.environ.get("LLM_STACK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
OF_FILES = ("file", "unit-file", "extra-dropin", "leftover")

EDITS = [
    f"echo '# mine' >> {CONFIG}/llamacpp/tiny.env",
    f"echo LLAMA_ARG_BATCH=512 >> {CONFIG}/llamacpp/tiny.env",
    f"echo '# mine' >> {CONFIG}/litellm/a/config.yaml",
    f"echo '# mine' >> {CONFIG}/litellm/b/config.yaml",
    f"rm -f {CONFIG}/litellm/a/config.yaml",
    f"chmod 0644 {CONFIG}/litellm/secrets.env",
    f"sed -i 's/^UMask=.*/UMask=0000/' {UNITS}/{ENGINE}",
    f"touch {UNITS}/*.service {CONFIG}/llamacpp/*",
    f"touch {UNITS}/.llm-stack-12345678.tmp",
    f"rm -f {STATE}/litellm/manifest.json",
    f"mkdir -p {UNITS}/{ENGINE}.d && printf '[Service]\\nNice=5\\n' > {UNITS}/{ENGINE}.d/mine.conf",
    "systemctl --user daemon-reload",
    f"systemctl --user stop {ENGINE}",
    f"systemctl --user restart {ENGINE}",
    f"systemctl --user kill --signal=KILL {ENGINE}",
    f"systemctl --user disable --quiet {ENGINE}",
    "systemctl --user stop litellm@a.service litellm@b.service",
    "systemctl --user start litellm@a.service",
    "systemctl --user start litellm@b.service",
    "systemctl --user enable --quiet litellm@a.service litellm@b.service",
    "systemctl --user stop litellm.socket",
    "systemctl --user set-environment LLAMA_ARG_N_PREDICT=9",
]
DECLARATIONS: list[dict[str, object]] = [{}, {"llamacpp_ready_timeout": 290}, {"litellm_drain_timeout": 590}]


def test_fifty_checks_of_a_clean_stack_find_and_write_nothing(
    faulty: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_STACK_REPORTS", str(tmp_path))
    deploy()
    before, began, counted = faulty.imprint(), time.monotonic(), set()
    for turn in range(CHECKS):
        played = play("drift", variables={"llm_stack_drift_ignore": SOURCE})
        data = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
        assert (turn, played.code, data["items"], data["unchecked"]) == (turn, 0, [], []), played.output
        counted.add(data["checked"])
    assert faulty.imprint() == before
    seconds = time.monotonic() - began
    sys.stdout.write(f"{CHECKS} checks of {counted} things in {seconds:.0f} s: no difference, nothing written\n")


STEPS = ("snapshot", "linger", "write", "daemon-reload", "start", "retire", "write-late", "prune", "manifest", "end")
"""The steps of a run, in their order; each is named before it is taken."""
LONGER = {"litellm_drain_timeout": 580}
STRUCK = 'lambda name: os.kill(os.getpid(), 9) if name == os.environ["STRUCK_AT"] else None'


@pytest.fixture(scope="module")
def module(faulty: Stack) -> str:
    """Where the module lies unpacked on the host, with the arguments of a change, as Ansible would run it."""
    deploy()
    faulty.output("rm -rf ~/.ansible/tmp/* ~/struck")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_KEEP_REMOTE_FILES", "1")
        patch.setenv("ANSIBLE_PIPELINING", "0")
        played = play("deploy", "--check", "--tags=litellm", variables=LONGER)
    assert (played.code, played.changed) == (0, 1), played.output
    unpacked = "~/struck/debug_dir"
    core = f"{unpacked}/ansible_collections/lab/llm_stack/plugins/module_utils/_transaction.py"
    faulty.output("mv $(ls -td ~/.ansible/tmp/*/ | head -1) ~/struck && python3 ~/struck/AnsiballZ_service.py explode")
    faulty.output(f"sed -i 's/\\(\"_ansible_check_mode\": \\)true/\\1false/' {unpacked}/args")
    faulty.output(f"sed -i 's/lambda _name: None/{STRUCK}/; s/^import hashlib$/import hashlib, os/' {core}")
    faulty.output(f"grep -q STRUCK_AT {core} && grep -q '_check_mode.: false' {unpacked}/args")
    return "~/struck/AnsiballZ_service.py"


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_before_any_step_is_named_and_mended(faulty: Stack, module: str, step: str) -> None:
    deploy()
    # Of a shell that had become the module, ssh would tell no status.
    struck = faulty.output(f"STRUCK_AT={step} python3 {module} execute > struck.log 2>&1; echo $?")
    assert struck == "137", faulty.output("cat struck.log")
    left = check(LONGER).items
    assert left
    assert (("interrupted-run", "transaction") in left) == (step != "snapshot")
    assert faulty.answers()
    deploy(LONGER)
    assert_clean(LONGER)
    assert faulty.output("find .config .local -name '.llm-stack-*.tmp' -o -name snapshot.json") == ""


def files_of(imprint: str) -> dict[str, str]:
    """The configuration and the units with their modes, sizes and times; not the links that start them at boot."""
    lines = [line.split(" ", 1) for line in imprint.splitlines() if line.startswith((CONFIG, UNITS))]
    return {path: rest for path, rest in lines if "." in path.rsplit("/", 1)[-1] and ".wants/" not in path}


def written(before: str, after: str) -> set[str]:
    """The files that a deploy wrote or removed."""
    old, new = files_of(before), files_of(after)
    return {path for path in {*old, *new} if old.get(path) != new.get(path) and not path.endswith(".d")}


def predicted(faulty: Stack, items: Iterable[tuple[str, str]]) -> set[str]:
    home = faulty.home("")
    return {subject.removeprefix(home) for kind, subject in items if kind in OF_FILES}


@pytest.mark.parametrize("number", range(SEQUENCES))
def test_a_check_predicts_what_a_deploy_does_whatever_was_done_by_hand(faulty: Stack, number: int) -> None:
    chance = random.Random(f"{SEED} {number}")  # noqa: S311 - to be repeated, not to be secret
    edits = chance.sample(EDITS, chance.randint(1, 5))
    variables = chance.choice(DECLARATIONS)
    sys.stdout.write("\n    ".join([f"seed {SEED}, sequence {number}, {variables}:", *edits, ""]))
    faulty.output(" ; ".join([*edits, "true"]))
    assert eventually(faulty.is_settled, seconds=60)
    before = faulty.imprint()
    told = check(variables).items
    assert faulty.imprint() == before
    done = deploy(variables).items
    assert done == told
    assert written(before, faulty.imprint()) == predicted(faulty, told)
    assert faulty.answers()
    assert_clean(variables)
