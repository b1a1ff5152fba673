# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What is about to be installed anew has another identity, so that check mode predicts the restart that follows."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lab.llm_stack.plugins.module_utils._requires import identities, missing_requirements
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Requirement


def test_what_is_missing_is_told_from_what_is_installed_at_the_same_path(tmp_path: Path) -> None:
    path = tmp_path / "server"
    path.write_text("#!/bin/sh\n")
    requires = (Requirement("file", str(path), "another fingerprint"), Requirement("program", "/bin/sh", ""))
    missing = missing_requirements(requires)
    assert [each["path"] for each in missing] == [str(path)]
    installed, predicted = identities(requires), identities(requires, missing)
    assert installed[str(path)] != predicted[str(path)]
    assert installed["/bin/sh"] == predicted["/bin/sh"]
