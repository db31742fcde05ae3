from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, StainVectors
from lowpower.stain._cells import LYMPHOID, STROMAL, TUMOUR, kinds_of, shape_of
from lowpower.stain._measure_field import StainScale, measure_field, stain_maps
from lowpower.stain._membrane import membrane_rays
from lowpower.stain._nuclei import find_nuclei
from lowpower.stain._nuclei_rays import RAYS, centroid_offset, ray_directions, sample, territory

from ._drawn_cells import MPP, WHITE, draw_cells

VECTORS = StainVectors(RUIFROK_H, RUIFROK_DAB, "ruifrok", 0)


def _nearest(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(found[:, None] - truth[None], axis=2).min(axis=0))


def test_every_drawn_nucleus_is_found_once_where_it_is() -> None:
    drawn = draw_cells()
    hematoxylin, _ = stain_maps(drawn.image, WHITE, VECTORS)
    nuclei = find_nuclei(hematoxylin, MPP, 0.03)
    assert len(nuclei) == len(drawn.xy)
    assert _nearest(nuclei.xy, drawn.xy).max() < 1.0
    diameter, elongation = shape_of(nuclei.radii)
    assert np.abs(diameter - 9.0).max() < 1.5
    assert elongation.max() < 1.25


def test_glass_has_no_nuclei() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (200, 200, 3))
    image = np.clip(WHITE + noise, 0, 255).astype(np.uint8)
    hematoxylin, dab = stain_maps(image, WHITE, VECTORS)
    nuclei = find_nuclei(hematoxylin, MPP, 0.03)
    assert len(nuclei) == 0
    assert membrane_rays(dab, nuclei.xy, nuclei.radii, MPP).crest.shape == (0, RAYS)


@given(st.floats(2.0, 7.0), st.floats(1.0, 2.0))
def test_shape_of_an_ellipse(minor: float, ratio: float) -> None:
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    a, b = minor * ratio, minor
    radii = (a * b / np.hypot(b * np.cos(angle), a * np.sin(angle)))[None].astype(np.float32)
    diameter, elongation = shape_of(radii)
    assert diameter[0] == pytest.approx(2 * np.sqrt(a * b), rel=0.03)
    assert elongation[0] == pytest.approx(ratio, rel=0.12)
    assert np.abs(centroid_offset(radii)).max() < 1e-3


def test_territories_meet_halfway() -> None:
    xy = np.array([[0, 0], [12, 0]], np.float32)
    radii = np.full((2, RAYS), 3, np.float32)
    limit = territory(xy, radii, 8.0)
    assert limit[0, 0] == pytest.approx(6.0, abs=1e-3)
    assert limit[0, RAYS // 2] == pytest.approx(11.0)
    larger = radii.copy()
    larger[0] = 5
    assert territory(xy, larger, 8.0)[0, 0] == pytest.approx(7.0, abs=1e-3)


def test_sample_reads_pixel_middles() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    points = np.array([[0.25, 0.25], [1.75, 1.25], [-9.0, -9.0]], np.float32)
    assert sample(image, points, 0.5).tolist() == [0.0, 11.0, 0.0]
    assert sample(image, np.zeros((0, 3, 2), np.float32), 0.5).shape == (0, 3)


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 0.9, 1.0), (0.5, 0.35, 0.7), (0.25, 0.1, 0.45)])
def test_stained_share_of_the_ring(share: float, low: float, high: float) -> None:
    drawn = draw_cells(membrane=0.6, share=share, spacing_um=17.0)
    hematoxylin, dab = stain_maps(drawn.image, WHITE, VECTORS)
    nuclei = find_nuclei(hematoxylin - 0.3 * dab, MPP, 0.03)
    rays = membrane_rays(dab, nuclei.xy, nuclei.radii, MPP)
    assert low < np.median((rays.crest > 0.05).mean(axis=1)) <= high


def test_crest_grows_with_the_membrane_and_ignores_blush() -> None:
    def crest(membrane: float, blush: float) -> float:
        drawn = draw_cells(membrane=membrane, blush=blush)
        hematoxylin, dab = stain_maps(drawn.image, WHITE, VECTORS)
        nuclei = find_nuclei(hematoxylin - 0.3 * dab, MPP, 0.03)
        return float(np.median(membrane_rays(dab, nuclei.xy, nuclei.radii, MPP).crest))

    faint, strong = crest(0.2, 0.0), crest(0.8, 0.0)
    assert strong > 2.5 * faint > 0.1
    # A cytoplasm as brown as that faint membrane is no membrane.
    assert crest(0.0, 0.3) < 0.25 * faint


def test_core_leaves_other_fields_cells_out() -> None:
    drawn = draw_cells()
    scale = StainScale(WHITE, VECTORS, 0.15, 0.15)
    height, width = drawn.image.shape[:2]
    middle = width // 4 * 2
    both = measure_field(drawn.image, MPP, scale, "HER2", (0, 0, width // 2 * 2, height // 2 * 2))
    left = measure_field(drawn.image, MPP, scale, "HER2", (0, 0, middle, height // 2 * 2))
    right = measure_field(drawn.image, MPP, scale, "HER2", (middle, 0, width // 2 * 2, height // 2 * 2))
    assert len(both.xy) == len(left.xy) + len(right.xy) == len(drawn.xy)


def test_kinds() -> None:
    sheet = np.stack(np.meshgrid(np.arange(6) * 11.0, np.arange(6) * 11.0), axis=-1).reshape(-1, 2)
    count = len(sheet)

    def kind(diameter: float, elongation: float, darkness: float, haze: float) -> int:
        columns = (np.full(count, value, np.float32) for value in (diameter, elongation, darkness, haze))
        return int(np.median(kinds_of(sheet, *columns)))

    assert kind(9.0, 1.15, 1.4, 0.7) == TUMOUR
    assert kind(6.3, 1.1, 2.3, 0.1) == LYMPHOID
    assert kind(5.5, 2.2, 0.9, 0.1) == STROMAL


def test_kinds_of_nothing_and_of_one() -> None:
    none = np.zeros(0, np.float32)
    assert len(kinds_of(np.zeros((0, 2)), none, none, none, none)) == 0
    one = np.ones(1, np.float32)
    assert kinds_of(np.zeros((1, 2)), 9 * one, one, 1.4 * one, 0.7 * one).tolist() == [TUMOUR]


def test_regions_turn_doubt_to_tumour() -> None:
    one = np.ones(1, np.float32)
    doubtful = (7.0 * one, 1.6 * one, 1.6 * one, 0.5 * one)
    assert kinds_of(np.zeros((1, 2)), *doubtful).tolist() != [TUMOUR]
    assert kinds_of(np.zeros((1, 2)), *doubtful, in_region=np.array([True])).tolist() == [TUMOUR]


def test_directions_are_units() -> None:
    assert np.allclose(np.linalg.norm(ray_directions(), axis=1), 1.0)
