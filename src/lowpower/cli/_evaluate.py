"""`lowpower evaluate`: the one look at the test fold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder written by `lowpower train`.")],
) -> None:
    """Evaluate a trained run on its test fold: metrics with 95 % intervals, plots, report.html."""
    from rich.console import Console

    from lowpower.cli._progress import progress_bar
    from lowpower.cli._tables import metrics_table
    from lowpower.study import evaluate_run

    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        outcome = evaluate_run(run, progress=show)
    Console(highlight=False).print(metrics_table(outcome.evaluation))
    typer.echo(f"report: {outcome.report}")
