"""Reading at any um/px: exact area averages, the same however the work is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowpower.slides import Slide, open_slide
from lowpower.slides.averaging import _strips
from lowpower.units import Box, scaled_size

WIDTH, HEIGHT = 403, 301
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def image(picture: Callable[..., NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return picture(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def flat(
    tmp_path_factory: pytest.TempPathFactory, image: NDArray[np.uint8], write_pyramid: Callable[..., Path]
) -> Iterator[Slide]:
    with open_slide(write_pyramid(tmp_path_factory.mktemp("flat") / "flat.tif", image)) as slide:
        yield slide


@pytest.fixture(scope="module")
def smooth(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 3.0), np.uint8)


@pytest.fixture(scope="module")
def pyramid(
    tmp_path_factory: pytest.TempPathFactory, smooth: NDArray[np.uint8], write_pyramid: Callable[..., Path]
) -> Iterator[Slide]:
    with open_slide(write_pyramid(tmp_path_factory.mktemp("pyramid") / "p.tif", smooth, levels=4)) as slide:
        yield slide


boxes = st.builds(
    Box, st.integers(0, WIDTH - 60), st.integers(0, HEIGHT - 60), st.integers(1, 200), st.integers(1, 200)
)


@relaxed
@given(box=boxes, factor=st.floats(1.0, 40.0))
def test_read_is_the_exact_area_average(
    flat: Slide,
    image: NDArray[np.uint8],
    area_average: Callable[..., NDArray[np.float64]],
    box: Box,
    factor: float,
) -> None:
    factor = round(factor, 3)  # nearer to a whole number than 1e-5 it is taken as whole
    got = flat.read(box, 0.25 * factor)
    width, height = scaled_size(box.width, box.height, 0.25, 0.25 * factor)
    assert got.shape == (height, width, 3)
    # Cells wholly off the slide are glass; the rest average what lies inside.
    inside_x = int(np.ceil((WIDTH - box.x) / factor - 1e-6))
    inside_y = int(np.ceil((HEIGHT - box.y) / factor - 1e-6))
    width, height = min(width, inside_x), min(height, inside_y)
    want = area_average(image, box.x, box.y, factor, width, height)
    assert np.abs(got[:height, :width] - want).max() <= 0.51
    assert (got[height:] == 255).all()
    assert (got[:, width:] == 255).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7, 8, 16, 1.5, 2.5, 1.018, 3.3])
def test_overview_agrees_with_opencv_where_the_factor_divides(
    flat: Slide, image: NDArray[np.uint8], factor: float
) -> None:
    width, height = int(400 // factor), int(300 // factor)
    box = Box(0, 0, round(width * factor), round(height * factor))
    got = flat.read(box, 0.25 * factor).astype(int)
    if float(factor).is_integer():
        want = cv2.resize(image[: box.height, : box.width], (width, height), interpolation=cv2.INTER_AREA)
        assert np.abs(got - want).max() <= 1
    assert got.shape[:2] == scaled_size(box.width, box.height, 0.25, 0.25 * factor)[::-1]


@relaxed
@given(
    factor=st.sampled_from([1, 2, 3, 4, 6, 8, 1.25, 1.5, 2.5]),
    at=st.tuples(st.integers(0, 9), st.integers(0, 7)),
)
def test_tiles_agree_with_the_whole_where_the_grid_aligns(
    flat: Slide, factor: float, at: tuple[int, int]
) -> None:
    tile = int(factor * 4 * 4)  # base pixels; whole cells
    whole = flat.overview(0.25 * factor)
    box = Box(at[0] * tile, at[1] * tile, tile, tile)
    cells = round(tile / factor)
    part = flat.read(box, 0.25 * factor)
    x, y = round(box.x / factor), round(box.y / factor)
    want = whole[y : y + cells, x : x + cells]
    got = part[: want.shape[0], : want.shape[1]]
    # A cell that two bands share is summed another way; with an even factor its mean can be a tie.
    assert np.abs(got.astype(int) - want).max(initial=0) <= (1 if factor == 6 else 0)


@relaxed
@given(box=boxes, factor=st.floats(2.0, 30.0))
def test_a_pyramid_agrees_with_its_level_0(
    pyramid: Slide,
    smooth: NDArray[np.uint8],
    area_average: Callable[..., NDArray[np.float64]],
    box: Box,
    factor: float,
) -> None:
    got = pyramid.read(box, 0.25 * factor)
    height, width = (
        min(got.shape[0], int((HEIGHT - box.y) / factor)), min(got.shape[1], int((WIDTH - box.x) / factor))
    )  # fmt: skip
    if not (width and height):
        return
    want = area_average(smooth, box.x, box.y, factor, width, height)
    # A level rounds for itself, and its pixels are cut by fractional cells as if they were even.
    difference = got[:height, :width] - want
    assert np.abs(difference).max() < 8.0
    assert difference.size < 600 or abs(difference.mean()) < 0.6  # of fewer the mean says little


def test_levels_serve_from_the_cheapest_that_is_fine_enough(
    pyramid: Slide, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [level.downsample for level in pyramid.levels] == [1.0, 2.0, 4.0, 8.0]
    used: list[int] = []
    read = pyramid._reader.read

    def spy(level: int, *where: int) -> NDArray[np.uint8]:
        used.append(level)
        return read(level, *where)

    monkeypatch.setattr(pyramid._reader, "read", spy)
    for mpp, level in ((0.2, 0), (0.25, 0), (0.49, 0), (0.5, 1), (0.99, 1), (1.0, 2), (2.0, 3), (50.0, 3)):
        used.clear()
        pyramid.overview(mpp)
        assert set(used) == {level}, mpp


@pytest.mark.parametrize("mpp", [0.25, 0.31, 0.5, 0.7, 1.0, 2.3, 8.0, 31.0])
def test_bands_and_threads_change_no_byte(flat: Slide, monkeypatch: pytest.MonkeyPatch, mpp: float) -> None:
    want = flat.overview(mpp)
    monkeypatch.setattr(_strips, "_BAND_BYTES", 1)
    monkeypatch.setattr(_strips, "_BLOCK_SIDE", 40)
    for threads in (1, 4):
        with open_slide(flat.path, threads=threads) as slide:
            assert np.array_equal(slide.overview(mpp), want)


@relaxed
@given(box=boxes, factor=st.floats(0.2, 0.98))
def test_finer_than_level_0_is_interpolated(
    flat: Slide, image: NDArray[np.uint8], box: Box, factor: float
) -> None:
    got = flat.read(box, 0.25 * factor)
    width, height = scaled_size(box.width, box.height, 0.25, 0.25 * factor)
    assert got.shape == (height, width, 3)
    columns = np.clip(box.x + (np.arange(width) + 0.5) * factor - 0.5, 0, WIDTH - 1).astype(np.float32)
    rows = np.clip(box.y + (np.arange(height) + 0.5) * factor - 0.5, 0, HEIGHT - 1).astype(np.float32)
    want = cv2.remap(
        image.astype(np.float32), np.tile(columns, (height, 1)), np.tile(rows[:, None], (1, width)),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    inside_y, inside_x = (
        max(0, int((HEIGHT - box.y) / factor) - 1), max(0, int((WIDTH - box.x) / factor) - 1)
    )  # fmt: skip
    difference = np.abs(got.astype(float) - want)[:inside_y, :inside_x]
    assert difference.max(initial=0) <= 4.0  # remap's own grid is 1/32 of a pixel


@pytest.mark.parametrize("mpp", [0.25, 0.4, 1.0, 0.1])
def test_a_box_over_the_edge_is_filled_with_glass(flat: Slide, mpp: float) -> None:
    factor = mpp / 0.25
    got = flat.read(Box(-40, -80, 120, 160), mpp)
    assert (got[: int(80 / factor) - 1] == 255).all()
    assert (got[:, : int(40 / factor) - 1] == 255).all()
    assert (got[int(80 / factor) + 1 :, int(40 / factor) + 1 :] < 255).any()
    assert (flat.read(Box(WIDTH + 5, 0, 40, 40), mpp) == 255).all()
    assert (flat.read(Box(-90, 0, 40, 40), mpp) == 255).all()


def test_reads_from_many_threads_agree(pyramid: Slide) -> None:
    from concurrent.futures import ThreadPoolExecutor

    cases = [(Box(x, y, 90, 70), mpp) for x in (0, 33, 200) for y in (0, 41) for mpp in (0.25, 0.6, 1.1)]
    want = [pyramid.read(*case) for case in cases]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for got, expected in zip(pool.map(lambda case: pyramid.read(*case), cases), want, strict=True):
                assert np.array_equal(got, expected)


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan")])
def test_um_per_px_must_be_above_0(flat: Slide, mpp: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        flat.overview(mpp)


def test_a_pixel_of_a_wide_slide_costs_one_cell(flat: Slide) -> None:
    assert flat.overview(1e4).shape == (1, 1, 3)


def test_a_calibration_a_hair_off_still_uses_the_level(
    tmp_path: Path, image: NDArray[np.uint8], write_pyramid: Callable[..., Path]
) -> None:
    path = write_pyramid(tmp_path / "hair.tif", image, mpp=0.25000001, levels=3)
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(Box(0, 0, 400, 300), 1.0), slide._reader.read(2, 0, 0, 100, 75))
