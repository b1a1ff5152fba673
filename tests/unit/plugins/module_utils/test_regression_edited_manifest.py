# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A manifest says what is ours to remove; one that somebody edited says nothing of the kind."""

from __future__ import annotations

import json
from pathlib import Path

from example_services import server
from simulated_host import SimulatedHost, check, deploy


def test_nothing_is_removed_because_an_edited_manifest_claims_it(host: SimulatedHost) -> None:
    wanted = server(host.home)
    deploy(host, wanted)
    precious = host.home / "precious"
    host.edit(precious, b"not ours\n")
    path = Path(host.state.directory) / "manifest.json"
    record = json.loads(path.read_text())
    record["files"][str(precious)] = "0"
    record["units"].append("precious.service")
    host.edit(path, json.dumps(record).encode())

    assert check(host, wanted) == [("manifest", "manifest")]
    deploy(host, wanted)
    assert check(host, wanted) == []
    assert precious.exists()
    manifest = host.state.manifest()
    assert (manifest.ok, str(precious) in manifest.files, manifest.units) == (True, False, ("server.service",))
