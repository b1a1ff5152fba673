#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Pack the stand-in for Ollama the way Ollama's releases are packed: ollama_archive.py VERSION FILE [FAULT]

It is no Ollama: it only shows that an archive of that shape is installed, replaced and put back. FILE is
ollama-linux-amd64.tar.zst or .tar.gz; the program zstd packs the first. FAULT is one of

    no-runner    lib/ollama/llama-server is missing, as packagers have left it out
    broken       the runner ends whenever a model is loaded
    lies         the program says another version than it was packed as
    silent       the program ends at once

Standard output gets the archive's sha256.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAM = """#!/usr/bin/python3 -B
# This is a stand-in for Ollama, made by the tests of lab.llm_stack.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "lib", "ollama"))
import ollama_server

sys.exit(ollama_server.main())
"""
SILENT = "#!/bin/sh\necho 'panic: stand-in that ends at once' >&2\nexit 3\n"


def files(version: str, fault: str) -> dict[str, bytes]:
    """The files of a release by their names."""
    found = {
        f"lib/ollama/{each.name}": each.read_bytes() for each in HERE.glob("ollama_*.py") if each != Path(__file__)
    }
    found["bin/ollama"] = (SILENT if fault == "silent" else PROGRAM).encode()
    found["lib/ollama/STAND_IN_VERSION"] = ("0.1.0" if fault == "lies" else version).encode()
    found["lib/ollama/llama-quantize"] = b"#!/bin/sh\n"
    if fault != "no-runner":
        found["lib/ollama/llama-server"] = b"#!/bin/sh\n" + (b"# broken\n" if fault == "broken" else b"")
    return found


def pack(version: str, path: Path, fault: str = "") -> str:
    """Write an archive and return its sha256."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in sorted(files(version, fault).items()):
            info = tarfile.TarInfo(name)
            program = name.startswith("bin/") or "llama-" in name
            info.size, info.mode = len(content), 0o755 if program else 0o644
            tar.addfile(info, io.BytesIO(content))
    command = ["zstd", "-q", "-c"] if path.suffix == ".zst" else ["gzip", "-n", "-c"]
    path.write_bytes(subprocess.run(command, input=plain.getvalue(), stdout=subprocess.PIPE, check=True).stdout)
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.stdout.write(pack(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]) + "\n")
