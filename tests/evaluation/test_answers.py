"""What a model's answers are worth: counted as `score` would answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import MEASURED_COLUMNS, DecisionOptions, fit_decision, judge_answers

CLASSES = 4


def slides(count: int, seed: int, *, measured: bool) -> pl.DataFrame:
    """A network that is often right; measurements that tell nearly everything."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    scores = rng.normal(0, 1, (count, CLASSES)) + 2.0 * np.eye(CLASSES)[labels]
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    table = pl.DataFrame(
        {
            "slide": [f"s{i}" for i in range(count)],
            "patient": [f"p{i}" for i in range(count)],
            "label": labels,
        }
        | {f"p_{k}": p[:, k] for k in range(CLASSES)}
    )
    if not measured:
        return table
    shares = rng.dirichlet(np.ones(CLASSES), count) * 0.015 + 0.985 * np.eye(CLASSES)[labels]
    numbers = np.column_stack([shares, 100.0 * labels])
    return table.with_columns(
        pl.Series(name, column) for name, column in zip(MEASURED_COLUMNS, numbers.T, strict=True)
    )


@pytest.fixture(scope="module")
def decision():
    return fit_decision(slides(400, 1, measured=True), "her2_four", options=DecisionOptions(error=0.1))


def test_the_measurement_takes_part_where_it_is_there(decision):
    both = judge_answers(slides(200, 2, measured=True), "her2_four", decision, resamples=50)
    alone = judge_answers(slides(200, 2, measured=False), "her2_four", decision, resamples=50)
    assert (both.measured, alone.measured) == (200, 0)
    assert both.issued.given > 190
    assert both.issued.wrong < 10
    assert both.joint["accuracy"].value > 0.95
    assert alone.joint == {}
    assert alone.issued.given < both.issued.given


def test_counts_are_those_of_the_rule(decision):
    table = slides(300, 3, measured=False)
    told = judge_answers(table, "her2_four", decision)
    p = table.select(f"p_{k}" for k in range(CLASSES)).to_numpy()
    given = p.max(1) > decision.network.issue.threshold
    wrong = given & (p.argmax(1) != table["label"].to_numpy())
    assert (told.issued.given, told.issued.wrong) == (given.sum(), wrong.sum())
    for count in told.cutoffs.values():
        assert count.given >= told.issued.given  # an issued score answers every cut-off


def test_a_slide_that_could_not_be_measured_is_answered_by_the_network(decision):
    table = slides(50, 4, measured=True).with_columns(
        pl.when(pl.int_range(50) < 10).then(None).otherwise(pl.col(MEASURED_COLUMNS[0])).alias(
            MEASURED_COLUMNS[0]
        )
    )  # fmt: skip
    told = judge_answers(table, "her2_four", decision, resamples=50)
    assert (told.slides, told.measured) == (50, 40)


def test_what_is_said_holds_the_counts(decision):
    told = judge_answers(slides(40, 5, measured=True), "her2_four", decision, resamples=50)
    assert f"{told.issued.given} of 40 issued" in told.issued.sentence("issued")
    assert told.model_validate_json(told.model_dump_json()) == told
