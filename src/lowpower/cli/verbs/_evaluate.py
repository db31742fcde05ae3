"""`lowpower evaluate`: a run's test fold, or a table of predictions made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lowpower.cli._columns import COLUMN_HELP, check_scheme, columns_of

if TYPE_CHECKING:
    from lowpower.evaluation import AnswerTest, Evaluation

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower evaluate runs/slide@4"


def command(
    target: Annotated[
        Path,
        typer.Argument(metavar="RUN|TABLE.csv", help="A folder by `lowpower train`, or a CSV."),
    ],
    scheme: Annotated[
        str | None, typer.Option(help="Table: label scheme, where columns do not name its classes.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="NAME=YOURS", help=f"Table: {COLUMN_HELP}")
    ] = None,
    arm: Annotated[
        str | None, typer.Option(metavar="NAME", help="Table: the arm of a study's results/predictions.csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table: folder for report.html and metrics.csv.", show_default=False)
    ] = None,
    prevalence: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS=SHARE,...", help="Table: move probabilities to these shares of the classes."
        ),
    ] = None,
    assumed_prevalence: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS=SHARE,...", help="Table: what they were made for; by default equal shares."
        ),
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option(help="Run: the manifest, where it was moved since training.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The evaluation as JSON on standard output.")
    ] = False,
) -> None:
    """Metrics with 95 % intervals, plots, report.html: of a trained run's test fold, or of any predictions.

    A table has one row a slide: slide, label, if possible patient, and one probability a class.
    """
    from rich.console import Console

    from lowpower.cli._given_paths import run_there, there
    from lowpower.cli._progress import stderr
    from lowpower.cli._tables import answer_lines, metrics_table

    check_scheme(scheme)
    columns = columns_of(column)
    there(target, "name a table of predictions (CSV), or a folder that `lowpower train` made.")
    if cohort is not None:
        there(cohort, "name the manifest.", stored=True)
    if target.is_dir():
        moved = prevalence or assumed_prevalence
        if scheme is not None or column or arm is not None or out is not None or moved:
            raise typer.BadParameter(
                "--scheme, --column, --arm, --out and --prevalence are for tables; a run knows its own."
            )
        run_there(target)
        evaluation, report, answers, looks = _run(target, cohort)
    else:
        if cohort is not None:
            raise typer.BadParameter("--cohort is for runs; a table says what it needs.")
        from lowpower.reports import evaluate_table

        outcome = evaluate_table(
            target,
            scheme,
            columns=columns,
            arm=arm,
            out=out,
            prevalence=prevalence,
            assumed_prevalence=assumed_prevalence,
        )
        evaluation, report, answers, looks = outcome.evaluation, outcome.report, None, ()
    if as_json:
        typer.echo(evaluation.model_dump_json())
    console = stderr if as_json else Console(highlight=False)
    console.print(metrics_table(evaluation))
    for line in answer_lines(answers):
        console.print(line, soft_wrap=True, markup=False)
    for note in evaluation.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    if looks:
        times = "once" if len(looks) == 1 else f"{len(looks)} times"
        said = (
            f"this test fold was looked at {times} before (last {looks[-1]}): its figures are no first look."
        )
        console.print(f"note: {said}", soft_wrap=True, markup=False)
    stderr.print(f"report: {report}", soft_wrap=True)


def _run(folder: Path, cohort: Path | None) -> tuple[Evaluation, Path, AnswerTest | None, tuple[str, ...]]:
    from lowpower.cli._progress import progress_bar
    from lowpower.experiments import evaluate_run
    from lowpower.reports import write_run_report

    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        outcome = evaluate_run(folder, cohort=cohort, progress=show)
    return outcome.evaluation, write_run_report(outcome), outcome.answers, outcome.looked_before
