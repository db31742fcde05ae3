"""Builds the bundled models from nothing: simulate, train, copy, test, calibrate their answers.

    python recipes/build_her2_sim.py [--model her2-sim] [--work runs] [--only-answers]

The networks are trained on one simulated cohort and tested on another; when their answers are issued, and
how the measurement joins in, is fitted on a third: no two share a laboratory. `--only-answers` does the last
alone, for the bundles as they stand: after every change of what measures the stain. No real slide is read.
Goes on where a killed run stopped.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import polars as pl
from rich.progress import Progress, TaskID

from lowpower.cohort import read_cohort
from lowpower.engine import default_workers
from lowpower.evaluation import DecisionOptions, evaluate_predictions
from lowpower.experiments import fit_bundle, train_run
from lowpower.models import BundleMetric, load_bundle, predict, save_bundle
from lowpower.simulate import CohortSpec, simulate_cohort
from lowpower.views import open_prepared, prepare_views

RECIPES = Path(__file__).resolve().parent
RUNS = RECIPES.parent / "runs"
BUNDLED = RECIPES.parent / "src" / "lowpower" / "bundled"
MODELS = ("her2-sim",)
PROMISE = DecisionOptions(error=0.12, cutoff_error=0.05, confidence=0.9, hear_network=False)
"""The measurement decides: as many simulated scores are issued as by both, and the network reads crisp
pictures of real tissue as 3+ (docs/decisions.md)."""


def simulate(name: str, progress: Progress) -> Path:
    """The cohort of a spec beside this file; its manifest."""
    task = progress.add_task(f"simulating {name}", total=None)
    return simulate_cohort(
        CohortSpec.from_yaml(RECIPES / f"{name}.yaml"),
        RUNS / name,
        workers=default_workers(),
        progress=lambda done, total: progress.update(task, completed=done, total=total),
    )


def test(name: str, manifest: Path) -> None:
    """Write a bundle's metrics on slides of unseen laboratories into it; keep its predictions."""
    bundle, cohort = load_bundle(BUNDLED / name), read_cohort(manifest)
    cache = manifest.parent / "views"
    labels = {row["row"]: row for row in cohort.labels(bundle.scheme).iter_rows(named=True)}
    prepared = prepare_views(cohort, bundle.recipe, cache, rows=list(labels), workers=default_workers())
    rows = [record.row for record in prepared if record.state == "ok"]
    found = predict(bundle, (open_prepared(cohort, row, bundle.recipe, cache) for row in rows))
    table = pl.DataFrame(
        [
            {"slide": cohort.table["slide_name"][row]}
            | {key: labels[row][key] for key in ("patient", "label")}
            | {f"p_{index}": float(p) for index, p in enumerate(prediction.probabilities)}
            for row, prediction in zip(rows, found, strict=True)
        ]
    )
    table.write_csv(manifest.parent / f"{name}.csv")
    evaluation = evaluate_predictions(table, bundle.scheme)
    told = dict(evaluation.metrics) | {
        f"auc {cutoff.name.replace('|', 'against')}": evaluation.cutoffs[cutoff.name].auc
        for cutoff in bundle.scheme.cutoffs
    }
    metrics = {
        key: BundleMetric(value=one.value, low=one.low, high=one.high, n=one.n)
        for key, one in told.items()
        if one.value is not None
    }
    save_bundle(bundle.folder, bundle.network, bundle.spec.model_copy(update={"metrics": metrics}))
    print(f"{name}: {', '.join(f'{key} {one.value:.3f}' for key, one in metrics.items())}")
    print(f"confusion (rows truth): {evaluation.confusion}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS, help="which to build")
    parser.add_argument("--work", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--only-answers", action="store_true", help="keep the networks as they stand")
    options = parser.parse_args()
    with Progress() as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        if not options.only_answers:
            simulate("her2-sim-cohort", bar)
            tested = simulate("her2-sim-test-cohort", bar)
            for name in options.model:
                run = train_run(RECIPES / f"{name}.yaml", out=options.work / name, progress=show)
                shutil.copytree(run.bundle, BUNDLED / name, dirs_exist_ok=True)
                test(name, tested)
        manifest = simulate("her2-sim-decision-cohort", bar)
        for name in options.model:
            bundle = fit_bundle(BUNDLED / name, manifest, options.work / "answers", PROMISE, progress=show)
            print(f"bundle: {bundle.folder}")


if __name__ == "__main__":
    main()
