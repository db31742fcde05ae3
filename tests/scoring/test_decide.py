"""What may be said of given probabilities and measurements: likeliest, issued or referred, each cut-off."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lowpower.models import (
    Combination,
    ConformalLimits,
    CutoffRule,
    Decision,
    Familiar,
    Joint,
    Selective,
    Voice,
    appearance_of,
)
from lowpower.scoring import Measured
from lowpower.scoring.records._measured import Stains
from lowpower.scoring.slide._decide import answer_of


def rule(threshold, error=0.05):
    return Selective(
        error=error, confidence=0.9, threshold=threshold, n=100, issued=60, wrong=1, bound=0.04, note="few"
    )


def voice(threshold, cutoffs=(0.9, 0.9, 0.9)):
    kept = ConformalLimits(coverage=0.9, class_conditional=False, min_probability=(0.1,) * 4, n=(25,) * 4)
    places = tuple(CutoffRule(at=at, rule=rule(limit, 0.02)) for at, limit in enumerate(cutoffs, start=1))
    return Voice(conformal=kept, issue=rule(threshold), cutoffs=places)


def measured(shares, score="2+", group="equivocal"):
    names = ("none", "faint_incomplete", "moderate_complete", "intense_complete")
    return Measured(
        marker="HER2", score=score, group=group, sentence="as measured.", tumour_cells=500, cells={},
        shares=dict(zip(names, shares, strict=True)), h_score=100.0,
    )  # fmt: skip


@pytest.fixture
def model(bundle):
    def made(decision, **changes):
        spec = bundle.spec.model_copy(update={"decision": decision} | changes)
        return dataclasses.replace(bundle, spec=spec)

    return made


def ask(model, *probabilities, told=None):
    return answer_of(model, np.array(probabilities), told)


def test_a_sure_score_is_issued_and_answers_every_cutoff(model):
    found = ask(model(Decision(network=voice(0.8))), 0.01, 0.04, 0.9, 0.05)
    assert (found.likeliest, found.issued, found.why, found.by) == ("2+", True, None, "network")
    assert [(c.question, c.answer) for c in found.cutoffs] == [
        ("at least 1+", "yes"),
        ("at least 2+", "yes"),
        ("3+", "no"),
    ]
    assert "at most 5% are wrong" in found.promise


def test_an_unsure_score_is_likeliest_all_the_same_and_cutoffs_may_still_be_decided(model):
    found = ask(model(Decision(network=voice(0.8))), 0.4, 0.55, 0.04, 0.01)
    assert (found.likeliest, found.issued) == ("1+", False)
    assert found.probability == pytest.approx(0.55)
    assert "0 and 1+ cannot be told apart" in found.why
    assert "5%" in found.why
    assert [c.answer for c in found.cutoffs] == ["undetermined", "no", "no"]
    assert [c.error for c in found.cutoffs] == [None, 0.02, 0.02]


def test_an_issued_score_answers_a_cutoff_that_has_no_rule_at_its_own_rate(model):
    found = ask(model(Decision(network=voice(0.8, (None, 0.9, 0.9)))), 0.05, 0.85, 0.05, 0.05)
    assert found.issued
    assert (found.cutoffs[0].answer, found.cutoffs[0].error) == ("yes", 0.05)


def test_a_model_that_can_vouch_for_nothing_issues_nothing(model):
    found = ask(model(Decision(network=voice(None, (None, None, None)))), 0, 0, 0, 1)
    assert (found.likeliest, found.issued) == ("3+", False)
    assert "no score is issued" in found.why
    assert (found.error, found.confidence) == (None, None)
    assert found.promise == "This model makes no promise about any score."
    assert {c.answer for c in found.cutoffs} == {"undetermined"}


@pytest.mark.parametrize(("heard", "by"), [(0.2, "network and measurement"), (0.0, "measurement")])
def test_the_measurement_takes_part_where_there_is_one(model, heard, by):
    """Weights that read little but intense complete cells: the network's 1+ becomes 3+."""
    weights = np.zeros((4, 8))
    weights[1, 1], weights[3, 6] = heard, 4.0
    combination = Combination(
        mean=(0.0,) * 8, scale=(1.0,) * 8, weights=tuple(map(tuple, weights.tolist())),
        intercepts=(0.0,) * 4, strength=1.0,
    )  # fmt: skip
    joint = Joint(combination=combination, voice=voice(0.8))
    bundle = model(Decision(network=voice(None), joint=joint))
    network = (0.1, 0.7, 0.1, 0.1)
    strong = ask(bundle, *network, told=measured((0.1, 0.1, 0.1, 0.7), "3+", "positive"))
    assert (strong.likeliest, strong.issued, strong.by) == ("3+", True, by)
    weak = ask(bundle, *network, told=measured((0.9, 0.1, 0.0, 0.0), "0", "ultralow"))
    assert weak.likeliest != "3+"
    against = ask(bundle, *network, told=measured((0.1, 0.1, 0.1, 0.7), "2+", "equivocal"))
    assert (against.likeliest, against.issued) == ("3+", False)
    heard = "network and measurement together" if heard else "all that was measured"
    why = f"3+ is likeliest by {heard}, and the scoring rule on the measured cells alone gives 2+: "
    why += "they must agree."
    assert against.why == why
    assert [c.answer for c in against.cutoffs[:3]] == ["yes", "yes", "undetermined"]
    unmeasured = measured((0.9, 0.1, 0.0, 0.0)).model_copy(update={"shares": None, "score": None})
    for told in (None, unmeasured):
        alone = ask(bundle, *network, told=told)
        assert (alone.likeliest, alone.by, alone.issued) == ("1+", "network", False)
        assert ("leave out --no-measure" in alone.why) is (told is None)
    hopeless = model(Decision(network=voice(None), joint=Joint(combination=combination, voice=voice(None))))
    both = ask(hopeless, *network, told=measured((0.1, 0.1, 0.1, 0.7), "2+", "equivocal"))
    assert both.why == f"no score is issued by this model: few. {why}"
    assert "no-measure" not in ask(hopeless, *network).why


def test_a_slide_unlike_those_of_the_fit_is_referred_and_says_in_what(model):
    flat = Combination(
        mean=(0.0,) * 8, scale=(1.0,) * 8, weights=((0.0,) * 8,) * 4, intercepts=(0.0, 0.0, 9.0, 0.0),
        strength=1.0,
    )  # fmt: skip
    blue, brown, glass = (0.65, 0.70, 0.29), (0.27, 0.57, 0.78), (240.0, 241.0, 238.0)
    usual = np.array(appearance_of(glass, blue, brown, 1.0))
    looks = usual + np.random.default_rng(0).normal(0, 0.002, (30, len(usual)))
    joint = Joint(combination=flat, voice=voice(0.8), familiar=Familiar.of(looks))
    bundle = model(Decision(network=voice(None), joint=joint))
    told = measured((0.1, 0.2, 0.7, 0.0))

    def seen(glass):
        stains = Stains(hematoxylin=blue, dab=brown, source="measured", glass=glass)
        return ask(
            bundle, 0.1, 0.1, 0.7, 0.1, told=told.model_copy(update={"stains": stains, "rendering": 1.0})
        )

    assert seen(glass).issued
    assert seen(None).issued
    other = seen((240.0, 215.0, 200.0))
    assert (other.likeliest, other.issued) == ("2+", False)
    assert "unlike all" in other.why
    assert "most of all in its glass" in other.why
    assert {one.answer for one in other.cutoffs} == {"undetermined"}


@pytest.mark.parametrize(("group", "answer"), [("null", "no"), ("ultralow", "yes")])
def test_null_or_ultralow_is_said_where_0_was_measured(model, group, answer):
    told = measured((1.0, 0.0, 0.0, 0.0), "0", group)
    found = ask(model(Decision(network=voice(0.8))), 0.9, 0.1, 0, 0, told=told)
    last = found.cutoffs[-1]
    assert (last.cutoff, last.answer, last.error) == ("null | ultralow", answer, None)
    assert "no error rate is stated" in last.sentence


class TestWithoutARule:
    """Bundles of version 1 have conformal sets alone."""

    def limited(self, model, *limits):
        kept = ConformalLimits(coverage=0.9, class_conditional=False, min_probability=limits, n=(5,) * 4)
        return model(None, abstention=kept, schema_version=1)

    def test_one_class_left_is_issued_without_a_promise(self, model):
        found = ask(self.limited(model, 0.3, 0.3, 0.3, 0.3), 0.1, 0.8, 0.05, 0.05)
        assert (found.likeliest, found.issued, found.error) == ("1+", True, None)
        assert "no promise" in found.promise

    def test_two_classes_left_refer_and_are_named(self, model):
        found = ask(self.limited(model, 0.3, 0.3, 0.3, 0.3), 0.45, 0.5, 0.03, 0.02)
        assert not found.issued
        assert found.not_excluded == ("0", "1+")
        assert "0 and 1+" in found.why
        assert "10%" in found.why

    def test_no_class_left_refers(self, model):
        found = ask(self.limited(model, 0.6, 0.6, 0.6, 0.6), 0.3, 0.3, 0.2, 0.2)
        assert not found.issued
        assert "no class" in found.why

    def test_without_sets_the_likeliest_class_is_issued(self, model):
        assert ask(model(None, abstention=None), 0.1, 0.2, 0.3, 0.4).issued


def test_what_hangs_on_gaps_in_membranes_is_left_open_and_nothing_else(model):
    sure = model(Decision(network=voice(0.8)))
    told = measured((0.2, 0.6, 0.2, 0.0))
    assert [c.answer for c in ask(sure, 0.01, 0.04, 0.9, 0.05, told=told).cutoffs] == ["yes", "yes", "no"]
    doubted = told.model_copy(update={"with_gaps": "1+"})
    found = ask(sure, 0.01, 0.04, 0.9, 0.05, told=doubted)
    assert not found.issued
    assert "cannot be told apart surely" in found.why
    assert [c.answer for c in found.cutoffs] == ["yes", "undetermined", "no"]
    strong = measured((0.1, 0.1, 0.2, 0.6), "3+", "positive").model_copy(update={"with_gaps": "1+"})
    answers = [c.answer for c in ask(sure, 0.0, 0.0, 0.05, 0.95, told=strong).cutoffs]
    assert answers == ["yes", "undetermined", "undetermined"]
