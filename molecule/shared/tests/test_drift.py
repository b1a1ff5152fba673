# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What is changed on a host behind our back: a check names exactly that, writes nothing, and a deploy mends it.

Changes that do not touch each other are made together. Every round begins on a stack that matches its declaration: its
check, which allows no other item, also shows that the deploy of the round before mended everything.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

import pytest
from observed import CONFIG, DATA, STATE, UNITS, Stack, eventually
from played import Played, assert_clean, check, deploy, play, refused

ENGINE = "llamacpp-tiny.service"
Items = set[tuple[str, str]]


@dataclass(frozen=True)
class Drift:
    """A change by hand: its commands, what a check must name, and words that the diff must show.

    In all of them SERVING and IDLE stand for the two sides of the gateway, ENVIRONMENT and MODEL for the engine's,
    RUNTIME for what the user manager keeps until the next boot, and paths start at the account's home.
    """

    what: str
    by_hand: str
    items: Items
    shown: tuple[str, ...]
    by_root: str = ""
    """What only an administrator can do, in the account's home."""


def settings(path: str, *lines: str) -> str:
    """A command that writes a unit's drop-in."""
    text = "\\n".join(("[Service]", *lines))
    return f"mkdir -p {UNITS}/{path}.d && printf '{text}\\n' > {UNITS}/{path}.d/mine.conf"


AT_REST = [
    Drift(
        "files that were only touched, which is no drift",
        f"touch {CONFIG}/llamacpp/tiny.env {CONFIG}/litellm/*/config.yaml {UNITS}/*.service {UNITS}/*.socket",
        set(),
        (),
    ),
    Drift(
        "the gateway's configuration, edited",
        f"sed -i 's/4096/8192/' {CONFIG}/litellm/SERVING/config.yaml",
        {("file", f"{CONFIG}/litellm/SERVING/config.yaml")},
        ("max_input_tokens: 8192", "max_input_tokens: 4096"),
    ),
    Drift(
        "a unit, edited on the disk only",
        f"sed -i 's/^UMask=.*/UMask=0000/' {UNITS}/{ENGINE}",
        {("unit-file", f"{UNITS}/{ENGINE}")},
        ("UMask=0000", "UMask=0077"),
    ),
    Drift(
        "modes",
        f"chmod 0644 {CONFIG}/litellm/secrets.env && chmod 0600 {UNITS}/litellm.socket",
        {("file", f"{CONFIG}/litellm/secrets.env"), ("unit-file", f"{UNITS}/litellm.socket")},
        ("(mode 0644)", "(mode 0600)"),
    ),
    Drift(
        "the record of the last run, edited",
        f"sed -i 's/llamacpp-tiny/llamacpp-other/' {STATE}/llamacpp/manifest.json",
        {("manifest", "manifest")},
        ("edited", "as the last run wrote it"),
    ),
    Drift(
        "a unit that was masked",
        f"rm {UNITS}/litellm@IDLE.service && systemctl --user mask --quiet litellm@IDLE.service",
        {("unit-file", f"{UNITS}/litellm@IDLE.service")},
        ("a link to /dev/null",),
    ),
    Drift(
        "a drop-in for all engines of the family",
        settings("llamacpp-.service", "Nice=5"),
        {("extra-dropin", f"{UNITS}/llamacpp-.service.d/mine.conf")},
        ("changes a unit of ours",),
    ),
    Drift(
        "a directory in which anybody may put files",
        f"chmod 0777 {CONFIG}/litellm",
        {("open-directory", f"{CONFIG}/litellm")},
        ("mode 0777",),
    ),
    Drift(
        "what a killed run leaves behind",
        f"touch {CONFIG}/litellm/a/.llm-stack-12345678.tmp",
        {("leftover", f"{CONFIG}/litellm/a/.llm-stack-12345678.tmp")},
        ("a temporary file of a killed run",),
    ),
]
TAKEN_UP = [
    Drift(
        "a setting of the engine, edited",
        f"echo LLAMA_ARG_BATCH=512 >> {CONFIG}/llamacpp/tiny.env",
        {("file", f"{CONFIG}/llamacpp/tiny.env")},
        ("LLAMA_ARG_BATCH=512", "it has read tiny.env as edited on the host"),
    ),
    Drift(
        "a unit, edited",
        f"sed -i 's/^UMask=.*/UMask=0000/' {UNITS}/{ENGINE}",
        {("unit-file", f"{UNITS}/{ENGINE}")},
        ("UMask=0000", "it has read llamacpp-tiny.service as edited on the host"),
    ),
    Drift(
        "a drop-in with another environment",
        settings(ENGINE, "Environment=LLAMA_ARG_UBATCH=256"),
        {("extra-dropin", f"{UNITS}/{ENGINE}.d/mine.conf")},
        ("it may run with mine.conf", "its environment has another LLAMA_ARG_UBATCH"),
    ),
    Drift(
        "a limit until the next boot",
        f"systemctl --user set-property --runtime {ENGINE} MemoryMax=4G",
        {("extra-dropin", f"RUNTIME/user.control/{ENGINE}.d/50-MemoryMax.conf")},
        ("it may run with 50-MemoryMax.conf",),
    ),
    Drift(
        "a variable given to the whole user manager",
        "systemctl --user set-environment LLAMA_ARG_N_PREDICT=9",
        set(),
        ("its environment has another LLAMA_ARG_N_PREDICT",),
    ),
    Drift(
        "and a restart after which the engine runs with all that",
        f"systemctl --user daemon-reload && systemctl --user restart {ENGINE}",
        {("stale-process", ENGINE)},
        ("runs what is declared",),
    ),
]
SERVICES = [
    Drift("an engine that was stopped", f"systemctl --user stop {ENGINE}", {("not-active", ENGINE)}, ("inactive",)),
    Drift(
        "services that do not start at boot any more",
        f"systemctl --user disable --quiet {ENGINE} litellm.socket",
        {("not-enabled", ENGINE), ("not-enabled", "litellm.socket")},
        ("disabled",),
    ),
    Drift(
        "both sides of the gateway run",
        "systemctl --user start litellm@IDLE.service",
        {("active", "litellm@IDLE.service")},
        ("idle while litellm@SERVING.service serves",),
    ),
]
LOADED = [
    Drift(
        "an edit that the manager has loaded, and that is no longer on the disk",
        f"cp -p {UNITS}/{ENGINE} kept && sed -i 's/^UMask=.*/UMask=0000/' {UNITS}/{ENGINE}"
        f" && systemctl --user daemon-reload && mv kept {UNITS}/{ENGINE}",
        {("daemon-reload", ENGINE)},
        ("the manager holds another version",),
    ),
    Drift(
        "an edit whose time was set back",
        f"cd {CONFIG}/litellm/IDLE && cp -p config.yaml kept && echo '# mine' >> config.yaml"
        " && touch -r kept config.yaml && rm kept && cd",
        {("file", f"{CONFIG}/litellm/IDLE/config.yaml")},
        ("# mine",),
    ),
    Drift(
        "a file that now belongs to root",
        "true",
        {("file", f"{CONFIG}/llamacpp/tiny.env")},
        ("owned by uid 0",),
        by_root=f"chown root {CONFIG}/llamacpp/tiny.env",
    ),
    Drift(
        "a file of the stack that became a link",
        f"mv {UNITS}/litellm@IDLE.service elsewhere && ln -s ~/elsewhere {UNITS}/litellm@IDLE.service",
        {("unit-file", f"{UNITS}/litellm@IDLE.service"), ("enabled", "litellm@IDLE.service")},
        ("a link to",),
    ),
]
WRONG_SIDE = [
    Drift(
        "an edit that was loaded, but not yet taken up by a restart",
        f"sed -i 's/^UMask=.*/UMask=0000/' {UNITS}/{ENGINE} && systemctl --user daemon-reload",
        {("unit-file", f"{UNITS}/{ENGINE}")},
        ("UMask=0000",),
    ),
    Drift(
        "the wrong side of the gateway serves",
        "systemctl --user stop litellm@SERVING.service && systemctl --user start litellm@IDLE.service",
        {("not-enabled", "litellm@IDLE.service"), ("enabled", "litellm@SERVING.service")},
        ("disabled while litellm@IDLE.service serves",),
    ),
]
KEYS = [
    Drift(
        "the file with the keys, deleted",
        f"rm {CONFIG}/litellm/secrets.env",
        {
            ("file", f"{CONFIG}/litellm/secrets.env"),
            ("stale-process", "litellm@SERVING.service"),
            *(("unit-file", f"{UNITS}/litellm@{side}.service") for side in "ab"),
        },
        ("LITELLM_MASTER_KEY=(secret)", "what it runs from changed"),
    ),
    Drift(
        "a drop-in that nothing has read yet",
        settings("litellm@.service", "Nice=5"),
        {("extra-dropin", f"{UNITS}/litellm@.service.d/mine.conf")},
        ("changes a unit of ours",),
    ),
    Drift(
        "a variable of the user manager that puts other code under the engine",
        f"systemctl --user set-environment PYTHONPATH=/tmp/mine && systemctl --user restart {ENGINE}",
        {("stale-process", ENGINE)},
        ("what it was made to load is not as it was deployed",),
    ),
]
INSTALLED = [
    Drift(
        "a package that was upgraded, and the mark of a malicious release",
        "cd ENVIRONMENT/lib/python3*/site-packages && mv xllamacpp-*.dist-info xllamacpp-99.dist-info"
        " && touch litellm_init.pth && cd",
        {("environment", "ENVIRONMENT"), ("unit-file", f"{UNITS}/{ENGINE}"), ("stale-process", ENGINE)},
        ("has lost the distribution xllamacpp", "xllamacpp-99", "the mark of a malicious LiteLLM release"),
    ),
    Drift(
        "a model of the same size with other bytes",
        "dd if=/dev/zero of=MODEL bs=64K seek=8 count=1 conv=notrunc status=none",
        {("file", "MODEL")},
        ("what it runs from changed",),
    ),
    Drift(
        "a key that was rotated by hand, and that no process has taken up",
        f"sed -i 's/^LITELLM_MASTER_KEY=.*/LITELLM_MASTER_KEY=sk-rotated-by-hand/' {CONFIG}/litellm/secrets.env",
        {
            ("stale-process", "litellm@SERVING.service"),
            *(("unit-file", f"{UNITS}/litellm@{side}.service") for side in "ab"),
        },
        ("what it runs from changed",),
    ),
]


@dataclass(frozen=True)
class Named:
    """Replaces what the cases leave open."""

    stack: Stack
    serving: str
    environment: str
    model: str

    def text(self, text: str) -> str:
        idle = {"a": "b", "b": "a"}[self.serving]
        runtime = f"/run/user/{self.stack.host.user(self.stack.account).uid}/systemd"
        words = {"SERVING": self.serving, "IDLE": idle, "ENVIRONMENT": self.environment, "MODEL": self.model}
        words["RUNTIME"] = runtime
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def items(self, items: Items) -> Items:
        return {(kind, self.subject(self.text(subject))) for kind, subject in items}

    def subject(self, subject: str) -> str:
        return self.stack.home(subject) if subject.startswith(".") else subject


@pytest.fixture
def named(faulty: Stack) -> Named:
    environment = faulty.output(f"readlink -f {DATA}/envs/llamacpp/current")
    model = faulty.output(f"sed -n 's:.*LLAMA_ARG_MODEL=%h/\\(.*\\)\":\\1:p' {UNITS}/{ENGINE}")
    # What refused deploys of earlier tests brought would go with the next installation, and is not what this is about.
    faulty.output(f"cd {DATA}/models && find . -name '*tiny-*' ! -name '*{posixpath.basename(model)}*' -delete")
    return Named(faulty, faulty.slot().partition("@")[2][0], environment, faulty.home(model))


def predicted(stack: Stack) -> Played:
    """What a check says, which must leave the host as it is."""
    before = stack.imprint()
    played = check()
    assert stack.imprint() == before
    return played


@pytest.mark.parametrize(
    "drifts",
    [
        pytest.param(AT_REST, id="files and records"),
        pytest.param(TAKEN_UP, id="a process with another environment"),
        pytest.param(SERVICES, id="services", marks=pytest.mark.only_in("default")),
        pytest.param(LOADED, id="what was loaded", marks=pytest.mark.only_in("default")),
        pytest.param(WRONG_SIDE, id="the wrong side", marks=pytest.mark.only_in("account")),
        pytest.param(KEYS, id="keys", marks=pytest.mark.only_in("account")),
        pytest.param(INSTALLED, id="what is installed", marks=pytest.mark.only_in("default")),
    ],
)
def test_drift(faulty: Stack, named: Named, drifts: list[Drift]) -> None:
    faulty.output(" && ".join(named.text(drift.by_hand) for drift in drifts))
    for command in (drift.by_root for drift in drifts if drift.by_root):
        faulty.root(f"cd {faulty.home('.')} && {command}")
    found = predicted(faulty)
    assert found.items == {item for drift in drifts for item in named.items(drift.items)}, found.output
    shown = "\n".join(f"{header}\n{block}" for header, block in found.blocks.items())
    hidden = {drift.what: words for drift in drifts for words in map(named.text, drift.shown) if words not in shown}
    assert not hidden, shown
    assert deploy().items == found.items
    assert faulty.answers()


def test_after_all_that_nothing_is_left_to_mend(faulty: Stack) -> None:
    assert_clean()
    assert faulty.answers()


@pytest.mark.only_in("default")
def test_a_model_that_is_not_declared_any_more_goes_with_all_that_was_its_own(faulty: Stack) -> None:
    declared = faulty.host.ansible.get_variables()["llm_stack_models"]
    # The engines alone: the gateway has its own way to change, and takes longer.
    added = play("deploy", "--tags=llamacpp", variables={"llm_stack_models": {**declared, "spare": declared["tiny"]}})
    assert added.code == 0, added.output
    assert faulty.is_serving("llamacpp-spare.service")
    model = faulty.output(f"ls -d $PWD/{DATA}/models/spare-*.gguf")
    found = predicted(faulty).items
    assert found == {
        ("orphan-unit", "llamacpp-spare.service"),
        ("orphan-port", "127.0.0.1:8081"),
        ("orphan-file", faulty.home(f"{CONFIG}/llamacpp/spare.env")),
        ("orphan-model", model),
    }
    # The model is slow to bring back, so it stays until it is asked for.
    assert deploy().items == found
    gone = [f"{UNITS}/llamacpp-spare.service", f"{CONFIG}/llamacpp/spare.env"]
    assert [path for path in gone if faulty.run("test -e %s", path).rc == 0] == []
    assert faulty.show("llamacpp-spare.service")["LoadState"] == "not-found"
    left = check()
    assert (left.items, left.changed) == ({("orphan-model", model)}, 0)
    assert "llm_stack_prune: true" in left.output
    before = faulty.output(f"cd {DATA} && find . ! -name '.llm-stack-spare-*' ! -name 'spare-*' ! -name models")
    assert deploy({"llm_stack_prune": True}).items == {("orphan-model", model)}
    assert faulty.output(f"cd {DATA} && find . ! -name models") == before
    assert_clean({"llm_stack_prune": True})


@pytest.mark.only_in("default")
def test_a_drop_in_of_the_administrator_is_told_and_left_alone(faulty: Stack) -> None:
    directory = f"/etc/systemd/user/{ENGINE}.d"
    faulty.root(f"mkdir -p {directory} && printf '[Service]\\nNice=5\\n' > {directory}/theirs.conf")
    try:
        told = {("foreign-dropin", f"{directory}/theirs.conf")}
        found = predicted(faulty)
        assert (found.items, found.changed) == (told, 0)
        assert deploy().items == told
        assert faulty.root(f"ls {directory}") == "theirs.conf"
    finally:
        faulty.root(f"rm -r {directory}")
    assert_clean()


@pytest.mark.only_in("default")
def test_a_process_started_by_hand_on_a_port_of_ours_is_left_alone_and_named(faulty: Stack) -> None:
    faulty.output(f"systemctl --user stop {ENGINE}")
    faulty.output("setsid --fork python3 -m http.server --bind 127.0.0.1 8080 > by-hand.log 2>&1 < /dev/null")
    pid = holder_of(faulty, 8080)
    try:
        found = predicted(faulty)
        assert found.items == {("not-active", ENGINE), ("foreign-port-owner", "127.0.0.1:8080")}
        assert f"pid {pid} (python3) of {faulty.account}" in found.blocks["127.0.0.1:8080"]
        before = faulty.imprint()
        assert refused() == (
            "A port is taken. Nothing was changed.\n"
            f"127.0.0.1:8080 should be held by {ENGINE}, but is pid {pid} (python3) of {faulty.account};"
            " stop it, or declare another port."
        )
        assert faulty.imprint() == before
    finally:
        faulty.output("kill %s", pid)
    deploy()
    assert_clean()
    assert faulty.answers()


@pytest.mark.only_in("account")
def test_an_account_without_its_user_manager(faulty: Stack) -> None:
    manager = f"user@{faulty.host.user(faulty.account).uid}.service"
    faulty.root(f"loginctl disable-linger {faulty.account} && systemctl stop {manager}")
    items = check().items
    assert {("linger", faulty.account), ("user-manager", faulty.account)} <= items
    assert {("not-active", ENGINE), ("not-active", "litellm.socket")} <= items
    faulty.root(f"systemctl mask --quiet {manager}")
    said = refused()
    # The refused run had let the account linger before it found that no manager can start.
    faulty.root(f"systemctl unmask --quiet {manager} && loginctl disable-linger {faulty.account}")
    assert manager in said
    assert "is masked" in said
    deploy()
    assert eventually(faulty.answers, seconds=60)
    assert_clean()


def holder_of(stack: Stack, port: int) -> str:
    """Wait until a process listens on a port, and return its id."""
    command = (
        f"ss --no-header --listening --tcp --numeric --processes 'sport = :{port}' | grep -o 'pid=[0-9]*' | cut -c5-"
    )
    assert eventually(lambda: bool(stack.run(command).stdout), seconds=10)
    return stack.output(command)
