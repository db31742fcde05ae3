"""Pictures say what they show, in letters that a page leaves readable, and no number lies on another."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import lowpower.scoring.pictures._overlay as overlay_module
import lowpower.scoring.slide._score_slide as score_module
from lowpower.models import Combination, ConformalLimits, CutoffRule, Decision, Joint, Selective, Voice
from lowpower.scoring import Explanation, score
from lowpower.scoring.pictures import draw_overlay
from lowpower.scoring.pictures._cells_picture import places_of
from lowpower.units import Box


@pytest.fixture
def answered_by_measurement(bundle):
    """A bundle whose joint voice says 3+ of whatever was measured, whatever its network says."""
    kept = ConformalLimits(coverage=0.9, class_conditional=False, min_probability=(0.1,) * 4, n=(25,) * 4)
    rule = Selective(error=0.05, confidence=0.9, threshold=0.8, n=100, issued=60, wrong=1, bound=0.04)
    voice = Voice(conformal=kept, issue=rule, cutoffs=tuple(CutoffRule(at=at, rule=rule) for at in (1, 2, 3)))
    always = Combination(
        mean=(0.0,) * 8, scale=(1.0,) * 8, weights=((0.0,) * 8,) * 4, intercepts=(0.0, 0.0, 0.0, 9.0),
        strength=1.0,
    )  # fmt: skip
    decision = Decision(network=voice, joint=Joint(combination=always, voice=voice))
    return dataclasses.replace(bundle, spec=bundle.spec.model_copy(update={"decision": decision}))


def test_the_networks_map_is_titled_by_the_network(answered_by_measurement, tmp_path, monkeypatch):
    from tests.stain._drawn_cells import draw_cells

    path = tmp_path / "cells.png"
    cv2.imwrite(str(path), draw_cells(membrane=1.0).image[..., ::-1])
    drawn = []
    monkeypatch.setattr(score_module, "draw_overlay", lambda *given, **_: drawn.append(given))
    result = score(path, answered_by_measurement, mpp=0.5)
    ((_, _, title, _),) = drawn
    network = max(result.probabilities, key=result.probabilities.get)
    assert (result.answer.likeliest, result.answer.by) == ("3+", "measurement")
    assert title.startswith(
        f"HER2 as the network alone sees it: {network}   (0: {result.probabilities['0']:.2f}"
    )
    assert "The answer, by measurement: 3+ " in title


@pytest.mark.parametrize("side", [400, 2400])
def test_letters_grow_with_the_picture(side, monkeypatch):
    """Pages show it at about 1,100 px: nothing is written there in less than 10."""
    sizes = []
    load = overlay_module.ImageFont.load_default
    monkeypatch.setattr(
        overlay_module.ImageFont, "load_default", lambda size: (sizes.append(size), load(size))[1]
    )
    slide = SimpleNamespace(
        size=(side, side),
        mpp=1.0,
        overview=lambda mpp: np.full((round(side / mpp),) * 2 + (3,), 240, np.uint8),
    )
    seen = Explanation(
        np.ones((8, 8), np.float32), np.ones((8, 8), bool), Box(0, 0, side, side), ("0", "1+", "2+", "3+")
    )
    picture = draw_overlay(slide, seen, "a title", "a footer")
    assert min(sizes) * 1100 / max(1100, picture.width) >= 10


def test_no_number_lies_on_another_nor_on_another_field():
    """Squares side by side, as fields are: large ones, and such as no number fits into."""
    for side in (80.0, 6.0):
        boxes = [
            (x * side, y * side, (x + 1) * side, (y + 1) * side) for x, y in ((1, 1), (1, 2), (2, 1), (2, 2))
        ]
        places = places_of(boxes, (16, 24))
        apart = [*combinations(places, 2)]
        apart += [
            (place, box) for number, place in enumerate(places) for box in boxes if box != boxes[number]
        ]
        for one, other in apart:
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
        if side == 80.0:
            assert all(place[:2] == box[:2] for place, box in zip(places, boxes, strict=True))
