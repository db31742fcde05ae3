"""A refusal never takes the place of a result that is there."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from lowpower.errors import OptionError
from lowpower.scoring import measure_files


@pytest.fixture
def measured(tmp_path):
    """A sheet of drawn cells, measured; and what lies in its folder then."""
    from tests.stain._drawn_cells import draw_cells

    slide = tmp_path / "field.png"
    Image.fromarray(draw_cells(membrane=0.8).image).save(slide)
    (record,) = measure_files([slide], mpp=0.5, out=tmp_path / "out")
    assert record.state == "ok"
    return slide, sorted(path.name for path in (tmp_path / "out" / "field").iterdir())


def _empty_mask(tmp_path):
    """A folder of masks in which the slide's own marks nothing: an option that does not serve."""
    folder = tmp_path / "masks"
    folder.mkdir()
    with Image.open(tmp_path / "field.png") as field:
        Image.new("L", field.size).save(folder / "field.png")
    return folder


def held(tmp_path) -> dict:
    return json.loads((tmp_path / "out" / "field" / "measurement.json").read_text())


def test_a_mistyped_option_leaves_the_result(measured, tmp_path):
    slide, files = measured
    (record,) = measure_files([slide], mpp=0.5, out=tmp_path / "out", mask=_empty_mask(tmp_path))
    assert record.state == "refused"
    assert "earlier result" in record.reason
    assert held(tmp_path)["state"] == "ok"
    assert sorted(path.name for path in (tmp_path / "out" / "field").iterdir()) == files
    assert ",ok," in (tmp_path / "out" / "measurements.csv").read_text()


def test_a_slide_that_is_gone_is_said_to_be(measured, tmp_path):
    slide, _ = measured
    slide.unlink()
    with pytest.raises(OptionError, match="does not exist"):
        measure_files([slide], mpp=0.5, out=tmp_path / "out")
    (tmp_path / "cohort.csv").write_text("slide\nfield.png\n")
    (record,) = measure_files([tmp_path / "cohort.csv"], mpp=0.5, out=tmp_path / "out")
    assert (record.state, record.reused) == ("refused", False)
    assert "does not exist" in record.reason
    assert "earlier result" in record.reason
    assert held(tmp_path)["state"] == "ok"


def test_what_another_software_measured_is_measured_again_and_that_is_said(
    measured, tmp_path, other_software
):
    slide, _ = measured
    assert measure_files([slide], mpp=0.5, out=tmp_path / "out").reused == 1
    before = held(tmp_path)["software_version"]
    other_software()
    batch = measure_files([slide], mpp=0.5, out=tmp_path / "out")
    assert batch.reused == 0
    (note,) = batch.notes
    assert f"1 slide had a result of another state of lowpower ({before})" in note
    assert held(tmp_path)["software_version"].endswith("+000000000000")
    again = measure_files([slide], mpp=0.5, out=tmp_path / "out")
    assert (again.reused, again.notes) == (1, ())
    # A record of before, which names a version alone, is of another state, too.
    path = tmp_path / "out" / "field" / "measurement.json"
    path.write_text(json.dumps(held(tmp_path) | {"software_version": "0.1.0"}))
    assert "(0.1.0)" in measure_files([slide], mpp=0.5, out=tmp_path / "out").notes[0]


def test_a_refusal_of_another_version_of_the_software_counts(measured, tmp_path):
    slide, _ = measured
    path = tmp_path / "out" / "field" / "measurement.json"
    path.write_text(json.dumps(held(tmp_path) | {"software_version": "0.0.0"}))
    (record,) = measure_files([slide], mpp=0.5, out=tmp_path / "out", mask=_empty_mask(tmp_path))
    assert record.state == "refused"
    assert held(tmp_path)["state"] == "refused"
