"""Options of verbs that read tables of predictions: other people's columns, a study's arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

__all__ = ["COLUMN_HELP", "ArmOption", "check_scheme", "columns_of"]

COLUMN_HELP = "Which column of yours serves as slide, patient, label or a probability; may be repeated."


ArmOption = Annotated[
    list[str] | None,
    typer.Option("--arm", metavar="NAME", help="Arm of a study's results/predictions.csv; may come again."),
]


def check_scheme(name: str | None) -> None:
    """Refuse a label scheme that there is not, before any table is read."""
    from lowpower.cohort import SCHEMES
    from lowpower.errors import OptionError

    if name is not None and name not in SCHEMES:
        raise OptionError(f"--scheme is one of {', '.join(SCHEMES)}, not '{name}'.")


def columns_of(options: Sequence[str] | None) -> dict[str, str]:
    """From "slide=image_id" to {"slide": "image_id"}."""
    columns = {}
    for option in options or ():
        name, equals, theirs = option.partition("=")
        if not (name and equals and theirs):
            raise typer.BadParameter(f"{option!r} is not NAME=YOURS, for instance slide=image_id")
        columns[name.strip()] = theirs.strip()
    return columns
