"""Dust, haze and edges on the glass: left out with their area; tissue out of focus is not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from tests.tissue.test_mask import bare, coded, stroma
from tests.tissue.test_quality import flag, look
from tests.tissue.tissue_truth import jpeg

from lowpower.tissue import quality_map

MPP = 4.0
TISSUE = (slice(150, 320), slice(200, 480))


def slide() -> NDArray[np.float64]:
    image = bare(500, 700)
    image[TISSUE] *= stroma(170, 280)
    return image


def shade(spots: list[tuple[int, int, int]], od: float) -> NDArray[np.float64]:
    """Transmission of soft grey spots (x, y, radius)."""
    drawn = np.zeros((500, 700), np.float32)
    for x, y, radius in spots:
        cv2.circle(drawn, (x, y), radius, od, -1)
    return 10.0 ** -cv2.GaussianBlur(drawn, (0, 0), 3)[..., None].astype(float)


def test_grey_spots_are_debris_and_have_their_area() -> None:
    spots = [(80, 90, 18), (600, 400, 22), (580, 80, 16)]
    tissue = look(jpeg(coded(slide() * shade(spots, 0.06)), 90), MPP)
    for x, y, _ in spots:
        assert not tissue.mask[y - 14 : y + 14, x - 14 : x + 14].any()
    assert tissue.mask[TISSUE].mean() > 0.97
    found = flag(tissue, "debris")
    assert found.effect == "note"
    assert found.area_mm2 is not None
    assert 0.4 < found.area_mm2 / (sum(np.pi * r * r for *_, r in spots) * MPP**2 / 1e6) < 1.6
    assert "without any nucleus" in found.message
    assert "Debris or edge, left out" in {layer.name for layer, _ in quality_map(tissue).legend}


def test_more_than_a_tenth_without_a_nucleus_is_warned_of() -> None:
    assert (
        flag(look(coded(slide() * shade([(80, 90, 60), (600, 400, 60)], 0.06)), MPP), "debris").effect
        == "warn"
    )


def test_the_edge_of_a_cover_slip_is_no_tissue() -> None:
    image = slide()
    image[:28] *= 0.8
    image[25:28] *= 0.5
    specks = np.random.default_rng(3).integers(0, (28, 700), (60, 2))
    image[specks[:, 0], specks[:, 1]] *= (0.6, 0.5, 0.4)
    tissue = look(coded(image), MPP)
    assert not tissue.mask[:40].any()
    assert tissue.mask[TISSUE].mean() > 0.97
    assert flag(tissue, "debris").box is not None


def test_a_piece_of_tissue_out_of_focus_is_kept() -> None:
    image = bare(500, 700)
    image[TISSUE] *= stroma(170, 280)
    blurred = np.ones((500, 700, 3))
    blurred[380:460, 200:480] = cv2.GaussianBlur(stroma(80, 280), (0, 0), 4)
    tissue = look(coded(image * blurred), MPP)
    assert tissue.mask[385:455, 205:475].mean() > 0.97
    assert "debris" not in {found.code for found in tissue.qc.flags}
