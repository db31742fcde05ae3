"""Builds the bundled model her2-sim from nothing: simulate, train, calibrate, test, copy into the package.

    python recipes/build_her2_sim.py [--work runs/her2-sim]

No real slide is read. Goes on where a killed run stopped.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.progress import Progress, TaskID

from lowpower.engine import default_workers
from lowpower.simulate import CohortSpec, simulate_cohort
from lowpower.study import evaluate_run, train_run

RECIPES = Path(__file__).resolve().parent
TARGET = RECIPES.parent / "src" / "lowpower" / "bundled" / "her2-sim"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=RECIPES.parent / "runs" / "her2-sim")
    options = parser.parse_args()
    with Progress() as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        spec = CohortSpec.from_yaml(RECIPES / "her2-sim-cohort.yaml")
        simulate_cohort(
            spec,
            RECIPES.parent / "runs" / "her2-sim-cohort",
            workers=default_workers(),
            progress=lambda done, total: show("simulating", done, total),
        )
        run = train_run(RECIPES / "her2-sim.yaml", out=options.work, progress=show)
        outcome = evaluate_run(run.folder, progress=lambda done, total: show("evaluating", done, total))
    shutil.copytree(run.bundle, TARGET, dirs_exist_ok=True)
    print(f"bundle: {TARGET}")
    print(f"report: {outcome.report}")


if __name__ == "__main__":
    main()
