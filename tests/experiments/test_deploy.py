"""A finished study's arms become bundles that answer as the study did."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from lowpower.cohort import read_cohort
from lowpower.errors import ConfigError
from lowpower.experiments import Deployed, StudyResults, deploy
from lowpower.models import load_bundle
from lowpower.scoring import score

KIND = {"slide@8": "slide_network", "stain": "mil", "patch": "patch_fusion", "both": "late_fusion"}


@pytest.fixture(scope="module")
def made(study: StudyResults) -> dict[str, Deployed]:
    return {arm: deploy(study.folder, arm=arm) for arm in KIND}


@pytest.mark.parametrize("arm", KIND)
def test_a_bundle_answers_as_the_study_did(study: StudyResults, made: dict[str, Deployed], arm: str) -> None:
    bundle = load_bundle(study.folder / "bundles" / arm)
    assert bundle.spec.kind == KIND[arm]
    row = study.predictions.filter((pl.col("arm") == arm) & (pl.col("fold") == 0)).row(0, named=True)
    cohort = read_cohort(study.config.cohort)
    result = score(cohort.table["slide"][row["row"]], bundle, mpp=2.0, measure=False, force=True)
    found = list((result.probabilities or {}).values())
    assert found == pytest.approx([row[f"p_{index}"] for index in range(4)], abs=1e-4)
    assert result.overlay().width > 1000
    assert result.answer is not None


def test_a_bundle_says_what_it_is_made_of(study: StudyResults, made: dict[str, Deployed]) -> None:
    spec = made["stain"].bundle.spec
    assert spec.name == "stain"
    assert spec.slide_mpp_range == (1.0, 4.0)
    assert spec.cohort_fingerprint == read_cohort(study.config.cohort).fingerprint
    assert spec.decision is not None
    assert spec.metrics["accuracy"].n == 24
    card = made["stain"].bundle.card
    assert "named by its user" in card
    assert "The model of fold 0, as it was trained there" in card
    assert "**not** trained again" in card
    assert "not a medical device" in card


def test_the_winner_is_the_validation_winner(study: StudyResults, tmp_path: Path) -> None:
    won = deploy(study.folder)
    assert "highest validation AUC" in won.why
    assert "failed and therefore left out: measured on folds 0, 1." in won.notes
    folder = shutil.copytree(study.folder, tmp_path / "perfect")
    for arm in KIND:  # test slides that any other arm would win
        for path in (folder / "units" / arm).glob("*/test.parquet"):
            table = pl.read_parquet(path)
            perfect = {f"p_{index}": (pl.col("label") == index).cast(pl.Float64) for index in range(4)}
            if arm != won.arm:
                table.with_columns(**perfect).write_parquet(path)
    assert deploy(folder).arm == won.arm


def test_all_folds_are_one_bundle_of_their_mean(study: StudyResults) -> None:
    bundle = deploy(study.folder, arm="stain", fold="all").bundle
    assert [member.name for member in bundle.members] == ["fold0", "fold1"]
    slide = read_cohort(study.config.cohort).table["slide"][0]
    whole, *parts = (
        score(slide, one, mpp=2.0, measure=False, force=True, pictures=False).probabilities
        for one in (bundle, *bundle.members)
    )
    assert whole is not None
    for name, value in whole.items():
        assert value == pytest.approx(sum((part or {})[name] for part in parts) / 2)
    fused = deploy(study.folder, arm="both", fold="all").bundle
    assert [len(member.members) for member in fused.members] == [2, 2]
    assert score(slide, fused, mpp=2.0, measure=False, force=True).overlay().width > 1000


def test_a_refit_learns_from_every_slide_and_says_so(study: StudyResults, tmp_path: Path) -> None:
    folder = shutil.copytree(study.folder, tmp_path / "refit")
    bundle = deploy(folder, arm="stain", refit=True).bundle
    assert "24 slides" in bundle.spec.trained_on
    assert "Trained again on every slide" in bundle.card
    assert bundle.spec.metrics["accuracy"].n == 24
    other = deploy(folder, arm="stain").bundle
    assert bundle.spec.weights_sha256 != other.spec.weights_sha256
    done = folder / "units" / "stain" / "refit0" / "done.json"
    before = done.stat().st_mtime_ns
    again = deploy(folder, arm="stain", refit=True).bundle
    assert again.spec.weights_sha256 == bundle.spec.weights_sha256
    assert done.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="one model of all slides"):
        deploy(folder, arm="stain", fold="all", refit=True)


def test_what_is_missing_is_named(study: StudyResults, tmp_path: Path) -> None:
    folder = shutil.copytree(study.folder, tmp_path / "killed")
    (folder / "units" / "stain" / "fold1" / "done.json").unlink()
    shutil.rmtree(folder / "results")
    with pytest.raises(ConfigError, match=r"is not finished.*missing: stain on fold 1"):
        deploy(folder)
    with pytest.raises(ConfigError, match=r"both cannot be deployed.*stain on fold 1"):
        deploy(folder, arm="both", fold=1)
    assert deploy(folder, arm="stain").bundle.spec.metrics["accuracy"].n == 12
    with pytest.raises(ConfigError, match="did you mean stain"):
        deploy(folder, arm="stein")
    with pytest.raises(ConfigError, match="has no fold 7"):
        deploy(folder, arm="stain", fold=7)
    with pytest.raises(ConfigError, match="is no study's folder"):
        deploy(tmp_path)
    (folder / "units" / "patch" / "fold0" / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="kept no weights"):
        deploy(folder, arm="patch")
    for unit in (folder / "units").glob("*/*"):
        (unit / "done.json").write_text('{"fingerprint": "x", "state": "failed", "reason": "no weights."}')
    with pytest.raises(ConfigError, match=r"no arm finished on every fold.*first: no weights\."):
        deploy(folder)
