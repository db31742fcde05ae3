"""Slides that may carry control tissue are named, and not learnt from in silence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from lowpower.cohort import read_cohort, write_manifest
from lowpower.errors import CohortError
from lowpower.experiments import doubtful_in, prepare_run, run_study, train_run
from lowpower.experiments.artefacts._makers import MAKERS

BLUE, BROWN = (0.10, 0.09, 0.05), (0.28, 0.51, 0.61)


def twins(path: Path, *stains: tuple[float, float, float]) -> None:
    """Pieces of 1.3 mm side by side at 16 um/px; of a brown and a blue one either may be the control."""
    rng = np.random.default_rng(int(path.stem[1:]))
    density = np.zeros((250, 375, 3))
    for x, stain in zip((62, 200), stains, strict=False):
        density[62:143, x : x + 81] = rng.uniform(0.6, 1.4, (81, 81, 1)) * np.array(stain)
    image = np.array([238.0, 238, 242]) * 10.0**-density + rng.normal(0, 1.2, density.shape)
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])


@pytest.fixture
def cohort(tmp_path: Path):
    """Twelve patients; of the first two slides nothing is said, though each may carry a control."""

    def write(said: str | None) -> Path:
        rows = []
        for number in range(12):
            doubtful = number < 2
            path = tmp_path / f"s{number:02d}.png"
            twins(path, *((BROWN, BLUE) if doubtful else (BROWN if number % 2 else BLUE,)))
            row = {"slide": path.name, "patient": f"p{number}", "marker": "her2", "mpp": 16.0}
            rows.append(row | {"score": "3+" if number % 2 else "0", "control": said if doubtful else None})
        return write_manifest(tmp_path / "cohort.csv", rows)

    return write


def configured(manifest: Path, **changes: object) -> Path:
    config = {
        "name": "small", "cohort": manifest.name, "scheme": "her2_status", "out": "run",
        "folds": {"outer": 2, "validation_share": 0.5}, "model": {"backbone": "test_convnext"},
        "view": {"mpp": 32.0}, "fitting": {"epochs": 1, "crop": 64}, "bundle": {"measured": False},
    } | changes  # fmt: skip
    path = manifest.parent / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_preparing_names_them_and_training_refuses_them(cohort) -> None:
    manifest = cohort(None)
    config = configured(manifest)
    assert doubtful_in(config, prepare_run(config)) == ["s00.png", "s01.png"]
    with pytest.raises(CohortError, match=r"may be on-slide control.*column control.*doubtful_control"):
        train_run(config, workers=1)
    assert not (manifest.parent / "run" / "units").exists()


@pytest.mark.parametrize(("said", "allowed"), [("none", 0.0), (None, 1.0)])
def test_what_is_said_or_allowed_is_learnt_from(cohort, said, allowed) -> None:
    manifest = cohort(said)
    if said is None:  # what the refusal advises may be done in the folder that it left
        with pytest.raises(CohortError, match=r"doubtful_control: 0\.\d+\."):
            train_run(configured(manifest), workers=1)
    config = configured(manifest, doubtful_control=allowed)
    assert train_run(config, workers=1).bundle.is_dir()
    assert bool(doubtful_in(config, prepare_run(config))) == (said is None)


def test_a_study_refuses_them_before_any_arm_runs(cohort) -> None:
    manifest = cohort(None)
    study = {
        "name": "s", "cohort": manifest.name, "scheme": "her2_status", "out": "study",
        "folds": {"outer": 2, "validation_share": 0.5},
        "arms": [{"paradigm": "slide", "mpp": 32.0, "model": {"backbone": "test_convnext"}}],
    }  # fmt: skip
    path = manifest.parent / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    with pytest.raises(CohortError, match=r"on 2 of 12 slides.*s00\.png, s01\.png"):
        run_study(path, workers=1)
    assert not list((manifest.parent / "study").glob("units/*/*/done.json"))


@pytest.mark.parametrize("views", [True, False])
def test_they_are_refused_before_anything_dear_is_made(cohort, monkeypatch, views) -> None:
    """Patches, features and cells take minutes a slide; the tissue of all is looked at before."""
    manifest, dear = cohort(None), []
    for kind in ("bag", "patches", "measure"):
        monkeypatch.setitem(MAKERS, kind, lambda *_: dear.append(1))
    arms = [{"paradigm": "measured"}, {"paradigm": "mil", "encoder": "stain"}, {"paradigm": "patch"}]
    view = {"paradigm": "slide", "mpp": 32.0, "model": {"backbone": "test_convnext"}}
    study = {
        "name": "s", "cohort": manifest.name, "scheme": "her2_status", "out": "study",
        "folds": {"outer": 2, "validation_share": 0.5}, "arms": [*arms, view] if views else arms,
    }  # fmt: skip
    path = manifest.parent / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    stages = []
    with pytest.raises(CohortError, match=r"on 2 of 12 slides.*s00\.png, s01\.png"):
        run_study(path, workers=1, progress=lambda stage, *_: stages.append(stage))
    assert dear == []
    assert set(stages) == {"making views" if views else "looking for control tissue"}


def test_checking_finds_them_first(cohort) -> None:
    from lowpower.cohort import check_cohort

    problems = check_cohort(cohort(None), find_control=True).problems
    assert [p.slide for p in problems if p.kind == "doubtful_control"] == ["s00.png", "s01.png"]
    assert not any(
        p.kind == "doubtful_control" for p in check_cohort(cohort("none"), find_control=True).problems
    )
    assert read_cohort(cohort("none")).table["control"][0] == "none"
