"""2+ without in-situ hybridisation: low and flagged, or left out where the class depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowpower.cohort import load_folds, make_folds, read_cohort, write_manifest
from lowpower.errors import CohortError


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    scores = ["0", "1+", "2+", "3+"] * 6
    rows = [
        {"slide": f"{n}.png", "patient": f"Q{n}x", "marker": "HER2", "score": score}
        | ({"ish": ("unknown", "positive", "negative")[n // 4 % 3]} if score == "2+" else {})
        for n, score in enumerate(scores)
    ]
    return write_manifest(tmp_path / "cohort.csv", rows)


def test_left_out_only_where_the_class_depends_on_it(manifest: Path) -> None:
    low, without = read_cohort(manifest), read_cohort(manifest, ish_unknown="exclude")
    assert low.labels("her2_three").height == 24
    assert low.labels("her2_three")["flag"].drop_nulls().to_list() == ["2+ without ISH"] * 2
    for scheme in ("her2_three", "her2_status"):
        kept = without.labels(scheme)
        assert kept.height == 22
        assert kept["flag"].null_count() == 22
        assert (
            without.left_out(scheme) == "left out: 2 slides that are 2+ without ISH (ish_unknown: exclude)."
        )
    assert without.labels("her2_four").height == 24
    assert without.left_out("her2_four") == low.left_out("her2_three") == ""


def test_folds_hold_them_or_not_and_do_not_mix(manifest: Path, tmp_path: Path) -> None:
    without = read_cohort(manifest, ish_unknown="exclude")
    folds = make_folds(without, "her2_three", outer=3)
    assert len(folds.slides) == 22
    folds.save(tmp_path / "folds.json")
    assert load_folds(tmp_path / "folds.json", without) == folds
    with pytest.raises(CohortError, match="no longer fits"):
        load_folds(tmp_path / "folds.json", read_cohort(manifest))
