"""The one look at a run's test fold: predictions, metrics with intervals, what the answers are worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from lowpower.cohort import Cohort, LabelScheme, content_hashes, load_folds, read_cohort, refuse_copies
from lowpower.engine import default_workers
from lowpower.errors import CohortError, ConfigError
from lowpower.evaluation import (
    RESAMPLES,
    AnswerTest,
    Calibration,
    Evaluation,
    evaluate_predictions,
    judge_answers,
)
from lowpower.experiments.artefacts import with_measured
from lowpower.experiments.plan import BUNDLE, CALIBRATION, FOLDS, MEASURED
from lowpower.files import atomic_path, make_folder, write_json
from lowpower.models import Bundle, BundleMetric, Prediction, load_bundle, predict, save_bundle
from lowpower.training import TrainConfig
from lowpower.views import PreparedView, open_prepared, prepare_views

__all__ = ["TestOutcome", "evaluate_run"]


@dataclass(frozen=True, eq=False)
class TestOutcome:
    """What the test fold said.

    Attributes:
        folder: The run's folder; what is written of the test is in its `test/`.
        config: What was trained.
        bundle: The model.
        evaluation: Metrics with intervals.
        predictions: One row a test slide: row, slide, patient, distinct, label, p_0 ...; as the network gave
            them, before the temperature.
        left_out: Test slides that gave no view, with the reason; they are in no metric.
        answers: How many scores and cut-offs the model answers, and how many of these wrongly; None for a
            bundle without rules for that.
        looked_before: When this test fold was evaluated before, UTC.
    """

    __test__ = False  # its name does not make it a test for pytest

    folder: Path
    config: TrainConfig
    bundle: Bundle
    evaluation: Evaluation
    predictions: pl.DataFrame
    left_out: tuple[PreparedView, ...]
    answers: AnswerTest | None = None
    looked_before: tuple[str, ...] = ()


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
    folder = Path(folder)
    config, calibration = _records(folder)
    bundle = load_bundle(folder / BUNDLE)
    known = _cohort(folder, config, cohort)
    if known.fingerprint != bundle.spec.cohort_fingerprint:
        raise CohortError(
            f"{known.path}: is not the cohort that {folder} was trained on, or has changed since; give the "
            "right one with --cohort, or train again."
        )
    refuse_copies(known, content_hashes(known))
    split = load_folds(folder / FOLDS, known).split(config.folds.fold)
    prepared = prepare_views(
        known,
        config.view,
        config.view_folder,
        rows=split.test.tolist(),
        workers=workers or default_workers(),
        progress=progress,
    )
    usable = [record for record in prepared if record.state == "ok"]
    left_out = tuple(record for record in prepared if record.state != "ok")
    if not usable:
        raise CohortError(f"{known.path}: no test slide gave a view (first: {left_out[0].reason})")
    # The bare network: the calibration's temperature is applied once, by the evaluation.
    views = (open_prepared(known, record.row, config.view, config.view_folder) for record in usable)
    table = _table(known, config.label_scheme, usable, predict(bundle.network, views))
    evaluation = evaluate_predictions(
        table, config.label_scheme, calibration=calibration, resamples=resamples
    )
    test = make_folder(folder / "test")
    before = _looks(test / "looks.json")
    with atomic_path(test / "predictions.csv") as temporary:
        table.write_csv(temporary)
    evaluation.save(test / "evaluation.json")
    answers = _answers(bundle, known, table, folder, workers or default_workers(), progress)
    if answers is not None:
        write_json(test / "answers.json", answers.model_dump(mode="json"))
    _note_metrics(bundle, evaluation)
    write_json(test / "looks.json", [*before, datetime.now(UTC).isoformat(timespec="seconds")])
    return TestOutcome(folder, config, bundle, evaluation, table, left_out, answers, tuple(before))


def _answers(
    bundle: Bundle,
    cohort: Cohort,
    table: pl.DataFrame,
    folder: Path,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> AnswerTest | None:
    """What the model's answers are worth; test slides are measured where the measurement takes part."""
    decision = bundle.decision
    if decision is None:
        return None
    if decision.joint is not None:
        table = with_measured(
            table, cohort, bundle.scheme, folder / MEASURED, workers=workers, progress=progress
        )
    return judge_answers(table, bundle.scheme, decision, temperature=bundle.temperature)


def _cohort(folder: Path, config: TrainConfig, moved: str | Path | None) -> Cohort:
    path = Path(config.cohort if moved is None else moved)
    if moved is None and not path.is_file():
        raise CohortError(
            f"{path}: no such file; if the cohort was moved: lowpower evaluate {folder} --cohort NEW.csv."
        )
    return read_cohort(path, ish_unknown=config.ish_unknown)


def _looks(path: Path) -> list[str]:
    """When the test fold was looked at before."""
    try:
        looks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(look) for look in looks] if isinstance(looks, list) else []


def _records(folder: Path) -> tuple[TrainConfig, Calibration]:
    try:
        config = TrainConfig.model_validate_json((folder / "config.json").read_bytes())
        calibration = Calibration.model_validate_json((folder / CALIBRATION).read_bytes())
    except OSError as error:
        missing = Path(error.filename).name
        raise ConfigError(
            f"{folder}: is not a finished run ({missing} is missing); make one with lowpower train."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{folder}: its records were altered ({first['msg']}); train again.") from error
    return config.model_copy(update={"out": folder}), calibration


def _table(
    cohort: Cohort, scheme: LabelScheme, records: Sequence[PreparedView], predictions: Sequence[Prediction]
) -> pl.DataFrame:
    labels = {row["row"]: row for row in cohort.labels(scheme).iter_rows(named=True)}
    return pl.DataFrame(
        [
            {
                "row": record.row,
                "slide": cohort.table["slide_name"][record.row],
                "patient": labels[record.row]["patient"],
                "distinct": cohort.table["distinct"][record.row],
                "label": labels[record.row]["label"],
            }
            | {f"p_{index}": float(p) for index, p in enumerate(prediction.probabilities)}
            for record, prediction in zip(records, predictions, strict=True)
        ]
    )


def _note_metrics(bundle: Bundle, evaluation: Evaluation) -> None:
    """Write the test metrics into the bundle and its card."""
    metrics = {
        name: BundleMetric(value=metric.value, low=metric.low, high=metric.high, n=metric.n)
        for name, metric in evaluation.metrics.items()
        if metric.value is not None
    }
    save_bundle(bundle.folder, bundle.network, bundle.spec.model_copy(update={"metrics": metrics}))
