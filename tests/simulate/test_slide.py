from __future__ import annotations

from pathlib import Path

import cv2
import fastslide
import numpy as np
import openslide
import polars as pl
import pytest
from scipy.spatial import cKDTree

from lowpower.errors import ConfigError
from lowpower.files import sha256_of
from lowpower.simulate import SlideTruth, score_from_cells, simulate_slide, truth_path
from lowpower.simulate._make_slide import plan_slide, render_block

from .conftest import SCANNER, small_spec

Made = tuple[Path, SlideTruth]


def _pixels(path: Path, level: int = 0) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))[..., :3]


def test_openslide_and_fastslide_know_its_resolution(small_slide: Made) -> None:
    path, truth = small_slide
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (truth.width, truth.height)
        assert float(slide.properties[openslide.PROPERTY_NAME_MPP_X]) == pytest.approx(1.0, rel=1e-4)
        assert float(slide.properties[openslide.PROPERTY_NAME_MPP_Y]) == pytest.approx(1.0, rel=1e-4)
        assert slide.level_count >= 2
    fast = fastslide.FastSlide.from_file_path(str(path))
    assert fast.dimensions == (truth.width, truth.height)
    assert fast.mpp[0] == pytest.approx(1.0, rel=1e-4)


def test_levels_are_averages_of_level_0(small_slide: Made) -> None:
    path, _ = small_slide
    base, half = _pixels(path).astype(float), _pixels(path, 1).astype(float)
    rows, columns = half.shape[0] // 4, half.shape[1] // 4
    mean = base[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8, 3).mean(axis=(1, 3))
    half = half[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4, 3).mean(axis=(1, 3))
    # What is left is JPEG, coded twice.
    assert np.abs(mean - half).mean() < 1.0
    assert abs((mean - half).mean()) < 0.5


def test_truth_follows_from_the_cells(small_slide: Made) -> None:
    path, truth = small_slide
    cells = pl.read_parquet(path.parent / truth.cells)
    result = score_from_cells(cells.filter(~pl.col("control")))
    assert result.score == truth.score == truth.spec.score
    assert result.shares == truth.shares
    assert np.allclose(truth.shares, truth.spec.shares, atol=0.01)
    assert SlideTruth.read(truth_path(path)) == truth
    assert cells["x"].is_between(0, truth.width).all()
    assert cells["y"].is_between(0, truth.height).all()
    other = cells.filter(pl.col("type") != "tumour")
    assert other["intensity"].max() == 0


def test_no_two_cells_overlap(small_slide: Made) -> None:
    path, truth = small_slide
    cells = pl.read_parquet(path.parent / truth.cells)
    for kinds, nearest in ((["tumour", "normal"], 3.2), (["stromal", "lymphocyte", "erythrocyte"], 5.6)):
        chosen = cells.filter(pl.col("type").is_in(kinds))
        points = chosen.select("x", "y").to_numpy() * truth.mpp
        assert len(points) > 20
        distance, _ = cKDTree(points).query(points, k=2)
        assert distance[:, 1].min() > nearest - 0.01


def test_tissue_mask_says_where_tissue_is(small_slide: Made) -> None:
    path, truth = small_slide
    image = _pixels(path).astype(np.float32)
    mask = cv2.imread(str(path.parent / truth.tissue_mask), cv2.IMREAD_GRAYSCALE)
    mask = cv2.resize(mask, (truth.width, truth.height), interpolation=cv2.INTER_NEAREST)
    far = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5) > 12
    near = cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, 5) > 12
    dark = np.array(SCANNER.white) - cv2.blur(image, (25, 25))
    assert np.abs(dark[far]).max() < 12
    assert dark[near].mean() > 5
    assert truth.tissue_mm2 == pytest.approx((mask > 0).sum() / 1e6, rel=0.02)


def test_same_spec_same_bytes(small_slide: Made, tmp_path: Path) -> None:
    path, truth = small_slide
    again = tmp_path / path.name
    simulate_slide(truth.spec, again)
    for suffix in (".tif", ".cells.parquet", ".tissue.png"):
        assert sha256_of(again.with_suffix(suffix)) == sha256_of(path.with_suffix(suffix))


def test_blocks_fit_together() -> None:
    spec = small_spec()
    plan = plan_slide(spec)
    whole = render_block(spec, plan, 400, 400, 320, 300)
    parts = [render_block(spec, plan, 400 + x, 400, 160, 300) for x in (0, 160)]
    assert whole is not None
    assert parts[0] is not None
    assert parts[1] is not None
    difference = np.abs(whole.astype(int) - np.concatenate([parts[0], parts[1]], axis=1))
    # A few borders between cells fall on either side of a tie.
    assert np.quantile(difference, 0.995) <= 2
    assert difference[:, 150:170].mean() < 0.5


def test_bare_glass_is_not_rendered() -> None:
    spec = small_spec(control=False)
    plan = plan_slide(spec)
    assert render_block(spec, plan, 0, 0, 16, 16) is None


def test_control_tissue_is_3_plus_and_apart(tmp_path: Path) -> None:
    path = tmp_path / "simulated-control.tif"
    truth = simulate_slide(small_spec(score="0", seed=3, control=True), path)
    assert truth.control_mask is not None
    cells = pl.read_parquet(tmp_path / truth.cells)
    control = cells.filter(pl.col("control"))
    assert score_from_cells(control).score == "3+"
    assert truth.score == "0"
    specimen = cells.filter(~pl.col("control"))
    assert control["x"].max() < specimen["x"].min()
    mask = cv2.imread(str(tmp_path / truth.control_mask), cv2.IMREAD_GRAYSCALE)
    tissue = cv2.imread(str(tmp_path / truth.tissue_mask), cv2.IMREAD_GRAYSCALE)
    assert 0 < (mask > 0).sum() < (tissue > 0).sum()
    assert (tissue[mask > 0] > 0).all()


@pytest.mark.parametrize("artefact", ["pen", "fold", "bubble", "blur", "dust", "tear", "edge"])
def test_each_artefact_shows(artefact: str) -> None:
    clean, spoilt = small_spec(looseness=0.6), small_spec(looseness=0.6, artefacts=(artefact,))
    images = []
    for spec in (clean, spoilt):
        plan = plan_slide(spec)
        image = np.full((plan.size[1], plan.size[0], 3), 255, np.uint8)
        for top in range(0, plan.size[1], 700):
            for left in range(0, plan.size[0], 700):
                width, height = min(700, plan.size[0] - left), min(700, plan.size[1] - top)
                block = render_block(spec, plan, left, top, width, height)
                if block is not None:
                    image[top : top + height, left : left + width] = block
        images.append(image.astype(int))
    assert (np.abs(images[0] - images[1]).max(axis=2) > 20).sum() > 50


def test_damaged_truth_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        SlideTruth.read(tmp_path / "none.truth.json")
    (tmp_path / "bad.truth.json").write_text("{}")
    with pytest.raises(ConfigError, match="not the truth"):
        SlideTruth.read(tmp_path / "bad.truth.json")
