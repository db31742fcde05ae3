"""A study in a process of its own, killed outright, several times: nothing finished is done again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training.toys import toy_cohort

from lowpower.experiments import run_study

STUDY = """
cohort: ../cohort.csv
out: .
accelerator: cpu
folds: {outer: 2, validation_share: 0.4}
patches: {size: 48, max_patches: 4, min_tissue: 0.3}
arms:
  - {name: stain, paradigm: mil, encoder: stain, mpp: 2, fitting: {epochs: 3}}
  - {name: mean, paradigm: mil, encoder: stain, mpp: 2, aggregator: mean, fitting: {epochs: 3}}
  - {name: both, paradigm: fusion, of: [stain, mean]}
"""
RESULTS = ("predictions.csv", "predictions.parquet", "validation.parquet", "units.csv", "left_out.csv",
           "arms.json", "notes.json")  # fmt: skip


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lowpower", "study", str(folder / "study.yaml"), "--workers", "1"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def made_of(folder: Path) -> dict[Path, int]:
    """What is finished, and when it was written: slides' files, and the files of units that are done."""
    units = [done.parent for done in folder.glob("units/*/*/done.json")]
    files = [*folder.glob("cache/*/*.h5"), *(path for unit in units for path in unit.glob("*.*"))]
    return {path: path.stat().st_mtime_ns for path in files}


def kill_when(folder: Path, moment: Callable[[Path], bool]) -> dict[Path, int]:
    """Start the study, kill it at that moment, and tell what was finished by then."""
    process = start(folder)
    end = time.monotonic() + 300
    while not moment(folder) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9, "it ended before it could be killed"
    return made_of(folder)


@pytest.mark.slow
def test_a_killed_study_goes_on_where_it_was_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    toy_cohort(tmp_path, per_class=4)
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    for each in (folder, whole):
        each.mkdir()
        (each / "study.yaml").write_text(STUDY)
    run_study(whole / "study.yaml", workers=1)

    finished: list[dict[Path, int]] = []
    for moment in (
        lambda at: len(list(at.glob("cache/bag-*/*.slide.json"))) >= 5,
        lambda at: (at / "units" / "stain" / "fold0" / "started.json").exists(),
        lambda at: (at / "units" / "mean" / "fold1" / "done.json").exists(),
    ):
        finished.append(kill_when(folder, moment))
    assert 0 < len(finished[0]) < len(finished[1]) < len(finished[2])
    assert start(folder).wait() == 0
    for earlier, later in zip(finished, [*finished[1:], made_of(folder)], strict=True):
        assert {path: later.get(path) for path in earlier} == earlier, "something finished was made again"
    for name in RESULTS:
        assert (folder / "results" / name).read_bytes() == (whole / "results" / name).read_bytes(), name

    before = made_of(folder)
    run_study(folder / "study.yaml", workers=1)
    assert made_of(folder) == before
    for name in RESULTS:
        assert (folder / "results" / name).read_bytes() == (whole / "results" / name).read_bytes(), name
