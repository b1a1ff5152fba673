# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The vLLM server of the host, asked without the gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from observed import Stack, eventually

UNIT = "vllm-tiny.service"
ADDRESS = "http://127.0.0.1:8001"
GREETING = [{"role": "user", "content": "Hello"}]
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
BOOT_SECONDS = 600
"""A start takes 27 s on two idle cores; beside other scenarios it takes its time."""


def have_model(stack: Stack, name: str) -> None:
    """Have a folder with the files of the scenario's model on the host, each as it should be."""
    folder = stack.home(f"models/{name}")
    stack.output("rm -rf %s && mkdir -p %s && cp .local/share/llm-stack/models/tiny/*/* %s/", *[folder] * 3)


@dataclass(frozen=True)
class Engine:
    """A server and the processes of its unit."""

    stack: Stack

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> tuple[int, str]:
        """Return status and answer of one request; 0 where nobody answers."""
        words = ["--data", json.dumps({"model": "tiny", "max_tokens": 60, **body})] if body else []
        curl = "curl --silent --max-time 60 --header 'Content-Type: application/json' --write-out '\\n%%{http_code}'"
        command = f"{curl} {' '.join(['%s'] * (len(words) + 1))}"
        text, _line, status = self.stack.run(command, ADDRESS + path, *words).stdout.rstrip().rpartition("\n")
        return int(status), str(text)

    def chat(self, **body: object) -> dict[str, Any]:
        """Return the one choice of an answer."""
        status, text = self.ask("/v1/chat/completions", body)
        assert status == 200, text
        (choice,) = json.loads(text)["choices"]
        found: dict[str, Any] = choice
        return found

    def stream(self, **body: object) -> list[dict[str, Any]]:
        """Return the deltas of a streamed answer."""
        status, text = self.ask("/v1/chat/completions", {"stream": True, **body})
        events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        assert (status, events[-1:]) == (200, ["[DONE]"]), text
        return [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]

    def processes(self) -> dict[str, int]:
        """Return the processes of vLLM wherever they are, by the names that they give themselves."""
        listed = self.stack.root("ps -u deploy -o pid=,args= | grep -E 'VLLM::|vllm[.]entrypoints' || true")
        found = dict(line.split(maxsplit=1)[::-1] for line in listed.splitlines())
        return {"VLLM::APIServer" if "entrypoints" in name else name.strip(): int(pid) for name, pid in found.items()}

    def serves_again(self, before: Mapping[str, int]) -> bool:
        """Say whether the unit serves with other processes than before, and none of those is left."""
        served = eventually(lambda: self.stack.is_serving(UNIT) and self.ask("/health")[0] == 200, BOOT_SECONDS)
        return served and not set(before.values()) & set(self.processes().values())

    def assert_serves_alone(self, name: str) -> None:
        """One model serves, with the three processes of one server, and nothing is left of any other."""
        units = self.stack.output("systemctl --user list-units --state=active,activating --plain --no-legend 'vllm-*'")
        assert [line.split()[0] for line in units.splitlines()] == [f"vllm-{name}.service"]
        assert len(self.processes()) == 3, self.processes()
        assert self.stack.chat({"model": name, "messages": GREETING})["choices"]
