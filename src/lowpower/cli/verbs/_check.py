"""`lowpower check`: everything wrong with a cohort, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import MppOverride, Pattern, Quiet, Where, WhereName

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower check cohort.csv"


def command(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="COHORT",
            help="The manifest (slide, patient, marker, score, ...); or slides, folders and patterns, which "
            "are checked for what they say themselves.",
        ),
    ],
    pattern: Pattern = None,
    mpp: MppOverride = None,
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
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Find every problem of a cohort before hours of work: unreadable slides, um/px, labels, duplicates.

    Exit code 1 if anything is wrong.
    """
    import json
    from dataclasses import asdict, replace

    import polars as pl
    from rich.console import Console

    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.cli._tables import print_habit
    from lowpower.cohort import MANIFEST_ENDINGS, check_cohort, check_slides, slide_inputs
    from lowpower.engine import run_on
    from lowpower.files import write_text
    from lowpower.slides import check_mpp
    from lowpower.storage import is_there, place

    check_mpp(mpp)
    alone = place(given[0])
    with run_on(on.value), progress_bar(quiet=quiet) as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if len(given) == 1 and alone.suffix.lower() in MANIFEST_ENDINGS and mpp is None and is_there(alone):
            report = check_cohort(alone, find_control=find_control, progress=show)
        else:
            slides = [
                slide if slide.mpp is not None else replace(slide, mpp=mpp)
                for slide in slide_inputs(given, pattern)
            ]
            report = check_slides(slides, find_control=find_control, progress=show)
    named = given[0] if len(given) == 1 else f"{len(given)} places"
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False, indent=2))
    if out is not None:
        rows = [asdict(problem) for problem in report.problems]
        table = pl.DataFrame(
            rows, schema=["row", "slide", "kind", "message", "rows"], infer_schema_length=None
        )
        write_text(out, table.write_csv())
    console = stderr if as_json else Console(highlight=False)
    if not quiet:
        print_habit(console, report.control, report.doubtful)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    if not report.problems:
        of = f" of {count_of(report.patients, 'patient')}" if report.patients else ""
        found = f"{count_of(report.slides, 'slide')}{of}, no problem found."
        console.print(f"{named}: {found}", soft_wrap=True, markup=False)
        for line in report.summary():
            console.print(line, soft_wrap=True, markup=False)
        return
    for problem in report.problems:  # a line each: paths are never cut
        console.print(f"{problem.kind}: {problem}", soft_wrap=True, markup=False)
    told = count_of(sum(problem.rows for problem in report.problems), "problem")
    # Where the table itself cannot serve, there are no slides to speak of.
    told += f" in {count_of(report.slides, 'slide')}" if report.slides else ", and no slide was looked at"
    typer.echo(f"lowpower: {named}: {told}.", err=True)
    raise typer.Exit(1)


def count_of(number: int, thing: str) -> str:
    """1 slide, 2 slides."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
