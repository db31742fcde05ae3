"""`lowpower demo`: the main job on simulated slides, from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import Quiet

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower demo --out demo"


def command(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    patients: Annotated[int, typer.Option(min=16, help="Simulated patients; fewer are quicker.")] = 120,
    epochs: Annotated[int, typer.Option(min=1, help="Training epochs at most.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate one laboratory's HER2 cohort, fine-tune the bundled model on it, test, score, report. Offline.

    Patients of the test took no part in training; at the end the model meets another laboratory's slides.
    """
    from rich.progress import TaskID

    from lowpower.cli._progress import progress_bar
    from lowpower.demo import DemoSize, run_demo

    with progress_bar(quiet=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        outcome = run_demo(out, DemoSize(patients, epochs, seed), progress=show)
    for sentence in outcome.sentences:
        typer.echo(sentence)
    typer.echo("All slides of this demo are simulated. Research use only.")
    typer.echo(f"report: {outcome.report.resolve()}")
