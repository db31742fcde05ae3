from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, StainVectors
from lowpower.stain.cells import _tumour_likeness
from lowpower.stain.cells._cell_maps import GRID, STRIDE, CellMaps, cell_maps, network_input
from lowpower.stain.cells._counted_cells import LYMPHOID, STROMAL, TUMOUR, kinds_of, shape_of
from lowpower.stain.cells._measure_field import StainScale, measure_field, stain_maps
from lowpower.stain.cells._membrane import MembraneRays, membrane_rays
from lowpower.stain.cells._nuclei import Nuclei, find_nuclei
from lowpower.stain.cells._nuclei_rays import RAYS, ray_directions, sample, territory
from lowpower.stain.cells._tumour_likeness import context_of, likeness_asked, likeness_in_context

from ._drawn_cells import MPP, WHITE, draw_cells

VECTORS = StainVectors(RUIFROK_H, RUIFROK_DAB, "ruifrok", 0)


def _nearest(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(found[:, None] - truth[None], axis=2).min(axis=0))


CONTRAST = 0.15


def _seen(image: np.ndarray) -> tuple[np.ndarray, CellMaps, Nuclei]:
    hematoxylin, dab = stain_maps(image, WHITE, VECTORS)
    maps = cell_maps(hematoxylin, dab, CONTRAST)
    return dab, maps, find_nuclei(maps, GRID * MPP)


def _rays(image: np.ndarray) -> MembraneRays:
    dab, maps, nuclei = _seen(image)
    return membrane_rays(dab, maps.membrane, nuclei.xy, nuclei.radii, MPP, GRID * MPP)


def test_every_drawn_nucleus_is_found_once_where_it_is() -> None:
    drawn = draw_cells()
    _, _, nuclei = _seen(drawn.image)
    assert len(nuclei) == len(drawn.xy)
    assert _nearest(nuclei.xy, drawn.xy).max() < 1.5
    diameter, elongation = shape_of(nuclei.radii)
    assert np.abs(np.median(diameter) - 9.0) < 0.8
    assert np.median(elongation) < 1.25


def test_glass_has_no_nuclei() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (200, 200, 3))
    image = np.clip(WHITE + noise, 0, 255).astype(np.uint8)
    assert len(_seen(image)[2]) == 0
    assert _rays(image).seen.shape == (0, RAYS)


def test_maps_do_not_depend_on_where_a_field_begins() -> None:
    hematoxylin, dab = stain_maps(draw_cells(membrane=0.5).image, WHITE, VECTORS)
    whole = cell_maps(hematoxylin, dab, CONTRAST)
    assert whole.tumour.shape == tuple(-(-side // GRID) for side in hematoxylin.shape)
    shift, reach = 4 * STRIDE, 96
    part = cell_maps(hematoxylin[shift:, shift:], dab[shift:, shift:], CONTRAST)
    inner = (slice(reach // GRID, -reach // GRID),) * 2
    for one, other in ((whole.tumour, part.tumour), (whole.membrane, part.membrane)):
        assert np.abs(one[shift // GRID :, shift // GRID :][inner] - other[inner]).max() < 1e-4


def test_network_input_is_on_the_slides_own_scale() -> None:
    hematoxylin, dab = np.full((64, 64), 0.3, np.float32), np.full((64, 64), 0.5, np.float32)
    assert network_input(hematoxylin, dab, 0.1)[:, 0, 0].tolist() == pytest.approx([1.0, 1.0, 0.0], abs=1e-4)
    assert network_input(2 * hematoxylin, dab, 0.2)[:, 0, 0].tolist() == pytest.approx(
        [1.0, 1.0, 0.0], abs=1e-4
    )


def test_pale_nuclei_stand_out_whatever_the_darkest_show() -> None:
    pale = np.zeros((64, 64), np.float32)
    pale[28:36, 28:36] = 0.05
    assert network_input(pale, 0 * pale, 2.0)[0].max() < 0.01
    assert network_input(pale, 0 * pale, 2.0)[2].max() > 1.0


def test_doubt_of_every_cell_lowers_what_is_asked_of_each() -> None:
    sure = np.repeat([0.02, 0.97], 100).astype(np.float32)
    same = np.full(200, 8.0, np.float32)
    assert likeness_asked(sure, same) == pytest.approx(0.48, abs=0.02)
    assert likeness_asked(np.full(200, 0.4, np.float32), same) < 0.3
    assert likeness_asked(np.zeros(0, np.float32), np.zeros(0, np.float32)) == 0.5


def test_small_nuclei_that_look_a_little_like_tumour_lie_below_the_valley() -> None:
    rng = np.random.default_rng(0)
    lymphocytes, tumour = rng.normal(0.42, 0.06, 900), rng.normal(0.85, 0.05, 400)
    likeness = np.concatenate([lymphocytes, tumour]).astype(np.float32)
    size = np.repeat([5.0, 8.0], [900, 400]).astype(np.float32)
    asked = likeness_asked(likeness, size)
    assert (lymphocytes > asked).mean() < 0.02
    assert (tumour > asked).mean() > 0.98
    # Unstained tumour beside stained looks less like tumour too, but is no smaller: nothing is lost.
    assert likeness_asked(likeness, np.full(1300, 8.0, np.float32)) < 0.42
    # One broad heap has no valley: the pale are not lost.
    one = np.clip(rng.normal(0.55, 0.15, 1300), 0, 1).astype(np.float32)
    assert likeness_asked(one, np.where(one < 0.5, 5.0, 8.0).astype(np.float32)) < 0.45


def test_a_cell_is_more_tumour_like_among_its_like_and_the_larger_it_is() -> None:
    grid = np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), axis=-1).reshape(-1, 2) * 11.0
    like, size = np.full(36, 0.8, np.float32), np.full(36, 8.0, np.float32)
    assert likeness_in_context(grid, like, size) == pytest.approx(like, abs=1e-4)
    like[14] = 0.5
    among = likeness_in_context(grid, like, size)[14]
    alone = likeness_in_context(np.zeros((1, 2)), like[14:15], size[:1])[0]
    assert among > alone + 0.05
    assert alone == pytest.approx(0.5, abs=1e-6)
    stroma = np.full(36, 0.2, np.float32)
    stroma[14] = 0.5
    assert likeness_in_context(grid, stroma, size)[14] < alone - 0.05
    large, small = (likeness_in_context(grid, like, size * factor) for factor in (1.3, 0.6))
    assert (large > small).all()
    assert len(likeness_in_context(np.zeros((0, 2)), like[:0], size[:0])) == 0


@given(st.floats(2.0, 7.0), st.floats(1.0, 2.0))
def test_shape_of_an_ellipse(minor: float, ratio: float) -> None:
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    a, b = minor * ratio, minor
    radii = (a * b / np.hypot(b * np.cos(angle), a * np.sin(angle)))[None].astype(np.float32)
    diameter, elongation = shape_of(radii)
    assert diameter[0] == pytest.approx(2 * np.sqrt(a * b), rel=0.03)
    assert elongation[0] == pytest.approx(ratio, rel=0.12)


def test_cells_looked_at_in_parts_are_as_tumour_like_as_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    xy, like = rng.uniform(0, 400, (900, 2)), rng.random(900).astype(np.float32)
    size = rng.uniform(5, 10, 900).astype(np.float32)
    together = context_of(xy, like, size)
    monkeypatch.setattr(_tumour_likeness, "_AT_ONCE", 70)
    assert np.array_equal(context_of(xy, like, size), together)


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


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 0.85, 1.0), (0.5, 0.3, 0.7), (0.25, 0.1, 0.45)])
def test_stained_share_of_the_ring(share: float, low: float, high: float) -> None:
    rays = _rays(draw_cells(membrane=0.6, share=share, spacing_um=17.0).image)
    assert low < np.median((rays.seen > 0.35).mean(axis=1)) <= high


def test_membrane_is_seen_and_blush_is_not() -> None:
    def seen(membrane: float, blush: float) -> float:
        return float(np.median(_rays(draw_cells(membrane=membrane, blush=blush).image).seen))

    faint, strong = seen(0.2, 0.0), seen(0.8, 0.0)
    assert strong > faint > 0.3
    # A cytoplasm as brown as that faint membrane is no membrane.
    assert seen(0.0, 0.3) < 0.25 * faint


def test_density_is_read_from_the_pixels() -> None:
    rays = _rays(draw_cells(membrane=0.8).image)
    assert 0.35 < np.median(rays.density[rays.seen > 0.5]) < 0.9


def test_core_leaves_other_fields_cells_out() -> None:
    drawn = draw_cells()
    scale = StainScale(WHITE, VECTORS, CONTRAST)
    height, width = drawn.image.shape[:2]
    middle = width // 4 * 2
    both = measure_field(drawn.image, MPP, scale, "HER2", (0, 0, width // 2 * 2, height // 2 * 2))
    left = measure_field(drawn.image, MPP, scale, "HER2", (0, 0, middle, height // 2 * 2))
    right = measure_field(drawn.image, MPP, scale, "HER2", (middle, 0, width // 2 * 2, height // 2 * 2))
    assert len(both.xy) == len(left.xy) + len(right.xy) == len(drawn.xy)


def test_kinds() -> None:
    def kind(tumour: float, diameter: float, elongation: float, darkness: float) -> int:
        columns = (np.array([value], np.float32) for value in (tumour, diameter, elongation, darkness))
        return int(kinds_of(np.zeros((1, 2)), *columns)[0])

    assert kind(0.9, 9.0, 1.15, 2.0) == TUMOUR
    assert kind(0.1, 6.3, 1.1, 4.0) == LYMPHOID
    assert kind(0.1, 5.5, 2.2, 2.0) == STROMAL


def test_kinds_of_nothing() -> None:
    none = np.zeros(0, np.float32)
    assert len(kinds_of(np.zeros((0, 2)), none, none, none, none)) == 0


def test_regions_turn_doubt_to_tumour() -> None:
    both = np.array([0.3, 0.98, 0.97, 0.99], np.float32)
    doubtful = (
        np.arange(8.0).reshape(4, 2) * 100,
        both,
        8.0 * np.ones(4, np.float32),
        1.6 * np.ones(4, np.float32),
        2.0 * np.ones(4, np.float32),
    )
    assert kinds_of(*doubtful)[0] != TUMOUR
    assert kinds_of(*doubtful, in_region=np.array([True] * 4))[0] == TUMOUR


def test_directions_are_units() -> None:
    assert np.allclose(np.linalg.norm(ray_directions(), axis=1), 1.0)
