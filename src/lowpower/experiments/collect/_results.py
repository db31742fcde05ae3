"""What a study found, in memory and on disk: the contract between the engine and whoever reports.

A study folder holds `study.json` (the configuration as run), `folds.json`, `audit.json` and `results/`:
`predictions`, `units`, `costs` and `left_out` (CSV; predictions also Parquet), `validation.parquet`,
`arms.json`, `notes.json`.
Predictions, units, left_out, arms and notes are the same bytes on every run; costs are clocks and are not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.errors import ConfigError
from lowpower.experiments.plan import RESULTS, STUDY, Experiment
from lowpower.files import atomic_path, make_folder, write_json

__all__ = ["ArmRecord", "Paradigm", "StudyResults", "load_study", "save_results"]

Paradigm = Literal["slide", "mil", "patch", "fusion", "measured"]

UNITS: Final[dict[str, Any]] = {"arm": pl.String, "fold": pl.Int64, "state": pl.String, "reason": pl.String}
LEFT_OUT: Final[dict[str, Any]] = {
    "arm": pl.String,
    "fold": pl.Int64,
    "row": pl.Int64,
    "slide": pl.String,
    "reason": pl.String,
}
COSTS: Final[dict[str, Any]] = {
    "arm": pl.String,
    "fold": pl.Int64,
    "stage": pl.String,
    "slides": pl.Int64,
    "wall_s": pl.Float64,
    "cpu_s": pl.Float64,
    "added_mb": pl.Float64,
    "peak_mb": pl.Float64,
    "bytes_read": pl.Int64,
    "bytes_stored": pl.Int64,
}


class ArmRecord(BaseModel):
    """One arm.

    Attributes:
        name: As in every table.
        paradigm: What kind of arm.
        mpp: The finest um/px the arm reads.
        label: A few words for a reader.
        settings: The arm's section of the configuration, defaults included.
        state: ok where every fold is; failed where none is; else partial.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    paradigm: Paradigm
    mpp: float
    label: str
    settings: dict[str, Any]
    state: Literal["ok", "partial", "failed"]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A study's outcome.

    Attributes:
        folder: The study folder.
        config: What was run; paths absolute.
        arms: In the configuration's order.
        predictions: One row an arm and test slide: arm, fold, row (index into the cohort's table), slide (as
            the manifest spells it), patient, distinct (yes where the manifest says so of a patient whose
            identifier is nearly another's), site, scanner (null where the manifest has none), label, p_0 ..
            p_(K-1) (calibrated on that fold's validation slides), set_size (classes in the conformal set) and
            referred (whether the set holds another number of classes than one).
        units: One row an arm and fold: arm, fold, state (ok, failed), reason (null when ok).
        costs: One row an arm, fold and stage: arm, fold, stage, slides, wall_s, cpu_s, added_mb, peak_mb,
            bytes_read, bytes_stored; sums over `slides` slides, of memory the maximum. Stages `read` (slide
            to view or tissue), `features` (patches, features or cells), `predict` are of the test slides:
            what the arm costs in use; what arms share is counted for each of them. `train` is training and
            validation. bytes_read is null where the system does not tell it.
        left_out: Test slides that an arm could not predict: arm, fold, row, slide, reason.
        notes: Sentences a reader must know: simulated slides, caps, slides left out.
        validation: One row an arm, fold and validation slide: arm, fold, row, slide, patient, label, p_0 ..
            (calibrated on these very slides). Empty where it was not collected. What is chosen before the
            test is looked at, such as the arm that others are held against, is chosen on it.
    """

    folder: Path
    config: Experiment
    arms: tuple[ArmRecord, ...]
    predictions: pl.DataFrame
    units: pl.DataFrame
    costs: pl.DataFrame
    left_out: pl.DataFrame
    notes: tuple[str, ...]
    validation: pl.DataFrame = field(default_factory=pl.DataFrame)

    def of_arm(self, name: str) -> pl.DataFrame:
        """One arm's predictions over all folds, by slide; what `evaluate_predictions` takes."""
        return self.predictions.filter(pl.col("arm") == name).sort("row")


def save_results(results: StudyResults) -> Path:
    """Write `<folder>/results/`, each file whole or not at all."""
    folder = make_folder(results.folder / RESULTS)
    for name in ("predictions", "units", "costs", "left_out"):
        with atomic_path(folder / f"{name}.csv") as temporary:
            getattr(results, name).write_csv(temporary)
    with atomic_path(folder / "predictions.parquet") as temporary:
        results.predictions.write_parquet(temporary)
    with atomic_path(folder / "validation.parquet") as temporary:
        results.validation.write_parquet(temporary)
    write_json(folder / "arms.json", [arm.model_dump(mode="json") for arm in results.arms])
    write_json(folder / "notes.json", list(results.notes))
    return folder


def load_study(folder: str | Path) -> StudyResults:
    """Read the results of a study.

    Raises:
        ConfigError: `folder` is no study with results, or its records were altered.
    """
    folder = Path(folder)
    results = folder / RESULTS
    try:
        config = Experiment.model_validate_json((folder / STUDY).read_bytes())
        arms = json.loads((results / "arms.json").read_bytes())
        notes = json.loads((results / "notes.json").read_bytes())
        return StudyResults(
            folder,
            config,
            tuple(ArmRecord.model_validate(arm) for arm in arms),
            pl.read_parquet(results / "predictions.parquet"),
            pl.read_csv(results / "units.csv", schema=UNITS),
            pl.read_csv(results / "costs.csv", schema=COSTS),
            pl.read_csv(results / "left_out.csv", schema=LEFT_OUT),
            tuple(notes),
            pl.read_parquet(results / "validation.parquet"),
        )
    except OSError as error:
        missing = Path(str(error.filename or "results")).name
        raise ConfigError(
            f"{folder}: holds no study results ({missing} is missing); make them with lowpower study."
        ) from error
    except (ValidationError, ValueError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"{folder}: its records were altered; run lowpower study again.") from error
