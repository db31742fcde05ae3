"""From a configuration to a calibrated bundle: folds, training, thresholds. No test slide is opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lowpower.cohort import (
    Cohort,
    Folds,
    content_hashes,
    load_folds,
    make_folds,
    near_copies,
    read_cohort,
    refuse_copies,
)
from lowpower.engine import default_workers, of_stage
from lowpower.errors import CohortError, ConfigError
from lowpower.evaluation import Calibration, DecisionOptions, fit_calibration, fit_decision
from lowpower.experiments._cross_predictions import cross_predictions, wants_cross
from lowpower.experiments.artefacts import with_measured
from lowpower.experiments.plan import BUNDLE, CALIBRATION, FOLDS, MEASURED, doubtful_slides, refuse_doubtful
from lowpower.files import atomic_path, write_json
from lowpower.models import Bundle, BundleSpec, ConformalLimits, Decision, save_bundle, software_versions
from lowpower.training import TrainConfig, TrainingRun, check_trainer, read_config, train
from lowpower.views import PreparedView, prepare_views

__all__ = ["FinishedRun", "doubtful_in", "prepare_run", "train_run"]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A trained and calibrated run.

    Attributes:
        folder: The run folder.
        bundle: The bundle's folder within it.
        training: What training did, with the slides it left out.
        calibration: Temperature, conformal rule and operating points from the validation slides.
        notes: What the user must know: slides left out for want of ISH, slides that look like copies.
    """

    folder: Path
    bundle: Path
    training: TrainingRun
    calibration: Calibration
    notes: tuple[str, ...] = ()


def prepare_run(
    config_path: str | Path, *, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[PreparedView]:
    """Make the view of every labelled slide of a configuration's cohort, ahead of training.

    Views do not depend on labels or folds, so test slides are prepared too; nothing is learnt from them.
    """
    config = read_config(config_path)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    rows = cohort.labels(config.label_scheme)["row"].to_list()
    return prepare_views(
        cohort, config.view, config.view_folder, rows=rows, workers=workers, progress=progress
    )


def doubtful_in(config_path: str | Path, prepared: Sequence[PreparedView]) -> list[str]:
    """Names of prepared slides whose control tissue is doubtful and unstated in the cohort's manifest."""
    config = read_config(config_path)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    return doubtful_slides(cohort, {record.row: record.flags for record in prepared})


def train_run(
    config_path: str | Path,
    *,
    out: str | Path | None = None,
    fresh: bool = False,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> FinishedRun:
    """Train as configured and write a calibrated bundle; a killed run goes on where it stopped.

    Args:
        config_path: The YAML configuration.
        out: Run folder, over what the configuration says.
        fresh: Forget an earlier run in the same folder.
        workers: Processes that make views; by default every processor.
        progress: Called with (stage, done, total).

    Returns:
        The run.

    Raises:
        ConfigError: the configuration is wrong, or the folder holds another configuration's run.
        CohortError: the manifest or folds cannot be used.
        WeightsError: pretrained weights cannot be had.
        OutputError: the folder cannot be written.
    """
    config = read_config(config_path)
    if out is not None:
        config = config.model_copy(update={"out": Path(out)})
    config = config.model_copy(update={"cohort": config.cohort.resolve(), "out": config.run_folder.resolve()})
    check_trainer(config.trainer)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    refuse_copies(cohort, content_hashes(cohort))
    folds = folds_of(config, cohort)
    if fresh:  # not before it is clear that another run can begin
        _forget(config.run_folder)
    split = folds.split(config.folds.fold)
    workers = workers or default_workers()
    report = of_stage(progress, "looking for copies")
    notes = near_copies(cohort, folds, [config.folds.fold], workers=workers, progress=report)
    parts = split.train.tolist(), split.validation.tolist()
    prepared = _views(config, cohort, [row for part in parts for row in part], workers, progress)
    training = train(
        config,
        cohort,
        train_rows=parts[0],
        validation_rows=parts[1],
        workers=workers,
        prepared=prepared,
        progress=progress,
    )
    folds.save(training.folder / FOLDS)
    seen = training.validation
    if wants_cross(config, cohort, [*parts[0], *parts[1]], seen.height):
        seen = cross_predictions(config, cohort, training, prepared, progress)
        with atomic_path(training.folder / "predictions_folds.csv") as temporary:
            seen.write_csv(temporary)
    calibration = fit_calibration(seen, config.label_scheme, coverage=config.bundle.coverage)
    write_json(training.folder / CALIBRATION, calibration.model_dump(mode="json"))
    decision = _decision(config, cohort, seen, training.folder, calibration, workers, progress)
    bundle = _write_bundle(config, cohort, training, calibration, decision)
    notes = (*filter(None, [cohort.left_out(config.label_scheme)]), *notes)
    return FinishedRun(training.folder, bundle.folder, training, calibration, notes)


def _views(
    config: TrainConfig,
    cohort: Cohort,
    rows: list[int],
    workers: int,
    progress: Callable[[str, int, int], None] | None,
) -> list[PreparedView]:
    """Views of the slides to learn from; refused where on too many of them control tissue is doubtful."""
    report = of_stage(progress, "views")
    prepared = prepare_views(
        cohort, config.view, config.view_folder, rows=rows, workers=workers, progress=report
    )
    flags = {record.row: record.flags for record in prepared if record.state == "ok"}
    refuse_doubtful(cohort, flags, config.doubtful_control)
    return prepared


def _decision(
    config: TrainConfig,
    cohort: Cohort,
    table: pl.DataFrame,
    folder: Path,
    calibration: Calibration,
    workers: int,
    progress: Callable[[str, int, int], None] | None,
) -> Decision:
    """When the model's answers are issued, from predictions on slides and what is measured on them."""
    options = config.bundle
    if options.measured:
        report = of_stage(progress, "measuring")
        scheme = config.label_scheme
        table = with_measured(table, cohort, scheme, folder / MEASURED, workers=workers, progress=report)
    return fit_decision(
        table,
        config.label_scheme,
        temperature=calibration.temperature,
        options=DecisionOptions(options.error, options.cutoff_error, options.confidence, options.coverage),
    )


def folds_of(config: TrainConfig, cohort: Cohort) -> Folds:
    """The configuration's folds: from its file, or made (the same for the same cohort and seed).

    Raises:
        CohortError: they do not fit the cohort, leak, or cannot be made.
    """
    options = config.folds
    if options.file is not None:
        folds = load_folds(options.file, cohort)
        if folds.scheme != config.scheme:
            raise CohortError(
                f"{options.file}: these folds are stratified for {folds.scheme}, not {config.scheme}; "
                "make new folds."
            )
        return folds
    return make_folds(
        cohort,
        config.label_scheme,
        outer=options.outer,
        seed=options.seed,
        validation_share=options.validation_share,
        leave_out=options.leave_out,
    )


def _forget(folder: Path) -> None:
    """Remove an earlier run, and only a run: a folder that holds something else stays."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "config.json").is_file()):
        raise ConfigError(f"{folder}: is not a run folder (no config.json), so it is not removed.")
    for path in folder.iterdir():
        if path.name in ("views", MEASURED):  # remade only where the recipe or the slide changed
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write_bundle(
    config: TrainConfig,
    cohort: Cohort,
    training: TrainingRun,
    calibration: Calibration,
    decision: Decision,
) -> Bundle:
    scheme, options, rule = config.label_scheme, config.bundle, calibration.conformal
    trained_on = (
        options.trained_on or f"{config.cohort.name}: {len(cohort)} slides, fold {config.folds.fold}."
    )
    spec = BundleSpec(
        name=config.name,
        version=options.version,
        description=options.description,
        trained_on=trained_on,
        licence=options.licence,
        architecture=training.network.spec,
        scheme=scheme.name,
        marker=scheme.marker,
        classes=scheme.classes,
        recipe=config.view,
        slide_mpp_range=options.slide_mpp_range,
        temperature=calibration.temperature,
        abstention=ConformalLimits.model_validate(rule.model_dump()),
        decision=decision,
        cohort_fingerprint=cohort.fingerprint,
        seed=config.seed,
        software=software_versions(),
    )
    return save_bundle(training.folder / BUNDLE, training.network, spec)
