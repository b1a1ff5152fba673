#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Make wheels for an environment that looks like vLLM's and holds the stand-in: vllm_wheels.py LOCK DIRECTORY

Every distribution of LOCK is there by its name and version alone. Only vllm has code: tests/stand_ins/vllm_server.py.
DIRECTORY gets the wheels and requirements.txt, which is LOCK with the hashes of these wheels beside the real ones.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: A stand-in of tests, by its name alone\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests/stand_ins/vllm_wheels.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def code() -> dict[str, str]:
    """What the module vllm.entrypoints.cli.main has in the real one: the command."""
    server = (HERE / "vllm_server.py").read_text(encoding="utf-8")
    packages = ("vllm", "vllm/entrypoints", "vllm/entrypoints/cli")
    return {**{f"{package}/__init__.py": "" for package in packages}, "vllm/entrypoints/cli/main.py": server}


def write(directory: Path, name: str, version: str) -> str:
    """Write one wheel, the same bytes each time, and return its hash."""
    flat = re.sub(r"[-_.]+", "_", name).lower()
    info = f"{flat}-{version}.dist-info"
    texts = {f"{info}/METADATA": METADATA.format(name=name, version=version), f"{info}/WHEEL": WHEEL}
    texts.update(code() if name == "vllm" else {})
    path = directory / f"{flat}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**texts, f"{info}/RECORD": _record(info, texts)}.items():
            archive.writestr(zipfile.ZipInfo(inner), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record(info: str, texts: Mapping[str, str]) -> str:
    lines = [f"{path},sha256={_hash(text)},{len(text.encode())}\n" for path, text in texts.items()]
    return "".join([*lines, f"{info}/RECORD,,\n"])


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def pack(lock: str, directory: Path) -> str:
    """Write the wheels of a lock, and return the lock with their hashes."""
    directory.mkdir(parents=True, exist_ok=True)

    def pinned(match: re.Match[str]) -> str:
        return f"{match[0]} \\\n    --hash=sha256:{write(directory, match['name'], match['version'])}"

    return re.sub(
        r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ;[^\\\n]*[^\\\s])?", pinned, lock, flags=re.MULTILINE
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wheels = Path(sys.argv[2])
    text = pack(Path(sys.argv[1]).read_text(encoding="utf-8"), wheels)
    (wheels / "requirements.txt").write_text(text, encoding="utf-8")
