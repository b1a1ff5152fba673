# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page looks: one style sheet, light and dark, for wide screens, phones and paper."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f5f1; --panel: #fff; --ink: #23262b; --soft: #5d636b; --line: #e2dfd8; --faint: #efede7;
  --pass: #2c7a57; --warn: #8f6400; --fail: #b0352d; --idle: #6e757d; --sign: #fff;
  --pass-wash: #e7f2ec; --warn-wash: #f8efda; --fail-wash: #fae9e6; --idle-wash: #eeede9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131619; --panel: #1a1e22; --ink: #e4e7ea; --soft: #9ba3ab; --line: #2b3137; --faint: #22272c;
    --pass: #6fc29b; --warn: #deb35f; --fail: #ef8b81; --idle: #8d959d; --sign: #14181b;
    --pass-wash: #1b2c25; --warn-wash: #2e281a; --fail-wash: #34211f; --idle-wash: #23282d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, "Segoe UI", Roboto,
    "DejaVu Sans", sans-serif;
  -webkit-text-size-adjust: 100%; overflow-wrap: anywhere;
}
header, main, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 52px; padding-bottom: 8px; }
.over { color: var(--soft); font-size: 13px; letter-spacing: .02em; margin: 0 0 6px; }
h1 { font-size: 32px; line-height: 1.2; font-weight: 620; letter-spacing: -.012em; margin: 0; max-width: 30em;
  text-wrap: pretty; }
h2 { font-size: 18px; font-weight: 620; letter-spacing: -.005em; margin: 0 0 14px; }
h3 { font-size: 15px; font-weight: 620; margin: 0; }
p { margin: 0; }
code { font: .9em/1.4 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
section { margin: 0 0 20px; background: var(--panel); border: 1px solid var(--line); border-radius: 12px;
  padding: 22px 24px; }
.hidden { position: absolute; width: 0; height: 0; overflow: hidden; }
.meta { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; color: var(--soft); font-size: 14px;
  margin-top: 14px; }
.pill { display: inline-block; padding: 1px 11px 2px; border-radius: 99px; font-weight: 600; }
.pill.healthy { color: var(--pass); background: var(--pass-wash); }
.pill.warnings { color: var(--warn); background: var(--warn-wash); }
.pill.degraded, .pill.broken { color: var(--fail); background: var(--fail-wash); }
.pill.unknown { color: var(--idle); background: var(--idle-wash); }

.figures { display: grid; grid-template-columns: repeat(4, 1fr) auto; gap: 24px; margin: 30px 0 26px; padding:
  0; }
.figures div { border-top: 2px solid var(--line); padding-top: 10px; }
.figures dt { color: var(--soft); font-size: 13px; }
.figures dd { margin: 2px 0 0; font-size: 25px; line-height: 1.25; font-weight: 600; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; }
.figures dd small { font-size: 15px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
.history { display: block; margin-top: 6px; max-width: 100%; }
.history .ground { fill: var(--faint); }
.history .healthy { fill: var(--pass); } .history .warnings { fill: var(--warn); }
.history .degraded, .history .broken { fill: var(--fail); } .history .unknown { fill: var(--idle); }

.mark { width: 15px; height: 15px; flex: none; vertical-align: -2.5px; }
.pass { --tone: var(--pass); } .warn { --tone: var(--warn); } .fail { --tone: var(--fail); }
.skipped, .unchecked, .standby { --tone: var(--idle); }
symbol, .mark, use { fill: var(--tone); }
.sign { fill: none; stroke: var(--sign); stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
.open { fill: none; stroke: var(--tone); stroke-width: 1.4; }
.open + .sign { stroke: var(--tone); stroke-width: 1.4; }
.state { white-space: nowrap; color: var(--tone); font-weight: 500; }
.state.standby, .state.skipped, .state.unchecked { color: var(--soft); font-weight: 400; }

.topology { display: block; width: 100%; height: auto; }
.topology text { fill: var(--ink); font-size: 13px; }
.topology .head { fill: var(--soft); font-size: 12.5px; }
.topology .note { fill: var(--soft); font-size: 11.5px; }
.topology .name { font-weight: 600; }
.topology .box { fill: var(--panel); stroke: var(--line); stroke-width: 1; }
.topology .box.fail { fill: var(--fail-wash); stroke: var(--fail); }
.topology .box.warn { fill: var(--warn-wash); stroke: var(--warn); }
.topology .box.standby, .topology .box.unchecked { fill: var(--idle-wash); stroke-dasharray: 4 4; }
.edge { fill: none; stroke: var(--tone); stroke-width: 1.6; opacity: .5; }
.edge.fail { opacity: .85; stroke-dasharray: 6 4; }
.edge.standby, .edge.skipped, .edge.unchecked { opacity: .45; stroke-dasharray: 2 5; }
.topology-list { display: none; }
.topology-list h3 { color: var(--soft); font-weight: 500; font-size: 13px; margin: 16px 0 4px; }
.topology-list ul { list-style: none; margin: 0; padding: 0; }
.topology-list li { display: grid; grid-template-columns: 22px 1fr; padding: 7px 0; border-top: 1px solid
  var(--line); align-items: center; }
.topology-list li span { font-weight: 600; }
.topology-list li small { grid-column: 2; color: var(--soft); }

.issue { display: grid; grid-template-columns: 84px 1fr; gap: 6px 16px; padding: 18px 0; border-top: 1px solid
  var(--line); }
.issue:first-of-type { border-top: 0; padding-top: 2px; } .issue:last-child { padding-bottom: 0; }
.severity { font-size: 13px; font-weight: 600; padding-top: 1px; color: var(--soft); }
.severity.critical, .severity.high { color: var(--fail); } .severity.medium { color: var(--warn); }
.issue dl { margin: 8px 0 0; display: grid; grid-template-columns: 76px 1fr; gap: 3px 12px; }
.issue dt { color: var(--soft); } .issue dd { margin: 0; max-width: 68ch; }
.steps { margin: 0; padding-left: 22px; } .steps li { padding: 4px 0; max-width: 72ch; } .steps small, .quiet {
  color: var(--soft); }

table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 13px; padding: 0 18px 8px 0;
  vertical-align: bottom; white-space: nowrap; }
td { padding: 9px 18px 9px 0; border-top: 1px solid var(--line); vertical-align: top; min-width: 5.4em; }
td:last-child, th:last-child { padding-right: 0; }
td .name { font-weight: 600; display: inline-block; width: max-content; max-width: 26ch; }
td .measure { display: flex; align-items: center; gap: 6px; }
td .word { white-space: nowrap; }
table + .over { margin: 22px 0 10px; color: var(--ink); font-size: 15px; letter-spacing: 0; }
table + .quiet, p + table { margin-top: 14px; }
td small { display: block; color: var(--soft); }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.latency { flex: none; } .latency path { fill: none; stroke: var(--soft); stroke-width: 1.4; } .latency circle {
  fill: var(--ink); }

details { border-top: 1px solid var(--line); }
details:first-of-type { border-top: 0; }
summary { cursor: pointer; padding: 11px 0; font-weight: 600; border-radius: 6px; }
summary span { font-weight: 400; color: var(--soft); margin-left: 8px; }
summary:focus-visible { outline: 2px solid var(--pass); outline-offset: 2px; }
.checks { list-style: none; margin: 0 0 12px; padding: 0; }
.checks li { display: grid; grid-template-columns: 22px minmax(0, 1fr) minmax(0, 1fr); gap: 0 10px; padding: 6px
  0; align-items: start; font-size: 14px; }
.checks .mark { margin-top: 4px; } .checks .evidence { color: var(--soft); }
.checks .why { grid-column: 2 / -1; color: var(--soft); padding: 2px 0 4px; }
.checks .why strong { font-weight: 500; color: var(--ink); }
footer { color: var(--soft); font-size: 13px; padding-top: 8px; padding-bottom: 48px; }

@media (max-width: 760px) {
  header, main, footer { padding-left: 16px; padding-right: 16px; }
  header { padding-top: 30px; } h1 { font-size: 25px; }
  section { padding: 18px 16px; border-radius: 10px; }
  .figures { grid-template-columns: 1fr 1fr; gap: 18px; } .figures .runs { grid-column: 1 / -1; }
  .topology { display: none; } .topology-list { display: block; } .topology-list h3:first-child { margin-top: 0;
    }
  .issue { grid-template-columns: 1fr; } .issue dl { grid-template-columns: 1fr; gap: 0; } .issue dd {
    margin-bottom: 8px; }
  table, tbody, tr, td { display: block; width: 100%; } thead { display: none; }
  tr { border-top: 1px solid var(--line); padding: 10px 0; } tr:first-child { border-top: 0; padding-top: 0; }
  td { border: 0; padding: 3px 0; display: grid; grid-template-columns: 104px minmax(0, 1fr); gap: 8px; }
  td::before { content: attr(data-label); color: var(--soft); } td .name { width: auto; max-width: none; }
  .checks li { grid-template-columns: 22px minmax(0, 1fr); } .checks .evidence, .checks .why { grid-column: 2; }
}
@media print {
  body { background: none; } section { border: 0; padding: 0; break-inside: avoid-page; } details > * { display:
    block; }
}
@media (prefers-reduced-motion: no-preference) { summary { transition: color .15s; } summary:hover { color:
  var(--soft); } }
"""
