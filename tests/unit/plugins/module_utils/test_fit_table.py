# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The estimates against what vLLM said on other people's cards: tests/fixtures/fit, each run with its source.

The models are read as ``make fit`` reads a folder with nothing but a config.json, so this is the worst case: with the
weights at hand their size is read, not computed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    GIB,
    NO,
    TIGHT,
    Card,
    Fit,
    Model,
    Stored,
    offered,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import (
    VllmSettings,
    cache_bytes,
    cache_width,
    fit_vllm,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._model_read import read_model

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "fit"
MODELS: Mapping[str, Mapping[str, Any]] = yaml.safe_load((FIXTURES / "models.yml").read_text())
PUBLISHED = yaml.safe_load((FIXTURES / "published.yml").read_text())
SETTINGS = ("context", "utilisation", "cards", "cache_type", "dtype", "batched_tokens")

# What the page on memory promises, in per cent; what was measured is printed there.
WEIGHTS_WITHIN, CACHE_WITHIN = 2.6, 1.2


@dataclass(frozen=True)
class Run:
    """One published run and what is computed for it."""

    name: str
    published: Mapping[str, Any]
    model: Model
    settings: VllmSettings

    @property
    def cards(self) -> int:
        return self.settings.cards

    def fit(self) -> Fit:
        return fit_vllm(self.model, Card(int(self.published.get("card", 80) * GIB)), self.settings)

    def cache(self, tokens: int) -> float:
        size = cache_bytes(self.model.shape, tokens, cache_width(self.model, self.settings), self.settings, 80 * GIB)
        return size.least / GIB


def describe(published: Mapping[str, Any]) -> str:
    words = [published["model"], *(f"{key} {published[key]}" for key in ("card", *SETTINGS) if key in published)]
    return " ".join(words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each model, with its config.json alone."""
    root = tmp_path_factory.mktemp("models")
    for name, config in MODELS.items():
        (root / name).mkdir()
        (root / name / "config.json").write_text(json.dumps(config))
    return root


def run_of(published: Mapping[str, Any], folder: Path) -> Run:
    model = read_model(str(folder / published["model"]))
    settings = VllmSettings(**{key: published[key] for key in SETTINGS if key in published})
    if model.weights.size is None and "weights" in published:
        # A family whose numbers are not counted: take the size from the log, for the verdict's sake.
        model = replace(model, weights=Stored(int(published["weights"] * GIB * settings.cards), "as logged"))
    return Run(describe(published), published, model, settings)


def chosen(key: str) -> list[Any]:
    return [pytest.param(each, id=describe(each)) for each in PUBLISHED["runs"] if key in each]


def weights_error(run: Run) -> float | None:
    """Per cent between the weights as computed and as logged; None where they were not computed."""
    size = next(term.amount.most for term in run.fit().needs if term.name == "weights")
    if size is None or run.model.weights.why == "as logged":
        return None
    return float((size / GIB / run.published["weights"] - 1) * 100)


def cache_error(run: Run) -> float:
    """Per cent between the cache as computed and as logged."""
    if "needs" in run.published:
        return float((run.cache(run.published["context"]) / run.published["needs"] - 1) * 100)
    size, tokens = run.published["cache"]
    return float((run.cache(tokens) / size - 1) * 100)


@pytest.mark.parametrize("published", chosen("weights"))
def test_weights(published: Mapping[str, Any], folder: Path) -> None:
    error = weights_error(run_of(published, folder))
    assert error is None or abs(error) <= WEIGHTS_WITHIN


@pytest.mark.parametrize("published", [*chosen("cache"), *chosen("needs")])
def test_cache(published: Mapping[str, Any], folder: Path) -> None:
    assert abs(cache_error(run_of(published, folder))) <= CACHE_WITHIN


@pytest.mark.parametrize("published", chosen("outcome"))
def test_what_was_refused_is_not_said_to_fit_and_what_was_served_is_not_refused(
    published: Mapping[str, Any], folder: Path
) -> None:
    verdict = run_of(published, folder).fit().verdict
    assert verdict in ((FITS, TIGHT) if published["outcome"] == "served" else (NO, TIGHT))


@pytest.mark.parametrize(
    ("card", "largest"),
    [
        pytest.param(16, 0, id="16 GB, where not even the weights leave room"),
        pytest.param(24, 105856, id="24 GB"),
        pytest.param(32, 131072, id="32 GB, where it fits"),
    ],
)
def test_the_model_of_the_field_report(card: int, largest: int, folder: Path) -> None:
    """DeepSeek-R1-Distill-Qwen-7B at the context it was made for, which started on neither card."""
    fit = fit_vllm(read_model(str(folder / "R1-Distill-Qwen-7B")), Card(offered(card * GIB)))
    assert (fit.verdict, fit.context, fit.largest) == (FITS if card == 32 else NO, 131072, largest)
    assert fit.estimate


# The table itself


def test_each_run_has_a_source() -> None:
    for run in PUBLISHED["runs"]:
        source = run["source"]
        assert source in PUBLISHED["sources"] or source.startswith(("vllm#", "https://")), describe(run)
        assert {"weights", "cache", "needs", "outcome"} & set(run), describe(run)
    assert len(PUBLISHED["runs"]) >= 30
    assert set(MODELS) - {"R1-Distill-Qwen-7B"} == {run["model"] for run in PUBLISHED["runs"]}


def test_the_page_on_memory_tells_what_was_measured(root: Path, folder: Path) -> None:
    runs = [run_of(each, folder) for each in PUBLISHED["runs"]]
    weights = [error for run in runs if "weights" in run.published and (error := weights_error(run)) is not None]
    cache = [cache_error(run) for run in runs if {"cache", "needs"} & set(run.published)]
    verdicts = Counter((run.published["outcome"], run.fit().verdict) for run in runs if "outcome" in run.published)
    page = (root / "docs/memory-fit.md").read_text()
    for name, errors in (("weights", weights), ("KV cache", cache)):
        mean, worst = sum(map(abs, errors)) / len(errors), max(errors, key=abs)
        assert f"| {name} | {len(errors)} | {mean:.2f} % | {worst:+.2f} % |" in page
    for outcome in ("served", "refused"):
        row = " | ".join(str(verdicts[(outcome, verdict)]) for verdict in (FITS, TIGHT, NO))
        assert f"| {outcome} | {row} |" in page
    assert f"{len(runs)} runs" in page
