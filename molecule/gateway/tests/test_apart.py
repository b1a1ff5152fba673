# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""An app with a gateway of its own beside the common one: its own process, its own port, its own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleet import APART_PORT, Client
from observed import Stack, eventually

UNITS = ("litellm-apart@a.service", "litellm-apart@b.service")


def serving(gw: Stack) -> str:
    (unit,) = [unit for unit in UNITS if gw.is_serving(unit)]
    return unit


def test_its_file_leads_to_its_own_gateway(gw: Stack) -> None:
    line = gw.output("grep OPENAI_BASE_URL .config/llm-stack/apps/apart.env")
    assert line == f"OPENAI_BASE_URL=http://127.0.0.1:{APART_PORT}/v1"


def test_it_is_served_there_and_nowhere_else(apart: Client, operator: Client) -> None:
    assert apart.chat("prompt").said == "I do as I am told."
    assert replace(apart, port=operator.port).chat("prompt").status == 401


def test_no_other_app_is_served_there(apart: Client, apps: Mapping[str, Client], operator: Client) -> None:
    assert {replace(app, port=apart.port).chat("prompt").status for app in apps.values()} == {401}
    assert replace(operator, port=apart.port).get("/model/info").status == 200


def test_it_offers_the_names_of_its_app(apart: Client) -> None:
    assert {model["id"] for model in apart.get("/v1/models").body["data"]} == {"apart/prompt", "prompt"}


def test_when_it_dies_the_others_do_not_notice(gw: Stack, apart: Client, apps: Mapping[str, Client]) -> None:
    unit, common = serving(gw), gw.show(gw.slot())["InvocationID"]
    before = gw.show(unit)["MainPID"]
    gw.output(f"systemctl --user kill --signal=KILL {unit}")
    assert apps["patient"].chat("prompt").status == 200
    assert eventually(lambda: gw.is_serving(unit), seconds=90)
    assert gw.show(unit)["MainPID"] != before
    assert apart.chat("prompt").status == 200
    assert gw.show(gw.slot())["InvocationID"] == common
