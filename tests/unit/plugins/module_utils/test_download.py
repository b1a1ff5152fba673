# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Downloads, call by call: what is asked for, what is kept, and what is said when it does not work."""

from __future__ import annotations

import hashlib
import http.client
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _download
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError

URL = "https://mirror.example.org/model.gguf"
CONTENT = b"0123456789" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Answer:
    """One scripted answer: a status, the bytes that arrive, and how many were announced."""

    def __init__(self, status: int, body: bytes, announced: int | None = None) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"Content-Length": str(len(body) if announced is None else announced)}
        self._body = io.BytesIO(body)
        self.closed = False

    def read(self, amount: int) -> bytes:
        return self._body.read(min(amount, 3000))

    def close(self) -> None:
        self.closed = True


class Script:
    """A server that follows a script and notes from which byte on it was asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def __call__(self, url: str, offset: int) -> Answer:
        assert url == URL
        self.asked.append(offset)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return Path(_download.part_path(str(tmp_path), SHA256))


@pytest.mark.parametrize(
    ("kept", "answers", "asked"),
    [
        pytest.param(b"", [Answer(200, CONTENT)], [0], id="in one go"),
        pytest.param(CONTENT[:4000], [Answer(206, CONTENT[4000:])], [4000], id="the rest of an earlier run"),
        pytest.param(CONTENT[:4000], [Answer(200, CONTENT)], [4000], id="a server that cannot begin in the middle"),
        pytest.param(CONTENT, [], [], id="complete already"),
        pytest.param(
            b"",
            [Answer(200, CONTENT[:2000], 10_000), Answer(206, CONTENT[2000:])],
            [0, 2000],
            id="a connection that ended early",
        ),
        pytest.param(
            b"",
            [ConnectionResetError(104, "Connection reset by peer"), TimeoutError("timed out"), Answer(200, CONTENT)],
            [0, 0, 0],
            id="no answer twice",
        ),
        pytest.param(
            b"",
            [http.client.IncompleteRead(b""), http.client.BadStatusLine("?"), Answer(200, CONTENT)],
            [0, 0, 0],
            id="a chunked answer that ended early, and one that is not HTTP",
        ),
        pytest.param(
            b"another file",
            [Answer(206, CONTENT[12:-1] + b"x"), Answer(200, CONTENT)],
            [12, 0],
            id="what was kept belongs to another file",
        ),
        pytest.param(
            CONTENT + b"more", [_download.NoSuchRange(), Answer(200, CONTENT)], [10_004, 0], id="more than there is"
        ),
    ],
)
def test_the_file_is_completed(part: Path, kept: bytes, answers: list[Answer | Exception], asked: list[int]) -> None:
    if kept:
        part.write_bytes(kept)
    server = Script(*answers)
    _download.fetch(server, URL, str(part), SHA256)
    assert (part.read_bytes() == CONTENT, server.asked, server.answers) == (True, asked, [])
    assert all(answer.closed for answer in answers if isinstance(answer, Answer))


def test_another_file_is_removed_and_both_checksums_are_told(part: Path) -> None:
    with pytest.raises(InstallError) as refusal:
        _download.fetch(Script(Answer(200, b"malware")), URL, str(part), SHA256)
    assert str(refusal.value) == (
        f"{URL} was not installed: it is not the declared file.\n"
        f"    expected sha256 {SHA256}\n"
        f"    found    sha256 {hashlib.sha256(b'malware').hexdigest()}\n"
        "    Find out why before you use it; if the new file is right, declare its sha256.\n"
        "    What was installed before is unchanged."
    )
    assert not part.exists()


def test_a_server_that_never_answers(part: Path) -> None:
    with pytest.raises(InstallError) as refusal:
        _download.fetch(Script(*[OSError(111, "Connection refused")] * 4), URL, str(part), SHA256)
    assert str(refusal.value) == (
        f"{URL} was not installed: no complete answer in 4 attempts (Connection refused).\n"
        "    Make the address reachable from this host, or set url to a mirror, or src to a file on the host.\n"
        "    What was installed before is unchanged."
    )


def test_what_arrived_is_kept_for_the_next_run(part: Path) -> None:
    answers = [Answer(200, CONTENT[:1000], 10_000), *[TimeoutError("timed out")] * 3]
    with pytest.raises(InstallError, match=r"\n    1000 bytes are kept; the next run goes on from there\.\n"):
        _download.fetch(Script(*answers), URL, str(part), SHA256)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_server_that_refuses_is_not_asked_again(part: Path) -> None:
    server = Script(_download.Refused("the server answers 404 Not Found"))
    with pytest.raises(InstallError, match=r"the server answers 404 Not Found\.\n    Correct url, or set src"):
        _download.fetch(server, URL, str(part), SHA256)
    assert server.asked == [0]


def test_a_file_that_does_not_fit_is_refused_before_it_fills_the_disk(part: Path) -> None:
    with pytest.raises(InstallError, match=r"it needs 1073741824 MiB more in .*, and \d+ MiB are free there"):
        _download.fetch(Script(Answer(200, b"", 1 << 50)), URL, str(part), SHA256)
    assert not part.exists()
