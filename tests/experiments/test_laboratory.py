"""A study of a laboratory with cut-offs of its own: measured arms, their bundles, what scores with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
from tests.experiments.tiny_study import STAIN, config_of
from tests.stain._drawn_cells import draw_cells

from lowpower.cohort import read_cohort, write_manifest
from lowpower.errors import CohortError, ConfigError
from lowpower.experiments import StudyResults, deploy, evaluate_run, run_study, train_run
from lowpower.experiments.artefacts import make_artefacts
from lowpower.experiments.plan import needs_of
from lowpower.files import sha256_of
from lowpower.made_by import made_by
from lowpower.scoring import score
from lowpower.stain import Fitted, Laboratory, cell_network_identity, write_laboratory

LOOKS = (
    ("0", {}),
    ("1+", {"membrane": 0.2, "share": 0.3, "spacing_um": 18.0}),
    ("2+", {"membrane": 0.6}),
    ("3+", {"membrane": 1.3}),
)
MEASURED = [{"name": "measured", "paradigm": "measured"}]


def laboratory(marker: str = "HER2", contents: tuple[str, ...] | None = ()) -> Laboratory:
    """One whose staining is dark: what is intense elsewhere is moderate here; fitted to these slides."""
    return Laboratory.model_validate(
        {
            "name": "dark",
            "marker": marker,
            "her2": {"intense_od": 1.1},
            "fitted": Fitted(
                slides=8, patients=8, scores={}, cohort="none", contents=contents, before="", after=""
            ),
            "cell_network": cell_network_identity().sha256,
            "software_version": made_by("stain"),
        }
    ).signed()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    rows = []
    for number in range(4):
        for said, look in LOOKS:
            name = f"{said[0]}-{number}.png"
            image = draw_cells(seed=number, **({"rows": 9, "columns": 9} | look)).image
            cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            rows.append({"slide": name, "patient": name, "marker": "HER2", "score": said, "mpp": 0.5})
    write_laboratory(folder / "dark.yaml", laboratory())
    return write_manifest(folder / "cohort.csv", rows)


@pytest.fixture(scope="module")
def study(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    config = config_of(drawn, tmp_path_factory.mktemp("own"), entries=MEASURED)
    return run_study(config, laboratory=drawn.parent / "dark.yaml", workers=1)


def test_measured_arms_take_it_and_score_with_it(study: StudyResults, drawn: Path) -> None:
    bundle = deploy(study.folder, arm="measured").bundle
    assert bundle.spec.laboratory == laboratory()
    slide = drawn.parent / "2-0.png"
    own = score(slide, bundle, mpp=0.5, pictures=False, force=True).measured
    usual = score(slide, "her2-sim", mpp=0.5, pictures=False, force=True).measured
    assert own is not None
    assert usual is not None
    assert (own.score, own.intense_od) == ("2+", 1.1)
    assert own.laboratory is not None
    assert own.laboratory.startswith("dark (")
    assert usual.score == "3+"


def test_what_was_measured_otherwise_is_not_taken_for_it(study: StudyResults, drawn: Path) -> None:
    cache = drawn.parent / "cache"
    before = {path.name for path in cache.iterdir()}
    usual = config_of(drawn, drawn.parent / "usual", entries=MEASURED)
    needs, rows = needs_of(usual.arms[0], usual), read_cohort(drawn).table.with_row_index()["index"].to_list()
    make_artefacts(needs, read_cohort(drawn), rows[:1], cache, workers=1, threads=1)
    assert {path.name for path in cache.iterdir()} > before


def test_a_study_goes_on_with_its_own_laboratory_alone(
    study: StudyResults, drawn: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(study.folder, tmp_path / "copy")
    config = config_of(drawn, folder, entries=MEASURED)
    with pytest.raises(ConfigError, match="laboratory changed"):
        run_study(config, workers=1)
    assert run_study(config, laboratory=laboratory(), workers=1).predictions.equals(study.predictions)


def test_another_markers_file_is_refused_before_any_work(drawn: Path, tmp_path: Path) -> None:
    config = config_of(drawn, tmp_path / "none", entries=MEASURED)
    with pytest.raises(ConfigError, match="holds cut-offs for ER, and the slides are stained for HER2"):
        run_study(config, laboratory=laboratory("ER"), workers=1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("run", [run_study, train_run])
def test_cut_offs_that_know_the_test_slides_are_refused(run, drawn: Path, tmp_path: Path) -> None:
    own = laboratory()
    fitted = own.fitted.model_copy(update={"cohort": read_cohort(drawn).fingerprint})
    write_laboratory(tmp_path / "ours.yaml", own.model_copy(update={"fitted": fitted}).signed())
    config = config_of(drawn, tmp_path, entries=MEASURED)
    with pytest.raises(CohortError, match=r"fitted to this very cohort.*other patients"):
        run(config, laboratory=tmp_path / "ours.yaml", workers=1)
    assert not list(tmp_path.rglob("units"))


def test_a_slide_that_they_were_fitted_to_is_not_tested_whatever_its_name(
    drawn: Path, tmp_path: Path
) -> None:
    own = laboratory(contents=(sha256_of(drawn.parent / "2-1.png"), "0" * 64))
    config = config_of(
        drawn, tmp_path / "study", entries=[STAIN], bundle={"calibrate_on": "validation", "measured": False}
    )
    with pytest.raises(
        CohortError, match=r"fitted to slides that are tested here \(2-1\.png\).*other patients"
    ):
        run_study(config, laboratory=own, workers=1)
    assert not list(tmp_path.rglob("units"))
    # A training does not look at its test slides; the test of it does.
    row = read_cohort(drawn).table["slide_name"].to_list().index("2-1.png")
    folds = json.loads((tmp_path / "study" / "folds.json").read_text())["folds"]
    (fold,) = (number for number, parts in enumerate(folds) if row in parts["test"])
    run = train_run(config, laboratory=own, fold=fold, out=tmp_path / "run", workers=1)
    assert not any("fitted" in note for note in run.notes)
    with pytest.raises(CohortError, match=r"fitted to slides that are tested here \(2-1\.png\)"):
        evaluate_run(run.folder, workers=1, resamples=100)
    validation = next(row for row in folds[fold]["validation"])
    slide = drawn.parent / read_cohort(drawn).table["slide_name"][validation]
    own = laboratory(contents=(sha256_of(slide),))
    run = train_run(config, laboratory=own, fold=fold, out=tmp_path / "other", workers=1)
    (note,) = (note for note in run.notes if "fitted" in note)
    assert f"serve for validation here ({slide.name}), so rules fitted on these promise too much" in note


def test_what_cannot_be_checked_of_older_cut_offs_is_said(drawn: Path, tmp_path: Path) -> None:
    old = laboratory(contents=None).model_copy(update={"software_version": "0.1.0"}).signed()
    config = config_of(drawn, tmp_path / "old", entries=[STAIN])
    notes = run_study(config, laboratory=old, workers=1).notes
    assert any("does not name its slides, so it could not be checked" in note for note in notes)
    assert any(note.startswith("The cut-offs of 'dark' were fitted to what another state") for note in notes)
