"""Soft images are read as crisp ones: blur is told by nuclear edges and undone before membranes are read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, StainVectors
from lowpower.stain.cells._measure_field import StainScale
from lowpower.stain.cells._sharpening import point_spread, sharpened

from ._drawn_cells import MPP, WHITE, draw_cells, measured_in, soft

VECTORS = StainVectors(RUIFROK_H, RUIFROK_DAB, "ruifrok", 0)
BROKEN = draw_cells(
    membrane=0.4, share=0.75, spacing_um=19.0, nucleus_um=8.0, stained_every=3, rows=13, columns=13
).image


@pytest.mark.parametrize("sigma_um", [0.25, 0.4, 0.55])
def test_what_blur_took_from_a_thin_line_is_given_back(sigma_um: float) -> None:
    line = np.zeros((80, 80), np.float32)
    line[:, 39:41] = 0.6
    blurred = cv2.GaussianBlur(line, (0, 0), sigma_um / MPP).astype(np.float32)
    again = sharpened(blurred, sigma_um, MPP)
    assert np.square(again - line).mean() < 0.8 * np.square(blurred - line).mean()
    assert blurred[40, 39] < again[40, 39] < 0.75
    assert again.sum() == pytest.approx(line.sum(), rel=1e-3)


def test_even_stain_stays_and_noise_is_lifted_threefold_at_most() -> None:
    even = np.full((64, 64), 0.4, np.float32)
    assert sharpened(even, 0.5, 0.25) == pytest.approx(even, abs=1e-5)
    noise = np.random.default_rng(0).normal(0, 0.01, (256, 256)).astype(np.float32)
    assert sharpened(noise, 0.6, 0.25).std() < 3 * noise.std()


def test_crisp_and_unknown_images_are_left_as_they_are() -> None:
    assert (point_spread(None), point_spread(0.8), point_spread(1.0)) == (0.0, 0.0, 0.0)
    assert 0 < point_spread(1.2) < point_spread(1.5) < point_spread(9.0) == 0.6
    image = np.random.default_rng(1).random((8, 8)).astype(np.float32)
    assert sharpened(image, 0.0, 0.5) is image


def test_a_nuclear_marker_is_read_as_it_is() -> None:
    image = soft(draw_cells().image, 0.6)
    assert StainScale.of([image], WHITE, VECTORS, MPP).undone_um > 0.2
    assert StainScale.of([image], WHITE, VECTORS, MPP, "Ki-67").undone_um == 0


def test_blur_makes_fewer_incomplete_membranes_complete_than_it_did(tmp_path: Path, monkeypatch) -> None:
    blurred = soft(BROKEN, 0.6)
    now = measured_in(tmp_path, blurred)
    monkeypatch.setattr("lowpower.stain.cells._measure_field.point_spread", lambda edge: 0.0)
    before = measured_in(tmp_path, blurred)
    assert now.shares is not None
    assert before.shares is not None
    assert now.shares.complete < before.shares.complete
    assert now.edge_um == before.edge_um
