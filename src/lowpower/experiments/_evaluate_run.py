"""The one look at a run's test fold: predictions, metrics with intervals, what the answers are worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from lowpower.cohort import Cohort, content_hashes, load_folds, read_cohort, refuse_copies
from lowpower.engine import default_workers
from lowpower.errors import CohortError, ConfigError, as_text
from lowpower.evaluation import (
    RESAMPLES,
    AnswerTest,
    Calibration,
    Evaluation,
    evaluate_predictions,
    judge_answers,
)
from lowpower.experiments._own_cutoffs import refuse_fitted_to
from lowpower.experiments._ready import threads_kept
from lowpower.experiments.artefacts import Artefact, make_artefacts, with_measured
from lowpower.experiments.deployment import CARD_NOTES
from lowpower.experiments.plan import (
    BUNDLES,
    CALIBRATION,
    FOLDS,
    RUN,
    STUDY,
    TEST,
    Experiment,
    needs_of,
    parse_experiment,
)
from lowpower.experiments.units import FITTED, Fitted, Learnt, predictor_of, unit_folder
from lowpower.files import atomic_path, make_folder, write_json
from lowpower.models import Bundle, BundleMetric, load_bundle, save_bundle
from lowpower.storage import is_there, place

__all__ = ["TestOutcome", "evaluate_run"]

Told = TypeVar("Told")


@dataclass(frozen=True, eq=False)
class TestOutcome:
    """What the test fold said.

    Attributes:
        folder: The run's folder; what is written of the test is in its `test/`.
        config: What was trained, where.
        bundle: The model.
        evaluation: Metrics with intervals.
        predictions: One row a test slide: row, slide, patient, distinct, label, p_0 ...; as the network gave
            them, before the temperature.
        left_out: Test slides that could not be read, with the reason; they are in no metric.
        answers: How many scores and cut-offs the model answers, and how many of these wrongly; None for a
            bundle without rules for that.
        looked_before: When this test fold was evaluated before, UTC.
        history: Table of the training's epochs; not every arm has one.
    """

    __test__ = False  # its name does not make it a test for pytest

    folder: Path
    config: Experiment
    bundle: Bundle
    evaluation: Evaluation
    predictions: pl.DataFrame
    left_out: tuple[Artefact, ...]
    answers: AnswerTest | None = None
    looked_before: tuple[str, ...] = ()
    history: Path | None = None


def evaluate_run(
    folder: str | Path,
    *,
    cohort: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    resamples: int = RESAMPLES,
) -> TestOutcome:
    """Predict a run's test slides once and measure; write `<folder>/test/` and the metrics into the bundle.

    Args:
        folder: A run folder written by `train_run`.
        cohort: The manifest, where it was moved since; proved the same by its fingerprint.
        workers: Processes that make views; by default every processor.
        progress: Called with (done, total) while views are made and slides predicted.
        resamples: Bootstrap resamples of patients.

    Raises:
        ConfigError: `folder` is no finished run.
        CohortError: the cohort changed since training, or the folds leak.
        BundleError: the bundle is incomplete or altered.
    """
    run = _read(Path(folder))
    folder, config, bundle = run.folder, run.config, load_bundle(run.bundle)
    known = _cohort(run, cohort)
    if known.fingerprint != bundle.spec.cohort_fingerprint:
        raise CohortError(
            f"{known.source}: is not the cohort that {folder} was trained on, or has changed since; give the "
            "right one with --cohort, or train again."
        )
    refuse_copies(known, content_hashes(known))
    (number,), (arm,) = config.folds.only or (0,), config.arms
    split = load_folds(folder / FOLDS, known).split(number)
    need = needs_of(arm, config)[0]
    workers = workers or default_workers()
    with threads_kept():
        made = make_artefacts(
            [need],
            known,
            split.test.tolist(),
            config.cache_folder,
            workers=workers,
            threads=config.threads or 1,
            progress=progress,
        )[need.key]
        contents = {row: told.content for row, told in made.items() if told.content is not None}
        refuse_fitted_to(config, known, contents, contents)
        usable = [row for row, artefact in made.items() if artefact.state == "ok"]
        left_out = tuple(artefact for artefact in made.values() if artefact.state != "ok")
        if not usable:
            raise CohortError(f"{known.source}: no test slide could be used (first: {left_out[0].reason})")
        # The bare model: the calibration's temperature is applied once, by the evaluation.
        predictor = predictor_of(arm, config, Learnt(bundle.module, run.fitted), made)
        table = _table(known, config, {row: predictor(row) for row in usable})
    evaluation = evaluate_predictions(
        table, config.label_scheme, calibration=run.calibration, resamples=resamples
    )
    test = make_folder(folder / TEST)
    before = _looks(test / "looks.json")
    with atomic_path(test / "predictions.csv") as temporary:
        table.write_csv(temporary)
    evaluation.save(test / "evaluation.json")
    answers = _answers(bundle, known, table, config.cache_folder, workers, progress)
    if answers is not None:
        write_json(test / "answers.json", answers.model_dump(mode="json"))
    _note_metrics(bundle, evaluation)
    write_json(test / "looks.json", [*before, datetime.now(UTC).isoformat(timespec="seconds")])
    return TestOutcome(
        folder, config, bundle, evaluation, table, left_out, answers, tuple(before), run.history
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """What a run's folder holds, of this version or an earlier one."""

    folder: Path
    config: Experiment
    bundle: Path
    calibration: Calibration
    fitted: Fitted
    history: Path | None


def _read(folder: Path) -> _Run:
    """A finished run.

    Raises:
        ConfigError: there is none, or its records were altered.
    """
    old = (folder / RUN).is_file() and not (folder / STUDY).is_file()
    if old:
        config = _told(lambda told: parse_experiment(json.loads(told)), folder, folder / RUN)
    else:
        config = _told(Experiment.model_validate_json, folder, folder / STUDY)
    config = config.at(folder)
    if len(config.arms) > 1 or config.folds.only is None:
        raise ConfigError(
            f"{folder}: is a study, whose test slides are in its report ({folder / 'report.html'}); evaluate "
            "takes a run by lowpower train, or a table."
        )
    unit = folder if old else unit_folder(config, config.arms[0], config.folds.only[0])
    history = unit / "history.csv" if old else unit / "training" / "history.csv"
    return _Run(
        folder,
        config,
        folder / "bundle" if old else folder / BUNDLES / config.arms[0].name,
        _told(Calibration.model_validate_json, folder, unit / CALIBRATION),
        Fitted() if old else _told(Fitted.model_validate_json, folder, unit / FITTED),
        history if history.is_file() else None,
    )


def _told(read: Callable[[bytes], Told], folder: Path, file: Path) -> Told:
    try:
        return read(file.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{folder}: is not a finished run ({file.name} is missing); make one with lowpower train."
        ) from error
    except ValueError as error:  # pydantic's and this package's own are such
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ConfigError(f"{folder}: its records were altered ({first}); train again.") from error


def _answers(
    bundle: Bundle,
    cohort: Cohort,
    table: pl.DataFrame,
    cache: Path,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> AnswerTest | None:
    """What the model's answers are worth; test slides are measured where the measurement takes part."""
    decision = bundle.decision
    if decision is None:
        return None
    if decision.joint is not None:
        own = bundle.spec.laboratory
        table = with_measured(
            table, cohort, bundle.scheme, cache, laboratory=own, workers=workers, progress=progress
        )
    return judge_answers(table, bundle.scheme, decision, temperature=bundle.temperature)


def _cohort(run: _Run, moved: str | Path | None) -> Cohort:
    path = place(run.config.cohort if moved is None else moved)
    if moved is None and not is_there(path):
        raise CohortError(
            f"{as_text(path)}: no such file; if the cohort was moved: "
            f"lowpower evaluate {run.folder} --cohort NEW.csv."
        )
    return read_cohort(path, ish_unknown=run.config.ish_unknown)


def _looks(path: Path) -> list[str]:
    """When the test fold was looked at before."""
    try:
        looks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(look) for look in looks] if isinstance(looks, list) else []


def _table(cohort: Cohort, config: Experiment, found: Mapping[int, NDArray[np.float64]]) -> pl.DataFrame:
    labels = {row["row"]: row for row in cohort.labels(config.label_scheme).iter_rows(named=True)}
    return pl.DataFrame(
        [
            {
                "row": row,
                "slide": cohort.table["slide_name"][row],
                "patient": labels[row]["patient"],
                "distinct": cohort.table["distinct"][row],
                "label": labels[row]["label"],
            }
            | {f"p_{index}": float(p) for index, p in enumerate(probabilities)}
            for row, probabilities in found.items()
        ]
    )


def _note_metrics(bundle: Bundle, evaluation: Evaluation) -> None:
    """Write the test metrics into the bundle and its card, whose account of the training stays."""
    metrics = {
        name: BundleMetric(value=metric.value, low=metric.low, high=metric.high, n=metric.n)
        for name, metric in evaluation.metrics.items()
        if metric.value is not None
    }
    notes = bundle.card.partition(CARD_NOTES)
    save_bundle(
        bundle.folder, bundle.module, bundle.spec.model_copy(update={"metrics": metrics}), "".join(notes[1:])
    )
