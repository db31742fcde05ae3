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
            help="Also look for on-slide control tissue, and say at which end it usually lies; takes longer.",
        ),
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything found as JSON on standard output.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write what was found as CSV.")] = None,
) -> None:
    """Find every problem of a cohort before hours of work: unreadable slides, um/px, labels, duplicates.

    Exit code 1 if anything is wrong.
    """
    import json
    from dataclasses import asdict

    import polars as pl
    from rich.console import Console

    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.cli._tables import print_habit
    from lowpower.cohort import check_cohort
    from lowpower.files import write_text

    with progress_bar() as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = check_cohort(cohort, find_control=find_control, progress=show)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False, indent=2))
    if out is not None:
        rows = [asdict(problem) for problem in report.problems]
        table = pl.DataFrame(rows, schema=["row", "slide", "kind", "message"], infer_schema_length=None)
        write_text(out, table.write_csv())
    console = stderr if as_json else Console(highlight=False)
    print_habit(console, report.control, report.doubtful)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    if not report.problems:
        found = (
            f"{count_of(report.slides, 'slide')} of {count_of(report.patients, 'patient')}, no problem found."
        )
        console.print(f"{cohort}: {found}", soft_wrap=True, markup=False)
        for line in report.summary():
            console.print(line, soft_wrap=True, markup=False)
        return
    for problem in report.problems:  # a line each: paths are never cut
        console.print(f"{problem.kind}: {problem}", soft_wrap=True, markup=False)
    told = f"{count_of(len(report.problems), 'problem')} in {count_of(report.slides, 'slide')}"
    typer.echo(f"lowpower: {cohort}: {told}.", err=True)
    raise typer.Exit(1)


def count_of(number: int, thing: str) -> str:
    """1 slide, 2 slides."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
