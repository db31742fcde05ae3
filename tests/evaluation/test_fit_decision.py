"""From one table to everything that decides an answer: what is calibrated is not what was fitted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import (
    AREA_COLUMNS,
    MEASURED_COLUMNS,
    DecisionOptions,
    fit_decision,
    fit_selective,
    judge_answers,
)
from lowpower.models import Decision

CLASSES = np.arange(4)
NO_AREAS = np.zeros((1, 3))


def draw(size, seed, *, network=0.9, stain=0.15, slides=1):
    """A network that is unsure and a measurement that is not; `slides` of each patient."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.integers(0, 4, size), slides)
    seen = label + rng.normal(0, network, label.size)
    odds = np.exp(-((seen[:, None] - CLASSES) ** 2) / (2 * network**2))
    stained = label + rng.normal(0, stain, label.size)
    shares = np.exp(-6 * (stained[:, None] - CLASSES) ** 2)  # near a class, the guideline gives it
    shares /= shares.sum(1, keepdims=True)
    names = [f"p_{k}" for k in CLASSES]
    return pl.DataFrame(
        {
            "slide": [f"s{i}" for i in range(label.size)],
            "patient": [f"p{i // slides}" for i in range(label.size)],
            "label": label,
        }
        | dict(zip(names, (odds / odds.sum(1, keepdims=True)).T, strict=True))
        | dict(zip(MEASURED_COLUMNS, (*shares.T, 100 * shares @ CLASSES), strict=True))
    )


def joint_of(decision, table):
    network = table.select([f"p_{k}" for k in CLASSES]).to_numpy()
    numbers = table.select(MEASURED_COLUMNS).to_numpy()
    return decision.joint.combination.probabilities(network, numbers[:, :4], numbers[:, 4], NO_AREAS)


@pytest.fixture(scope="module")
def decision():
    return fit_decision(draw(160, 0), "her2_four")


def test_the_measurement_makes_more_answers_and_they_hold(decision):
    fresh = draw(4000, 1)
    truth = fresh["label"].to_numpy()
    both = joint_of(decision, fresh)
    issued = both.max(1) > decision.joint.voice.issue.threshold
    assert issued.mean() > 0.8
    assert (both.argmax(1) != truth)[issued].mean() < 0.1
    alone = fresh.select([f"p_{k}" for k in CLASSES]).to_numpy().max(1)
    limit = decision.network.issue.threshold
    assert limit is None or (alone > limit).mean() < 0.3
    for place in decision.joint.voice.cutoffs:
        above = both[:, place.at :].sum(1)
        decided = np.maximum(above, 1 - above) > place.rule.threshold
        assert decided.mean() > 0.85
        assert ((above > 0.5) != (truth >= place.at))[decided].mean() < 0.05


def test_it_survives_its_file(decision):
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


def test_the_measurement_may_decide_alone(decision):
    table, fresh = draw(160, 0), draw(60, 7)
    found = fit_decision(table, "her2_four", options=DecisionOptions(hear_network=False))
    assert found.network.conformal == decision.network.conformal
    assert decision.joint.combination.hears_network
    assert not found.joint.combination.hears_network
    other = fresh.with_columns(p_0=pl.lit(0.97), p_1=pl.lit(0.01), p_2=pl.lit(0.01), p_3=pl.lit(0.01))
    assert joint_of(found, fresh) == pytest.approx(joint_of(found, other))
    assert (joint_of(found, fresh).argmax(1) == fresh["label"].to_numpy()).mean() > 0.9
    assert found.joint.voice.issue.issued > 100


def faint(size, seed, *, told=True):
    """A laboratory whose 3+ is measured like its 2+; how brown the tissue is tells them, where `told`."""
    table = draw(size, seed)
    label, rng = table["label"].to_numpy(), np.random.default_rng(seed + 100)
    shares = draw(size, seed).with_columns(label=pl.Series(np.minimum(label, 2)))
    grades = np.exp(
        -6 * (shares["label"].to_numpy()[:, None] + rng.normal(0, 0.15, size)[:, None] - CLASSES) ** 2
    )
    grades /= grades.sum(1, keepdims=True)
    brown = np.exp((label if told else rng.permutation(label)) - 6 + rng.normal(0, 0.2, size))
    columns = (*grades.T, 100 * grades @ CLASSES, brown, brown / 3, brown / 9)
    return table.with_columns(
        pl.Series(name, column)
        for name, column in zip((*MEASURED_COLUMNS, *AREA_COLUMNS), columns, strict=True)
    )


def test_how_brown_the_tissue_is_takes_part_where_it_tells_classes_apart():
    found = fit_decision(faint(160, 8), "her2_four")
    fresh = faint(400, 9)
    assert found.joint.combination.hears_areas
    answers = judge_answers(fresh, "her2_four", found, resamples=50)
    blind = judge_answers(
        fresh, "her2_four", fit_decision(faint(160, 8).drop(AREA_COLUMNS), "her2_four"), resamples=50
    )
    assert answers.joint["accuracy"].value > blind.joint["accuracy"].value + 0.1
    assert answers.issued.given > blind.issued.given
    assert answers.issued.wrong <= 0.1 * answers.issued.given
    unknown = judge_answers(fresh.drop(AREA_COLUMNS), "her2_four", found, resamples=50)
    assert unknown.measured == 0  # the network alone


def test_how_brown_the_tissue_is_takes_no_part_where_it_tells_nothing():
    table = faint(160, 8, told=False)
    found = fit_decision(table, "her2_four")
    assert not found.joint.combination.hears_areas
    assert found == fit_decision(table.drop(AREA_COLUMNS), "her2_four")
    assert "hears_areas" not in found.model_dump_json()


def test_where_the_measurement_decides_a_network_answers_nothing_without_it():
    sure = draw(160, 0, network=0.3)
    unmeasured = draw(200, 7, network=0.3).drop(MEASURED_COLUMNS)
    heard = judge_answers(unmeasured, "her2_four", fit_decision(sure, "her2_four"), resamples=50)
    assert heard.issued.given > 50
    found = fit_decision(sure, "her2_four", options=DecisionOptions(hear_network=False))
    alone = judge_answers(unmeasured, "her2_four", found, resamples=50)
    assert (alone.issued.given, *(one.given for one in alone.cutoffs.values())) == (0, 0, 0, 0)
    assert "network alone is not believed" in found.network.issue.note


def noisy(size, seed):
    """Only the H-score says anything; network and shares are noise."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(4), (2, size))
    return draw(size, seed, stain=0.5).with_columns(
        *(pl.Series(f"p_{k}", noise[0, :, k]) for k in CLASSES),
        *(pl.Series(f"measured_share_{k}", noise[1, :, k]) for k in CLASSES),
    )


def test_what_is_calibrated_is_not_what_was_fitted():
    """On the rows it was fitted on the combination looks better than it is, and would issue too much."""
    table, fresh = noisy(40, 2), noisy(2000, 3)
    found = fit_decision(table, "her2_four", options=DecisionOptions(error=0.25))
    fitted, new = joint_of(found, table), joint_of(found, fresh)
    wrong = fitted.argmax(1) != table["label"].to_numpy()
    blind = fit_selective(wrong, fitted.max(1), error=0.25, confidence=0.9)
    assert blind.issued == 40
    assert (new.argmax(1) != fresh["label"].to_numpy()).mean() > 0.3
    assert found.joint.voice.issue.issued < 20


def test_conformal_sets_of_the_combination_cover_fresh_slides():
    covered = []
    for seed in range(4):
        found = fit_decision(draw(60, seed), "her2_four")
        fresh = draw(500, 100 + seed)
        kept = joint_of(found, fresh) >= np.array(found.joint.voice.conformal.min_probability)
        covered.append(kept[np.arange(fresh.height), fresh["label"].to_numpy()].mean())
    assert 0.86 < np.mean(covered) < 0.97


def test_slides_of_one_patient_count_once():
    found = fit_decision(draw(50, 3, slides=4), "her2_four")
    assert found.joint.voice.issue.n == 50
    assert sum(found.joint.voice.conformal.n) == 200


def test_slides_that_were_not_measured_take_part_in_the_network_alone():
    table = draw(100, 4)
    gone = pl.when(pl.int_range(pl.len()) < 20).then(None)
    table = table.with_columns(gone.otherwise(pl.col(name)).alias(name) for name in MEASURED_COLUMNS)
    found = fit_decision(table, "her2_four")
    assert (found.network.issue.n, found.joint.voice.issue.n) == (100, 80)


def test_too_few_of_a_class_leave_the_network_alone_and_say_so():
    table = draw(60, 5).filter((pl.col("label") != 3) | (pl.int_range(pl.len()) < 12))
    found = fit_decision(table, "her2_four")
    assert found.joint is None
    assert "class 3+" in found.notes[0]


def test_two_classes():
    table = draw(80, 6).with_columns(
        (pl.col("label") >= 2).cast(pl.Int64).alias("label"), p_0=pl.col("p_0") + pl.col("p_1")
    )
    table = table.with_columns(p_1=1 - pl.col("p_0")).drop("p_2", "p_3")
    found = fit_decision(table, "her2_status")
    network, numbers = table.select("p_0", "p_1").to_numpy(), table.select(MEASURED_COLUMNS).to_numpy()
    both = found.joint.combination.probabilities(network, numbers[:, :4], numbers[:, 4], NO_AREAS)
    assert (both.argmax(1) == table["label"].to_numpy()).mean() > 0.9


def test_the_order_of_rows_does_not_matter_to_the_networks_rules(decision):
    shuffled = fit_decision(draw(160, 0).sample(fraction=1, shuffle=True, seed=1), "her2_four")
    assert shuffled.network == decision.network


def test_nothing_is_answered_against_the_measured_score():
    """A network that is sure and right, and a measurement of nothing on every second slide."""
    table = draw(300, 5, network=0.3)
    half = pl.int_range(pl.len()) % 2 == 0
    blank = dict(zip(MEASURED_COLUMNS, (1.0, 0.0, 0.0, 0.0, 0.0), strict=True))
    told = table.with_columns(
        pl.when(half).then(value).otherwise(pl.col(name)).alias(name) for name, value in blank.items()
    )
    answers = judge_answers(told, "her2_four", fit_decision(told, "her2_four"), resamples=50)
    zeros = (told["label"] == 0).sum()
    assert answers.issued.given <= 150 + zeros
    assert answers.issued.given > 60
    alone = table.drop(MEASURED_COLUMNS)
    assert (
        judge_answers(alone, "her2_four", fit_decision(alone, "her2_four"), resamples=50).issued.given > 200
    )
