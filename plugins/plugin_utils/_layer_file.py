# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the file of a layer on the controller, as it is: no templates, and nothing but plain data comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.plugin_utils._yaml import load


def read(name: str, directory: str) -> dict[str, Any]:
    """Give the content of a file with the lines of its values, or why there is none, for the plan to refuse."""
    path = Path(directory or ".", Path(name).expanduser())
    try:
        document = load(path.read_text(encoding="utf-8"))
        # Dates become text, and an anchor that holds itself is found out.
        config = json.loads(json.dumps(document.data, default=str))
    except StackError as broken:
        first = broken.problems[0]
        return {"problem": f"stops being YAML at {first.path}: {first.wrong}", "remedy": first.remedy}
    except OSError as error:
        remedy = f"It was looked for at {path}.\nThe path is seen from the directory of the inventory."
        return {"problem": f"cannot be read: {error.strerror}.", "remedy": remedy}
    except ValueError as error:
        return {"problem": f"holds more than plain data: {error}.", "remedy": "Write it as plain YAML."}
    duplicates = [{"path": each.path, "lines": list(each.lines)} for each in document.duplicates]
    return {"config": config, "lines": dict(document.lines), "duplicates": duplicates}
