"""The sentences that a test comes to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import AnswerTest, Given, evaluate_predictions
from lowpower.models import ConformalLimits, Decision, Selective, Voice
from lowpower.reports._answer_words import Elsewhere, answer_sentences, elsewhere_sentence, said_once


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 40)
    table = pl.DataFrame(
        {
            "slide": [f"s{i}" for i in range(40)],
            "patient": [f"p{i}" for i in range(40)],
            "label": [*range(4)] * 10,
        }
        | {f"p_{k}": p[:, k] for k in range(4)}
    )
    return evaluate_predictions(table, "her2_four", resamples=50)


def answered(evaluation, given, off):
    return AnswerTest(
        slides=40,
        measured=40,
        issued=Given(slides=40, given=given, wrong=min(given, 1)),
        cutoffs={
            "0 | >= 1+": Given(slides=40, given=31, wrong=1),
            "0/1+ | 2+/3+": Given(slides=40, given=35, wrong=0),
            "3+ | rest": Given(slides=40, given=40, wrong=2),
        },
        off=off,
        joint=evaluation.metrics,
    )


def rules(threshold):
    rule = Selective(
        error=0.15, confidence=0.9, threshold=threshold, n=90, issued=0, wrong=0, bound=None,
        note="of 90 validation patients too few are answered rightly",
    )  # fmt: skip
    kept = ConformalLimits(coverage=0.9, class_conditional=False, min_probability=(0.1,) * 4, n=(25,) * 4)
    return Decision(network=Voice(conformal=kept, issue=rule, cutoffs=()))


def test_every_cut_off_is_named_and_how_far_off_the_likeliest_is(evaluation):
    how, sure, where = answer_sentences(evaluation, answered(evaluation, 30, (35, 4, 0, 1)))
    assert "network and measurement together" in how
    assert "right on 35, one class off on 4, three classes off on 1." in how
    assert "30 of 40 slides, 1 of these wrong" in sure
    for said in (
        "0 | >= 1+: 31 of 40 decided, 1",
        "0/1+ | 2+/3+: 35 of 40",
        "3+ | rest: 40 of 40 decided, 2",
    ):
        assert said in where


def test_a_model_that_issues_nothing_says_why(evaluation):
    _, sure, _ = answer_sentences(evaluation, answered(evaluation, 0, (36, 4, 0, 0)), rules(None))
    assert sure == "It issues no score: of 90 validation patients too few are answered rightly."
    how, sure, _ = answer_sentences(evaluation, answered(evaluation, 0, (36, 4, 0, 0)), rules(0.9))
    assert sure == "It is sure enough of no score to issue it."
    assert "one class off on 4, none further." in how


def test_a_model_without_rules_says_what_its_network_does(evaluation):
    (only,) = answer_sentences(evaluation, None)
    assert "macro AUC" in only


def elsewhere(label, likeliest, outcome, name="a.tif", reasons=()):
    answer = None if likeliest is None else SimpleNamespace(likeliest=likeliest)
    result = SimpleNamespace(
        answer=answer,
        outcome=outcome,
        decision=likeliest if outcome == "issued" else "refer",
        scheme="her2_four",
        file=f"/far/{name}",
        headline=f"HER2 likely {likeliest}; refer",
        reasons=reasons,
        reason=" ".join(reasons) or None,
    )
    return Elsewhere(result, label)


def test_another_laboratory_is_counted_whatever_became_of_its_slides():
    said = elsewhere_sentence(
        [
            elsewhere("0", "0", "issued"),
            elsewhere("3+", "2+", "issued"),
            elsewhere("1+", "1+", "refer"),
            elsewhere("0", None, "refused"),
        ]
    )
    assert "right on 2, one class off on 1, none further." in said
    assert "It issues 2 of these scores, 1 wrong, and refers 1; 1 refused." in said


def test_the_mistake_that_is_furthest_off_is_named_though_it_was_referred():
    slides = [
        elsewhere("0", "3+", "refer", "worst.tif"),
        elsewhere("1+", "2+", "refer"),
        elsewhere("", "0", "refer"),
    ]
    said = elsewhere_sentence(slides)
    assert "three classes off on 1 (worst.tif, labelled 0: HER2 likely 3+; refer)." in said
    assert "It issues none of these scores and refers 3." in said
    assert "wrong" not in said
    assert slides[-1].off is None  # no label, no distance


def test_what_many_slides_share_is_said_once_and_the_rest_of_each_apart():
    shared = "No score is issued by this model: few."
    slides = [
        elsewhere("0", "0", "refer", reasons=(shared,)),
        elsewhere("0", "0", "refer", reasons=(f"{shared} 0 is likeliest, 1+ measured.", "Pen ink.")),
        elsewhere("0", "0", "refer", reasons=(shared, "Folds.")),
        elsewhere("0", None, "refused", "spoilt.tif"),
    ]
    slides[-1].result.reason = "/far/spoilt.tif: no tissue."
    once, left = said_once([slide.result for slide in slides])
    assert once == [(shared, 3)]
    assert left == ["", "0 is likeliest, 1+ measured. Pen ink.", "Folds.", "spoilt.tif: no tissue."]
