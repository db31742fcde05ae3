"""Measured batches: what each file holds, and what is said of slides that cannot be measured."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import shapely
from PIL import Image

from lowpower import stain
from lowpower.errors import RegionsError
from lowpower.scoring import MeasuredSlide, ScoreRequest, measure_files
from lowpower.stain import RUIFROK_DAB, RUIFROK_E, RUIFROK_H, to_rgb

WHITE = np.array([236.0, 235.0, 244.0], np.float32)


def sheet(membrane=0.0, nuclear=0.0, rows=12, hematoxylin=0.4, stains=(RUIFROK_H, RUIFROK_DAB), seed=0):
    """A sheet of round cells at 0.5 um/px, 14 um apart, rings and nuclei of DAB as asked for."""
    rng = np.random.default_rng(seed)
    side = rows * 28 + 240
    blue, brown = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    blue[116 : side - 116, 116 : side - 116] = 0.06
    for number in range(rows * rows):
        place = (120 + 14 + number % rows * 28, 120 + 14 + number // rows * 28)
        cv2.circle(blue, place, 9, hematoxylin, -1, cv2.LINE_AA)
        if nuclear:
            cv2.circle(brown, place, 9, nuclear, -1, cv2.LINE_AA)
        if membrane:
            cv2.circle(brown, place, 12, membrane, 2, cv2.LINE_AA)
    blue, brown = cv2.GaussianBlur(blue, (0, 0), 0.8), cv2.GaussianBlur(brown, (0, 0), 0.7)
    image = to_rgb(blue[..., None] * stains[0] + brown[..., None] * stains[1], WHITE)
    return np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def save(tmp_path):
    def write(image, name="field.png"):
        cv2.imwrite(str(tmp_path / name), np.ascontiguousarray(image[..., ::-1]))
        return tmp_path / name

    return write


def one(file, tmp_path, **options):
    (record,) = measure_files([file], ScoreRequest(**{"mpp": 0.5, **options}), out=tmp_path / "out")
    again = MeasuredSlide.model_validate_json((record.attached().folder / "measurement.json").read_bytes())
    assert again.model_dump() == record.model_dump()
    return record


def square(low, high):
    ring = [[low, low], [high, low], [high, high], [low, high], [low, low]]
    return json.dumps(
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    )


def assert_valid(features):
    shapes = [shapely.from_geojson(json.dumps(feature)) for feature in features]
    assert shapely.is_valid(np.array(shapes, object)).all()
    ids = {uuid.UUID(feature["id"]) for feature in features}
    assert len(ids) == len(features)


def assert_refused(record, code, *words):
    assert (record.state, record.reason_code) == ("refused", code)
    assert record.file in record.reason
    assert "\n" not in record.reason
    for word in words:
        assert word in record.reason, record.reason


def test_every_file_of_a_measured_slide(save, tmp_path):
    record = one(save(sheet(membrane=1.0)), tmp_path)
    assert record.state == "ok"
    told = record.measured
    assert told.score == "3+"
    assert told.deciding.what == "intense complete staining"
    assert told.deciding.cutoff == 0.1
    assert sum(told.shares.values()) == pytest.approx(1)
    assert told.percent > 90
    weights = Path(stain.__file__).parent / "cell_network.safetensors"
    assert told.cell_network.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert told.cell_network.recipe.startswith("recipes/build_cell_network.py, ")
    folder = tmp_path / "out" / "field"
    table = pl.read_parquet(folder / "cells.parquet")
    assert table["counted"].sum() == told.tumour_cells
    assert table.filter(pl.col("counted"))["class"].str.starts_with("Tumour-like").all()
    with Image.open(folder / "cells.png") as picture:
        assert picture.width > 1500
    detections = json.loads((folder / "cells.geojson").read_text())["features"]
    assert len(detections) == table.height
    first = detections[0]
    assert first["properties"]["objectType"] == "detection"
    assert "Membrane completeness" in first["properties"]["measurements"]
    ring = np.array(first["geometry"]["coordinates"][0])
    assert ring[0].tolist() == ring[-1].tolist()
    assert ring.mean(axis=0) == pytest.approx([table["x"][0], table["y"][0]], abs=2)
    annotations = json.loads((folder / "tissue.geojson").read_text())["features"]
    assert {a["properties"]["objectType"] for a in annotations} == {"annotation"}
    names = [detection["properties"]["classification"]["name"] for detection in detections]
    counts = {name: names.count(f"Tumor: {name}") for name in ("Negative", "1+", "2+", "3+")}
    assert sum(counts.values()) == told.tumour_cells  # QuPath counts these and passes over Other
    weighted = counts["1+"] + 2 * counts["2+"] + 3 * counts["3+"]
    assert 100 * weighted / told.tumour_cells == pytest.approx(told.h_score)
    for file in folder.glob("*.geojson"):
        assert_valid(json.loads(file.read_text())["features"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "field/cells.png" in page
    assert "<th>faint or incomplete</th><th>weak to moderate complete</th>" in page  # as in the picture
    assert "Research use only" in page
    assert pl.read_csv(tmp_path / "out" / "measurements.csv")["share_intense_complete"][0] > 0.5


@pytest.mark.parametrize(("marker", "score"), [("ER", "positive"), ("PR", "positive"), ("Ki-67", None)])
def test_nuclear_markers(save, tmp_path, marker, score):
    record = one(save(sheet(nuclear=0.8)), tmp_path, marker=marker)
    assert record.state == "ok"
    assert record.measured.score == score
    assert record.measured.percent > 90
    assert (record.measured.deciding is None) == (marker == "Ki-67")
    assert (record.measured.allred is None) == (marker == "Ki-67")


def test_cells_under_an_air_bubble_are_not_counted_and_it_is_said(save, tmp_path):
    image = sheet(membrane=1.0, rows=16)
    middle = image.shape[0] // 2
    whole = one(save(image), tmp_path)
    under = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(under, (middle, middle), 160, 255, 28)
    dark = 10.0 ** (-0.5 * cv2.GaussianBlur(under, (0, 0), 3)[..., None] / 255.0)
    record = one(save((image * dark).astype(np.uint8)), tmp_path)
    assert 0.35 < record.measured.tumour_cells / whole.measured.tumour_cells < 0.75
    assert any("Air bubbles" in note for note in record.measured.notes)
    assert record.qc.flags[0].code == "bubble"


def test_control_tissue_is_left_out_and_shown(save, tmp_path):
    whole = one(save(sheet(membrane=1.0)), tmp_path)
    control = tmp_path / "control.geojson"
    control.write_text(square(0, 260))
    record = one(save(sheet(membrane=1.0)), tmp_path, control=str(control))
    features = json.loads((tmp_path / "out" / "field" / "tissue.geojson").read_text())["features"]
    names = [feature["properties"]["classification"]["name"] for feature in features]
    assert set(names) == {"Tissue", "Control tissue"}
    assert record.measured.tumour_cells < whole.measured.tumour_cells


def test_a_bad_slide_does_not_end_the_others(save, tmp_path):
    good = save(sheet(membrane=0.3))
    (tmp_path / "broken.svs").write_bytes(b"no slide")
    records = measure_files([tmp_path / "broken.svs", good], ScoreRequest(mpp=0.5), out=tmp_path / "out")
    assert [record.state for record in records] == ["refused", "ok"]
    assert len((tmp_path / "out" / "measurements.csv").read_text().splitlines()) == 3


class TestBadInput:
    def test_haematoxylin_and_eosin(self, save, tmp_path):
        image = sheet(stains=(0.4 * RUIFROK_H + RUIFROK_E, RUIFROK_E), membrane=0.3)
        record = one(save(image), tmp_path)
        assert_refused(record, "unexpected_stain", "haematoxylin and DAB")

    def test_greyscale(self, save, tmp_path):
        grey = sheet(membrane=0.5).mean(axis=2).astype(np.uint8)
        assert_refused(one(save(np.repeat(grey[..., None], 3, 2)), tmp_path), "unexpected_stain", "greyscale")

    def test_fluorescence(self, save, tmp_path):
        dark = (255 - sheet(membrane=0.5).astype(int)) // 2
        record = one(save(dark.astype(np.uint8)), tmp_path)
        assert record.state == "refused"
        assert record.measured is None or record.measured.score is None

    def test_too_coarse_for_cells_measures_areas(self, save, tmp_path):
        record = one(save(sheet(membrane=0.8)), tmp_path, mpp=2.0)
        assert_refused(record, "too_coarse", "too coarse", "only areas")
        assert (
            record.measured.areas.weak + record.measured.areas.moderate + record.measured.areas.strong > 0.1
        )
        assert not (tmp_path / "out" / "field" / "cells.png").exists()

    def test_no_tumour_like_cells(self, save, tmp_path):
        assert_refused(one(save(sheet(rows=6)), tmp_path), "too_few_tumour_cells", "at least 50")

    def test_glass(self, save, tmp_path):
        noise = WHITE + np.random.default_rng(0).normal(0, 1, (300, 300, 3))
        assert_refused(one(save(np.clip(noise, 0, 255).astype(np.uint8)), tmp_path), "no_tissue")

    @pytest.mark.parametrize(("low", "high", "word"), [(110, 256, "black"), (0, 190, "white")])
    def test_clipping_is_said_beside_the_score(self, save, tmp_path, low, high, word):
        image = sheet(membrane=1.0)
        image[image < low] = 0
        image[image > high] = 255
        record = one(save(image), tmp_path)
        assert f"clipped to {word}" in record.reason
        assert (record.reason_code == "warning") == (record.state == "ok")

    @pytest.mark.parametrize(("low", "high"), [(5_000, 6_000), (-500, 200), (100, 5_000)])
    def test_regions_of_another_slide(self, save, tmp_path, low, high):
        regions = tmp_path / "regions.geojson"
        regions.write_text(square(low, high))
        record = one(save(sheet(membrane=0.8)), tmp_path, regions=regions)
        assert_refused(record, "regions", "regions.geojson", "drawn on this slide")

    def test_regions_off_the_tissue(self, save, tmp_path):
        regions = tmp_path / "regions.geojson"
        regions.write_text(square(2, 60))
        record = one(save(sheet(membrane=0.8)), tmp_path, regions=regions)
        assert_refused(record, "regions", "no cell")

    def test_regions_for_one_slide_of_a_folder(self, save, tmp_path):
        folder = tmp_path / "drawn"
        folder.mkdir()
        (folder / "field.geojson").write_text(square(100, 340))
        files = [save(sheet(membrane=0.8)), save(sheet(membrane=0.8), "other.png")]
        records = measure_files(files, ScoreRequest(mpp=0.5, regions=folder), out=tmp_path / "out")
        assert records[0].state == "ok"
        assert "other.geojson" in records[1].reason
        features = json.loads((tmp_path / "out" / "field" / "tissue.geojson").read_text())["features"]
        assert {f["properties"]["classification"]["name"] for f in features} == {"Tissue", "Region"}
        cells = pl.read_parquet(tmp_path / "out" / "field" / "cells.parquet")
        inside = cells.filter(pl.col("counted"))
        assert inside.height == records[0].measured.tumour_cells
        assert inside["x"].max() < 341

    def test_classes_of_regions_count_and_are_recorded(self, save, tmp_path):
        file = save(sheet(membrane=0.8))

        def drawn(*features):
            regions = tmp_path / "regions.geojson"
            regions.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
            return regions

        def area(low, high, name=None):
            told = json.loads(square(low, high))
            told["properties"] = {"classification": name and {"name": name}}
            return told

        def count(regions, **options):
            record = one(file, tmp_path, regions=regions, **options)
            return record.measured.tumour_cells, record.regions

        nothing = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}, "properties": {}}
        stroma = area(340, 440, "Stroma")
        alone, told = count(drawn(area(100, 340, "Tumor"), stroma, nothing, {**nothing, "geometry": None}))
        assert (told.counted, told.cut_out, told.left_out) == ({"Tumor": 1}, {}, {"Stroma": 1})
        assert told.area_mm2 == pytest.approx((240 * 0.5e-3) ** 2, abs=1e-4)
        tumour = area(100, 340, "Tumor")
        cut, told = count(drawn(tumour, area(100, 220, "Ignore*"), stroma), region_classes=("stroma",))
        named = count(drawn(tumour, stroma), region_classes=("stroma",))[0]
        assert named > alone
        assert named - cut == pytest.approx(0.25 * alone, rel=0.3)
        assert told.counted == {"Stroma": 1, "Tumor": 1}
        assert told.cut_out == {"Ignore*": 1}

    def test_invalid_geojson_ends_the_run_before_any_slide(self, save, tmp_path):
        regions = tmp_path / "regions.geojson"
        regions.write_text("{]")
        with pytest.raises(RegionsError, match=r"regions\.geojson"):
            one(save(sheet()), tmp_path, regions=regions)

    def test_a_mask_of_another_shape(self, save, tmp_path):
        mask = save(np.full((100, 300, 3), 255, np.uint8), "mask.png")
        record = one(save(sheet(membrane=0.8)), tmp_path, mask=mask)
        assert record.state != "ok"
        assert "mask.png" in record.reason
        assert "whole slide" in record.reason

    def test_a_mask_of_everything_is_questioned(self, save, tmp_path):
        mask = save(np.full((100, 100, 3), 255, np.uint8), "mask.png")
        record = one(save(sheet(membrane=0.8)), tmp_path, mask=mask)
        assert "marks everything" in record.reason
        assert record.state == "ok"

    def test_a_mask_of_nothing_ends_it_before_any_work(self, save, tmp_path):
        mask = save(np.zeros((100, 100, 3), np.uint8), "mask.png")
        with pytest.raises(RegionsError, match="marks nothing"):
            one(save(sheet(membrane=0.8)), tmp_path, mask=mask)

    def test_a_mask_the_wrong_way_round_is_questioned(self, save, tmp_path):
        turned = np.zeros((100, 100, 3), np.uint8)
        turned[:15] = 255
        record = one(save(sheet(membrane=0.8)), tmp_path, mask=save(turned, "mask.png"))
        assert "wrong way round" in " ".join(flag.message for flag in record.qc.flags)

    def test_a_mask_that_does_not_overlap_the_slide(self, save, tmp_path):
        mask = tmp_path / "mask.geojson"
        mask.write_text(square(5_000, 6_000))
        assert_refused(one(save(sheet(membrane=0.8)), tmp_path, mask=mask), "no_tissue", "mask marks nothing")
