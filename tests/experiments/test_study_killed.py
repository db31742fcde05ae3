"""A study in a process of its own, killed outright, several times: nothing finished is done again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
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


READY = """
import os, sys
import lowpower.experiments._run_study, lowpower.reports  # what every start would load
from lowpower.cli import main
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        sys.argv = ["lowpower", "study", line.strip(), "--workers", "1"]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Loads the libraries once; each line of its input is a study, run in a new process of its own."""


class Starter:
    """Starts `lowpower study` in processes of their own."""

    def __init__(self) -> None:
        self._ready = subprocess.Popen(
            [sys.executable, "-c", READY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, folder: Path) -> int:
        """The number of the process that runs a folder's study."""
        assert self._ready.stdin is not None
        self._ready.stdin.write(f"{folder / 'study.yaml'}\n")
        self._ready.stdin.flush()
        return self._line()

    def code(self) -> int:
        """How it ended."""
        return self._line()

    def _line(self) -> int:
        assert self._ready.stdout is not None
        return int(self._ready.stdout.readline())

    def close(self) -> None:
        self._ready.communicate()


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.close()


def made_of(folder: Path) -> dict[Path, int]:
    """What is finished, and when it was written: slides' files, and the files of units that are done."""
    units = [done.parent for done in folder.glob("units/*/*/done.json")]
    files = [*folder.glob("cache/*/*.h5"), *(path for unit in units for path in unit.glob("*.*"))]
    return {path: path.stat().st_mtime_ns for path in files}


def kill_when(starter: Starter, folder: Path, moment: Callable[[Path], bool]) -> dict[Path, int]:
    """Start the study, kill it at that moment, and tell what was finished by then."""
    process = starter.start(folder)
    end = time.monotonic() + 300
    while not moment(folder) and psutil.pid_exists(process) and time.monotonic() < end:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    assert starter.code() == -signal.SIGKILL, "it ended before it could be killed"
    return made_of(folder)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked on this system")
def test_a_killed_study_goes_on_where_it_was_and_ends_with_the_same_bytes(
    tmp_path: Path, starter: Starter
) -> None:
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
        finished.append(kill_when(starter, folder, moment))
    assert 0 < len(finished[0]) < len(finished[1]) < len(finished[2])
    starter.start(folder)
    assert starter.code() == 0
    for earlier, later in zip(finished, [*finished[1:], made_of(folder)], strict=True):
        assert {path: later.get(path) for path in earlier} == earlier, "something finished was made again"
    for name in RESULTS:
        assert (folder / "results" / name).read_bytes() == (whole / "results" / name).read_bytes(), name

    before = made_of(folder)
    run_study(folder / "study.yaml", workers=1)
    assert made_of(folder) == before
    for name in RESULTS:
        assert (folder / "results" / name).read_bytes() == (whole / "results" / name).read_bytes(), name
