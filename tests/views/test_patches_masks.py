import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowpower.errors import DamagedSlideError
from lowpower.tissue._mask_files import read_tissue_mask, write_tissue_geojson, write_tissue_png
from lowpower.tissue._outlines import fill_polygons, outlines

SLIDE: Any = SimpleNamespace(size=(800, 600))


@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=150)
def test_outlines_and_filling_are_inverse(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    polygons = outlines(mask)
    assert np.array_equal(fill_polygons(polygons, mask.shape), mask)
    assert len(polygons) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    for polygon in polygons:
        for ring in polygon:
            assert np.array_equal(ring[0], ring[-1])


def test_a_ring_has_one_hole_and_only_its_turns() -> None:
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:6] = False
    (polygon,) = outlines(mask)
    assert [len(ring) for ring in polygon] == [5, 5]
    assert {tuple(point) for point in polygon[0].tolist()} == {(1, 1), (8, 1), (8, 8), (1, 8)}


def test_a_slanted_polygon_covers_its_area() -> None:
    triangle = np.array([[10.0, 10.0], [90.3, 20.2], [30.7, 80.9]])
    mask = fill_polygons([[triangle]], (100, 100))
    a, b = triangle[1] - triangle[0], triangle[2] - triangle[0]
    assert mask.sum() == pytest.approx(abs(a[0] * b[1] - a[1] * b[0]) / 2, rel=0.01)


def test_geojson_goes_to_qupath_and_back(tmp_path: Path) -> None:
    mask = np.zeros((150, 200), bool)
    cv2.ellipse(mask.view(np.uint8), (90, 70), (60, 40), 15, 0, 360, 1, -1)
    mask[60:70, 80:100] = False
    mask[120:130, 150:170] = True
    write_tissue_geojson(tmp_path / "t.geojson", mask, SLIDE)
    told = json.loads((tmp_path / "t.geojson").read_text())
    assert [feature["properties"]["classification"]["name"] for feature in told["features"]] == ["Tissue"] * 2
    assert [len(feature["geometry"]["coordinates"]) for feature in told["features"]] == [2, 1]
    back = read_tissue_mask(tmp_path / "t.geojson", SLIDE.size)
    assert back.shape == (600, 800)
    assert np.array_equal(back, np.kron(mask, np.ones((4, 4), bool)))


def test_ignored_classes_and_collections_are_understood(tmp_path: Path) -> None:
    square = [[[0, 0], [400, 0], [400, 400], [0, 400], [0, 0]]]
    hole = [[[100, 100], [200, 100], [200, 200], [100, 200], [100, 100]]]
    features = [
        {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [square]}, "properties": {}},
        {
            "type": "Feature",
            "geometry": {
                "type": "GeometryCollection",
                "geometries": [{"type": "Polygon", "coordinates": hole}],
            },
            "properties": {"classification": {"name": "Ignore*"}},
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}, "properties": None},
    ]
    (tmp_path / "q.json").write_text(json.dumps(features))
    mask = read_tissue_mask(tmp_path / "q.json", SLIDE.size)
    assert int(mask.sum()) == 400 * 400 - 100 * 100


def test_png_goes_there_and_back(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((30, 40)) < 0.5
    write_tissue_png(tmp_path / "m.png", mask)
    assert np.array_equal(read_tissue_mask(tmp_path / "m.png", SLIDE.size), mask)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.png", None, "no such mask"),
        ("b.png", b"text", "neither an image nor GeoJSON"),
        ("c.geojson", b"{", "is no GeoJSON"),
        ("d.geojson", b"[]", "holds no area"),
        ("e.geojson", b"[3]", "is no GeoJSON of areas"),
        ("f.geojson", b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', "fewer than three"),
        ("g.geojson", b'{"type": "FeatureCollection", "features": []}', "holds no area"),
    ],
)
def test_bad_masks_are_told_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedSlideError, match=sentence):
        read_tissue_mask(tmp_path / name, SLIDE.size)


def test_a_png_of_another_shape_is_refused(tmp_path: Path) -> None:
    write_tissue_png(tmp_path / "m.png", np.ones((40, 40), bool))
    with pytest.raises(DamagedSlideError, match="must cover the whole slide"):
        read_tissue_mask(tmp_path / "m.png", SLIDE.size)
