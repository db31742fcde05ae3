"""Gathers the verbs; turns an error raised on purpose into one sentence and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import lowpower
from lowpower.cli import (
    _calibrate,
    _check,
    _compare,
    _demo,
    _doctor,
    _evaluate,
    _export,
    _measure,
    _prepare,
    _score,
    _simulate,
    _study,
    _subtype,
    _train,
)
from lowpower.errors import LowpowerError

__all__ = ["main"]

app = typer.Typer(
    name="lowpower",
    help="Scores breast-cancer IHC slides (HER2 first) and asks how much resolution a score needs.\n\n"
    "Research use only: not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for verb in (
    _demo,
    _doctor,
    _check,
    _prepare,
    _train,
    _evaluate,
    _compare,
    _simulate,
    _score,
    _measure,
    _calibrate,
    _study,
    _export,
    _subtype,
):
    app.command(name=verb.__name__.rsplit("_", 1)[-1])(verb.command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lowpower {lowpower.__version__} (research use only)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Exit codes: 0 all well; 1 something refused or failed; 2 wrong usage; 130 interrupted.
    """
    try:
        app()
    except LowpowerError as error:
        typer.echo(f"lowpower: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("lowpower: interrupted; the same command goes on where it stopped.", err=True)
        sys.exit(130)
