import gc
import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lowpower.errors import DamagedSlideError, MppOutOfRangeError, NoTissueError
from lowpower.slides import Slide, open_slide
from lowpower.slides.tiff import open_tiles
from lowpower.tissue import MaskNumbers, Tissue, TissueQC
from lowpower.units import Box, Mpp
from lowpower.views._patch_memory import Recycled
from lowpower.views._patch_stream import PatchBatch, _plan, read_patches
from lowpower.views._patches import PatchRecipe, effective_mpp, plan_patches, tissue_shares

NUMBERS = MaskNumbers(0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.2)


def tissue_of(mask: NDArray[np.bool_], slide: Slide) -> Tissue:
    """Tissue as the given mask over the whole slide says."""
    mpp = Mpp(slide.mpp * slide.size[0] / mask.shape[1])
    white = np.full(3, 255, np.float32)
    return Tissue(
        mask,
        mpp,
        1.0,
        (),
        white,
        "glass",
        TissueQC(NUMBERS, ()),
        Box(0, 0, *slide.size),
        ~mask,
        mask.astype(np.uint8),
    )


def write_pyramid(path: Path, image: NDArray[np.uint8], mpp: float, factors: tuple[int, ...] = ()) -> Path:
    """A tiled pyramidal TIFF, lossless, with um/px in its resolution tags."""
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, *factors):
            size = (image.shape[1] // factor, image.shape[0] // factor)
            level = image if factor == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            writer.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression="deflate",
                resolution=(1e4 / (mpp * factor), 1e4 / (mpp * factor)),
                resolutionunit="CENTIMETER",
                subfiletype=int(factor > 1),
                metadata=None,
            )
    return path


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    draw = np.random.default_rng(0)
    image = cv2.resize(
        draw.integers(0, 256, (180, 230, 3), np.uint8), (2300, 1800), interpolation=cv2.INTER_CUBIC
    )
    with open_slide(write_pyramid(tmp_path_factory.mktemp("slide") / "s.tif", image, 0.25, (4,))) as opened:
        yield opened


@pytest.fixture(scope="module")
def tissue(slide: Slide) -> Tissue:
    mask = np.zeros((225, 288), bool)
    cv2.ellipse(mask.view(np.uint8), (120, 100), (100, 70), 20, 0, 360, 1, -1)
    mask[180:220, 200:270] = True
    return tissue_of(mask, slide)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 30),
    st.floats(0.05, 3.0),
    st.floats(0.05, 3.0),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=60)
def test_tissue_share_is_the_exact_covered_area(
    height: int, width: int, size: int, across: float, down: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    mask = draw.random((height, width)) < 0.5
    xs, ys = draw.integers(0, 60, 3), draw.integers(0, 60, 2)
    found = tissue_shares(mask, (xs, ys), size, (across, down))
    for (row, y), (column, x) in itertools.product(enumerate(ys), enumerate(xs)):
        cover_x = np.clip(
            np.minimum((x + size) * across, np.arange(width) + 1) - np.maximum(x * across, np.arange(width)),
            0,
            None,
        )
        cover_y = np.clip(
            np.minimum((y + size) * down, np.arange(height) + 1) - np.maximum(y * down, np.arange(height)),
            0,
            None,
        )
        wanted = cover_y @ mask @ cover_x / (size * size * across * down)
        assert found[row, column] == pytest.approx(wanted, abs=1e-5)


def test_grid_is_in_row_order_inside_tissue(slide: Slide, tissue: Tissue) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=64, min_tissue=0.5))
    assert grid.mpp == 0.5
    assert grid.side == 128
    keys = grid.positions[:, ::-1].tolist()
    assert keys == sorted(keys)
    assert bool((grid.positions % 64 == 0).all())
    assert bool((grid.tissue >= 0.5).all())
    full = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=64, min_tissue=1.0))
    assert 0 < len(full) < len(grid)
    scale = tissue.mask.shape[1] / slide.size[0]
    for index in range(len(full)):
        box = full.box(index)
        inside = tissue.mask[
            int(np.ceil(box.y * scale)) : int(box.bottom * scale),
            int(np.ceil(box.x * scale)) : int(box.right * scale),
        ]
        assert inside.all()


def test_overlap_multiplies_patches(slide: Slide, tissue: Tissue) -> None:
    plain = plan_patches(slide, tissue, PatchRecipe(mpp=1.0, size=32))
    half = plan_patches(slide, tissue, PatchRecipe(mpp=1.0, size=32, overlap=0.5))
    assert len(half) == pytest.approx(4 * len(plain), rel=0.15)
    assert set(np.unique(np.diff(np.unique(half.positions[:, 0])))) == {16}


def test_a_cap_draws_the_same_patches_every_time(slide: Slide, tissue: Tissue) -> None:
    everything = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=32))
    first, second = (
        plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=32, max_patches=20)) for _ in range(2)
    )
    other = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=32, max_patches=20, seed=1))
    assert len(first) == 20
    assert first.candidates == len(everything)
    assert np.array_equal(first.positions, second.positions)
    assert not np.array_equal(first.positions, other.positions)
    assert {tuple(p) for p in first.positions.tolist()} <= {tuple(p) for p in everything.positions.tolist()}


@pytest.mark.parametrize(
    ("asked", "taken"),
    [(0.5, 0.5), (0.25, 0.25), (1.0, 1.0), (0.496, 0.5), (0.2475, 0.25), (0.6, 0.6), (2.01, 2.0)],
)
def test_near_whole_multiples_of_a_level_are_taken(slide: Slide, asked: float, taken: float) -> None:
    assert effective_mpp(slide, asked, 0.02) == pytest.approx(taken)


def test_finer_than_stored_is_refused(slide: Slide, tissue: Tissue) -> None:
    with pytest.raises(MppOutOfRangeError, match=r"stores 0.25 um/px at best"):
        plan_patches(slide, tissue, PatchRecipe(mpp=0.125))


def test_no_patch_is_told_with_the_fullest(slide: Slide) -> None:
    mask = np.zeros((180, 230), bool)
    mask[10:14, 10:20] = True
    with pytest.raises(NoTissueError, match=r"holds 50% tissue, the fullest \d"):
        plan_patches(slide, tissue_of(mask, slide), PatchRecipe())


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize(
    ("mpp", "size"), [(0.25, 256), (0.25, 100), (0.5, 128), (0.5, 90), (1.0, 64), (3.0, 20)]
)
def test_streamed_patches_are_what_single_reads_give(
    slide: Slide, tissue: Tissue, mpp: float, size: int, overlap: float
) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=mpp, size=size, overlap=overlap, min_tissue=0.3))
    seen = np.zeros(len(grid), int)
    for some in read_patches(slide, grid, batch=7):
        assert some.images.shape == (len(some.index), size, size, 3)
        for image, index in zip(some.images, some.index.tolist(), strict=True):
            seen[index] += 1
            if index % 5 == 0:
                assert np.array_equal(image, slide.read(grid.box(index), grid.mpp))
    assert seen.tolist() == [1] * len(grid)


def test_um_per_px_between_levels_is_near_single_reads(slide: Slide, tissue: Tissue) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=0.6, size=64))
    for some in read_patches(slide, grid, batch=16):
        for image, index in zip(some.images[::4], some.index[::4].tolist(), strict=True):
            alone = slide.read(grid.box(index), grid.mpp)
            assert float(np.abs(image.astype(float) - alone).mean()) < 12  # up to a base pixel beside it


def test_batches_do_not_depend_on_threads(slide: Slide, tissue: Tissue) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=48, overlap=0.3))
    one, four = (list(read_patches(slide, grid, batch=10, threads=threads)) for threads in (1, 4))
    assert len(one) == len(four)
    for a, b in zip(one, four, strict=True):
        assert np.array_equal(a.index, b.index)
        assert np.array_equal(a.images, b.images)


def test_memory_is_used_again_only_once_nobody_looks_at_it() -> None:
    memory = Recycled(400)
    first = memory.array((10, 10, 3))
    first[:] = 7
    corner = first[:2].reshape(-1, 3)[3:9].T
    where = first.ctypes.data
    del first
    assert memory.array((2, 5)).ctypes.data != where
    assert (corner == 7).all()
    del corner
    gc.collect()
    again = memory.array((5, 5, 3))
    assert again.ctypes.data == where


def test_batches_kept_by_the_caller_stay_as_they_were(slide: Slide, tissue: Tissue) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=1.0, size=64, overlap=0.5))
    kept = [
        some if number % 2 else PatchBatch(some.images[:, :, ::-1], some.index)
        for number, some in enumerate(read_patches(slide, grid, batch=8))
    ]
    assert len(kept) > 4
    for number, some in enumerate(kept):
        for image, index in zip(some.images, some.index, strict=True):
            assert np.array_equal(
                image if number % 2 else image[:, ::-1], slide.read(grid.box(int(index)), grid.mpp)
            )


def test_a_stream_may_be_left_early_and_refuses_nonsense(slide: Slide, tissue: Tissue) -> None:
    grid = plan_patches(slide, tissue, PatchRecipe(mpp=0.5, size=64))
    stream = read_patches(slide, grid, batch=4)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="at least 1"):
        read_patches(slide, grid, batch=0)


def test_each_chunk_is_read_once_for_overlapping_patches() -> None:
    xs, ys = np.meshgrid(np.arange(0, 4000, 96), np.arange(0, 3000, 96))
    positions = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.int64)
    plan = _plan(positions, 256, (2048, 256), (256, 256), 16)
    corners = {(int(x) // 2048, int(y) // 256) for x, y in plan.boxes[:, :2]}
    assert len(corners) == len(plan.boxes)
    assert bool((np.diff(plan.first) >= 0).all())
    # the batch that waits longest spans no more than the rows of one patch
    assert int((plan.last - np.searchsorted(plan.first, np.arange(len(plan.last)), side="right")).max()) < 6


@pytest.fixture(scope="module")
def jpeg_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(1)
    image = cv2.resize(
        draw.integers(0, 256, (30, 38, 3), np.uint8), (2300, 1800), interpolation=cv2.INTER_CUBIC
    )
    path = tmp_path_factory.mktemp("jpeg") / "j.tif"
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, 4):
            writer.write(
                cv2.resize(image, (2300 // factor, 1800 // factor), interpolation=cv2.INTER_AREA),
                tile=(256, 128), photometric="ycbcr", subsampling=(2, 2), compression="jpeg", metadata=None,
                resolution=(4e4 / factor,) * 2, resolutionunit="CENTIMETER", subfiletype=int(factor > 1),
            )  # fmt: skip
    return path


@pytest.mark.parametrize(("mpp", "size"), [(0.25, 256), (0.5, 100), (1.0, 64), (2.0, 48)])
@pytest.mark.parametrize("overlap", [0.0, 0.4])
def test_tiles_decoded_straight_are_what_single_reads_give(
    jpeg_path: Path, mpp: float, size: int, overlap: float
) -> None:
    with open_slide(jpeg_path) as slide:
        tiles = open_tiles(slide, mpp)
        assert tiles is not None
        tiles.close()
        everything = tissue_of(np.ones((180, 230), bool), slide)
        grid = plan_patches(
            slide, everything, PatchRecipe(mpp=mpp, size=size, overlap=overlap, min_tissue=0.1)
        )
        for some in read_patches(slide, grid, batch=9):
            for image, index in zip(some.images[::4], some.index[::4].tolist(), strict=True):
                exact = slide.read(grid.box(index), grid.mpp)
                if mpp == 0.25:
                    assert np.array_equal(image, exact)
                apart = image.astype(float) - exact  # smaller by the decoder: averages, nearly
                assert np.sqrt((apart**2).mean()) < 4.0
                assert abs(apart.mean()) < 0.5


def test_tiles_are_not_decoded_straight_between_levels_or_of_other_codecs(
    jpeg_path: Path, slide: Slide
) -> None:
    with open_slide(jpeg_path) as jpeg:
        assert open_tiles(jpeg, 0.6) is None
        assert open_tiles(jpeg, 0.2) is None
    assert open_tiles(slide, 0.5) is None


def test_a_damaged_tile_is_told(jpeg_path: Path, tmp_path: Path) -> None:
    with tifffile.TiffFile(jpeg_path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        place, length = page.dataoffsets[12], page.databytecounts[12]
    data = bytearray(jpeg_path.read_bytes())
    data[place + length // 2 : place + length] = bytes(length - length // 2)
    (tmp_path / "cut.tif").write_bytes(bytes(data))
    with open_slide(tmp_path / "cut.tif") as slide:
        grid = plan_patches(slide, tissue_of(np.ones((18, 23), bool), slide), PatchRecipe(mpp=0.25))
        with pytest.raises(DamagedSlideError, match=r"cut\.tif"):
            list(read_patches(slide, grid))
