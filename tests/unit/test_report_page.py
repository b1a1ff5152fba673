# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The page of a report in a real browser: light and dark, wide and narrow, and with hostile text in every place.

The pictures stay in tests/output/report. Where there is no Chromium these tests are left out, except in CI, which has
to have one: LLM_STACK_CI=1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reported
from ansible_collections.lab.llm_stack.plugins.module_utils._report_html import page as page_of
from browser import Page, browser, chromium, tab

pytestmark = [
    pytest.mark.skipif(
        chromium() is None and not os.environ.get("LLM_STACK_CI"),
        reason="there is no Chromium",
    ),
]

CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "healthy": reported.healthy,
    "broken": reported.broken,
    "hostile": reported.hostile,
}


def room(case: str, width: int, dark: bool) -> Any:
    name = f"{case}-{'narrow' if width < 600 else 'wide'}-{'dark' if dark else 'light'}"
    return pytest.param((case, width, dark), id=name)


ROOMS = [room(case, width, dark) for case in ("healthy", "broken") for width in (1180, 390) for dark in (False, True)]
ROOMS += [room("hostile", 1180, False), room("hostile", 390, True)]


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    profile = tmp_path_factory.mktemp("chromium")
    with browser(profile) as found:
        yield found
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def shown(
    request: pytest.FixtureRequest, chrome: Page, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, dict[str, Any]]]:
    """A page in a room, and the data it was made from; each room is entered once."""
    case, width, dark = request.param
    data = CASES[case]()
    file = tmp_path_factory.mktemp(case) / "status.html"
    file.write_text(page_of(data), encoding="utf-8")
    with tab(chrome, width, dark) as found:
        found.open(file)
        yield found, data


in_each_room = pytest.mark.parametrize("shown", ROOMS, indirect=True, scope="module")

# Text that is drawn, and the ground it is drawn on; colours as they were computed.
CONTRAST = """
(() => {
  const parts = colour => { const c = colour.match(/[\\d.]+/g).map(Number); return [c[0], c[1], c[2], c[3] ?? 1]; };
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const ground = node => { for (; node; node = node.parentElement) {
      const own = parts(getComputedStyle(node).backgroundColor); if (own[3] > .99) return own; }
    return [255, 255, 255]; };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest('svg') || !element.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) low.push(walk.currentNode.data.trim().slice(0, 40));
  }
  return low;
})()
"""
# What sticks out at the side, beyond the window.
WIDE = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"


@in_each_room
def test_nothing_is_fetched_and_nothing_complains(shown: tuple[Page, dict[str, Any]]) -> None:
    page, _data = shown
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    requests = [each["request"]["url"] for each in page.named("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1
    told = page.named(
        "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"
    )
    assert told == []


@in_each_room
def test_everything_has_room_and_can_be_read(shown: tuple[Page, dict[str, Any]], root: Path, request: Any) -> None:
    page, _data = shown
    page.screenshot(root / f"tests/output/report/{request.node.callspec.id}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDE) == 0
    assert page.evaluate(CONTRAST) == []


@in_each_room
def test_what_the_data_says_is_read_back(shown: tuple[Page, dict[str, Any]]) -> None:
    page, data = shown
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    text = " ".join(page.evaluate("document.body.innerText").split())
    titles = [each["title"] for each in (*data["issues"], *data["checklist"])]
    names = [each["name"] for each in (*data["models"], *data["services"], *data["apps"])]
    for words in (data["headline"], *titles, *names):
        assert visible(words) in text, words


def visible(words: str) -> str:
    """Text as it is shown: no control characters, no change of direction, one space."""
    return " ".join(words.replace("\u202e", "").replace("\x00", "\ufffd").split())


@in_each_room
def test_who_listens_finds_the_same(shown: tuple[Page, dict[str, Any]]) -> None:
    page, _data = shown
    nodes = [each for each in page.call("Accessibility.getFullAXTree")["nodes"] if not each.get("ignored")]
    roles: dict[str, list[str]] = {}
    for node in nodes:
        name = str(node.get("name", {}).get("value", "")).strip()
        roles.setdefault(node["role"]["value"], []).append(name)
    for role in ("image", "heading", "region", "columnheader", "DisclosureTriangle"):
        assert [name for name in roles.get(role, []) if not name] == [], role
    assert len(roles["heading"]) == len(
        page.evaluate("[...document.querySelectorAll('h1, h2, h3')].filter(e => e.checkVisibility()).map(e => 1)")
    )
    assert {"main", "contentinfo"} <= set(roles)
    assert {"Topology", "Models", "Services", "Checklist"} <= set(roles["region"])


@pytest.mark.parametrize("shown", [room("hostile", 1180, False)], indirect=True, scope="module")
def test_no_text_of_others_becomes_a_part_of_the_page(shown: tuple[Page, dict[str, Any]]) -> None:
    page, _data = shown
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object, embed, form, a, input').length") == 0
    handlers = (
        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on')).length"
    )
    assert page.evaluate(handlers) == 0
    assert page.evaluate("document.title.length") > 0


@pytest.mark.parametrize(
    "shown", [room("healthy", 1180, False), room("healthy", 1180, True)], indirect=True, scope="module"
)
def test_the_room_decides_the_colours(shown: tuple[Page, dict[str, Any]], request: Any) -> None:
    page, _data = shown
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert ground == ("rgb(19, 22, 25)" if dark else "rgb(246, 245, 241)")


@pytest.mark.parametrize(
    "shown", [room("broken", 1180, False), room("broken", 390, False)], indirect=True, scope="module"
)
def test_the_topology_is_a_drawing_where_there_is_room_and_a_list_where_there_is_none(
    shown: tuple[Page, dict[str, Any]],
) -> None:
    page, data = shown
    seen = "['.topology', '.topology-list'].map(each => document.querySelector(each).checkVisibility())"
    narrow = page.evaluate("innerWidth") < 600
    assert page.evaluate(seen) == [not narrow, narrow]
    boxes = page.evaluate("document.querySelectorAll('.topology .box').length")
    services, hosts, apps = len(data["services"]), len(data["hosts"]), len(data["apps"])
    assert boxes == services + hosts + apps
