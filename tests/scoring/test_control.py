"""What the user says of control tissue and intensity reaches the result, and a changed word scores again."""

from __future__ import annotations

import json

import pytest

from lowpower.errors import ConfigError
from lowpower.scoring import ScoreRequest, measure_files, score, score_files
from lowpower.stain import INTENSE_OD


@pytest.fixture
def left_half(tmp_path):
    """GeoJSON over the left part of the disc's slide, up to the disc's middle."""
    ring = [[0, 0], [500, 0], [500, 900], [0, 900], [0, 0]]
    path = tmp_path / "disc.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return path


def test_control_tissue_given_is_left_out_and_recorded(bundle, disc, left_half):
    whole = score(disc, bundle, mpp=0.5, pictures=False, measure=False)
    half = score(disc, bundle, mpp=0.5, pictures=False, measure=False, control=left_half)
    assert whole.control == "auto"
    assert half.control.startswith("disc.geojson ")
    assert half.qc.area_mm2 == pytest.approx(whole.qc.area_mm2 / 2, rel=0.03)
    assert half.qc.pieces == 1
    assert "control" in [flag.code for flag in half.qc.flags]


def test_a_batch_takes_a_folder_and_scores_again_when_the_control_changes(bundle, disc, left_half, tmp_path):
    options = {"model": bundle, "mpp": 0.5, "out": tmp_path / "out", "measure": False}
    (whole,) = score_files([disc], **options)
    (half,) = score_files([disc], control=left_half.parent, **options)
    assert half.qc.area_mm2 < 0.6 * whole.qc.area_mm2
    (again,) = score_files([disc], control=left_half.parent, **options)
    assert again.model_dump() == half.model_dump()
    (missing,) = score_files([disc], control=tmp_path / "absent.png", **options)
    assert missing.state != "ok"
    assert "absent.png: no such mask" in missing.reason


def test_measurement_leaves_it_out_too(disc, left_half, tmp_path):
    (record,) = measure_files([disc], ScoreRequest(mpp=0.5, control=str(left_half)), out=tmp_path / "out")
    assert record.control.startswith("disc.geojson ")
    assert "control" in [flag.code for flag in record.qc.flags]


def test_a_batch_measures_again_when_intense_means_something_else(bundle, disc, tmp_path):
    options = {"model": bundle, "mpp": 0.5, "out": tmp_path / "out"}
    (usual,) = score_files([disc], **options)
    assert usual.measured.intense_od == INTENSE_OD
    (told,) = score_files([disc], intense_od=0.7, **options)
    assert told.measured.intense_od == 0.7
    (again,) = score_files([disc], intense_od=0.7, **options)
    assert again.model_dump() == told.model_dump()
    with pytest.raises(ConfigError, match=r"0\.1 to 2"):
        score_files([disc], intense_od=70.0, **options)
