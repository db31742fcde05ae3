"""Guided measurement of a slide's file: what its record says, when it ends early, and what is then done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.scoring.test_measure_files import sheet

from lowpower.errors import ConfigError
from lowpower.scoring import MeasuredSlide, ScoreRequest, measure_files


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    """A field of 1.1 mm: 36 fields of 256 um or parts of them."""
    parts = [sheet(0.9, rows=36, seed=1), sheet(0.0, rows=36, seed=2)]
    path = tmp_path_factory.mktemp("slides") / "sheet.png"
    cv2.imwrite(str(path), np.ascontiguousarray(np.hstack(parts)[..., ::-1]))
    return path


def guided(slide, out, **options):
    request = {"mpp": 0.5, "effort": "guided", "workers": 2, "pictures": False} | options
    return measure_files([slide], ScoreRequest(**request), out=out)[0]


def kept(out) -> MeasuredSlide:
    (path,) = out.glob("*/measurement.json")
    return MeasuredSlide.model_validate_json(path.read_bytes())


def test_the_same_seed_gives_the_same_bytes_and_the_interval_holds_what_all_fields_say(slide, tmp_path):
    first, again = (guided(slide, tmp_path / name, workers=n) for name, n in (("a", 1), ("b", 2)))
    (cells, others) = (next((tmp_path / name).glob("*/cells.parquet")).read_bytes() for name in "ab")
    assert cells == others
    assert first.model_dump(exclude={"seconds"}) == again.model_dump(exclude={"seconds"})
    told, reading = first.measured, first.measured.reading
    full = guided(slide, tmp_path / "full", effort="full").measured
    assert full.reading is None
    assert told.score == full.score == "3+"
    assert reading.read == len(reading.boxes) <= reading.fields
    for least, name in ((1, "stained"), (2, "complete"), (3, "intense_complete")):
        between = reading.shares[name]
        assert between.low <= between.value <= between.high
        assert between.low - 1e-9 <= sum(list(full.shares.values())[least:]) <= between.high + 1e-9
    assert reading.h_score.low - 1e-6 <= full.h_score <= reading.h_score.high + 1e-6
    assert guided(slide, tmp_path / "a", workers=1).reused
    assert not guided(slide, tmp_path / "a", workers=1, seed=1).reused


def test_interrupted_it_says_what_it_knows_and_is_made_again(slide, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    request = ScoreRequest(mpp=0.5, effort="guided", workers=1, pictures=False)
    with pytest.raises(KeyboardInterrupt, match=r"one slide was read in part, .*; 0 of 1 slides are done"):
        measure_files([slide], request, out=tmp_path, progress=stop)
    record = kept(tmp_path)
    assert record.measured.reading.stopped == "interrupted"
    assert "interrupted, so incomplete" in record.reason
    assert not guided(slide, tmp_path).interrupted
    assert kept(tmp_path).measured.reading.stopped in ("settled", "all")


STOPPED = """
import signal
from lowpower.cli import _progress, main
def field_done(self, done, total):
    if done == total - 1:
        signal.raise_signal(signal.SIGINT)  # heard by this thread, however busy the machine
_progress.SlideProgress.field_done = field_done
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not hear it
main()
"""


def test_ctrl_c_gives_the_interval_so_far_and_exit_code_130(slide, tmp_path):
    run = ["measure", str(slide), "--mpp", "0.5", "--effort", "guided", "--out", str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-c", STOPPED, *run], capture_output=True, text=True, check=False)
    assert ended.returncode == 130, ended.stderr
    assert "one slide was read in part, as its record says; 0 of 1 slides are done" in ended.stderr
    assert "Traceback" not in ended.stderr
    record = kept(tmp_path / "out")
    reading = record.measured.reading
    assert reading.stopped == "interrupted"
    assert 0 < reading.read < reading.fields
    assert reading.h_score.low < record.measured.h_score < reading.h_score.high
    assert "interrupted, so incomplete" in record.reason
    table = (tmp_path / "out" / "measurements.csv").read_text()
    assert slide.name in table


def test_interrupted_before_anything_can_be_said_nothing_is_kept(slide, tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    request = ScoreRequest(mpp=0.5, effort="guided", workers=1)
    with pytest.raises(KeyboardInterrupt, match="0 of 1 slides are done"):
        measure_files([slide], request, out=tmp_path, progress=stop)
    assert not list(tmp_path.glob("*/measurement.json"))


def test_a_budget_too_small_for_any_answer_is_refused_with_a_sentence(slide, tmp_path):
    record = guided(slide, tmp_path, seconds=1e-6)
    assert record.state == "refused"
    assert "could be read in the seconds given: too few" in record.reason
    assert record.measured.score is None


def test_a_field_of_view_is_read_whole(tmp_path):
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), np.ascontiguousarray(sheet(0.9)[..., ::-1]))
    reading = guided(path, tmp_path / "out").measured.reading
    assert (reading.stopped, reading.chance) == ("all", 0.0)
    assert reading.h_score.low == reading.h_score.high


def test_regions_with_too_few_cells_are_told_as_ever(slide, tmp_path):
    corner = [[60, 60], [130, 60], [130, 130], [60, 130], [60, 60]]
    regions = tmp_path / "few.geojson"
    regions.write_text(f'{{"type": "Polygon", "coordinates": [{corner}]}}')
    record = guided(slide, tmp_path / "out", regions=regions)
    assert record.state == "refused"
    assert record.measured.tumour_cells < 50


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"effort": "guided", "seconds": 0.0}, "must be above 0"),
        ({"effort": "guided", "seconds": -3.0}, "must be above 0"),
        ({"seconds": 20.0}, "it needs effort='guided'"),
    ],
)
def test_a_budget_that_means_nothing_is_refused_before_any_work(options, said):
    with pytest.raises(ConfigError, match=said):
        ScoreRequest(**options)
