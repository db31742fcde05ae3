"""Tissue that may be control: answered with and without it, and given only where that does not matter."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest

from lowpower.errors import as_sentence
from lowpower.models import load_bundle
from lowpower.scoring import score, score_files
from lowpower.scoring.records._answer import Answer, ControlDoubt, ControlWay, CutoffAnswer
from lowpower.scoring.slide._both_ways import settled

BLUE, BROWN = (0.10, 0.09, 0.05), (0.28, 0.51, 0.61)


def answer(likeliest, *cutoffs, issued=True):
    shares = {name: 0.9 if name == likeliest else 0.03 for name in ("0", "1+", "2+", "3+")}
    told = tuple(
        CutoffAnswer(cutoff=str(at), question=str(at), answer=said, probability=0.5, error=0.02)
        for at, said in enumerate(cutoffs)
    )
    return Answer(
        likeliest=likeliest, probability=0.9, probabilities=shares, by="network", issued=issued,
        why=None if issued else "not sure.", cutoffs=told,
    )  # fmt: skip


def doubt(*answers, agree):
    ways = tuple(
        ControlWay(left_out=(0, 0, 9, 9) if n else None, area_mm2=1.0 if n else None, end=None, answer=one)
        for n, one in enumerate(answers)
    )
    return ControlDoubt(ways=ways, agree=agree, sentence="tissue may be control.")


class TestSettled:
    def test_ways_that_differ_refer_and_decide_only_what_they_share(self):
        with_, without = answer("3+", "yes", "yes"), answer("0", "no", "yes")
        found = settled(with_, doubt(with_, without, agree=False))
        assert (found.issued, found.why) == (False, "tissue may be control.")
        assert found.likeliest == "3+"
        assert [c.answer for c in found.cutoffs] == ["undetermined", "yes"]
        assert [c.error for c in found.cutoffs] == [None, 0.02]

    def test_ways_that_agree_are_issued(self):
        one = answer("2+", "yes", "no")
        assert settled(one, doubt(one, one, agree=True)) == one

    def test_what_one_way_would_not_issue_is_referred_for_its_reason(self):
        one = answer("2+", "yes", "no")
        other = answer("2+", "yes", "undetermined", issued=False)
        found = settled(one, doubt(one, other, agree=True))
        assert (found.issued, found.why) == (False, "not sure.")
        assert [c.answer for c in found.cutoffs] == ["yes", "undetermined"]

    def test_without_an_answer_one_way_nothing_is_decided(self):
        one = answer("2+", "yes", "no")
        found = settled(one, doubt(one, None, agree=False))
        assert not found.issued
        assert {c.answer for c in found.cutoffs} == {"undetermined"}


@pytest.fixture(scope="module")
def coarse():
    """The bundled model, let loose on slides of 4 um/px: millimetres of tissue in a small picture."""
    bundle = load_bundle("her2-sim")
    spec = bundle.spec.model_copy(update={"slide_mpp_range": (0.1, 8.0)})
    return dataclasses.replace(bundle, spec=spec)


@pytest.fixture
def drawn(tmp_path):
    def draw(left, right):
        """Two like pieces of 1.3 mm, 0.9 mm apart."""
        rng = np.random.default_rng(0)
        density = np.zeros((1000, 1500, 3))
        for x, stain in ((250, left), (800, right)):
            density[250:575, x : x + 325] = rng.uniform(0.6, 1.4, (325, 325, 1)) * np.array(stain)
        image = np.array([238.0, 238, 242]) * 10.0**-density + rng.normal(0, 1.2, density.shape)
        path = tmp_path / "twins.png"
        cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
        return path

    return draw


def test_a_slide_whose_score_hangs_on_it_is_referred_with_both_answers(coarse, drawn, tmp_path):
    (result,) = score_files([drawn(BROWN, BLUE)], model=coarse, mpp=4.0, measure=False, out=tmp_path / "out")
    found = result.control_doubt
    assert result.decision == "refer"
    assert not found.agree
    assert len(found.ways) == 3  # all of it, without the brown piece, without the other
    assert len({way.answer.likeliest for way in found.ways}) > 1
    assert result.answer.why == found.sentence
    assert result.reasons[0] == as_sentence(found.sentence)
    assert sum("may be" in reason for reason in result.reasons) == 1
    x, y, width, height = found.ways[1].left_out
    assert x == pytest.approx(250, abs=10)
    assert f"--control {x},{y},{width},{height}" in found.sentence
    # Two pieces may be control: each answer says which of them it leaves out.
    assert "without it" not in found.sentence
    for way in found.ways[1:]:
        assert f"without the {way.area_mm2:.2f} mm2" in found.sentence
    assert "scored with all of it and without each piece: with all " in found.sentence
    assert "--control left" not in found.sentence  # of two like pieces an end alone would not convince it
    assert "--control none" in found.sentence
    page = (tmp_path / "out" / "report.html").read_text()
    assert "--control none if it is sample" in page
    assert json.loads((tmp_path / "out" / "twins" / "result.json").read_text())["control_doubt"]
    blue = np.asarray(result.overlay()).astype(int)
    assert (np.abs(blue - (0, 114, 178)).max(-1) < 3).sum() > 500  # the box is drawn


@pytest.mark.parametrize("control", ["none", "250,250,325,325"])
def test_the_option_it_names_ends_the_doubt(coarse, drawn, control):
    result = score(drawn(BROWN, BLUE), coarse, mpp=4.0, measure=False, pictures=False, control=control)
    assert result.control_doubt is None
    assert not any("may be on-slide control" in reason for reason in result.reasons)
