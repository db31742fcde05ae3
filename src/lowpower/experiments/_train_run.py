"""A training: a study of one arm on one fold, whose test slides stay unseen, and the bundle of its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lowpower.cohort import Cohort, read_cohort
from lowpower.evaluation import Calibration
from lowpower.experiments._ready import configured, make_ready, threads_kept
from lowpower.experiments.artefacts import Artefact, make_artefacts
from lowpower.experiments.deployment import Maker
from lowpower.experiments.plan import CALIBRATION, Experiment, doubtful_slides, needs_of, one_arm
from lowpower.experiments.units import finished, learn_unit, learnt_anew, unit_of
from lowpower.stain import Laboratory

__all__ = ["FinishedRun", "PreparedSlide", "doubtful_in", "prepare_run", "train_run"]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A trained and calibrated network.

    Attributes:
        folder: The run's folder.
        unit: The folder within it of what was learnt: training/ with history.csv, slides.csv, tables.
        bundle: The bundle's folder.
        calibration: Temperature, conformal rule and operating points, from slides not learnt from.
        validation: Columns row, slide, patient, label, p_0 .. (calibrated), set_size, referred; one row a
            validation slide.
        notes: What the user must know: slides left out for want of ISH, slides that look like copies.
    """

    folder: Path
    unit: Path
    bundle: Path
    calibration: Calibration
    validation: pl.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedSlide:
    """What `prepare` made of one slide.

    Attributes:
        row: Row of the cohort's table.
        slide: Its path.
        state: ok, refused or failed; the first that is not ok where arms need several things.
        reason: One sentence, None when ok.
        flags: Codes of the tissue's quality flags.
    """

    row: int
    slide: str
    state: str
    reason: str | None
    flags: tuple[str, ...]


def prepare_run(
    config: Experiment | str | Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[PreparedSlide]:
    """Make what a configuration's arms need of every labelled slide (views, patches, features), ahead.

    None of it depends on labels or folds, so test slides are prepared too; nothing is learnt from them.
    """
    config = configured(config)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    rows = cohort.labels(config.label_scheme)["row"].to_list()
    threads = config.threads or 1
    with threads_kept():
        made = make_artefacts(
            tuple(dict.fromkeys(need for arm in config.arms for need in needs_of(arm, config))),
            cohort,
            rows,
            config.cache_folder,
            workers=workers,
            threads=threads,
            progress=progress,
        )
    return [_prepared(cohort, row, made) for row in rows]


def _prepared(cohort: Cohort, row: int, made: Mapping[str, Mapping[int, Artefact]]) -> PreparedSlide:
    each = [of[row] for of in made.values()]
    told = next((artefact for artefact in each if artefact.state != "ok"), each[0])
    return PreparedSlide(row, str(cohort.table["slide"][row]), told.state, told.reason, told.flags)


def doubtful_in(config: Experiment | str | Path, prepared: list[PreparedSlide]) -> list[str]:
    """Names of prepared slides whose control tissue is doubtful and unstated in the cohort's manifest."""
    config = configured(config)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    return doubtful_slides(cohort, {slide.row: slide.flags for slide in prepared})


def train_run(
    config: Experiment | str | Path,
    *,
    arm: str | None = None,
    fold: int | None = None,
    out: str | Path | None = None,
    laboratory: Laboratory | str | Path | None = None,
    fresh: bool = False,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> FinishedRun:
    """Train one arm on one fold and write a calibrated bundle; a killed run goes on where it stopped.

    Test slides are opened to look for copies alone; `evaluate_run` predicts them.

    Args:
        config: The configuration, or its YAML file.
        arm: Which arm, where it has several.
        fold: Which fold, over what it says; else the one it names, or the first.
        out: The run's folder, over what it says.
        laboratory: Whose cut-offs measure the stain, over what it says.
        fresh: Forget an earlier run in the same folder.
        workers: Processes that read and measure slides; by default every processor.
        progress: Called with (stage, done, total).

    Returns:
        The run.

    Raises:
        ConfigError: the configuration is wrong, or the folder holds another configuration's run.
        CohortError: the manifest or folds cannot be used.
        WeightsError: pretrained weights cannot be had.
        OutputError: the folder cannot be written.
    """
    config = one_arm(configured(config, laboratory=laboratory), arm, fold)
    config = configured(config, out)
    ready = make_ready(config, fresh=fresh, tested=False, workers=workers, progress=progress)
    (number,) = ready.wanted
    unit = unit_of(config, ready.cohort, ready.folds, ready.made, arm=0, fold=number, kind="untested")
    known = finished(unit)
    anew = () if known is not None else learnt_anew([unit.folder])
    with threads_kept():
        done = known or learn_unit(unit, workers=ready.workers, progress=progress)
        maker = Maker(
            config,
            ready.cohort,
            ready.folds,
            config.arms[0],
            {number: done},
            "the one that `lowpower train` trained.",
            workers=ready.workers,
            progress=progress,
        )
        bundle = maker.replace(number)
    left_out = ready.cohort.left_out(config.label_scheme)
    return FinishedRun(
        config.folder,
        unit.folder,
        bundle.folder,
        Calibration.model_validate_json((unit.folder / CALIBRATION).read_bytes()),
        pl.read_parquet(unit.folder / "validation.parquet"),
        (*filter(None, [left_out]), *ready.doubts, *anew, *maker.notes),
    )
