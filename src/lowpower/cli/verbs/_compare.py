"""`lowpower compare`: predictions of several models on the same slides."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._columns import COLUMN_HELP, ArmOption, check_scheme, columns_of

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower compare ours.csv theirs.csv"


class NamedTest(StrEnum):
    """Tests beside the permutation test."""

    mcnemar = "mcnemar"
    delong = "delong"
    bootstrap = "bootstrap"


def command(
    tables: Annotated[
        list[Path],
        typer.Argument(metavar="REFERENCE.csv OTHER.csv...", help="CSVs of the same slides."),
    ],
    scheme: Annotated[
        str | None, typer.Option(help="Label scheme, where columns do not name its classes.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="NAME=YOURS", help=COLUMN_HELP)] = None,
    arm: ArmOption = None,
    shared: Annotated[bool, typer.Option("--shared", help="Leave out slides that some table lacks.")] = False,
    test: Annotated[
        list[NamedTest] | None,
        typer.Option(help="A test to report beside the permutation test; give it again for more."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html, metrics.csv and tests.csv.")] = Path(
        "lowpower-comparison"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="The comparison as JSON on standard output.")
    ] = False,
) -> None:
    """Compare predictions on the same slides with the first table: differences with intervals and tests.

    Tests swap the models patient by patient (permutation); p-values are corrected for the number of models.
    """
    from rich.console import Console

    from lowpower.cli._given_paths import there
    from lowpower.cli._progress import stderr
    from lowpower.cli._tables import comparison_table

    check_scheme(scheme)
    columns = columns_of(column)
    for table in tables:
        there(table, "name tables of predictions (CSV), or runs.")

    from lowpower.reports import compare_tables

    outcome = compare_tables(
        tables,
        scheme,
        columns=columns,
        arms=arm or (),
        shared=shared,
        out=out,
        tests=[one.value for one in test or ()],
    )
    if as_json:
        typer.echo(outcome.comparison.model_dump_json())
    console = stderr if as_json else Console(highlight=False)
    console.print(comparison_table(outcome.evaluations, outcome.comparison))
    console.print(outcome.verdict, soft_wrap=True, markup=False)
    for note in outcome.comparison.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    stderr.print(f"report: {outcome.report}", soft_wrap=True)
