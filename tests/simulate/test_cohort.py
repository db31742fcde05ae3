from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from lowpower.files import sha256_of
from lowpower.simulate import CohortSpec, SlideTruth, cohort_members, simulate_cohort, truth_path

SPEC = CohortSpec(patients=3, second_slide=0.0, mpp=(1.5, 1.5), sites=2, scanners=1, seed=7)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_cohort(SPEC, tmp_path_factory.mktemp("cohort"))


def test_manifest(cohort: Path) -> None:
    table = pl.read_csv(cohort, infer_schema=False)
    assert table.columns == [
        "slide",
        "patient",
        "marker",
        "score",
        "ish",
        "mpp",
        "site",
        "scanner",
        "block",
        "control",
    ]
    assert table.height == 3
    for row, member in zip(table.iter_rows(named=True), cohort_members(SPEC), strict=True):
        path = cohort.parent / row["slide"]
        assert path.is_file()
        truth = SlideTruth.read(truth_path(path))
        assert truth.spec == member.spec
        assert row["score"] == truth.score
        assert float(row["mpp"]) == truth.mpp
        assert "simulated" in path.name
        assert "simulated" in row["site"]
        assert "simulated" in row["scanner"]


def test_goes_on_where_it_stopped(cohort: Path) -> None:
    slides = sorted((cohort.parent / "slides").glob("*.tif"))
    before = _hashes(cohort.parent)
    # The truth is written last: a slide without it was cut off and is made again.
    truth_path(slides[0]).unlink()
    stamps = {path: os.stat(path).st_mtime_ns for path in slides}
    seen: list[tuple[int, int]] = []
    simulate_cohort(SPEC, cohort.parent, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
    made_again = [path for path in slides if os.stat(path).st_mtime_ns != stamps[path]]
    assert made_again == [slides[0]]
    assert _hashes(cohort.parent) == before


@pytest.mark.slow
def test_same_bytes_whatever_the_number_of_workers(cohort: Path, tmp_path: Path) -> None:
    simulate_cohort(SPEC, tmp_path, workers=2)
    assert _hashes(tmp_path) == _hashes(cohort.parent)


def test_the_manifest_states_every_control(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"controls": 0.5, "seed": 3})
    table = pl.read_csv(simulate_cohort(spec, tmp_path), infer_schema=False)
    has = [member.spec.control for member in cohort_members(spec)]
    assert 0 < sum(has) < 3
    for slide, control, there in zip(table["slide"], table["control"], has, strict=True):
        assert control == (slide.replace(".tif", ".control.png") if there else "none")
        assert not there or (tmp_path / control).is_file()
