"""Slides of nuclear markers: their truth, what is brown on them, cohorts and manifests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from lowpower.cohort import SCHEMES, read_cohort
from lowpower.files import sha256_of
from lowpower.simulate import (
    CohortSpec,
    NuclearTruth,
    SlideSpec,
    SlideTruth,
    cohort_members,
    draw_nuclear_shares,
    draw_nuclear_slide,
    is_nuclear_border,
    simulate_cohort,
    simulate_slide,
)
from lowpower.slides import open_slide
from lowpower.stain import er_status
from lowpower.units import Box

from .conftest import LABORATORY, SCANNER, small_spec

STATUSES = ("negative", "low positive", "positive")


def _spec(status: str = "positive", marker: str = "ER", seed: int = 5, **changes: object) -> SlideSpec:
    spec = draw_nuclear_slide(seed, status, LABORATORY, SCANNER, marker=marker)  # type: ignore[arg-type]
    return SlideSpec.model_validate({**spec.model_dump(), **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlideTruth]:
    path = tmp_path_factory.mktemp("nuclear") / "simulated-er.tif"
    return path, simulate_slide(_spec(shares=(0.4, 0.2, 0.2, 0.2), control=True), path)


@pytest.mark.parametrize("marker", ["ER", "PR", "Ki-67"])
def test_shares_mean_the_status(marker: str) -> None:
    for status, (low, high) in zip(STATUSES, ((0, 0.99), (1, 10), (10.01, 100)), strict=True):
        for seed in range(60):
            shares = draw_nuclear_shares(np.random.default_rng(seed), marker, status)  # type: ignore[arg-type]
            assert sum(shares) == pytest.approx(1)
            assert min(shares) >= 0
            assert low <= round(100 * (1 - shares[0]), 6) <= high


@pytest.mark.parametrize("marker", ["ER", "PR", "Ki-67"])
@pytest.mark.parametrize("status", STATUSES)
def test_border_cases_in_their_share(marker: str, status: str) -> None:
    rng = np.random.default_rng(4)
    for border in (0.0, 1.0):
        for _ in range(60):
            shares = draw_nuclear_shares(rng, marker, status, border)  # type: ignore[arg-type]
            assert is_nuclear_border(marker, shares) == bool(border)  # type: ignore[arg-type]
            assert er_status(round(100 * (1 - shares[0]), 6)) == status


def test_most_er_positive_tumours_stain_in_most_nuclei() -> None:
    drawn = [draw_nuclear_shares(np.random.default_rng(seed), "ER", "positive") for seed in range(200)]
    assert np.mean([1 - shares[0] > 0.7 for shares in drawn]) > 0.6
    assert np.mean([shares[3] > shares[1] for shares in drawn]) > 0.5


def test_truth_follows_from_the_cells(made: tuple[Path, SlideTruth]) -> None:
    path, truth = made
    cells = pl.read_parquet(path.parent / truth.cells)
    tumour = cells.filter(~pl.col("control") & (pl.col("type") == "tumour"))
    assert truth.score is None
    assert truth.nuclear == NuclearTruth.of("ER", tumour)
    assert truth.nuclear.percent == pytest.approx(60, abs=0.5)
    assert truth.nuclear.h_score == pytest.approx(120, abs=1)
    assert truth.nuclear.allred == (4, 2, 6)
    assert truth.nuclear.status == "positive"
    assert truth.shares == pytest.approx((0.4, 0.2, 0.2, 0.2), abs=0.005)
    others = cells.filter(~pl.col("type").is_in(["tumour", "normal"]))
    assert others["intensity"].max() == 0
    control = cells.filter(pl.col("control") & (pl.col("type") == "tumour"))
    assert (control["class"] > 0).mean() == pytest.approx(0.92, abs=0.01)
    assert SlideTruth.read(path.with_suffix(".truth.json")) == truth


def test_stained_nuclei_are_brown_and_the_others_blue(made: tuple[Path, SlideTruth]) -> None:
    path, truth = made
    cells = pl.read_parquet(path.parent / truth.cells).filter(pl.col("type") == "tumour")
    with open_slide(path) as slide:
        image = slide.read(Box(0, 0, *slide.size), slide.mpp).astype(float)
    colour = image[cells["y"].to_numpy().astype(int), cells["x"].to_numpy().astype(int)]
    red_over_blue = colour[:, 0] - colour[:, 2]
    mean = [red_over_blue[cells["class"].to_numpy() == grade].mean() for grade in range(4)]
    assert mean[0] < 0 < mean[3]
    assert mean == sorted(mean)
    dark = [colour[cells["class"].to_numpy() == grade].mean() for grade in range(4)]
    assert dark == sorted(dark, reverse=True)


def test_same_spec_same_bytes(made: tuple[Path, SlideTruth], tmp_path: Path) -> None:
    path, truth = made
    simulate_slide(truth.spec, tmp_path / path.name)
    for suffix in (".tif", ".cells.parquet", ".truth.json"):
        assert sha256_of((tmp_path / path.name).with_suffix(suffix)) == sha256_of(path.with_suffix(suffix))


def test_her2_specs_say_nothing_of_nuclei() -> None:
    assert not {"marker", "nuclear"} & set(small_spec().model_dump())
    assert not {"marker", "statuses"} & set(CohortSpec().model_dump())
    assert SlideSpec.model_validate(small_spec().model_dump()).marker == "HER2"


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValidationError, match="belong to HER2"):
        _spec(score="0")
    with pytest.raises(ValidationError, match="nuclear is given for"):
        _spec(nuclear=None)
    with pytest.raises(ValidationError, match="these shares mean score"):
        SlideSpec.model_validate({**small_spec().model_dump(), "score": None})
    with pytest.raises(ValidationError, match="statuses belong to"):
        CohortSpec(statuses={"positive": 1.0})
    with pytest.raises(ValidationError, match="marker"):
        CohortSpec.model_validate({"marker": "EGFR"})


@pytest.mark.parametrize(
    ("marker", "scheme"), [("ER", "er_status"), ("PR", "pr_status"), ("Ki-67", "ki67_three")]
)
def test_manifest_serves_the_scheme(tmp_path: Path, marker: str, scheme: str) -> None:
    spec = CohortSpec.model_validate(
        {
            "marker": marker,
            "patients": 3,
            "second_slide": 0.0,
            "mpp": (2.0, 2.0),
            "sites": 1,
            "scanners": 1,
            "statuses": dict.fromkeys(STATUSES, 1.0),
        }
    )
    spec.to_yaml(tmp_path / "cohort.yaml")
    assert CohortSpec.from_yaml(tmp_path / "cohort.yaml") == spec
    cohort = read_cohort(simulate_cohort(spec, tmp_path / "out"))
    assert set(cohort.table["marker"]) == {marker}
    for row, member in zip(cohort.table.iter_rows(named=True), cohort_members(spec), strict=True):
        truth = SlideTruth.read(Path(row["slide"]).with_suffix(".truth.json"))
        assert truth.spec == member.spec
        assert truth.nuclear is not None
        index = SCHEMES[scheme].label(row["score"], "unknown").index
        if marker == "Ki-67":
            assert index == (truth.nuclear.percent > 5) + (truth.nuclear.percent >= 30)
        else:
            assert SCHEMES[scheme].classes[index] == truth.nuclear.status
