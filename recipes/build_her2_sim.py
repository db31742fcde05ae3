"""Builds the bundled model her2-sim from nothing: simulate, train, test, calibrate its answers, copy.

    python recipes/build_her2_sim.py [--work runs/her2-sim] [--only-answers]

The network is trained on one simulated cohort; when its answers are issued, and how the measurement joins in,
is fitted on another, of laboratories it never saw. `--only-answers` does the second alone, for the bundle as
it stands: after every change of what measures the stain. No real slide is read. Goes on where a killed run
stopped.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.progress import Progress, TaskID

from lowpower.engine import default_workers
from lowpower.evaluation import DecisionOptions
from lowpower.simulate import CohortSpec, simulate_cohort
from lowpower.study import evaluate_run, fit_bundle, train_run

RECIPES = Path(__file__).resolve().parent
RUNS = RECIPES.parent / "runs"
TARGET = RECIPES.parent / "src" / "lowpower" / "bundled" / "her2-sim"
PROMISE = DecisionOptions(error=0.05, cutoff_error=0.02, confidence=0.9)


def simulate(name: str, progress: Progress) -> Path:
    """The cohort of a spec beside this file; its manifest."""
    task = progress.add_task(f"simulating {name}", total=None)
    return simulate_cohort(
        CohortSpec.from_yaml(RECIPES / f"{name}.yaml"),
        RUNS / name,
        workers=default_workers(),
        progress=lambda done, total: progress.update(task, completed=done, total=total),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=RUNS / "her2-sim")
    parser.add_argument("--only-answers", action="store_true", help="keep the network as it stands")
    options = parser.parse_args()
    with Progress() as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        if not options.only_answers:
            simulate("her2-sim-cohort", bar)
            run = train_run(RECIPES / "her2-sim.yaml", out=options.work, progress=show)
            outcome = evaluate_run(run.folder, progress=lambda done, total: show("evaluating", done, total))
            print(f"report: {outcome.report}")
            shutil.copytree(run.bundle, TARGET, dirs_exist_ok=True)
        manifest = simulate("her2-sim-decision-cohort", bar)
        bundle = fit_bundle(TARGET, manifest, options.work / "answers", PROMISE, progress=show)
    print(f"bundle: {bundle.folder}")


if __name__ == "__main__":
    main()
