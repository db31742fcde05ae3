"""Flags with area, place and effect; the one table of thresholds; the map and its GeoJSON."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.tissue.test_control import BROWN, CORE, MPP, DrawnSlide
from tests.tissue.tissue_truth import CORES, core_image

from lowpower.tissue import CHECKS, LAYERS, Tissue, find_tissue, quality_map, write_quality_geojson

DOCS = Path(__file__).resolve().parents[2] / "docs" / "quality.md"


class Picture:
    """An image as a slide."""

    notes: tuple[str, ...] = ()

    def __init__(self, image: NDArray[np.uint8], mpp: float) -> None:
        self.image, self.mpp, self.path = image, mpp, Path("picture.tif")
        self.size = (image.shape[1], image.shape[0])

    def overview(self, mpp: float) -> NDArray[np.uint8]:
        return self.image


def look(image: NDArray[np.uint8], mpp: float) -> Tissue:
    return find_tissue(Picture(image, mpp))  # type: ignore[arg-type]


def flag(tissue: Tissue, code: str):
    return next(flag for flag in tissue.qc.flags if flag.code == code)


@pytest.mark.parametrize("core", CORES)
def test_real_cores_raise_no_false_alarm(real_cores: Path, core: str) -> None:
    tissue = look(core_image(real_cores, core, 4.0), 4.0)
    assert [flag.code for flag in tissue.qc.flags if flag.effect != "note"] == []
    assert not tissue.control.any()


def test_out_of_focus_has_its_place_and_when_it_is_everything_refuses(real_cores: Path) -> None:
    sharp = core_image(real_cores, "0_ccb66c10", 2.0)
    soft = cv2.GaussianBlur(sharp, (0, 0), 3.0)
    half = sharp.copy()
    half[:, half.shape[1] // 2 :] = soft[:, half.shape[1] // 2 :]
    tissue = look(half, 2.0)
    found = flag(tissue, "out_of_focus")
    assert found.effect == "warn"
    assert found.area_mm2 == pytest.approx(tissue.area_mm2 / 2, rel=0.25)
    assert found.box is not None
    assert found.box.x > 0.4 * half.shape[1]
    assert flag(look(soft, 2.0), "out_of_focus").effect == "refuse"


def marked_slide() -> DrawnSlide:
    """A core, a control, a green pen stroke and black padding."""
    slide = DrawnSlide((16.0, 5.0), [CORE, ((1.0, 1.5, 1.6, 1.6), BROWN)])
    stroke = np.array((20, 120, 60)) + np.random.default_rng(1).normal(0, 4, (20, 500, 3))
    slide.image[285:305, 300:800] = np.clip(stroke, 0, 255).astype(np.uint8)
    slide.image[:, 960:] = 0
    return slide


def test_pen_and_padding_have_area_and_place() -> None:
    tissue = find_tissue(marked_slide())  # type: ignore[arg-type]
    pen, padding = flag(tissue, "pen"), flag(tissue, "padding")
    assert pen.effect == "warn"
    assert pen.area_mm2 == pytest.approx(20 * 500 * MPP**2 / 1e6, rel=0.4)
    assert pen.box is not None
    assert abs(pen.box.x - 300) < 8
    assert pen.message.endswith("of the slide was left out.")
    assert padding.effect == "note"
    assert padding.box is not None
    assert padding.box.right == 1000


def test_ink_that_borders_on_tissue_is_not_said_to_be_left_out_there() -> None:
    slide = marked_slide()
    slide.image[150:170, 280:700] = slide.image[285:305, 300:720]
    message = flag(find_tissue(slide), "pen").message  # type: ignore[arg-type]
    assert "it borders on tissue, where ink is told only in part" in message


def test_the_map_and_its_geojson_agree(tmp_path: Path) -> None:
    slide = marked_slide()
    tissue = find_tissue(slide)  # type: ignore[arg-type]
    found = quality_map(tissue)
    assert found.labels.shape == tissue.mask.shape
    areas = {layer.code: area for layer, area in found.legend}
    assert set(areas) == {"tissue", "control", "pen", "padding"}
    assert areas["tissue"] == pytest.approx(tissue.area_mm2)
    write_quality_geojson(tmp_path / "quality.geojson", tissue, slide)  # type: ignore[arg-type]
    features = json.loads((tmp_path / "quality.geojson").read_text())["features"]
    names = {feature["properties"]["classification"]["name"] for feature in features}
    assert names == {layer.name for layer in LAYERS if layer.code in areas and layer.code != "tissue"}
    (control,) = [f for f in features if f["properties"]["classification"]["name"].startswith("Control")]
    ring = np.array(control["geometry"]["coordinates"][0])
    x, y = ring[:, 0], ring[:, 1]
    area = abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2 * MPP**2 / 1e6
    assert area == pytest.approx(areas["control"], rel=0.02)


def test_next_to_no_tissue_refuses() -> None:
    image = np.clip(np.random.default_rng(0).normal(240, 1.2, (200, 200, 3)), 0, 255).astype(np.uint8)
    image[90:130, 90:130] = (image[90:130, 90:130] * 10.0 ** -np.array(BROWN)).astype(np.uint8)
    assert flag(look(image, 1.0), "little_tissue").effect == "refuse"
    assert flag(look(image, 4.0), "little_tissue").effect == "warn"


def test_the_table_of_the_docs_is_the_table_of_the_code() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = {
        row.split("|")[1].strip().strip("`"): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows
    }
    for check in CHECKS.values():
        sign = "<" if check.below else ">="
        limits = [
            "-" if limit is None else f"{sign} {limit:g}" for limit in (check.note, check.warn, check.refuse)
        ]
        assert told[check.code] == [check.about, check.unit, *limits, check.judged]
    assert set(told) == set(CHECKS)
