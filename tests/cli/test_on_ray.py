"""Every verb that works on many slides gives the same bytes on a Ray cluster as in this process."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scoring.conftest import bundle as untrained  # noqa: F401
from tests.training.toys import toy_cohort

from lowpower.engine import run_on

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

STUDY = """
cohort: {cohort}
out: {out}
accelerator: cpu
folds: {{outer: 2, validation_share: 0.4}}
patches: {{size: 48, max_patches: 4, min_tissue: 0.3}}
arms:
  - {{name: stain, paradigm: mil, encoder: stain, mpp: 2, fitting: {{epochs: 2}}}}
  - {{name: mean, paradigm: mil, encoder: stain, mpp: 2, aggregator: mean, fitting: {{epochs: 2}}}}
  - {{name: both, paradigm: fusion, of: [stain, mean]}}
"""
TRAIN = """
name: toy
cohort: {cohort}
scheme: her2_four
out: {out}
view: {{mpp: 8}}
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One cluster for all: a verb with `--on ray` joins that of its process."""
    before = signal.getsignal(signal.SIGTERM)
    with run_on("ray"):
        yield
    assert signal.getsignal(signal.SIGTERM) is before  # it is the process's again


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return toy_cohort(tmp_path_factory.mktemp("cohort"), per_class=4).path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".lowpower" not in path.parts
    }


def untimed(record: bytes) -> dict[str, object]:
    return {key: value for key, value in json.loads(record).items() if key not in ("seconds", "timings")}


def records(folder: Path, name: str) -> dict[str, object]:
    return {path.parent.name: untimed(path.read_bytes()) for path in sorted(folder.glob(f"*/{name}"))}


@pytest.mark.parametrize(("verb", "record"), [("measure", "measurement.json"), ("score", "result.json")])
def test_slides_are_scored_and_measured_alike(lowpower, cohort, tmp_path, request, verb, record):
    slides = tmp_path / "slides"
    for name in ("a", "b"):
        (slides / name).mkdir(parents=True)
    shutil.copy(cohort.parent / "3-0.png", slides / "a" / "x.png")
    shutil.copy(cohort.parent / "2-0.png", slides / "b" / "x.png")  # of the same name: the first has it
    shutil.copy(cohort.parent / "0-0.png", slides / "c.png")
    (slides / "d.png").write_bytes(b"no picture")
    model = () if verb == "measure" else ("--model", request.getfixturevalue("untrained").folder)
    told = [
        lowpower(verb, slides, "--mpp", "0.5", "--out", tmp_path / on, "--on", on, *model)
        for on in ("here", "ray")
    ]
    assert [finished.code for finished in told] == [1, 1], told[1].err
    here, ray = (records(tmp_path / on, record) for on in ("here", "ray"))
    assert len(here) == 4
    assert here == ray
    for name in ("cells.parquet", "tissue.geojson", "cells.geojson"):
        files = [sorted((tmp_path / on).glob(f"*/{name}")) for on in ("here", "ray")]
        assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]], name


def test_views_are_prepared_alike(lowpower, cohort, tmp_path):
    for on in ("here", "ray"):
        config = tmp_path / f"{on}.yaml"
        config.write_text(TRAIN.format(cohort=cohort, out=tmp_path / on))
        finished = lowpower("prepare", config, "--on", on, "--workers", "1")
        assert finished.code == 0, finished.err
        assert "16 of 16 slides are ready" in finished.err
    # What was made; the records beside it hold clocks and paths.
    here, ray = (
        {path.name: path.read_bytes() for path in (tmp_path / on).rglob("*.png")} for on in ("here", "ray")
    )
    assert len(here) == 16
    assert here == ray


def test_slides_are_checked_and_simulated_alike(lowpower, cohort, tmp_path):
    told = [lowpower("check", cohort, "--json", "--on", on) for on in ("here", "ray")]
    assert json.loads(told[0].out) == json.loads(told[1].out)
    spec = tmp_path / "spec.yaml"
    spec.write_text("patients: 2\nspecimens: {biopsy: 1.0}\nmpp: [1.0, 1.0]\n")
    for on in ("here", "ray"):
        finished = lowpower("simulate", spec, "--out", tmp_path / on, "--on", on, "--workers", "1")
        assert finished.code == 0, finished.err
    assert bytes_of(tmp_path / "here") == bytes_of(tmp_path / "ray")


def test_a_study_has_the_same_results(lowpower, cohort, tmp_path):
    for on in ("here", "ray"):
        config = tmp_path / f"{on}.yaml"
        config.write_text(STUDY.format(cohort=cohort, out=tmp_path / on))
        finished = lowpower("study", config, "--on", on, "--workers", "1")
        assert finished.code == 0, finished.err
    here, ray = (bytes_of(tmp_path / on / "results") for on in ("here", "ray"))
    assert here.pop("costs.csv") != ray.pop("costs.csv")  # clocks
    assert here == ray
