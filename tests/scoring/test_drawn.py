"""Scoring with what a person drew: the network sees the regions only, and the result says what counted."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from lowpower.errors import OptionError, RegionsError
from lowpower.scoring import Result, ScoreRequest, score, score_files


@pytest.fixture
def request_(bundle):
    return ScoreRequest(bundle, mpp=0.5, measure=False)


def write(path, *areas):
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]],
            },
            "properties": {"classification": name},
        }
        for name, x, y, w, h in areas
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_the_network_sees_the_regions_only(disc, request_, tmp_path):
    regions = write(tmp_path / "r.geojson", ("Tumor", 350, 300, 150, 150), ("Stroma", 600, 500, 90, 90))
    result = score(disc, request=request_, regions=regions)
    assert (result.regions.counted, result.regions.left_out) == ({"Tumor": 1}, {"Stroma": 1})
    assert result.regions.area_mm2 == pytest.approx(150**2 * 0.25e-6, rel=0.01)
    assert result.qc.area_mm2 == pytest.approx(np.pi * 300**2 * 0.25e-6, rel=0.1)  # the slide's, not theirs
    corners = [
        point
        for feature in result.attached().network
        for ring in feature["geometry"]["coordinates"]
        for point in ring
    ]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    pixel = 32  # of the network's map, base pixels
    assert (low >= np.array([350, 300]) - pixel).all()
    assert (high <= np.array([500, 450]) + pixel).all()


def test_regions_that_cannot_serve_are_told(disc, request_, tmp_path):
    off = write(tmp_path / "off.geojson", ("Tumor", 5000, 5000, 100, 100))
    with pytest.raises(RegionsError, match="drawn on this slide"):
        score(disc, request=request_, regions=off)
    glass = write(tmp_path / "glass.geojson", ("Tumor", 1000, 10, 50, 50))
    with pytest.raises(RegionsError, match="hold no tissue"):
        score(disc, request=request_, regions=glass)
    with pytest.raises(RegionsError, match="region_class="):
        score_files([disc], request=request_, regions=write(tmp_path / "s.geojson", ("Stroma", 1, 1, 9, 9)))
    with pytest.raises(OptionError, match=r"mask=.*does not exist"):
        score_files([disc], request=request_, mask=tmp_path / "absent.png")


def test_other_regions_or_another_mask_are_scored_anew(disc, request_, tmp_path):
    out = tmp_path / "out"
    regions = write(tmp_path / "r.geojson", ("Tumor", 350, 300, 150, 150), ("Stroma", 600, 500, 90, 90))
    mask = tmp_path / "mask.png"
    drawn = np.zeros((90, 120), np.uint8)
    drawn[20:70, 20:90] = 255
    cv2.imwrite(str(mask), drawn)

    def run(**options):
        (result,) = score_files([disc], request=request_, out=out, **options)
        again = Result.model_validate_json((out / "disc" / "result.json").read_bytes())
        assert again.model_dump() == result.model_dump()
        return result

    inside = run(regions=regions)
    assert run(regions=regions).seconds == inside.seconds  # as it was
    named = run(regions=regions, region_classes=("Stroma",))
    assert named.regions.counted == {"Stroma": 1, "Tumor": 1}
    masked = run(mask=mask)
    assert masked.asked.mask.startswith("mask.png ")
    assert masked.qc.area_mm2 == pytest.approx(500 * 700 * 0.25e-6, rel=0.02)
    drawn[:] = 0
    drawn[30:60, 30:60] = 255
    cv2.imwrite(str(mask), drawn)
    assert run(mask=mask).qc.area_mm2 == pytest.approx(300 * 300 * 0.25e-6, rel=0.02)
