"""The sentences that a test comes to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from lowpower.evaluation import AnswerTest, Given, evaluate_predictions
from lowpower.reports._answer_words import Elsewhere, answer_sentences, elsewhere_sentence


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


def test_the_surest_and_the_least_sure_cut_off_are_named(evaluation):
    answers = AnswerTest(
        slides=40,
        measured=40,
        issued=Given(slides=40, given=30, wrong=1),
        cutoffs={
            "0 | >= 1+": Given(slides=40, given=31, wrong=1),
            "3+ | rest": Given(slides=40, given=40, wrong=0),
        },
        joint=evaluation.metrics,
    )
    how, sure, where = answer_sentences(evaluation, answers)
    assert "network and measurement together" in how
    assert "30 of 40 slides, 1 of these wrong" in sure
    assert where.index("3+ | rest") < where.index("0 | >= 1+")


def test_a_model_without_rules_says_what_its_network_does(evaluation):
    (only,) = answer_sentences(evaluation, None)
    assert "macro AUC" in only


def test_another_laboratory_is_counted_whatever_became_of_its_slides():
    def slide(label, likeliest, outcome):
        answer = None if likeliest is None else SimpleNamespace(likeliest=likeliest)
        decision = likeliest if outcome == "issued" else "refer"
        return Elsewhere(SimpleNamespace(answer=answer, outcome=outcome, decision=decision), label)

    said = elsewhere_sentence(
        [
            slide("0", "0", "issued"),
            slide("3+", "2+", "issued"),
            slide("1+", "1+", "refer"),
            slide("0", None, "refused"),
        ]
    )
    assert "issues 2, 1 of these wrong, and refers 1; the likeliest score is right on 2; 1 refused." in said
