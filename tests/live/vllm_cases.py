# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Starts of real vLLM on the CPU that fail, each in a way that somebody met or will meet, and some that go well.

A case says what differs from a good start: settings, variables, the files of the model, the host.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

FOLDER = "/home/deploy/models/tiny"
ENVIRONMENT = "/home/deploy/.local/share/llm-stack/envs/vllm/current"
SITE = f"{ENVIRONMENT}/lib/python3.11/site-packages"
PORT = 8001

GOOD = {
    "model": FOLDER,
    "served-model-name": "tiny",
    "host": "127.0.0.1",
    "port": PORT,
    "enforce-eager": True,
    "max-num-seqs": 4,
    "max-model-len": 1024,
    "enable-auto-tool-choice": True,
    "tool-call-parser": "hermes",
}
"""The settings of a good start, as they stand in the YAML file of an instance."""

VARIABLES = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_LOGGING_COLOR": "0",
}


@dataclass(frozen=True)
class Case:
    """One start. ``log`` names its file in tests/fixtures/boot_logs: the cause, and a variant of it after a dot.

    ``settings`` and ``variables`` are laid over the good ones (None takes one out), ``files`` over the model's: a dict
    is laid over a JSON file, a text replaces a file, a number cuts it to as many bytes, None removes it. ``before`` and
    ``after`` are run by root's shell on the host, ``meanwhile`` once the log says ``at``.
    ``status`` is what vLLM exits with, None where that depends on when it was met.
    """

    log: str
    settings: Mapping[str, object] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, object] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    at: str = ""
    meanwhile: str = ""
    status: int | None = 1

    @property
    def healthy(self) -> bool:
        return self.log.startswith("healthy/")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the process."""
        return {name: value for name, value in {**VARIABLES, **self.variables}.items() if value is not None}

    @property
    def cause(self) -> str:
        """The row of the table of causes; nothing where none may fit."""
        return "" if self.healthy else self.log.removeprefix("vllm-").split(".")[0]


def change_file(shell: Callable[[str], str], path: str, change: object) -> None:
    """Change one file of a model: see Case. ``shell`` runs a line on the host and returns what it prints."""
    name = shlex.quote(path)
    if change is None:
        shell(f"rm {name}")
    elif isinstance(change, int):
        shell(f"truncate --size={change} {name}")
    else:
        text = change if isinstance(change, str) else json.dumps({**json.loads(shell(f"cat {name}")), **dict(change)})
        shell(f"printf %s {shlex.quote(text)} > {name}")


WITHOUT_TOOLS = {"enable-auto-tool-choice": None, "tool-call-parser": None}
UNIT = "systemctl --user --machine=deploy@"

CASES = (
    Case("healthy/vllm"),
    Case("healthy/vllm.without-tools", WITHOUT_TOOLS),
    Case(
        "healthy/vllm.auto-context",
        {"max-model-len": "auto"},
        files={"config.json": {"max_position_embeddings": 2**23}},
    ),
    # Settings
    Case("vllm-unknown-setting", {"max-modle-len": 10}, status=2),
    Case("vllm-unknown-setting.value", {"max-model-len": "many"}, status=2),
    Case("vllm-unknown-setting.choice", {"dtype": "float7"}, status=2),
    Case("vllm-settings-file", before="mv /home/deploy/vllm.yaml /home/deploy/vllm.yml.txt"),
    Case("vllm-auto-tools-without-parser", {"tool-call-parser": None}),
    Case("vllm-unknown-tool-parser", {"tool-call-parser": "nope"}),
    Case("vllm-unknown-reasoning-parser", {"reasoning-parser": "nope"}),
    Case("vllm-parser-tokens", {"tool-call-parser": "deepseek_v3"}),
    Case("vllm-parser-tokens.jamba", {"tool-call-parser": "jamba"}),
    Case("vllm-reasoning-tokens", {"reasoning-parser": "deepseek_r1"}),
    Case("healthy/vllm.parser-plugin", {"tool-parser-plugin": "/home/deploy/none.py"}),
    Case("vllm-template-file", {"chat-template": "/home/deploy/none.jinja"}),
    Case("vllm-context-over-model", {"max-model-len": 100000}),
    Case("vllm-tensor-parallel", {"tensor-parallel-size": 3}),
    Case("vllm-quantization-file", {"quantization": "awq"}),
    # This build registers the operation without its arguments, which no table tells.
    Case("healthy/vllm-unknown.fp8", {"quantization": "fp8"}),
    Case(
        "vllm-model-config.draft", {"speculative-config": {"model": "/home/deploy/none", "num_speculative_tokens": 2}}
    ),
    # The model's files
    Case("vllm-model-not-fetched", {"model": "nobody/nothing"}),
    Case("vllm-model-folder", {"model": "/home/deploy/models/none"}),
    Case("vllm-model-config", files={"config.json": None}),
    Case("vllm-file-denied", before=f"chmod 000 {FOLDER}/config.json"),
    Case("vllm-model-config.cut", files={"config.json": "{"}),
    Case("vllm-architecture", files={"config.json": {"architectures": ["NopeForCausalLM"]}}),
    Case("vllm-architecture.transformers", files={"config.json": {"model_type": "nope"}}),
    Case("vllm-architecture-removed", files={"config.json": {"architectures": ["MotifForCausalLM"]}}),
    Case(
        "vllm-remote-code",
        files={"config.json": {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}},
    ),
    Case("healthy/vllm.without-tokenizer", files={"tokenizer.json": None}),
    Case("vllm-model-json", files={"tokenizer.json": 20000}),
    Case("healthy/vllm.tokenizer-class", files={"tokenizer_config.json": {"tokenizer_class": "NopeTokenizer"}}),
    Case("vllm-weights-cut", files={"model.safetensors": 1_000_000}),
    Case("vllm-weights-cut.header", files={"model.safetensors": 1000}),
    Case("vllm-weights-missing", files={"model.safetensors": None}),
    Case("vllm-weights-shape", files={"config.json": {"vocab_size": 1000, "hidden_size": 256}}),
    Case("vllm-quantization-file.unknown", files={"config.json": {"quantization_config": {"quant_method": "nope"}}}),
    # Memory
    Case("vllm-memory-held.cpu", {"gpu-memory-utilization": 0.999}, {"VLLM_CPU_KVCACHE_SPACE": None}),
    Case("vllm-weights-over-memory.cpu", {"gpu-memory-utilization": 0.9}, {"VLLM_CPU_KVCACHE_SPACE": "0"}),
    Case("vllm-cpu-cache", variables={"VLLM_CPU_KVCACHE_SPACE": "500"}),
    Case(
        "vllm-context-over-memory", {"max-model-len": 2**23}, files={"config.json": {"max_position_embeddings": 2**23}}
    ),
    # The host
    Case(
        "vllm-port-in-use",
        before=f"systemd-run --quiet --unit=holder python3 -m http.server {PORT} --bind 127.0.0.1 && sleep 1",
        after="systemctl stop holder",
    ),
    Case("vllm-address", {"host": "203.0.113.7"}),
    Case("vllm-port-denied", {"port": 80}),
    Case("vllm-shared-memory", before="fallocate --length 900M /dev/shm/filled", after="rm /dev/shm/filled"),
    Case(
        "vllm-system-library",
        before="mkdir -p /root/away && mv /usr/lib/x86_64-linux-gnu/libnuma.so.1* /root/away/",
        after="mv /root/away/* /usr/lib/x86_64-linux-gnu/",
    ),
    Case("vllm-compiler.cpp", {"enforce-eager": None}),
    Case(
        "vllm-vllm-metadata",
        before=f"mv {SITE}/vllm-0.32.0+cpu.dist-info /root/away.dist-info",
        after=f"mv /root/away.dist-info {SITE}/vllm-0.32.0+cpu.dist-info",
    ),
    Case("vllm-python-module", before=f"mv {SITE}/uvloop /root/uvloop", after=f"mv /root/uvloop {SITE}/uvloop"),
    # A limit of one second did not end a start that took a minute.
    Case("healthy/vllm.engine-timeout", variables={"VLLM_ENGINE_READY_TIMEOUT_S": "1"}),
    Case("vllm-stopped-while-starting", at="Initializing a V1 LLM engine", meanwhile=f"{UNIT} stop vllm", status=None),
    Case(
        "vllm-process-killed",
        at="Initializing a V1 LLM engine",
        meanwhile="pkill -KILL -f [V]LLM::EngineCore",
    ),
    # A worker that dies before it is ready leaves no word of it, so nothing tells that it was killed.
    Case("healthy/vllm-unknown.worker-killed", at="VllmWorker|Worker pid", meanwhile="pkill -KILL -f [V]LLM::Worker"),
    Case("healthy/vllm-stopped", at="Application startup complete", meanwhile=f"{UNIT} stop vllm", status=0),
    Case(
        "healthy/vllm-killed-engine",
        at="Application startup complete",
        meanwhile="pkill -KILL -f [V]LLM::EngineCore",
        status=0,
    ),
)
