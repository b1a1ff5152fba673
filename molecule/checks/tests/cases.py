# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A way to break each promise of the checklist, and what the checklist has to say of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from observed import CONFIG, STATE, UNITS

GATEWAY = "http://127.0.0.1:4000"
OLLAMA = "http://127.0.0.1:11434"
TINY, FAR = "llamacpp-tiny.service", "llamacpp-far.service"
TINY_ENV, FAR_SECRETS = f"{CONFIG}/llamacpp/tiny.env", f"{CONFIG}/llamacpp/secrets.env"
MODEL = "$(ls -d ~/.local/share/llm-stack/models/tiny-*.gguf)"
DEPLOY = "run deploy"


@dataclass(frozen=True)
class Case:
    """``harm`` is a command on the host ``on`` after which exactly ``checks`` are not kept; ``mend`` undoes it."""

    words: str
    checks: tuple[str, ...]
    evidence: str
    cause: str
    remedy: str
    harm: str = ":"
    mend: str = ":"
    on: str = "ck"
    root: bool = False
    state: str = "fail"
    variables: Mapping[str, object] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    timeout: int = 10
    played: bool = False
    """Whether validate.yml looks, as a person would let it; else the probe alone, in a fraction of its time."""

    @property
    def kind(self) -> str:
        """The kind of its checks."""
        return self.checks[0].partition(":")[0]


def restart(unit: str) -> str:
    """Start a unit anew, as often as a test likes."""
    return f"systemctl --user daemon-reload; systemctl --user reset-failed {unit}; systemctl --user restart {unit}"


def drop_in(*lines: str) -> str:
    """Let the unit of tiny run something else."""
    text = "".join(f"{line}\n" for line in ("[Service]", *lines))
    return f"mkdir -p {UNITS}/{TINY}.d && echo {shlex.quote(text)} >{UNITS}/{TINY}.d/x.conf && {restart(TINY)}"


def says(line: str) -> str:
    """Let the unit of tiny say something, slowly enough for the journal to see who does."""
    return drop_in(f'ExecStartPost=/bin/sh -c "echo \\"{line}\\"; sleep 0.5"')


def engine(fault: str) -> str:
    """Let a stand-in with one fault answer in the place of tiny's engine."""
    start = f"ExecStart=/usr/bin/python3 %h/engine.py {fault} 8081 "
    listens = f"for i in $(seq 100); do curl -so /dev/null {OLLAMA.replace('11434', '8081')} && break; sleep 0.1; done"
    lines = drop_in("ExecStart=", f"{start}MODEL", "ExecStartPost=").replace("MODEL", f"'{MODEL}'")
    return f"{lines}; {listens}"


def tiny_with(edit: str) -> str:
    """Start tiny with another environment."""
    return f"sed -i {shlex.quote(edit)} {TINY_ENV} && {restart(TINY)}"


WHOLE = f"rm -rf {UNITS}/{TINY}.d; cp kept/tiny.env {TINY_ENV}; {restart(TINY)}"
FAR_WHOLE = f"cp kept/secrets.env {FAR_SECRETS}; {restart(FAR)}"


def of_tiny(kind: str) -> tuple[str, ...]:
    return (f"{kind}:ck:tiny:direct",)


def of_gateway(kind: str) -> tuple[str, ...]:
    return (f"{kind}:ck:{GATEWAY}",)


def fault(words: str, checks: tuple[str, ...], evidence: str, cause: str, remedy: str = DEPLOY) -> Case:
    """The gateway errs as faulty_auth.py knows how to."""
    return Case(words, checks, evidence, cause, remedy, f"echo {words!r} >fault", "rm fault")


def ollama(path: str, body: str, method: str = "POST") -> str:
    return f"curl -sSf -X {method} {OLLAMA}{path} --data {shlex.quote(body)} >/dev/null"


SERVING = "$(systemctl --user list-units --plain --no-legend --state=active 'litellm@*' | cut -d' ' -f1)"
OTHER_COLOUR = f'$(echo litellm@a.service litellm@b.service | sed "s/{SERVING}//; s/ //")'
DOZING = "llm-stack/dozing"
KEEP = ollama("/api/copy", f'{{"source": "{DOZING}", "destination": "kept"}}')
KEPT = (
    ollama("/api/copy", f'{{"source": "kept", "destination": "{DOZING}"}}')
    + " && "
    + ollama("/api/delete", '{"model": "kept"}', "DELETE")
)
PLAIN = "$(sha256sum plain.gguf | cut -d' ' -f1)"
RECREATED = '{\\"model\\": \\"llm-stack/dozing\\", \\"files\\": {\\"a\\": \\"sha256:$sum\\"}}'

SERVICES = (
    # First, while nothing else has been started anew.
    Case(
        "a process that was killed",
        (f"unit_uptime:ck:{TINY}",),
        "started again 1 time by systemd",
        "it ended by itself and was started again",
        f"journalctl --user -u {TINY}",
        f"systemctl --user kill --signal=KILL {TINY}; sleep 2.5; systemctl --user start {TINY}",
        WHOLE,
        variables={"llm_stack_checks": {"min_uptime": 30}},
        played=True,
    ),
    Case(
        "a service that ends again and again",
        (f"unit_active:ck:{TINY}",),
        "activating (auto-restart)",
        "its process keeps ending",
        f"run deploy; journalctl --user -u {TINY} says more",
        f"{drop_in('ExecStart=', 'ExecStart=/bin/sleep 0.1', 'ExecStartPost=', 'RestartSec=30')}; sleep 0.5",
        WHOLE,
    ),
    Case(
        "a service whose model is gone",
        (f"unit_active:ck:{TINY}",),
        "failed to open GGUF file '/nowhere.gguf' (No such file or directory)",
        "The model file cannot be opened.",
        "Correct the model's source, or the file's owner and mode.",
        f"{drop_in('Environment=LLAMA_ARG_MODEL=/nowhere.gguf', 'ExecStartPost=', 'RestartSec=30')}; sleep 1",
        WHOLE,
    ),
    Case(
        "a service that was stopped",
        (f"unit_active:ck:{TINY}",),
        "inactive (dead)",
        "its process ended, or somebody stopped it",
        f"run deploy; journalctl --user -u {TINY} says more",
        f"systemctl --user stop {TINY}",
        WHOLE,
    ),
    Case(
        "a service that was disabled",
        (f"unit_active:ck:{TINY}",),
        "active, but disabled",
        "it would not start after a reboot",
        DEPLOY,
        f"systemctl --user --quiet disable {TINY}",
        f"systemctl --user --quiet enable {TINY}",
    ),
    Case(
        "two gateways at the next boot",
        ("unit_active:ck:litellm@.service",),
        " enabled",
        "after a reboot litellm@",
        DEPLOY,
        f"systemctl --user --quiet enable {OTHER_COLOUR}",
        f"systemctl --user --quiet disable {OTHER_COLOUR}",
    ),
    Case(
        "a stranger on the port",
        ("port_owner:ck:127.0.0.1:8081",),
        "(python3)",
        f"something else than {TINY} took the port",
        "stop it, then run deploy",
        f"{tiny_with('s/PORT=8081/PORT=8099/')} & sed -i s/PORT=8081/PORT=8099/ {TINY_ENV}; "
        f"{drop_in('ExecStartPost=')}; systemd-run --user --unit=stranger python3 -m http.server 8081 -b 127.0.0.1; "
        f"for i in $(seq 50); do curl -so /dev/null http://127.0.0.1:8081 && break; sleep 0.1; done",
        f"systemctl --user stop stranger; {WHOLE}",
    ),
    Case(
        "a known error in the journal",
        (f"journal_clean:ck:{TINY}",),
        "failed to open GGUF file",
        "The model file cannot be opened.",
        "Correct the model's source, or the file's owner and mode.",
        says("E failed to open GGUF file \\'draft.gguf\\' (No such file or directory)"),
        WHOLE,
    ),
    Case(
        "an unknown error in the journal",
        (f"journal_clean:ck:{TINY}",),
        "1 line tells of an error, first: ERROR: the moon is in the wrong house",
        "nobody has classified it",
        f"journalctl --user -u {TINY}; allow it in llm_stack_checks.journal_allow",
        says("ERROR: the moon is in the wrong house"),
        WHOLE,
        state="warn",
        played=True,
    ),
)

HOSTS = (
    Case(
        "an account that does not linger",
        ("linger:ck-far:ck-far",),
        "deploy does not linger",
        "its services end at the last logout, and do not start with the host",
        "loginctl enable-linger deploy, or deploy",
        "rm /var/lib/systemd/linger/deploy",
        "touch /var/lib/systemd/linger/deploy",
        on="ck-far",
        root=True,
    ),
    Case(
        "a disk with too little room",
        ("disk:ck:ck", "disk:ck-far:ck-far"),
        "GiB free at /home/deploy",
        "1e+06 GiB should be",
        "remove what nobody needs, or lower llm_stack_checks.min_free_disk",
        variables={"llm_stack_checks": {"min_uptime": 0, "min_free_disk": 1000000}},
        played=True,
    ),
    Case(
        "too little memory",
        ("memory:ck:ck", "memory:ck-far:ck-far"),
        "GiB available",
        "1e+06 GiB should be",
        "stop what is not needed, or lower llm_stack_checks.min_free_memory",
        state="warn",
        variables={"llm_stack_checks": {"min_uptime": 0, "min_free_memory": 1000000}},
        played=True,
    ),
    Case(
        "a card that is gone",
        ("cards:ck:ck",),
        "no card is seen",
        f"{TINY} counts on one",
        "nvidia-smi or rocm-smi, as the stack's account, says why",
        f'cd {STATE}/preflight && cp {TINY}.json ~/record && sed -i \'s/"cpu"/"cuda"/\' {TINY}.json',
        f"cp record {STATE}/preflight/{TINY}.json",
    ),
)

ENGINES = (
    Case(
        "an engine that takes any key",
        ("engine_key:ck-far:far:direct",),
        "200: a wrong key was let in",
        "the engine runs without its key",
        DEPLOY,
        f"echo >{FAR_SECRETS}; {restart(FAR)}",
        FAR_WHOLE,
        on="ck-far",
    ),
    Case(
        "another model under the right name",
        of_tiny("model_identity"),
        "tiny is /tmp/other.gguf",
        "another model answers to this name",
        DEPLOY,
        f"cp {MODEL} /tmp/other.gguf; {drop_in('Environment=LLAMA_ARG_MODEL=/tmp/other.gguf')}",
        WHOLE,
    ),
    Case(
        "an engine that hangs behind a healthy face",
        of_tiny("chat_content"),
        "no answer within 10 s",
        "it hangs, or has more to do than it can",
        "look at the unit's journal",
        engine("hung"),
        WHOLE,
    ),
    Case(
        "a template without tools",
        of_tiny("tools_rendered"),
        "characters with and without tools",
        "the chat template leaves tools out",
        "set a chat template that has tools, or tools: false",
        "echo '{% for message in messages %}{{ message.content }}{% endfor %}' >plain.jinja; "
        f"echo LLAMA_ARG_CHAT_TEMPLATE_FILE=$HOME/plain.jinja >>{TINY_ENV}; {restart(TINY)}",
        WHOLE,
    ),
    Case(
        "an engine without its counters",
        of_tiny("engine_counters"),
        " at /metrics",
        "the engine was started without its counters",
        DEPLOY,
        tiny_with("/METRICS/d"),
        WHOLE,
    ),
    Case(
        "a context of 1024 instead of 4096",
        of_tiny("engine_context"),
        "1024 tokens for a request, declared 4096",
        "the engine runs with another context than the declared one, or its model was made for less",
        "run deploy, or lower context in llm_stack_models.tiny",
        tiny_with("s/CTX_SIZE=4096/CTX_SIZE=1024/"),
        WHOLE,
    ),
    Case(
        "a model at Ollama without tools",
        ("ollama_tools:ck:dozing",),
        "it can do completion",
        "its template knows no tools",
        "set tools: false in llm_stack_models.dozing, or choose a model that calls tools",
        f"{KEEP} && sum={PLAIN} && curl -sSf --data-binary @plain.gguf {OLLAMA}/api/blobs/sha256:$sum && "
        f'curl -sSf {OLLAMA}/api/create --data "{RECREATED[:-1]}, \\"parameters\\": {{\\"num_ctx\\": 2048}}}}"',
        KEPT,
    ),
    Case(
        "a model at Ollama with another context",
        ("ollama_context:ck:dozing",),
        "not loaded; 1024 is written into it, declared 2048",
        "it was made from another declaration",
        DEPLOY,
        f"{KEEP} && "
        + ollama("/api/create", f'{{"model": "{DOZING}", "from": "kept", "parameters": {{"num_ctx": 1024}}}}'),
        KEPT,
    ),
    Case(
        "a model beside the card",
        ("ollama_gpu:ck:dozing",),
        "none of it on the card",
        "the server found no card when it started, or lost it",
        "restart ollama.service; journalctl --user -u ollama tells which cards it found",
        "touch /dev/kfd; " + ollama("/api/generate", f'{{"model": "{DOZING}"}}'),
        "rm /dev/kfd; " + ollama("/api/generate", f'{{"model": "{DOZING}", "keep_alive": 0}}'),
        root=True,
    ),
)

GATEWAYS = (
    Case(
        "a gateway that hangs",
        of_gateway("gateway_alive"),
        "no answer within 3 s",
        "it hangs, or has more to do than it can",
        "look at the unit's journal",
        f"systemctl --user kill --signal=STOP {SERVING}",
        f"systemctl --user kill --signal=CONT {SERVING}",
        timeout=3,
    ),
    Case(
        "a fallback that answers in the place of the model",
        ("route:ck:far",),
        "after 1 fallbacks",
        "the instance of far failed, and a fallback answered",
        "look at the journal of its unit",
        f"echo LLAMA_API_KEY=another-key-than-the-gateway-has >{FAR_SECRETS}; {restart(FAR)}",
        FAR_WHOLE,
        on="ck-far",
    ),
    fault(
        "a gateway that takes any key",
        of_gateway("gateway_key"),
        "200: a wrong key was let in",
        "the gateway runs without its master key",
    ),
    fault(
        "a name that is not listed",
        of_gateway("gateway_models"),
        "missing: other",
        "the gateway runs with another configuration than the declared one",
    ),
    fault(
        "a deployment that waits longer",
        of_gateway("gateway_deployments"),
        "charm/tiny has timeout 9, declared 2",
        "LiteLLM left out what it cannot use, or runs with another configuration than the declared one",
        "run deploy; the gateway's journal says what was left out",
    ),
    fault(
        "a fallback less",
        of_gateway("gateway_fallbacks"),
        "tiny falls back to spare, declared spare and other",
        "the gateway runs with another configuration than the declared one",
    ),
    fault(
        "no fallback at all",
        ("fallback:ck:far", "fallback:ck:tiny"),
        "500 to a question that was to fail",
        "no fallback answered in its place",
        "run deploy; the gateway's journal says what each fallback answered",
    ),
    fault(
        "an alias that leads elsewhere",
        ("alias:ck:chat",),
        "200 from http://127.0.0.1:9000/v1, expected http://127.0.0.1:8081/v1",
        "the gateway runs with another configuration than the declared one",
    ),
    fault(
        "a gateway that drops tools",
        ("tool_certificate:ck:tiny",),
        "none, 12 of 16 ways: through the gateway, a tool with arguments: 200, but no call",
        "the engine answers well, and the gateway does not: the tools never reach the model",
        "run deploy; if that does not help, report it to LiteLLM with the transcript, or set tools: false",
    ),
    fault(
        "a key that lists another name",
        ("app_models:ck:charm",),
        "not declared: other",
        "the gateway runs with another configuration than the declared one",
    ),
    fault(
        "a key that opens every model",
        ("app_refused:ck:charm",),
        ": a model that is not its own was not refused",
        "LiteLLM does not hold keys to their models",
    ),
    fault(
        "an app without limits",
        ("app_limits:ck:charm",),
        "no limit of requests a minute, declared 100; no limit of tokens a minute, declared 50000",
        "the gateway runs with another limit than the declared one",
    ),
    fault(
        "a model without its limit",
        ("model_limits:ck:other",),
        "999999 tokens a minute, declared 20000",
        "the gateway runs with another limit than the declared one",
    ),
    fault(
        "a limit of time that is not held",
        ("app_timeout:ck:charm/tiny",),
        "408 after 6.",
        "the gateway runs with another limit, or tries again in spite of it",
    ),
)

DEEP = replace(GATEWAYS[-1], options=("--tags", "deep"), played=True)
CASES = (*SERVICES, *HOSTS, *ENGINES, *GATEWAYS[:-1], DEEP)
