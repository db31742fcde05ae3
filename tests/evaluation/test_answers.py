"""What a model's answers are worth: counted as `score` would answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import (
    APPEARANCE_COLUMNS,
    MEASURED_COLUMNS,
    DecisionOptions,
    fit_decision,
    judge_answers,
)

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
    apart = np.abs(p.argmax(1) - table["label"].to_numpy())
    assert told.off == tuple((apart == distance).sum() for distance in range(CLASSES))
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


def seen(table: pl.DataFrame, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """The same slides with what they look like; `shift` is another laboratory."""
    looks = np.random.default_rng(seed).normal(shift, 0.01, (len(table), len(APPEARANCE_COLUMNS)))
    return table.with_columns(
        pl.Series(name, column) for name, column in zip(APPEARANCE_COLUMNS, looks.T, strict=True)
    )


class TestOtherLaboratories:
    def test_nothing_is_said_of_slides_unlike_those_of_the_fit(self):
        fitted = fit_decision(seen(slides(300, 1, measured=True), 1), "her2_four")
        table = slides(100, 2, measured=True)
        ours = judge_answers(seen(table, 3), "her2_four", fitted, resamples=50)
        theirs = judge_answers(seen(table, 4, shift=0.5), "her2_four", fitted, resamples=50)
        assert ours.issued.given > 85
        assert theirs.issued.given == 0
        assert [one.given for one in theirs.cutoffs.values()] == [0, 0, 0]
        assert theirs.joint["accuracy"].value == ours.joint["accuracy"].value

    @pytest.mark.parametrize("count", [19, 300])
    def test_few_patients_or_unknown_looks_tell_of_no_other(self, count):
        table = slides(300, 1, measured=True)
        table = seen(table, 1) if count < 20 else table
        unknown = pl.int_range(300) >= count
        if count < 20:
            table = table.with_columns(
                pl.when(unknown).then(None).otherwise(pl.col(name)).alias(name) for name in APPEARANCE_COLUMNS
            )
        assert fit_decision(table, "her2_four").joint.familiar is None
