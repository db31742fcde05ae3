from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import lowpower as lp
from lowpower.errors import MppOutOfRangeError, NotASlideError
from lowpower.scoring import Result, score, score_files


def test_a_result_says_what_the_contract_asks(bundle, disc):
    result = score(disc, bundle, mpp=0.5)
    assert result.state == "ok"
    assert result.marker == "HER2"
    assert result.scheme == "her2_four"
    assert set(result.probabilities) == {"0", "1+", "2+", "3+"}
    assert sum(result.probabilities.values()) == pytest.approx(1)
    expected = sum(index * p for index, p in enumerate(result.probabilities.values()))
    assert result.expected_score == pytest.approx(expected)
    assert (result.mpp, result.mpp_source) == (0.5, "option")
    assert result.slide_sha256 == hashlib.sha256(disc.read_bytes()).hexdigest()
    assert result.qc.area_mm2 == pytest.approx(np.pi * 0.15**2, rel=0.1)
    assert result.model.sha256 == bundle.spec.weights_sha256
    assert "esearch use only" in result.notice
    assert Result.model_validate_json(result.model_dump_json()).model_dump() == result.model_dump()


def test_the_python_api_of_the_readme(bundle, disc, tmp_path):
    with lp.open_slide(disc, mpp=0.5) as slide:
        tissue = lp.find_tissue(slide)
        assert tissue.mask.dtype == bool
        result = lp.score(slide, model=bundle.folder)
    assert str(result).startswith(f"disc.png: HER2 likely {result.answer.likeliest}")
    result.overlay().save(tmp_path / "disc.png")
    assert (tmp_path / "disc.png").stat().st_size > 10_000


def test_the_same_slide_scores_the_same_twice(bundle, disc):
    first, second = (score(disc, bundle, mpp=0.5) for _ in range(2))
    assert first.probabilities == second.probabilities
    assert np.array_equal(np.asarray(first.overlay()), np.asarray(second.overlay()))


def test_the_overlay_shows_the_map_on_tissue_only(bundle, disc):
    picture = np.asarray(score(disc, bundle, mpp=0.5).overlay()).astype(int)
    # Two panels of 1,200 x 900 px beside each other, 16 px apart, below a 104 px title.
    left, right = picture[104:1004, 16:1216], picture[104:1004, 1232:2432]
    changed = np.abs(left - right).max(2) > 12
    rows, columns = np.mgrid[:900, :1200]
    distance = np.hypot(columns - 500, rows - 450)
    assert changed[distance < 270].mean() > 0.95
    assert changed[distance > 340].mean() < 0.01


def test_a_result_without_picture_says_so(bundle, disc):
    result = score(disc, bundle, mpp=0.5, pictures=False)
    with pytest.raises(ValueError, match="no overlay"):
        result.overlay()


def test_a_resolution_outside_the_bundles_range_is_refused(bundle, disc):
    with pytest.raises(MppOutOfRangeError, match=r"2 um/px.*0\.1 to 1\.1 um/px"):
        score(disc, bundle, mpp=2.0)


def test_a_missing_file_is_no_slide(bundle, tmp_path):
    with pytest.raises(NotASlideError):
        score(tmp_path / "absent.svs", bundle)


class TestBatch:
    def test_one_bad_slide_does_not_end_the_others(self, bundle, disc, tmp_path):
        (tmp_path / "bad.svs").write_bytes(b"no slide")
        results = score_files([tmp_path / "bad.svs", disc], model=bundle, mpp=0.5, out=tmp_path / "out")
        assert [result.state for result in results] == ["refused", "ok"]
        record = json.loads((tmp_path / "out" / "bad" / "result.json").read_text())
        assert record["reason_code"] == "not_a_slide"
        assert (tmp_path / "out" / "disc" / "overlay.png").exists()
        page = (tmp_path / "out" / "report.html").read_text()
        assert "disc/overlay.png" in page
        assert "Research use only" in page
        rows = (tmp_path / "out" / "results.csv").read_text().splitlines()
        assert len(rows) == 3

    def test_a_batch_goes_on_where_it_stopped(self, bundle, disc, tmp_path):
        score_files([disc], model=bundle, mpp=0.5, out=tmp_path)
        before = (tmp_path / "disc" / "result.json").stat().st_mtime_ns
        (again,) = score_files([disc], model=bundle, mpp=0.5, out=tmp_path)
        assert (tmp_path / "disc" / "result.json").stat().st_mtime_ns == before
        assert again.state == "ok"
        record = json.loads((tmp_path / "disc" / "result.json").read_text())
        record["measured"]["cell_network"]["sha256"] = "0" * 64
        (tmp_path / "disc" / "result.json").write_text(json.dumps(record))
        (again,) = score_files([disc], model=bundle, mpp=0.5, out=tmp_path)
        assert again.measured.cell_network.sha256 != "0" * 64
        score_files([disc], model=bundle, mpp=0.4, out=tmp_path)
        assert (tmp_path / "disc" / "result.json").stat().st_mtime_ns != before

    def test_a_surprise_in_one_slide_is_recorded_with_its_traceback(
        self, bundle, disc, tmp_path, monkeypatch
    ):
        def surprise(*args, **kwargs):
            raise ZeroDivisionError("made by the test")

        monkeypatch.setattr("lowpower.scoring.slide._score_slide.find_tissue", surprise)
        (result,) = score_files([disc], model=bundle, mpp=0.5, out=tmp_path)
        assert result.state == "failed"
        assert "ZeroDivisionError" in result.reason
        assert "made by the test" in (tmp_path / "disc" / "error.txt").read_text()
