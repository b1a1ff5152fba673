# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What each app gets from the one gateway: its own patience, its own models, its own limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from fleet import GATEWAY_PORT, Answer, Client, Scripted
from observed import Stack, eventually

WITHIN = 1.1
"""What the gateway itself may add to a time limit."""


@pytest.fixture(scope="module")
def side_by_side(apps: Mapping[str, Client]) -> Mapping[tuple[str, str], Answer]:
    """What apps get that ask engines that hang or are slow, all at the same time."""
    asked = [
        ("quick", "sleepy"),
        ("patient", "sleepy"),
        ("quick", "stuck"),
        ("quick", "doubtful"),
        ("quick", "hopeless"),
    ]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = pool.map(lambda each: apps[each[0]].chat(each[1]), asked)
        return dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("model", ["stuck", "sleepy"])
def test_an_app_in_a_hurry_gets_its_error_in_time(side_by_side: Mapping[tuple[str, str], Answer], model: str) -> None:
    answer = side_by_side["quick", model]
    assert (answer.status, 5 <= answer.seconds <= 5 * WITHIN) == (408, True), answer


def test_another_app_waits_for_the_same_model_and_is_served(side_by_side: Mapping[tuple[str, str], Answer]) -> None:
    answer = side_by_side["patient", "sleepy"]
    assert (answer.status, answer.said, answer.seconds >= 8) == (200, "I do as I am told.", True), answer


def test_its_fallback_has_a_budget_of_its_own(side_by_side: Mapping[tuple[str, str], Answer]) -> None:
    answer = side_by_side["quick", "doubtful"]
    assert (answer.status, answer.litellm("model-group")) == (200, "quick/spare"), answer
    assert 7 <= answer.seconds <= (5 + 2) * WITHIN, answer


def test_a_chain_that_hangs_to_its_end_is_given_up_within_the_deadline(
    side_by_side: Mapping[tuple[str, str], Answer],
) -> None:
    answer = side_by_side["quick", "hopeless"]
    assert (answer.status, 10 <= answer.seconds <= 10 * WITHIN) == (408, True), answer


def test_nothing_is_tried_twice_for_it(apps: Mapping[str, Client], scripted: Scripted) -> None:
    assert apps["quick"].chat("hopeless", timeout=0.5).status == 408
    assert scripted.calls() == ["hang@hopeless", "hang"]


def test_a_stream_that_does_not_begin_is_given_up_in_time(apps: Mapping[str, Client]) -> None:
    answer = apps["quick"].chat("stuck", stream=True)
    assert (answer.status, answer.seconds <= 5 * WITHIN) == (408, True), answer


def test_nobody_works_for_a_client_that_has_left(operator: Client, scripted: Scripted) -> None:
    for stream in (False, True):
        with pytest.raises(TimeoutError):
            operator.chat("stuck", wait=1, stream=stream)
    assert scripted.calls() == ["hang", "hang"]
    assert eventually(lambda: scripted.held() == [], seconds=5)


# -- limits -----------------------------------------------------------------------------------------------------------


def test_the_101st_request_of_a_minute_is_refused_and_another_app_is_not(apps: Mapping[str, Client]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _number: apps["busy"].chat("prompt"), range(100)))
    assert Counter(answer.status for answer in answers) == {200: 100}
    assert sum(answer.seconds for answer in answers) / 8 < 50, "so slow that a new minute may have begun"
    refused = apps["busy"].chat("prompt")
    assert (refused.status, refused.headers.get("retry-after")) == (429, "60"), refused
    assert apps["patient"].chat("prompt").status == 200


def test_an_app_that_has_spent_its_tokens_is_refused(apps: Mapping[str, Client]) -> None:
    answers = [apps["wordy"].chat("costly") for _number in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429], answers


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["busy", "patient", "quick", "steady", "wordy"])
def test_an_apps_file_is_all_it_needs_and_only_its_accounts(gw: Stack, operator: Client, app: str) -> None:
    path = f".config/llm-stack/apps/{app}.env"
    lines = gw.output("cat %s", path).splitlines()
    found = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert found.keys() == {"OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"}
    assert found["OPENAI_BASE_URL"] == f"http://127.0.0.1:{GATEWAY_PORT}/v1"
    offered = Client(operator.port, found["OPENAI_API_KEY"]).get("/v1/models").body["data"]
    assert found["OPENAI_MODEL"] in {model["id"] for model in offered}
    assert gw.output("stat --format=%%a %s", path) == "600"


def test_the_keys_differ(apps: Mapping[str, Client], operator: Client) -> None:
    assert len({operator.key, *(client.key for client in apps.values())}) == len(apps) + 1


def test_an_app_is_offered_its_own_models_only(apps: Mapping[str, Client]) -> None:
    offered = {model["id"] for model in apps["patient"].get("/v1/models").body["data"]}
    assert offered == {"patient/sleepy", "patient/prompt", "sleepy", "prompt"}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("quick/sleepy", id="the same model by another app's name"),
        pytest.param("stuck", id="a model of another app"),
        pytest.param("quick/spare", id="a fallback of another app"),
        pytest.param("brought-along", id="a model of no app"),
        pytest.param("chat", id="an alias of the whole gateway"),
        pytest.param("nothing", id="a model that does not exist"),
    ],
)
def test_an_app_is_refused_what_is_not_its_own(apps: Mapping[str, Client], scripted: Scripted, model: str) -> None:
    assert apps["patient"].chat(model).status == 403
    assert apps["patient"].chat("stuck", fallbacks=[model], timeout=0.5).status == 403
    assert scripted.calls() == []


def test_an_app_cannot_bring_fallbacks_that_are_not_its_own(apps: Mapping[str, Client], scripted: Scripted) -> None:
    answer = apps["patient"].chat("sleepy", timeout=0.5, fallbacks=["quick/spare"])
    assert (answer.status, scripted.calls()) == (403, []), answer


ADMIN = [
    ("GET", "/model/info"),
    ("GET", "/v1/model/info"),
    ("GET", "/health"),
    ("GET", "/routes"),
    ("GET", "/config/yaml"),
    ("POST", "/model/new"),
    ("POST", "/key/generate"),
    ("POST", "/config/update"),
    ("POST", "/engines/quick/sleepy/chat/completions"),
    ("POST", "/openai/deployments/quick/sleepy/chat/completions"),
]


@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_an_app_is_refused_what_is_for_operators(apps: Mapping[str, Client], method: str, path: str) -> None:
    body = {"model": "sleepy", "messages": []} if method == "POST" else None
    assert apps["patient"].request(method, path, body).status == 403


@pytest.mark.parametrize("key", ["", "sk-nobody-has-this-one"], ids=["no key", "a wrong key"])
def test_a_stranger_is_refused(operator: Client, key: str) -> None:
    stranger = Client(operator.port, key)
    answers = [stranger.chat("tiny"), stranger.get("/v1/models"), stranger.get("/model/info"), stranger.get("/health")]
    assert [answer.status for answer in answers] == [401] * 4


def test_the_operators_key_opens_everything(operator: Client) -> None:
    answers = [operator.chat("tiny"), operator.chat("quick/spare"), operator.get("/model/info")]
    assert [answer.status for answer in answers] == [200] * 3
