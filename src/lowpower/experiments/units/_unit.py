"""One unit of a study: an arm on a fold, learnt, calibrated and tested; done when `done.json` is there."""

from __future__ import annotations

import hashlib
import json
import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.cohort import Cohort, load_folds, read_cohort
from lowpower.errors import CohortError, LowpowerError, OutputError
from lowpower.evaluation import Calibration, apply_temperature, conformal_sets, fit_calibration
from lowpower.experiments.artefacts import NOTHING, Cost, load_artefacts, watch
from lowpower.experiments.plan import FOLDS, Arm, FusionArm, StudyConfig, needs_of
from lowpower.experiments.units._late_fusion import cross_fused, fit_weights, fused
from lowpower.experiments.units._learners import LEARNERS, Learnt, Material
from lowpower.files import atomic_path, make_folder, write_bytes, write_json
from lowpower.models import weights_of

__all__ = [
    "FITTED",
    "FUSION_WEIGHTS",
    "WEIGHTS",
    "Done",
    "Unit",
    "fingerprint",
    "finished",
    "lost_unit",
    "run_unit",
    "unit_folder",
]

WEIGHTS, FITTED, FUSION_WEIGHTS = "model.safetensors", "fitted.json", "weights.json"
_MAKER = 4
"""Raise when the same unit would give other predictions than before."""


class Done(BaseModel):
    """done.json of a unit.

    Attributes:
        fingerprint: Of all that decides its predictions.
        state: ok or failed.
        reason: Why it failed, one sentence.
        details: The traceback of an unforeseen error.
        left_out: Reason by row, of test slides that could not be predicted.
        train: Cost of learning and calibrating.
        predict: Cost of predicting the test slides.
        learnt_from: Training and validation slides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    fingerprint: str
    state: Literal["ok", "failed"] = "ok"
    reason: str | None = None
    details: str | None = None
    left_out: dict[int, str] = {}
    train: Cost = NOTHING
    predict: Cost = NOTHING
    learnt_from: int = 0


@dataclass(frozen=True)
class Unit:
    """An arm on a fold, as it travels to the process that runs it.

    A refit learns from the fold's test slides as well, so that every slide of the cohort takes part, and
    tests nothing.
    """

    config: StudyConfig
    arm: int
    fold: int
    fingerprint: str
    refit: bool = False

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return unit_folder(self.config, self.config.arms[self.arm], self.fold, refit=self.refit)


def unit_folder(config: StudyConfig, arm: Arm, fold: int, *, refit: bool = False) -> Path:
    """Where an arm's fold, or its refit, is written."""
    return config.folder / "units" / arm.name / f"{'refit' if refit else 'fold'}{fold}"


def fingerprint(
    config: StudyConfig, arm: Arm, cohort: Cohort, parts: Mapping[str, Sequence[int]], contents: Sequence[str]
) -> str:
    """SHA-256 of what decides a unit's predictions: arm, settings, rows, labels, slides, code version.

    Args:
        config: The study.
        arm: The arm; a fusion depends on its arms too.
        cohort: The cohort.
        parts: Rows of the fold's parts.
        contents: What was made of each slide for the arm (`Artefact.request`).
    """
    members = [other for other in config.arms if isinstance(arm, FusionArm) and other.name in arm.of]
    settings = config.model_dump(
        mode="json", include={"scheme", "seed", "threads", "accelerator", "coverage"}
    )
    arms = [entry.model_dump(mode="json") for entry in (arm, *members)]
    record = [_MAKER, settings, arms, cohort.fingerprint, dict(parts), list(contents)]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def finished(unit: Unit) -> Done | None:
    """The record of a unit that came to its end; a failed or another one does not count."""
    try:
        done = Done.model_validate_json((unit.folder / "done.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return done if done.fingerprint == unit.fingerprint and done.state == "ok" else None


def run_unit(unit: Unit) -> Done:
    """Learn, calibrate, test. Whatever goes wrong is recorded with its reason; the others go on.

    Raises:
        OutputError: the study folder cannot be written.
    """
    torch.set_num_threads(unit.config.threads)
    folder = make_folder(unit.folder)
    _start(folder, unit.fingerprint)
    try:
        done = _run(unit, folder)
    except OutputError:
        raise
    except LowpowerError as error:
        done = Done(fingerprint=unit.fingerprint, state="failed", reason=str(error))
    except Exception as error:  # the batch boundary: one unit's surprise must not end the others
        reason = f"stopped by an unforeseen {type(error).__name__}: {error}"
        details = traceback.format_exc()
        done = Done(fingerprint=unit.fingerprint, state="failed", reason=reason, details=details)
    write_json(folder / "done.json", done.model_dump(mode="json"))
    return done


def lost_unit(unit: Unit, why: str) -> Done:
    """The record of a unit whose process died each time; it is tried again by the next run."""
    name = unit.config.arms[unit.arm].name
    done = Done(fingerprint=unit.fingerprint, state="failed", reason=f"{name}, fold {unit.fold}: {why}")
    write_json(unit.folder / "done.json", done.model_dump(mode="json"))
    return done


def _start(folder: Path, mark: str) -> None:
    """Remove what another unit left here; what a killed run of this one left serves to go on."""
    started = folder / "started.json"
    same = started.is_file() and json.loads(started.read_bytes() or b"{}").get("fingerprint") == mark
    for path in folder.iterdir():
        if path.name == "done.json" or not same:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(started, {"fingerprint": mark})


def _run(unit: Unit, folder: Path) -> Done:
    config, arm = unit.config, unit.config.arms[unit.arm]
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    split = load_folds(config.folder / FOLDS, cohort).split(unit.fold)
    labels = dict(cohort.labels(config.label_scheme).select("row", "label").iter_rows())
    train, validation, test = (part.tolist() for part in (split.train, split.validation, split.test))
    if unit.refit:
        train, test = sorted((*train, *test)), []
    if isinstance(arm, FusionArm):
        with watch() as learning:
            tables, left_out = _fused(unit, arm)
        predicting, learnt = NOTHING, len(tables[0])
    else:
        rows = [*train, *validation, *test]
        artefacts = load_artefacts(needs_of(arm, config)[0], cohort, rows, config.cache_folder)
        usable = {
            name: [row for row in part if artefacts[row].state == "ok"]
            for name, part in (("training", train), ("validation", validation), ("test", test))
        }
        for name, part in usable.items():
            if not part and not (unit.refit and name == "test"):
                first = next(artefacts[row].reason for row in rows if artefacts[row].state != "ok")
                raise CohortError(f"no {name} slide could be used (first: {first})")
        known = {row: labels[row] for row in (*train, *validation)}
        material = Material(
            config, cohort, known, usable["training"], usable["validation"], artefacts, folder
        )
        with watch() as learning:
            learnt_arm = LEARNERS[arm.paradigm](arm, material)
            seen = learnt_arm.of_validation(usable["validation"])
        _keep(folder, learnt_arm)
        with watch() as testing:
            said = [learnt_arm.predict(row) for row in usable["test"]]
            found = np.stack(said) if said else np.empty((0, seen.shape[1]))
        tables = (
            _table(cohort, labels, usable["validation"], seen),
            _table(cohort, labels, usable["test"], found),
        )
        left_out = {row: artefacts[row].reason or "" for row in test if artefacts[row].state != "ok"}
        predicting, learnt = testing.cost, len(usable["training"]) + len(usable["validation"])
    calibration = fit_calibration(tables[0], config.label_scheme, coverage=config.coverage)
    write_json(folder / "calibration.json", calibration.model_dump(mode="json"))
    for name, table in (("validation", tables[0]), ("test", tables[1])):
        with atomic_path(folder / f"{name}.parquet") as temporary:
            _calibrated(table, calibration).write_parquet(temporary)
    return Done(
        fingerprint=unit.fingerprint,
        left_out=left_out,
        train=learning.cost,
        predict=predicting,
        learnt_from=learnt,
    )


def _keep(folder: Path, learnt: Learnt) -> None:
    """Write what it takes to use what was learnt (`lowpower deploy`)."""
    if learnt.module is not None:
        write_bytes(folder / WEIGHTS, weights_of(learnt.module))
    write_json(folder / FITTED, learnt.fitted.model_dump(mode="json"))


def _table(
    cohort: Cohort, labels: Mapping[int, int], rows: Sequence[int], probabilities: NDArray[np.float64]
) -> pl.DataFrame:
    """Columns row, slide, patient, label, p_0 ..."""
    table = cohort.table[list(rows)]
    return pl.DataFrame(
        {
            "row": pl.Series(rows, dtype=pl.Int64),
            "slide": table["slide_name"],
            "patient": table["patient"],
            "label": pl.Series([labels[row] for row in rows], dtype=pl.Int64),
        }
        | {f"p_{index}": column for index, column in enumerate(probabilities.T)}
    )


def _calibrated(table: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """The table with tempered probabilities, the size of each conformal set, and whether it refers."""
    names = [name for name in table.columns if name.startswith("p_")]
    tempered = apply_temperature(table.select(names).to_numpy(), calibration.temperature)
    size = conformal_sets(tempered, calibration.conformal).sum(1)
    return table.with_columns(
        *(pl.Series(name, column) for name, column in zip(names, tempered.T, strict=True)),
        pl.Series("set_size", size, dtype=pl.Int64),
        pl.Series("referred", size != 1),
    )


def _fused(unit: Unit, arm: FusionArm) -> tuple[tuple[pl.DataFrame, pl.DataFrame], dict[int, str]]:
    """Validation and test tables of a fusion, before its own calibration; test rows it has to leave out."""
    config = unit.config
    members = [other for name in arm.of for other in config.arms if other.name == name]
    folders = [unit_folder(config, member, unit.fold, refit=unit.refit) for member in members]
    for member, folder in zip(members, folders, strict=True):
        done = Done.model_validate_json((folder / "done.json").read_bytes())
        if done.state != "ok":
            raise CohortError(f"it needs the arm {member.name!r}, which failed on this fold.")
    left_out: dict[int, str] = {}
    parts = []
    for name in ("validation", "test"):
        tables = [pl.read_parquet(folder / f"{name}.parquet") for folder in folders]
        shared = set.intersection(*(set(table["row"].to_list()) for table in tables))
        if name == "test":
            for member, table in zip(members, tables, strict=True):
                gone = set().union(*(other["row"].to_list() for other in tables)) - set(table["row"])
                left_out |= {row: f"the arm {member.name} could not predict it" for row in sorted(gone)}
        parts.append([table.filter(pl.col("row").is_in(shared)).sort("row") for table in tables])
    names = [name for name in parts[0][0].columns if name.startswith("p_")]
    values = [[table.select(names).to_numpy() for table in part] for part in parts]
    known, patients = (parts[0][0][name].to_numpy() for name in ("label", "patient"))
    try:
        held_out = cross_fused(values[0], known, patients)
    except ValueError as error:
        raise CohortError(f"its validation slides are too few to weigh arms ({error}).") from error
    weights = fit_weights(values[0], known)
    write_json(unit.folder / FUSION_WEIGHTS, dict(zip(arm.of, weights.tolist(), strict=True)))
    made = [
        part[0]
        .select("row", "slide", "patient", "label")
        .with_columns(*(pl.Series(name, column) for name, column in zip(names, told.T, strict=True)))
        for part, told in zip(parts, (held_out, fused(values[1], weights)), strict=True)
    ]
    return (made[0], made[1]), left_out
