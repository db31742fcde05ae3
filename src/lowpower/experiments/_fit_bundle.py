"""Fitting a finished model's decision on slides it has not learnt from: a calibration cohort of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from lowpower.cohort import Cohort, read_cohort
from lowpower.engine import default_workers, of_stage
from lowpower.errors import CohortError
from lowpower.evaluation import DecisionOptions, fit_decision
from lowpower.experiments.artefacts import make_artefacts, with_measured
from lowpower.experiments.plan import Need
from lowpower.files import atomic_path, make_folder
from lowpower.models import Bundle, load_bundle, predict, save_bundle
from lowpower.views import load_view

__all__ = ["decision_table", "fit_bundle"]

Progress = Callable[[str, int, int], None]


def decision_table(
    bundle: Bundle,
    cohort: Cohort,
    cache: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """What `fit_decision` is fitted on: the bare network's probabilities, measurements and truth a slide.

    Slides that give no view are left out; those that cannot be measured have nulls.

    Args:
        bundle: The model.
        cohort: Its labelled slides are used.
        cache: Folder of views and measurements; what is there and right is used again.
        workers: Processes; by default every processor.
        progress: Called with (stage, done, total).

    Raises:
        CohortError: no slide gave a view.
    """
    cache, workers = make_folder(cache), workers or default_workers()
    labels = {row["row"]: row for row in cohort.labels(bundle.scheme).iter_rows(named=True)}
    need = Need(kind="view", view=bundle.recipe)
    made = make_artefacts(
        [need],
        cohort,
        list(labels),
        cache,
        workers=workers,
        threads=1,
        progress=of_stage(progress, "views"),
    )[need.key]
    files = {row: view.file for row, view in made.items() if view.file is not None}
    if not files:
        first = next(iter(made.values()))
        raise CohortError(f"{cohort.source}: no slide gave a view (first: {first.reason})")
    found = predict(bundle.network, (load_view(file)[0] for file in files.values()))
    table = pl.DataFrame(
        [
            {
                "row": row,
                "slide": cohort.table["slide_name"][row],
                "patient": labels[row]["patient"],
                "label": labels[row]["label"],
            }
            | {f"p_{index}": float(p) for index, p in enumerate(prediction.probabilities)}
            for row, prediction in zip(files, found, strict=True)
        ]
    )
    return with_measured(
        table,
        cohort,
        bundle.scheme,
        cache / "measured",
        laboratory=bundle.spec.laboratory,
        workers=workers,
        progress=of_stage(progress, "measuring"),
    )


def fit_bundle(
    folder: str | Path,
    cohort_path: str | Path,
    cache: str | Path,
    options: DecisionOptions,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Fit a bundle's decision on a calibration cohort and write it into the bundle.

    The cohort must hold none of the slides or patients that the model learnt from or is tested on.

    Args:
        folder: The bundle.
        cohort_path: The calibration cohort's manifest.
        cache: As in `decision_table`; the table is left there as decision.csv.
        options: What is promised.
        workers: As in `decision_table`.
        progress: As in `decision_table`.
    """
    bundle, cohort = load_bundle(folder), read_cohort(cohort_path)
    table = decision_table(bundle, cohort, cache, workers=workers, progress=progress)
    with atomic_path(Path(cache) / "decision.csv") as temporary:
        table.write_csv(temporary)
    decision = fit_decision(table, bundle.scheme, temperature=bundle.temperature, options=options)
    spec = bundle.spec.model_copy(update={"decision": decision, "schema_version": 2})
    return save_bundle(bundle.folder, bundle.network, spec)
