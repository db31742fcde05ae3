"""What the user says of control tissue and intensity reaches the result, and a changed word scores again."""

from __future__ import annotations

import json

import pytest

from lowpower.errors import OptionError
from lowpower.scoring import ScoreRequest, measure_files, score, score_files
from lowpower.stain import INTENSE_OD, Fitted, Laboratory, cell_network_identity


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
    with pytest.raises(OptionError, match=r"absent\.png"):
        score_files([disc], control=tmp_path / "absent.png", **options)


def test_measurement_leaves_it_out_too(disc, left_half, tmp_path):
    (record,) = measure_files([disc], ScoreRequest(mpp=0.5, control=str(left_half)), out=tmp_path / "out")
    assert record.control.startswith("disc.geojson ")
    assert "control" in [flag.code for flag in record.qc.flags]


def test_a_batch_measures_again_with_another_laboratorys_cutoffs(bundle, disc, tmp_path):
    options = {"model": bundle, "mpp": 0.5, "out": tmp_path / "out"}
    own = Laboratory(
        name="own",
        marker="HER2",
        her2={"intense_od": 0.7},
        fitted=Fitted(slides=8, patients=8, scores={"3+": 8}, cohort="0", before="", after=""),
        cell_network=cell_network_identity().sha256,
        software_version="0",
    ).signed()
    (usual,) = score_files([disc], **options)
    assert (usual.measured.intense_od, usual.measured.laboratory) == (INTENSE_OD, None)
    (told,) = score_files([disc], laboratory=own, **options)
    assert told.measured.intense_od == 0.7
    (again,) = score_files([disc], laboratory=own, **options)
    assert again.model_dump() == told.model_dump()
