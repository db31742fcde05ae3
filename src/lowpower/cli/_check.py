"""`lowpower check`: everything wrong with a cohort, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    cohort: Annotated[
        Path, typer.Argument(metavar="COHORT.csv", help="The manifest: slide, patient, marker, score, ...")
    ],
    find_control: Annotated[
        bool,
        typer.Option(
            "--find-control",
            help="Also look for on-slide control tissue, and say at which end it usually lies; takes longer.",
        ),
    ] = False,
) -> None:
    """Find every problem of a cohort before hours of work: unreadable slides, um/px, labels, duplicates.

    Exit code 1 if anything is wrong.
    """
    from rich.console import Console
    from rich.table import Table

    from lowpower.cli._progress import progress_bar
    from lowpower.cli._tables import print_habit
    from lowpower.cohort import check_cohort

    with progress_bar() as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = check_cohort(cohort, find_control=find_control, progress=show)
    console = Console(highlight=False)
    print_habit(console, report.control, report.doubtful)
    if not report.problems:
        console.print(
            f"{cohort}: {report.slides} slides of {report.patients} patients, no problem found.",
            soft_wrap=True,
        )
        return
    table = Table("row", "slide", "problem", "what to do about it")
    for problem in report.problems:
        table.add_row(
            str(problem.row) if problem.row is not None else "",
            problem.slide or "",
            problem.kind,
            problem.message,
        )
    console.print(table)
    typer.echo(f"lowpower: {cohort}: {len(report.problems)} problems in {report.slides} slides.", err=True)
    raise typer.Exit(1)
