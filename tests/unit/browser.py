# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Headless Chromium for tests, spoken to over two pipes: no driver, no package, no port.

The protocol is Chrome's own (--remote-debugging-pipe): JSON messages that end with a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def chromium() -> str | None:
    """The browser, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Page:
    """One tab, and everything the browser said about it."""

    to: BufferedWriter
    back: BufferedReader
    waiting: bytearray = field(default_factory=bytearray)
    session: str = ""
    number: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what is told meanwhile is kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer.get('error')}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.waiting:
            found = self.back.read1(1 << 16)
            assert found, "Chromium has ended."
            self.waiting += found
        message, _zero, rest = bytes(self.waiting).partition(b"\0")
        self.waiting[:] = rest
        answer: dict[str, Any] = json.loads(message)
        return answer

    def evaluate(self, script: str) -> Any:
        """Run a script in the page, past its policy, and give its value."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path: Path) -> None:
        """Show a file, and wait until it stands."""
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def screenshot(self, path: Path) -> None:
        """Keep the whole page as a picture."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        picture = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """What the browser said of some kinds."""
        return [event["params"] for event in self.events if event.get("method") in methods]


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are out of the way of 3 and 4."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in low)
    for each in low:
        os.close(each)
    return high[0], high[1]


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start Chromium with a profile of its own; it and all its processes end with the block."""
    assert chromium(), "There is no Chromium: apt-get install chromium."
    ours, theirs = _pipe(), _pipe()
    # It reads from descriptor 3 and writes to 4; dash cannot name those above 9.
    command = ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "bash", str(chromium())]
    process = subprocess.Popen(
        [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(ours[0], theirs[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(ours[0])
    os.close(theirs[1])
    with os.fdopen(ours[1], "wb") as to, os.fdopen(theirs[0], "rb") as back:
        try:
            yield Page(to, back)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)


@contextmanager
def tab(root: Page, width: int, dark: bool) -> Iterator[Page]:
    """Open a tab of a width, in a light or a dark room, that reports all it does."""
    target = root.call("Target.createTarget", url="about:blank")["targetId"]
    session = root.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = Page(root.to, root.back, root.waiting, session, root.number + 1000)
    for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
        page.call(f"{domain}.enable")
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    page.call("Emulation.setEmulatedMedia", features=scheme)
    try:
        yield page
    finally:
        root.number = page.number + 1
        root.call("Target.closeTarget", targetId=target)
