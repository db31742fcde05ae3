"""The cells' GeoJSON, put together from text, is what a general writer would write of the same."""

from __future__ import annotations

import json

import numpy as np

from lowpower.geometry import id_of_text
from lowpower.scoring.records._cells_geojson import write_cells_geojson
from lowpower.stain import Cells


def test_each_line_is_what_a_general_writer_writes_and_its_id_that_of_its_number_and_place(tmp_path):
    rng = np.random.default_rng(0)
    small = [rng.uniform(0.1, 14, 50).astype(np.float32) for _ in range(7)]
    small[6][3] = np.nan
    grade, kind = rng.integers(0, 4, 50).astype(np.uint8), rng.integers(0, 3, 50).astype(np.uint8)
    places = rng.uniform(0, 40000, (2, 50))
    cells = Cells(*places, *small[:4], kind, *small[3:], grade)
    classes = rng.integers(0, 5, 50).astype(np.uint8)
    write_cells_geojson(tmp_path / "cells.geojson", cells, classes, "HER2", 0.25)
    lines = (tmp_path / "cells.geojson").read_text(encoding="utf-8").splitlines()[1:-1]
    assert len(lines) == 50
    for number, line in enumerate(lines):
        text = line.removesuffix(",")
        feature = json.loads(text)
        assert json.dumps(feature, separators=(",", ":")) == text
        assert feature["id"] == id_of_text(json.dumps([number, feature["geometry"]]))
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert np.allclose(np.mean(ring[:-1], axis=0), (cells.x[number], cells.y[number]), atol=0.1)
        assert feature["properties"]["measurements"]["Class"] == grade[number]
