"""Which slides a model's answers are about: told by stain, glass and sharpness."""

from __future__ import annotations

import numpy as np
import pytest

from lowpower.models import APPEARANCE, Familiar, appearance_of

GLASS, BLUE, BROWN = (240.0, 241.0, 238.0), (0.65, 0.70, 0.29), (0.27, 0.57, 0.78)
SPREAD = np.array([0.02, 0.02, 0.03, 0.03, 0.005, 0.005, 0.1])


def laboratory(count: int, seed: int) -> np.ndarray:
    """Slides of one laboratory."""
    rng = np.random.default_rng(seed)
    return (
        np.array(appearance_of(GLASS, BLUE, BROWN, 1.0)) + rng.normal(0, 1, (count, len(APPEARANCE))) * SPREAD
    )


@pytest.mark.parametrize("count", [25, 60, 200])
def test_slides_of_the_same_laboratory_are_known(count):
    strange = [
        Familiar.of(laboratory(count, seed)).stranger(laboratory(1, 1000 + seed)[0]) is not None
        for seed in range(300)
    ]
    assert np.mean(strange) < 2.5 * max(0.01, 1 / (count + 1))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"glass": (240.0, 215.0, 212.0)}, "glass"),
        ({"blue": (0.80, 0.46, 0.38)}, "haematoxylin"),
        ({"brown": (0.50, 0.60, 0.62)}, "DAB"),
        ({"rendering": 0.2}, "sharpness"),
    ],
)
def test_what_differs_most_is_named(change, part):
    seen = {"glass": GLASS, "blue": BLUE, "brown": BROWN, "rendering": 1.0} | change
    look = appearance_of(seen["glass"], seen["blue"], seen["brown"], seen["rendering"])
    assert Familiar.of(laboratory(60, 7)).stranger(look) == part


def test_two_scanners_of_one_laboratory_are_both_known_and_a_third_is_not():
    second = np.array([0, 0, 0, 0, 0.08, -0.06, 0.0])
    known = Familiar.of(np.concatenate([laboratory(30, 1), laboratory(30, 2) + second]))
    assert known.stranger(laboratory(1, 3)[0]) is None
    assert known.stranger(laboratory(1, 4)[0] + second) is None
    assert known.stranger(laboratory(1, 5)[0] - 2 * second) == "glass"


def test_what_is_not_known_is_not_strange():
    known = Familiar.of(laboratory(30, 1))
    assert known.stranger([float("nan")] * len(APPEARANCE)) is None


def test_the_rendering_that_is_not_told_counts_as_usual():
    assert appearance_of(GLASS, BLUE, BROWN, None) == appearance_of(GLASS, BLUE, BROWN, 1.0)


def test_it_is_stored_and_read_again_as_it_was():
    known = Familiar.of(laboratory(30, 1))
    assert Familiar.model_validate_json(known.model_dump_json()) == known


def test_one_slide_has_no_like():
    with pytest.raises(ValueError, match="two or more"):
        Familiar.of(laboratory(1, 1))


def test_one_odd_slide_of_the_fit_does_not_make_every_laboratory_familiar():
    odd = np.array(appearance_of(GLASS, (0.83, 0.54, 0.11), (0.47, 0.56, 0.69), 1.2))
    known = Familiar.of(np.concatenate([laboratory(60, 1), odd[None]]))
    assert known.stranger(appearance_of((244.0, 220.0, 216.0), BLUE, BROWN, 1.0)) == "glass"
    assert known.stranger(laboratory(1, 2)[0]) is None
