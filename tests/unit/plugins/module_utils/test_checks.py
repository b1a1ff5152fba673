# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check promises, what it needs first, and how units and ports are judged."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import PARAMETERS
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import needs, unmet
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Holder,
    Unit,
    Verdict,
    duration,
    faults,
    judge_port,
    judge_units,
    redact,
    title,
)

URL, BASE = "http://127.0.0.1:4000", "http://127.0.0.1:8080/v1"
PAIR = ["litellm@a.service", "litellm@b.service"]


def check(kind: str, subject: str = "x", **more: Any) -> dict[str, Any]:
    return {"id": f"{kind}:{subject}", "host": "gw-01", "check": kind, **more}


UNIT = check("unit_active", "engine", units=["llamacpp-tiny.service"])
OWNER = check("port_owner", "engine", bind="127.0.0.1", port=8080, units=["llamacpp-tiny.service"])
SOCKET = check("port_owner", "gateway", bind="127.0.0.1", port=4000, units=["litellm.socket", *PAIR])
ALIVE = check("gateway_alive", url=URL)
MODELS = check("gateway_models", url=URL, models=["tiny"])
KEY = check("gateway_key", url=URL)
DEPLOYMENTS = check("gateway_deployments", url=URL, deployments=[{"name": "tiny"}])
APP_MODELS = check("app_models", "editor", url=URL, app="editor", models=["editor/tiny", "tiny"])
APP_REFUSED = check("app_refused", "editor", url=URL, app="editor")
ROUTE = check("route", "tiny", url=URL, model="tiny", api_bases=[BASE])
TOOL = check("tool_call", "tiny", url=URL, model="tiny", api_bases=[BASE], stream=True)
DIRECT = check("tool_call", "direct", url="http://127.0.0.1:8080", model="tiny", direct=True)
ALL = [UNIT, OWNER, SOCKET, ALIVE, MODELS, KEY, DEPLOYMENTS, APP_MODELS, APP_REFUSED, ROUTE, TOOL, DIRECT]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (UNIT, "llamacpp-tiny.service is active and enabled"),
        (
            check("unit_active", units=PAIR),
            "exactly one of litellm@a.service and litellm@b.service is active and enabled",
        ),
        (OWNER, "127.0.0.1:8080 belongs to llamacpp-tiny.service"),
        (ALIVE, "the gateway answers"),
        (MODELS, "the gateway lists exactly the declared names"),
        (KEY, "the gateway refuses a wrong key"),
        (DEPLOYMENTS, "the gateway has loaded every deployment as declared"),
        ({**ALIVE, "of": "editor"}, "the gateway of editor answers"),
        ({**KEY, "of": "editor"}, "the gateway of editor refuses a wrong key"),
        (APP_MODELS, "the key of editor lists exactly its models"),
        (APP_REFUSED, "the key of editor opens no other model"),
        (ROUTE, "tiny is answered by its own instance"),
        ({**ROUTE, "answered_by": "small"}, "tiny, which stands by, is answered by small"),
        ({**ROUTE, "provider": "openai"}, "tiny is answered by the provider openai"),
        (TOOL, "tiny calls a tool, streamed"),
        (DIRECT, "tiny calls a tool, asked directly"),
    ],
)
def test_title(given: dict[str, Any], expected: str) -> None:
    assert title(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(UNIT, [], id="a unit needs nothing"),
        pytest.param(OWNER, [UNIT], id="a port needs its unit"),
        pytest.param(ALIVE, [SOCKET], id="a port that a stranger holds is not spoken to"),
        pytest.param(MODELS, [ALIVE], id="the names need a gateway that answers"),
        pytest.param(KEY, [ALIVE], id="so does the key"),
        pytest.param(DEPLOYMENTS, [ALIVE], id="so do the deployments"),
        pytest.param(APP_MODELS, [ALIVE], id="and what an app's key lists"),
        pytest.param(APP_REFUSED, [ALIVE], id="and what it does not open"),
        pytest.param(ROUTE, [ALIVE, OWNER], id="a route needs the gateway and the port of its only instance"),
        pytest.param(
            {**ROUTE, "api_bases": [BASE, "http://gpu-02:8080/v1"]}, [ALIVE], id="one of several instances may be down"
        ),
        pytest.param(TOOL, [ROUTE], id="a tool call needs the route"),
        pytest.param(DIRECT, [OWNER], id="asked directly it needs the engine's port only"),
    ],
)
def test_needs(given: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert needs(given, ALL) == expected


def test_a_tool_call_without_a_route_check_needs_the_gateway() -> None:
    assert needs(TOOL, [ALIVE, TOOL]) == [ALIVE]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(PASS, None, id="what passed lets the next one run"),
        pytest.param(WARN, None, id="a warning does as well"),
        pytest.param(
            FAIL, Verdict(SKIPPED, "needs this first: the gateway answers"), id="a failure names what is needed"
        ),
        pytest.param(SKIPPED, Verdict(SKIPPED, "needs this first: the gateway answers"), id="skipping goes on"),
    ],
)
def test_unmet(state: str, expected: Verdict | None) -> None:
    assert unmet(KEY, ALL, {each["id"]: state for each in ALL}) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(ALL, [], id="the checks of a plan are fine"),
        pytest.param([{**ROUTE, "url": ""}], ["checks[0]: url is missing."], id="a parameter is missing"),
        pytest.param(
            [{"check": "route"}], ["checks[0]: id, host, url, model and api_bases are missing."], id="all but one"
        ),
        pytest.param(
            [check("routes")],
            [f"checks[0].check: 'routes' is no kind of check. Known: {', '.join(sorted(PARAMETERS))}."],
            id="an unknown kind lists the known ones",
        ),
        pytest.param([ALIVE, ALIVE], ["checks: the id 'gateway_alive:x' is given twice."], id="ids are unique"),
    ],
)
def test_faults(given: list[dict[str, Any]], expected: list[str]) -> None:
    assert faults(given) == expected


def unit(name: str = "llamacpp-tiny.service", **more: Any) -> Unit:
    told = {"found": True, "active": "active", "sub": "running", "enabled": "enabled", "restarts": 0, "uptime": 3725.0}
    return Unit(name=name, **{**told, **more})


A, B = unit(PAIR[0]), unit(PAIR[1], active="inactive", sub="dead", enabled="disabled")
JOURNAL = "journalctl --user -u llamacpp-tiny.service"


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param([unit()], Verdict(PASS, "for 1 h 2 min"), id="one that runs"),
        pytest.param([unit("litellm.socket", sub="listening", uptime=0.0)], Verdict(PASS, "listening"), id="a socket"),
        pytest.param([A, B], Verdict(PASS, "litellm@a.service for 1 h 2 min"), id="one of a pair"),
        pytest.param(
            [unit(restarts=2)], Verdict(PASS, "for 1 h 2 min, restarted 2 times by systemd"), id="restarted long ago"
        ),
        pytest.param(
            [unit(restarts=1, uptime=4.0)],
            Verdict(PASS, "for 4 s, restarted 1 time by systemd"),
            id="restarted just now",
        ),
        pytest.param(
            [unit(enabled="disabled")],
            Verdict(FAIL, "active, but disabled", "it would not start after a reboot", "run deploy"),
            id="not enabled",
        ),
        pytest.param(
            [unit(active="failed", sub="failed")],
            Verdict(
                FAIL, "failed (failed)", "its process ended, or somebody stopped it", f"run deploy; {JOURNAL} says more"
            ),
            id="failed",
        ),
        pytest.param(
            [unit(active="activating", sub="auto-restart")],
            Verdict(FAIL, "activating (auto-restart)", "its process keeps ending", f"run deploy; {JOURNAL} says more"),
            id="in a crash loop",
        ),
        pytest.param(
            [unit(active="activating", sub="auto-restart", ended="its process exited with code 1")],
            Verdict(
                FAIL,
                "activating (auto-restart)",
                "its process keeps ending: its process exited with code 1",
                f"run deploy; {JOURNAL} says more",
            ),
            id="in a crash loop, and how it ends",
        ),
        pytest.param(
            [
                unit(PAIR[0], active="failed", sub="failed", gone=10140.0, ended="its process was ended by signal 9"),
                unit(PAIR[1], active="inactive", sub="dead", enabled="disabled"),
            ],
            Verdict(
                FAIL,
                "litellm@a.service failed (failed) for 2 h 49 min, litellm@b.service inactive (dead)",
                "its process was ended by signal 9",
                "run deploy; journalctl --user -u litellm@a.service says more",
            ),
            id="a pair of which one ended some time ago",
        ),
        pytest.param(
            [unit(found=False, active="inactive", sub="dead")],
            Verdict(FAIL, "no such unit", "it was never deployed, or was removed", "run deploy"),
            id="not there",
        ),
        pytest.param(
            [A, unit(PAIR[1])],
            Verdict(
                FAIL,
                "litellm@a.service and litellm@b.service are active",
                "a change of the gateway was cut off",
                "run deploy",
            ),
            id="both of a pair",
        ),
        pytest.param(
            [A, unit(PAIR[1], active="inactive", sub="dead")],
            Verdict(
                FAIL,
                "litellm@a.service active, litellm@b.service enabled",
                "after a reboot litellm@b.service would start as well",
                "run deploy",
            ),
            id="one of a pair active, both enabled",
        ),
    ],
)
def test_judge_units(units: list[Unit], expected: Verdict) -> None:
    assert judge_units(units) == expected


@pytest.mark.parametrize(
    ("given", "holders", "expected"),
    [
        pytest.param(
            OWNER,
            [Holder("llamacpp-tiny.service", "pid 7")],
            Verdict(PASS, "held by llamacpp-tiny.service"),
            id="the unit's own process",
        ),
        pytest.param(
            SOCKET,
            [Holder("init.scope", "pid 3")],
            Verdict(PASS, "held by the user manager for litellm.socket"),
            id="a socket that no service has taken over yet",
        ),
        pytest.param(
            SOCKET,
            [Holder("init.scope", "pid 3"), Holder("litellm@b.service", "pid 9")],
            Verdict(PASS, "held by litellm@b.service"),
            id="a socket in use",
        ),
        pytest.param(
            OWNER,
            [],
            Verdict(FAIL, "nothing listens on 127.0.0.1:8080", "llamacpp-tiny.service did not bind it", JOURNAL),
            id="nobody",
        ),
        pytest.param(
            OWNER,
            [Holder("", "pid 7 (python3) of ann")],
            Verdict(
                FAIL,
                "held by pid 7 (python3) of ann",
                "something else than llamacpp-tiny.service took the port",
                "stop it, then run deploy",
            ),
            id="a stranger",
        ),
        pytest.param(
            OWNER,
            [Holder("init.scope", "pid 3 (systemd) of ann")],
            Verdict(
                FAIL,
                "held by pid 3 (systemd) of ann",
                "something else than llamacpp-tiny.service took the port",
                "stop it, then run deploy",
            ),
            id="the manager, for a unit that has no socket",
        ),
    ],
)
def test_judge_port(given: dict[str, Any], holders: list[Holder], expected: Verdict) -> None:
    assert judge_port(given, holders) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90061, "1 d 1 h"), (86400 * 9, "9 d")],
)
def test_duration(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_redact_hides_the_secrets_and_what_looks_like_a_key() -> None:
    text = redact("key canary-1 of canary-12, received sk-...Ab1C, model task-1", ["canary-1", "canary-12", ""])
    assert text == "key (secret) of (secret), received (secret), model task-1"
