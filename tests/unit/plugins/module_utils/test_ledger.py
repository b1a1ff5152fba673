# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the log of a start tells, and what one start tells of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import (
    Entry,
    Identity,
    Observed,
    added,
    correction,
    dump,
    entry_of,
    identity_of,
    load,
    matching,
    observed,
    start_timeout,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB, Measured
from hypothesis import given
from hypothesis import strategies as st

CARD = "NVIDIA A10G"
# https://github.com/vllm-project/vllm/pull/10511 and others: Llama-3.1-8B on a card of 22.07 GiB, a share of 0.90.
A10G = """\
INFO 11-20 19:01:02 [gpu_model_runner.py:1] Model loading took 14.99 GiB memory and 3.100000 seconds
INFO 11-20 19:01:12 [gpu_worker.py:470] Available KV cache memory: 4.60 GiB
INFO 11-20 19:01:13 [kv_cache_utils.py:1613] GPU KV cache size: 37,696 tokens
"""
LLAMACPP = """\
load_tensors:   CPU_Mapped model buffer size =   292.36 MiB
load_tensors:        CUDA0 model buffer size =  4403.49 MiB
llama_kv_cache:      CUDA0 KV buffer size =   448.00 MiB
llama_context:      CUDA0 compute buffer size =   304.00 MiB
llama_context:  CUDA_Host compute buffer size =    24.01 MiB
"""


def identity(**changes: object) -> Identity:
    settings = {"max_model_len": 32768, "gpu_memory_utilization": 0.9, "dtype": "auto", **changes}
    version, card = str(settings.pop("version", "0.33.0")), str(settings.pop("card", CARD))
    return identity_of("meta/llama", "abc", settings, version, card, 1, int(22.07 * GIB * 0.9))


FIRST = entry_of(identity(), observed(A10G), 20 * GIB, 61.5, "2026-11-20T19:01:20Z")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param("", Observed(), id="an empty log tells nothing"),
        pytest.param(A10G, Observed(int(14.99 * GIB), int(4.6 * GIB), 37696), id="a start on a card"),
        pytest.param(
            A10G + A10G.replace("14.99", "15.10").replace("4.60", "4.40").replace("37,696", "36,000"),
            Observed(int(15.10 * GIB), int(4.4 * GIB), 36000),
            id="of several processes the worst counts",
        ),
        pytest.param(
            A10G + "non-default args: {}\nModel loading took 3.5 GiB memory and 1 seconds\n",
            Observed(int(3.5 * GIB)),
            id="only the last start",
        ),
        pytest.param(
            "CPU KV cache size: 4,194,304 tokens, Maximum concurrency for 8,192 tokens per request: 512.00x",
            Observed(tokens=4194304),
            id="vLLM 0.32 on the CPU",
        ),
        pytest.param(
            "Graph capturing finished in 12 secs, took 0.54 GiB", Observed(graphs=int(0.54 * GIB)), id="graphs"
        ),
        pytest.param(
            LLAMACPP,
            Observed(weights=int(4403.49 * (1 << 20)), compute=304 * (1 << 20)),
            id="llama.cpp, less what stays in main memory",
        ),
        pytest.param("Model loading took . GiB, 1.2.3 KV cache size: ,, tokens", Observed(), id="no numbers"),
    ],
)
def test_what_a_log_tells(log: str, expected: Observed) -> None:
    assert observed(log) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("vllm.log", Observed(available=GIB, tokens=1048576), id="0.32 on the CPU"),
        pytest.param("vllm.auto-context.log", Observed(available=GIB, tokens=1048576), id="with a context it chose"),
        pytest.param("vllm-stopped.log", Observed(available=GIB, tokens=1048576), id="stopped while it served"),
        pytest.param("llama-server.log", Observed(), id="llama.cpp without a card"),
        pytest.param("litellm.log", Observed(), id="no engine at all"),
    ],
)
def test_recorded_starts(root: Path, name: str, expected: Observed) -> None:
    log = (root / "tests/fixtures/boot_logs/healthy" / name).read_text(encoding="utf-8")
    assert observed(log) == expected


@given(st.integers(0, len(A10G + LLAMACPP)))
def test_a_log_that_is_cut_off_tells_less_and_nothing_else(length: int) -> None:
    whole, part = observed(A10G + LLAMACPP), observed((A10G + LLAMACPP)[:length])
    assert part.available in (None, whole.available)
    assert part.tokens in (None, whole.tokens)


@given(st.text(alphabet=st.sampled_from("Model loading tok0123456789.,GiB KVcache size:s²MIB=\n "), max_size=300))
def test_no_log_breaks_the_reading(text: str) -> None:
    assert observed(text) == observed(text)


def test_what_is_neither_weights_nor_cache_is_the_overhead() -> None:
    assert FIRST.overhead is not None
    assert round(FIRST.overhead / GIB, 2) == 0.27


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(
            identity(), Measured(FIRST.weights, FIRST.overhead, 1, "measured on 2026-11-20"), id="the very same start"
        ),
        pytest.param(
            identity(port=9000), Measured(FIRST.weights, FIRST.overhead, 1, "measured on 2026-11-20"), id="another port"
        ),
        pytest.param(
            identity(max_model_len=16384),
            Measured(FIRST.weights, FIRST.overhead, 1, "measured on 2026-11-20 with other settings or vLLM 0.33.0"),
            id="another context does not change weights and trial run",
        ),
        pytest.param(
            identity(enforce_eager=True),
            Measured(FIRST.weights, None, 1, "measured on 2026-11-20 with other settings or vLLM 0.33.0"),
            id="without graphs the weights are the same",
        ),
        pytest.param(identity(dtype="float32"), None, id="weights of another type are others"),
        pytest.param(identity(card="NVIDIA L4"), None, id="another card tells nothing"),
    ],
)
def test_what_an_earlier_start_corrects(wanted: Identity, expected: Measured | None) -> None:
    assert correction([FIRST], wanted) == expected


def test_the_same_version_of_the_engine_tells_more_than_a_newer_entry_of_another() -> None:
    newer = Entry(identity(version="0.34.0"), 1, 1, seen="2026-12-01T00:00:00Z")
    found = correction([FIRST, newer], identity(max_model_len=1024))
    assert found is not None
    assert found.weights == FIRST.weights


@pytest.mark.parametrize(
    ("seconds", "default", "expected"),
    [
        pytest.param(None, 900, 900, id="nothing known"),
        pytest.param(40.0, 900, 900, id="never less than the default"),
        pytest.param(401.1, 900, 1204, id="three times what it took"),
    ],
)
def test_how_long_a_start_may_take(seconds: float | None, default: int, expected: int) -> None:
    entry = Entry(identity(), FIRST.weights, load_seconds=seconds, seen="2026-11-20T19:01:20Z")
    assert start_timeout([entry], identity(), default) == expected
    assert start_timeout([entry], identity(max_model_len=5), default) == expected


def test_a_second_look_keeps_what_the_first_one_saw() -> None:
    second = Entry(identity(), weights=None, load_seconds=33.0, seen="2026-11-21T00:00:00Z")
    (found,) = added([FIRST], second)
    assert (found.weights, found.load_seconds, found.seen) == (FIRST.weights, 33.0, "2026-11-21T00:00:00Z")


def test_the_oldest_entries_go() -> None:
    entries: list[Entry] = []
    for number in range(205):
        entries = added(entries, Entry(identity(max_model_len=number), 1, seen=f"{number}"))
    assert len(entries) == 200
    assert matching(entries, identity(max_model_len=4)) is None


def test_what_is_written_is_read_again() -> None:
    assert load(dump([FIRST])) == [FIRST]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"entries": 3}', id="a number of entries"),
        pytest.param(b'{"entries": [3, {}, {"identity": {}}]}', id="entries of nothing"),
        pytest.param(b'{"entries": [{"identity": {"model": "a"}, "weights": "many"}]}', id="weights in words"),
        pytest.param(b'{"entries": [{"identity": {"model": "a"}, "weights": true}]}', id="weights that are true"),
        pytest.param(b'{"entries": [{"identity": {"model": "a", "budget": "x"}}]}', id="a budget in words"),
        pytest.param(dump([FIRST])[:-9], id="cut off"),
    ],
)
def test_an_edited_ledger_tells_nothing(content: bytes) -> None:
    assert load(content) == []


def test_an_entry_that_was_edited_does_not_hide_the_others() -> None:
    written = json.loads(dump([FIRST]))
    written["entries"].insert(0, {"identity": None})
    assert load(json.dumps(written).encode()) == [FIRST]
