"""From a mask to valid polygons and back, and the GeoJSON that is written of them."""

from __future__ import annotations

import json
import uuid

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from lowpower.geometry import area_features, fill, mask_features, outlines, write_geojson


@given(st.integers(1, 14), st.integers(1, 14), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=150)
def test_outlines_are_valid_and_filling_is_their_inverse(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    polygons = outlines(mask)
    assert shapely.is_valid(np.array(polygons, object)).all()
    assert np.array_equal(fill(shapely.MultiPolygon(polygons), mask.shape), mask)
    assert len(polygons) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    written = [
        shapely.from_geojson(json.dumps(feature))
        for feature in mask_features(mask, (160, 90), "a", (0, 0, 0))
    ]
    assert shapely.is_valid(np.array(written, object)).all()


def test_a_piece_that_meets_itself_at_a_corner_is_a_ring_with_a_hole():
    mask = np.ones((4, 4), bool)
    mask[1, 1] = mask[2, 2] = mask[0, 3] = False
    mask[1, 2] = True
    (polygon,) = outlines(mask)
    assert polygon.is_valid
    assert polygon.area == mask.sum()


def test_a_ring_has_one_hole_and_only_its_turns():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:6] = False
    (polygon,) = outlines(mask, scale=(2.0, 3.0), corner=(10.0, 20.0))
    assert len(polygon.exterior.coords) == 5
    assert [len(hole.coords) for hole in polygon.interiors] == [5]
    assert polygon.bounds == (12.0, 23.0, 26.0, 44.0)


def test_a_slanted_polygon_covers_its_area():
    triangle = shapely.Polygon([(10.0, 10.0), (90.3, 20.2), (30.7, 80.9)])
    assert fill(triangle, (100, 100)).sum() == pytest.approx(triangle.area, rel=0.01)


def test_what_is_written_is_valid_rounded_and_has_ids_of_its_own(tmp_path):
    spiky = shapely.Polygon([(0, 0), (100, 0.04), (50, 0.05), (100, 0.06), (100, 80), (0, 80)])
    features = area_features(
        [spiky, shapely.box(200, 0, 210, 10), shapely.Point(5, 5).buffer(0.01)], "A", (1, 2, 3)
    )
    write_geojson(tmp_path / "a.geojson", iter(features))
    told = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(told) == 2
    assert {str(uuid.UUID(feature["id"])) for feature in told} == {feature["id"] for feature in told}
    assert len({feature["id"] for feature in told}) == 2
    for feature in told:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        assert feature["properties"]["classification"] == {"name": "A", "color": [1, 2, 3]}
    assert area_features([spiky], "A", (1, 2, 3))[0]["id"] == told[0]["id"]
