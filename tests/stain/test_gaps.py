"""Blur fills gaps in membranes: where 1+ and 2+ hang on that, it is said, and nothing else is left open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, Her2Cutoffs, StainVectors
from lowpower.stain.cells._measure_field import StainScale
from lowpower.stain.rules._gaps import gap_asked
from lowpower.stain.rules._measure_grade import RayTable

from ._drawn_cells import MPP, WHITE, draw_cells, measured_in, soft

VECTORS = StainVectors(RUIFROK_H, RUIFROK_DAB, "ruifrok", 0)


def test_softer_images_have_wider_edges_whatever_their_contrast() -> None:
    image = draw_cells().image
    edges = [StainScale.of([soft(image, sigma)], WHITE, VECTORS, MPP).edge_um for sigma in (0.3, 0.5, 0.8)]
    told = [edge for edge in edges if edge is not None]
    assert len(told) == 3
    assert np.diff(told).min() > 0.05
    pale = np.asarray(WHITE * (soft(image, 0.5) / WHITE) ** 0.6, np.uint8)
    assert StainScale.of([pale], WHITE, VECTORS, MPP).edge_um == pytest.approx(told[1], rel=0.15)
    assert StainScale.of([image], WHITE, VECTORS, 0.9).edge_um is None


def test_the_softer_the_image_the_more_is_asked_of_a_gap() -> None:
    assert gap_asked(0.8) < gap_asked(1.2) < gap_asked(1.4) < gap_asked(1.6) == gap_asked(None)


def test_a_paler_stretch_of_a_dark_membrane_is_a_gap_and_an_even_pale_one_is_none() -> None:
    seen = np.full((2, 32), 0.9, np.float16)
    density = np.array([[0.8], [0.2]]) * np.ones(32)
    density[0, :10] = 0.2
    table = RayTable(seen, density.astype(np.float16), np.zeros(2, np.float32))
    assert table.graded(Her2Cutoffs())[2].tolist() == [3, 2]
    assert table.graded(Her2Cutoffs(), 0.4)[2].tolist() == [1, 2]
    assert table.shares(Her2Cutoffs(), 0.4, np.array([1.0, 3.0])).tolist() == [0, 0.25, 0.75, 0]


def test_complete_membranes_are_not_doubted_and_filled_gaps_are(tmp_path: Path) -> None:
    whole = measured_in(tmp_path, soft(draw_cells(membrane=0.6).image, 0.6))
    assert whole.her2 is not None
    assert (whole.her2.score >= "2+", whole.with_gaps) == (True, None)
    # Stained along three quarters, and far enough from the next stained cell not to borrow of it.
    apart = draw_cells(
        membrane=0.4, share=0.75, spacing_um=19.0, nucleus_um=8.0, stained_every=3, rows=13, columns=13
    )
    broken = measured_in(tmp_path, soft(apart.image, 0.6))
    assert broken.her2 is not None
    assert broken.her2.score >= "2+"
    assert broken.with_gaps is not None
    assert broken.with_gaps.score == "1+"
    assert any("whether it is at least 2+ is undetermined" in note and "um" in note for note in broken.notes)
