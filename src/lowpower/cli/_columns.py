"""The option --column NAME=YOURS of verbs that read other people's tables."""

from __future__ import annotations

from collections.abc import Sequence

import typer

__all__ = ["COLUMN_HELP", "columns_of"]

COLUMN_HELP = "Which column of yours serves as slide, patient, label or a probability; may be repeated."


def columns_of(options: Sequence[str] | None) -> dict[str, str]:
    """From "slide=image_id" to {"slide": "image_id"}."""
    columns = {}
    for option in options or ():
        name, equals, theirs = option.partition("=")
        if not (name and equals and theirs):
            raise typer.BadParameter(f"{option!r} is not NAME=YOURS, for instance slide=image_id")
        columns[name.strip()] = theirs.strip()
    return columns
