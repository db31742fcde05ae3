"""Running a unit: learnt, calibrated and tested; done when `done.json` is there."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from lowpower.cohort import Cohort, load_folds, read_cohort
from lowpower.errors import CohortError, LowpowerError, OutputError
from lowpower.evaluation import Calibration, apply_temperature, conformal_sets, fit_calibration
from lowpower.experiments.artefacts import NOTHING, Artefact, load_artefacts, watch
from lowpower.experiments.plan import CALIBRATION, FOLDS, FusionArm, needs_of
from lowpower.experiments.units._cross import cross_predictions, wants_cross
from lowpower.experiments.units._late_fusion import cross_fused, fit_weights, fused
from lowpower.experiments.units._learners import LEARNERS, Material
from lowpower.experiments.units._learnt import Learnt, predictor_of
from lowpower.experiments.units._unit import DONE, Done, Unit, outdated, parts_of, unit_folder
from lowpower.files import atomic_path, make_folder, output_errors, write_bytes, write_json
from lowpower.made_by import made_by
from lowpower.models import weights_of

__all__ = ["CROSS", "FITTED", "FUSION_WEIGHTS", "WEIGHTS", "learn_unit", "run_unit"]

WEIGHTS, FITTED, FUSION_WEIGHTS = "model.safetensors", "fitted.json", "weights.json"
CROSS = "cross"
"""Table of training and validation slides that a unit calibrated on folds was calibrated on."""
Progress = Callable[[str, int, int], None]


def run_unit(unit: Unit) -> Done:
    """Learn, calibrate, test. Whatever goes wrong is recorded with its reason; the others go on.

    Raises:
        OutputError: the experiment's folder cannot be written.
    """
    try:
        return learn_unit(unit)
    except OutputError:
        raise
    except LowpowerError as error:
        done = Done(fingerprint=unit.fingerprint, state="failed", reason=str(error))
    except Exception as error:  # the batch boundary: one unit's surprise must not end the others
        reason = f"stopped by an unforeseen {type(error).__name__}: {error}"
        details = traceback.format_exc()
        done = Done(fingerprint=unit.fingerprint, state="failed", reason=reason, details=details)
    write_json(unit.folder / DONE, done.model_dump(mode="json"))
    return done


def learn_unit(unit: Unit, *, workers: int = 1, progress: Progress | None = None) -> Done:
    """The same, of a unit that runs alone: what goes wrong is raised.

    Args:
        unit: The unit.
        workers: Processes that may measure for a teacher.
        progress: Called with (stage, done, total).
    """
    if unit.config.threads is not None:
        torch.set_num_threads(unit.config.threads)
    if outdated(unit.folder) is not None:
        _set_aside(unit)
    folder = make_folder(unit.folder)
    _start(folder, unit.learning)
    done = _run(unit, folder, workers, progress)
    write_json(folder / DONE, done.model_dump(mode="json"))
    return done


def _set_aside(unit: Unit) -> None:
    """Move what another state of the software finished out of the way: it took hours, and nothing is lost."""
    home, number = unit.config.folder, 1
    while (target := home / f"set-aside-{number}" / unit.folder.relative_to(home)).exists():
        number += 1
    make_folder(target.parent)
    with output_errors(target):
        unit.folder.rename(target)


def _start(folder: Path, mark: str) -> None:
    """Remove what another unit left here; what a killed run of this one left serves to go on."""
    started = folder / "started.json"
    same = started.is_file() and json.loads(started.read_bytes() or b"{}").get("fingerprint") == mark
    for path in folder.iterdir():
        if path.name == DONE or not same:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(started, {"fingerprint": mark})


def _run(unit: Unit, folder: Path, workers: int, progress: Progress | None) -> Done:
    config, arm = unit.config, unit.config.arms[unit.arm]
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    folds = load_folds(config.folder / FOLDS, cohort)
    parts = {name: sorted(rows) for name, rows in parts_of(folds, unit.fold, unit.kind).items()}
    labels = dict(cohort.labels(config.label_scheme).select("row", "label").iter_rows())
    if isinstance(arm, FusionArm):
        with watch() as learning:
            tables, left_out = _fused(unit, arm)
        predicting, learnt, crossed = NOTHING, len(tables[0]), None
    else:
        rows = [row for part in parts.values() for row in part]
        artefacts = load_artefacts(needs_of(arm, config)[0], cohort, rows, config.cache_folder)
        usable = {name: [row for row in part if artefacts[row].state == "ok"] for name, part in parts.items()}
        for name, part in usable.items():
            if not part and parts[name]:
                first = next(artefacts[row].reason for row in rows if artefacts[row].state != "ok")
                said = "training" if name == "train" else name
                raise CohortError(f"no {said} slide could be used (first: {first})")
        known = {row: labels[row] for name in ("train", "validation") for row in parts[name]}
        material = Material(
            config, cohort, known, usable["train"], usable["validation"], artefacts,
            folder / "training", folder / "cells", workers, progress,
        )  # fmt: skip
        _write_slides(folder / "slides.csv", cohort, parts, artefacts)
        with watch() as learning:
            learnt_arm = LEARNERS[arm.paradigm](arm, material)
            predictor = predictor_of(arm, config, learnt_arm, artefacts)
            seen = learnt_arm.held_out
            if seen is None:
                seen = np.stack([predictor(row) for row in material.validation])
            crossed = cross_predictions(arm, material, folder / "cross") if wants_cross(material) else None
        _keep(folder, learnt_arm)
        with watch() as testing:
            said_of = [predictor(row) for row in usable["test"]]
            found = np.stack(said_of) if said_of else np.empty((0, seen.shape[1]))
        tables = (
            _table(cohort, labels, usable["validation"], seen),
            _table(cohort, labels, usable["test"], found),
        )
        left_out = {row: artefacts[row].reason or "" for row in parts["test"] if row not in usable["test"]}
        predicting, learnt = testing.cost, len(usable["train"]) + len(usable["validation"])
    told = {"validation": tables[0], "test": tables[1]}
    if crossed is not None:
        told[CROSS] = _table(cohort, labels, *crossed)
    calibration = fit_calibration(
        told.get(CROSS, told["validation"]), config.label_scheme, coverage=config.coverage
    )
    write_json(folder / CALIBRATION, calibration.model_dump(mode="json"))
    for name, table in told.items():
        with atomic_path(folder / f"{name}.parquet") as temporary:
            _calibrated(table, calibration).write_parquet(temporary)
    return Done(
        fingerprint=unit.fingerprint,
        software=made_by("model"),
        left_out=left_out,
        train=learning.cost,
        predict=predicting,
        learnt_from=learnt,
    )


def _write_slides(
    path: Path, cohort: Cohort, parts: Mapping[str, Sequence[int]], artefacts: Mapping[int, Artefact]
) -> None:
    """slides.csv: which slide serves for what, and why one does not."""
    rows = [
        (row, str(cohort.table["slide_name"][row]), name, artefacts[row].reason)
        for name, part in parts.items()
        for row in part
    ]
    schema = {"row": pl.Int64, "slide": pl.String, "part": pl.String, "reason": pl.String}
    with atomic_path(path) as temporary:
        pl.DataFrame(sorted(rows), schema=schema, orient="row").write_csv(temporary)


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
    folders = [unit_folder(config, member, unit.fold, refit=unit.kind == "refit") for member in members]
    for member, folder in zip(members, folders, strict=True):
        done = Done.model_validate_json((folder / DONE).read_bytes())
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
