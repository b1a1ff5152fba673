# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The role llamacpp's decisions, as a filter; the code is in module_utils, where it is tested without Ansible."""

from __future__ import annotations

from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_service import llamacpp_service


class FilterModule:
    """The filter lab.llm_stack.llamacpp_service."""

    def filters(self) -> dict[str, Any]:
        return {"llamacpp_service": llamacpp_service}
