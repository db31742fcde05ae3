"""What is drawn reaches what real glass shows, and older specs still mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from lowpower.simulate import Laboratory, Scanner, SlideSpec, draw_laboratory, draw_scanner, draw_slide
from lowpower.simulate._appearance import Traits
from lowpower.simulate.sampling._draw_wide import MOST_BLUSH

LABORATORIES = [draw_laboratory(3, index, wide=1.0) for index in range(300)]
SCANNERS = [draw_scanner(3, index, wide=1.0) for index in range(300)]
USUAL = [draw_laboratory(3, index, wide=0.0) for index in range(300)]


def _apart(laboratory: Laboratory) -> float:
    return float(np.degrees(np.arccos(np.dot(laboratory.hematoxylin, laboratory.dab))))


def test_usual_laboratories_are_the_narrower_ones() -> None:
    assert all(laboratory.nuclear_dab is None and laboratory.soot == 0 for laboratory in USUAL)
    assert np.ptp([one.counterstain for one in USUAL]) < np.ptp([one.counterstain for one in LABORATORIES])
    some = [draw_laboratory(3, index) for index in range(300)]
    assert 0.3 < np.mean([one != usual for one, usual in zip(some, USUAL, strict=True)]) < 0.5


def test_wide_laboratories_reach_what_real_ones_do() -> None:
    angles = np.array([_apart(laboratory) for laboratory in LABORATORIES])
    assert (angles < 21).sum() >= 10
    assert (angles > 48).sum() >= 10
    black_beside_pale = [(one.nuclear_dab or 0) > 1.5 and one.counterstain < 0.15 for one in LABORATORIES]
    assert sum(black_beside_pale) >= 5
    for laboratory in LABORATORIES:
        red, green, blue = laboratory.dab
        assert red < green + 0.06
        assert green < blue + 0.06


def test_wide_scanners_reach_what_real_ones_do() -> None:
    whites = np.array([scanner.white for scanner in SCANNERS])
    assert (whites.min(axis=1) > 249).sum() >= 20
    assert (whites.mean(axis=1) < 180).sum() >= 5
    assert sum(scanner.psf_um > 0.6 and scanner.halo > 0 for scanner in SCANNERS) >= 10
    assert sum(scanner.contrast > 0.5 and scanner.sharpen > 1 for scanner in SCANNERS) >= 10


def test_blush_is_no_more_than_score_0_shows() -> None:
    for seed in range(200):
        laboratory = draw_laboratory(seed)
        slide = draw_slide(seed, "0", laboratory, SCANNERS[0])
        assert slide.blush + laboratory.blush / 2 + laboratory.veil <= MOST_BLUSH + 1e-4


def test_the_same_seed_draws_the_same() -> None:
    assert draw_laboratory(3, 7, wide=1.0) == LABORATORIES[7]
    assert draw_scanner(3, 7, wide=1.0) == SCANNERS[7]
    first, second = (draw_slide(5, "1+", LABORATORIES[0], SCANNERS[0], wide=1.0) for _ in range(2))
    assert first == second


def test_specs_from_before_still_load() -> None:
    spec = draw_slide(5, "1+", USUAL[0], draw_scanner(3, 0, wide=0.0), wide=0.0).model_dump()
    later = {
        "laboratory": {"nuclear_dab", "through", "line_width", "unevenness", "granularity", "soot", "veil"},
        "scanner": {"halo", "halo_um", "black", "blown", "contrast"},
    }
    old = {
        name: {key: value for key, value in part.items() if key not in later.get(name, ())}
        if isinstance(part, dict)
        else part
        for name, part in spec.items()
        if name not in {"stacking", "rim", "chromatin", "pleomorphism", "traits"}
    }
    assert SlideSpec.model_validate(old) == SlideSpec.model_validate(spec)
    assert SlideSpec.model_validate(old).traits == Traits()


@pytest.mark.parametrize("unknown", [{"halos": 1}, {"blown": 0.9}])
def test_impossible_scanners_are_refused(unknown: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"halos|blown"):
        Scanner.model_validate({"name": "simulated", **unknown})
