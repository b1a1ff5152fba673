# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of a report, by its name below the folder of reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts, report
from ansible_collections.lab.llm_stack.plugins.module_utils._report_grafana import dashboard
from ansible_collections.lab.llm_stack.plugins.module_utils._report_html import page
from ansible_collections.lab.llm_stack.plugins.module_utils._report_junit import junit
from ansible_collections.lab.llm_stack.plugins.module_utils._report_markdown import status_markdown
from ansible_collections.lab.llm_stack.plugins.module_utils._report_metrics import textfile
from ansible_collections.lab.llm_stack.plugins.module_utils._report_prometheus import alerts, scrape


def files(plan: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Give the report as data, and the text of every file."""
    data = report(plan, facts)
    texts = {
        "status.md": status_markdown(data),
        "status.html": page(data),
        "status.json": json.dumps(data, indent=2, ensure_ascii=False) + "\n",
        "history.json": json.dumps(data["history"], indent=2, ensure_ascii=False) + "\n",
        "junit.xml": junit(data),
        "llm_stack.prom": textfile(data),
        "prometheus/scrape.yml": scrape(plan),
        "prometheus/alerts.yml": alerts(plan),
        "grafana/llm-stack.json": dashboard(plan),
    }
    return {"data": data, "files": texts}
