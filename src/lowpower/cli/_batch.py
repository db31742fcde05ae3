"""How a run over slides ends: its table, what is to be said of it, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lowpower.scoring import Batch, MeasuredSlide, Result

__all__ = ["finish"]


def finish(batch: Batch[Result] | Batch[MeasuredSlide], *, json_lines: bool, quiet: bool) -> None:
    """Print a run's records and counts; exit code 1 where a slide was refused or failed."""
    from rich.console import Console

    from lowpower.cli._progress import stderr
    from lowpower.cli._tables import print_batch, print_reasons
    from lowpower.errors import one_line

    if json_lines:
        for record in batch:
            typer.echo(record.model_dump_json())
    bad = [record for record in batch if record.state != "ok"]
    if quiet:
        print_reasons(stderr, bad)
    else:
        print_batch(stderr if json_lines else Console(highlight=False), batch)
        if batch.set_aside is not None:
            stderr.print(f"set aside: {one_line(batch.set_aside)}", soft_wrap=True, markup=False)
        stderr.print(f"report: {one_line(batch.out / 'report.html')}", soft_wrap=True, markup=False)
    if bad:
        raise typer.Exit(1)
