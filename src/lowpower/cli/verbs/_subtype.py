"""`lowpower subtype`: HER2, ER and PR results of the same patients, joined."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower subtype her2.csv er.csv pr.csv --ki67 ki67.csv"


def command(
    her2: Annotated[Path, typer.Argument(metavar="HER2.csv", help="results.csv, or patient, score, ish.")],
    er: Annotated[Path, typer.Argument(metavar="ER.csv", help="results.csv, or patient and percentage.")],
    pr: Annotated[Path, typer.Argument(metavar="PR.csv", help="results.csv, or patient and percentage.")],
    ki67: Annotated[Path | None, typer.Option(help="The same for Ki-67, percentages.")] = None,
    patients: Annotated[
        Path | None, typer.Option(help="slide, patient (and ish) of tables that name slides alone.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path("subtypes.csv"),
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a patient on output.")] = False,
) -> None:
    """Surrogate subtype (St Gallen 2013) of each patient; what is missing or contradictory is said."""
    from rich.console import Console
    from rich.table import Table

    from lowpower.cli._given_paths import there
    from lowpower.cli._progress import stderr

    for given in (her2, er, pr, patients):
        if given is not None:
            there(given, "name a CSV.")
    if ki67 is not None:
        there(ki67, "--ki67 takes a table (CSV) of patients and their percentages, not a value.")

    from lowpower.scoring import subtypes_of, write_subtypes

    found = subtypes_of(her2, er, pr, ki67, patients=patients)
    write_subtypes(found, out)
    if json_lines:
        for one in found:
            typer.echo(json.dumps(dataclasses.asdict(one), ensure_ascii=False))
    table = Table(title="Research use only: not a medical device.", title_justify="left")
    shown = {"patient": "patient", "her2": "HER2", "er": "ER", "pr": "PR"}
    shown |= {} if ki67 is None else {"ki67": "Ki-67"}
    shown["subtype"] = "subtype"
    for name in shown.values():
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(*(getattr(one, name) for name in shown))
    console = stderr if json_lines else Console(highlight=False)
    console.print(table, markup=False)
    lacking: dict[str, list[str]] = {}
    for one in found:
        lacking.setdefault(one.missing, []).append(one.patient)
    for missing, whose in lacking.items():  # below the table, whose columns are narrow
        if missing:
            console.print(f"{', '.join(whose)}: {missing}.", soft_wrap=True, markup=False)
    of = "1 patient" if len(found) == 1 else f"{len(found)} patients"
    for name, count in sorted(Counter(one.subtype for one in found).items()):
        console.print(f"{count} of {of}: {name}", soft_wrap=True, markup=False)
    stderr.print(f"table: {out}", soft_wrap=True)
