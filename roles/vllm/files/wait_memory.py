# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until the memory that a vLLM server takes when it starts is free; for ExecStartPre=.

Usage: wait_memory.py cuda|rocm SHARE CARDS SECONDS      for example: wait_memory.py cuda 0.92 1 120
       wait_memory.py cpu GIB 1 SECONDS

vLLM looks once, and ends when other processes hold a part of the SHARE that it is to take of each card. An engine that
was just stopped, or killed, gives its memory back some seconds after its port. On the CPU GIB of main memory are asked
for, as the kernel's MemAvailable has them.

Environment: CUDA_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES, which choose the cards. Exit: 0 when
the memory is free, or nothing here can tell; 1 when it is not after SECONDS; 2 for wrong use.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import NamedTuple

PAUSE_SECONDS = 1.0
GIB = 1 << 30
VISIBLE = {"cuda": ["CUDA_VISIBLE_DEVICES"], "rocm": ["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"]}
QUERY = ["nvidia-smi", "--query-gpu=index,uuid,memory.used,memory.free", "--format=csv,noheader,nounits"]
HOLDERS = ["nvidia-smi", "--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader,nounits"]


class Card(NamedTuple):
    """A place for memory, in bytes; ``total`` is what programs can have of it."""

    name: str
    total: int
    free: int
    uuid: str = ""


def printed(command: list[str]) -> str:
    """Run a program of the driver; nothing where there is none, or it finds no card."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def nvidia(text: str) -> list[Card]:
    """Read lines of index, uuid, used and free MiB; a card in parts (MIG) tells no numbers and is left out.

    Their sum is what CUDA tells vLLM as the total. memory.total is more, by what the driver keeps for itself.
    """
    rows = [re.split(r",\s*", line.strip()) for line in text.splitlines()]
    numbers = [row for row in rows if len(row) == 4 and row[2].isdigit() and row[3].isdigit()]
    sizes = [(row, int(row[2]) << 20, int(row[3]) << 20) for row in numbers]
    return [Card(f"card {row[0]}", used + free, free, row[1]) for row, used, free in sizes]


def amd(text: str) -> list[Card]:
    """Read the JSON of rocm-smi, which warnings may precede."""
    try:
        parsed = json.loads(text[text.index("{") :])
    except ValueError:
        return []
    found = []
    for name in sorted(each for each in parsed if re.fullmatch(r"card\d+", each) and isinstance(parsed[each], dict)):
        sizes = [str(parsed[name].get(f"VRAM Total {part}Memory (B)", "")) for part in ("", "Used ")]
        if all(size.isdigit() for size in sizes):
            found.append(Card(f"card {name[4:]}", int(sizes[0]), int(sizes[0]) - int(sizes[1]), name[4:]))
    return found


def chosen(cards: list[Card], backend: str, count: int) -> list[Card]:
    """Choose the cards that vLLM will take: the first ones that its environment lets it see."""
    visible = next((os.environ[name] for name in VISIBLE.get(backend, []) if name in os.environ), None)
    if visible is None:
        return cards[:count]
    words = [word.strip() for word in visible.split(",") if word.strip()]
    return [card for word in words for card in cards if is_meant(card, word)][:count]


def is_meant(card: Card, word: str) -> bool:
    """Whether a word means this card: its index, or as much of its uuid as tells it from others."""
    return word == card.name[5:] or (len(word) > 4 and card.uuid.startswith(word))


def main_memory(text: str) -> list[Card]:
    """Read /proc/meminfo."""
    sizes = {name: int(size) << 10 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    if "MemAvailable" not in sizes:
        return []
    return [Card("main memory", sizes.get("MemTotal", 0), sizes["MemAvailable"])]


def places(backend: str, count: int) -> list[Card]:
    """Read what there is now."""
    if backend == "cuda":
        return chosen(nvidia(printed(QUERY)), backend, count)
    if backend == "rocm":
        return chosen(amd(printed(["rocm-smi", "--showmeminfo", "vram", "--json"])), backend, count)
    with open("/proc/meminfo", encoding="utf-8") as text:
        return main_memory(text.read())


def wanted(card: Card, backend: str, amount: float) -> int:
    """How many bytes have to be free."""
    return int(amount * GIB) if backend == "cpu" else int(amount * card.total)


def lacking(cards: list[Card], backend: str, amount: float) -> str:
    """Say which place has too little free; nothing when every one has enough."""
    for card in cards:
        need = wanted(card, backend, amount)
        if card.free < need:
            free, total = f"{card.free / GIB:.1f} GiB", f"{card.total / GIB:.1f} GiB"
            return f"{card.name} has {free} of {total} free, and {need / GIB:.1f} GiB are wanted"
    return ""


def holders(backend: str) -> str:
    """Name who holds memory of the cards, as far as the driver tells."""
    rows = [re.split(r",\s*", line.strip()) for line in printed(HOLDERS).splitlines()] if backend == "cuda" else []
    said = [f"pid {row[1]} ({command(row[1])}, {row[2]} MiB)" for row in rows if len(row) == 3]
    return f"; held by {', '.join(said)}" if said else ""


def command(pid: str) -> str:
    try:
        with open(f"/proc/{int(pid)}/comm", encoding="utf-8", errors="replace") as text:
            return text.read().strip()
    except (OSError, ValueError):
        return "unknown"


def main() -> int:
    try:
        backend, amount, count, seconds = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    except (IndexError, ValueError):
        sys.stderr.write("wait_memory.py: four arguments are needed: cuda, rocm or cpu, AMOUNT, CARDS, SECONDS.\n")
        return 2
    start = time.monotonic()
    while True:
        cards = places(backend, count)
        if not cards:
            sys.stdout.write(f"wait_memory.py: nothing here tells of {backend} memory, so nothing was waited for.\n")
            return 0
        lack, waited = lacking(cards, backend, amount), time.monotonic() - start
        if not lack:
            sys.stdout.write(f"wait_memory.py: the memory is free, after {waited:.0f} s.\n")
            return 0
        if waited >= seconds:
            sys.stderr.write(f"wait_memory.py: after {waited:.0f} s {lack}{holders(backend)}.\n")
            return 1
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
