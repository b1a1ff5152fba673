# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of this collection have in common. Private: other collections must not use this fragment."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of a module that changes a host; each module states its support."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts in check mode exactly what a run would change, and changes nothing.
  diff_mode:
    description: Returns what differs, before and after, in diff mode.
  idempotent:
    description: A second run with the same options changes nothing and says so.
"""

    # Each module of the collection takes its defaults from this group.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: C(module_defaults) for C(group/lab.llm_stack.stack) apply to this module.
    support: full
    membership:
      - lab.llm_stack.stack
"""

    # For modules that only look.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Predicts in check mode exactly what a run would change, and changes nothing.
    support: full
    details:
      - This module only looks and never changes anything.
  diff_mode:
    description: Returns what differs, before and after, in diff mode.
    support: N/A
    details:
      - This module only looks and never changes anything.
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: full
    details:
      - This module only looks and never changes anything.
"""
