"""One unit of an experiment: what it is, where it lies, and what proves that its files are its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.cohort import Cohort, Folds
from lowpower.experiments.artefacts import NOTHING, Artefact, Cost
from lowpower.experiments.plan import Arm, Experiment, FusionArm, needs_of
from lowpower.experiments.units._cross import calibrated_on
from lowpower.files import write_json
from lowpower.made_by import made_by

__all__ = [
    "DONE",
    "Done",
    "Kind",
    "Unit",
    "finished",
    "learnt_anew",
    "lost_unit",
    "outdated",
    "parts_of",
    "unit_folder",
    "unit_of",
]

DONE = "done.json"


class Done(BaseModel):
    """done.json of a unit.

    Attributes:
        fingerprint: Of all that decides its predictions.
        software: The state of lowpower that learnt it; none in records of before.
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
    software: str | None = None
    state: Literal["ok", "failed"] = "ok"
    reason: str | None = None
    details: str | None = None
    left_out: dict[int, str] = {}
    train: Cost = NOTHING
    predict: Cost = NOTHING
    learnt_from: int = 0


Kind = Literal["fold", "untested", "refit"]
"""An arm on a fold; without a look at its test slides; learning from these as well, and testing nothing."""


@dataclass(frozen=True)
class Unit:
    """An arm on a fold, as it travels to the process that runs it.

    Attributes:
        config: The experiment.
        arm: Its arm, by number.
        fold: Its fold.
        kind: What is done of it.
        fingerprint: Of all that decides its predictions.
        learning: Of all that decides what is learnt: the test slides are not in it.
    """

    config: Experiment
    arm: int
    fold: int
    kind: Kind
    fingerprint: str
    learning: str

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return unit_folder(self.config, self.config.arms[self.arm], self.fold, refit=self.kind == "refit")


def unit_folder(config: Experiment, arm: Arm, fold: int, *, refit: bool = False) -> Path:
    """Where an arm's fold, or its refit, is written."""
    return config.folder / "units" / arm.name / f"{'refit' if refit else 'fold'}{fold}"


def parts_of(folds: Folds, fold: int, kind: Kind) -> dict[str, list[int]]:
    """Rows that a unit learns from, is stopped by, and tests."""
    parts = folds.folds[fold].parts()
    if kind == "fold":
        return parts
    learnt = sorted((*parts["train"], *parts["test"])) if kind == "refit" else parts["train"]
    return {"train": learnt, "validation": parts["validation"], "test": []}


def unit_of(
    config: Experiment,
    cohort: Cohort,
    folds: Folds,
    made: Mapping[str, Mapping[int, Artefact]],
    *,
    arm: int,
    fold: int,
    kind: Kind = "fold",
) -> Unit:
    """A unit with what proves later that its files are its own.

    Args:
        config: The experiment.
        cohort: The cohort.
        folds: Its folds.
        made: What was made of each slide, by need and row.
        arm: The arm's number.
        fold: The fold.
        kind: What is to be done of it.
    """
    parts = parts_of(folds, fold, kind)
    learnt = {name: rows for name, rows in parts.items() if name != "test"}
    whole = _record(config, config.arms[arm], cohort, parts, made)
    if calibrated_on(config) != "validation":
        whole.append(calibrated_on(config))
    return Unit(
        config,
        arm,
        fold,
        kind,
        _sha256(whole),
        _sha256(_record(config, config.arms[arm], cohort, learnt, made)),
    )


def _record(
    config: Experiment,
    arm: Arm,
    cohort: Cohort,
    parts: Mapping[str, Sequence[int]],
    made: Mapping[str, Mapping[int, Artefact]],
) -> list[object]:
    """What decides a unit's predictions: arm, settings, rows, labels, slides, the state of the software."""
    members = [other for other in config.arms if isinstance(arm, FusionArm) and other.name in arm.of]
    settings = config.model_dump(mode="json", include={"scheme", "seed", "threads", "coverage"})
    settings["accelerator"] = config.trainer.accelerator
    arms = [entry.model_dump(mode="json") for entry in (arm, *members)]
    rows = sorted(row for part in parts.values() for row in part)
    contents = [
        made[need.key][row].request or made[need.key][row].state
        for need in needs_of(arm, config)
        for row in rows
    ]
    # The number of threads and the memory change no result.
    trainer = config.trainer.model_dump(mode="json", exclude={"accelerator", "threads", "ram_megabytes"})
    return [made_by("model"), settings, arms, cohort.fingerprint, dict(parts), contents, trainer]


def _sha256(record: list[object]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def finished(unit: Unit) -> Done | None:
    """The record of a unit that came to its end; a failed or another one does not count."""
    try:
        done = Done.model_validate_json((unit.folder / DONE).read_bytes())
    except (OSError, ValidationError):
        return None
    return done if done.fingerprint == unit.fingerprint and done.state == "ok" else None


def outdated(folder: Path) -> str | None:
    """Which other state of the software brought the unit in a folder to its end; None where none did."""
    try:
        done = Done.model_validate_json((folder / DONE).read_bytes())
    except (OSError, ValidationError):
        return None
    other = done.state == "ok" and done.software != made_by("model")
    return done.software or "an earlier version" if other else None


def learnt_anew(folders: Sequence[Path]) -> tuple[str, ...]:
    """What is to be said of units that another state of the software finished, before they are run."""
    states = [state for folder in folders if (state := outdated(folder)) is not None]
    if not states:
        return ()
    said = "1 unit was" if len(states) == 1 else f"{len(states)} units were"
    return (
        f"{said} finished by another state of lowpower ({', '.join(sorted(set(states)))}) and learnt anew; "
        "what was there is kept in set-aside-1 or the next.",
    )


def lost_unit(unit: Unit, why: str) -> Done:
    """The record of a unit whose process died each time; it is tried again by the next run."""
    name = unit.config.arms[unit.arm].name
    done = Done(fingerprint=unit.fingerprint, state="failed", reason=f"{name}, fold {unit.fold}: {why}")
    write_json(unit.folder / "done.json", done.model_dump(mode="json"))
    return done
