"""`lowpower study`: arms x folds out of one configuration, and what each arm is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import LaboratoryFile, Quiet, Where, WhereName, Workers

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower study experiment.yaml"


def command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="See docs/study.md for every key.")],
    out: Annotated[Path | None, typer.Option(help="Study folder, over what CONFIG says.")] = None,
    fresh: Annotated[
        bool, typer.Option(help="Forget an earlier study in the same folder; views and features stay.")
    ] = False,
    laboratory: LaboratoryFile = None,
    workers: Workers = None,
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Compare arms (paradigm, resolution) on a cohort, with nested patient-level folds.

    A killed study goes on with the same command. Exit code 1 if any arm failed on any fold.
    """
    from rich.console import Console
    from rich.progress import TaskID

    from lowpower.cli._given_paths import configuration_there, folds_there
    from lowpower.cli._progress import progress_bar
    from lowpower.cli._usage import BEGINNING, typed
    from lowpower.cohort import check_asked
    from lowpower.engine import run_on

    check_asked(laboratory=laboratory)
    folds_there(config, configuration_there(config, BEGINNING))

    from lowpower.cli._study_table import print_study
    from lowpower.experiments import run_study
    from lowpower.reports import write_study_report

    with run_on(on.value), progress_bar(quiet=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        results = run_study(
            config, out=out, laboratory=laboratory, fresh=fresh, workers=workers, progress=show
        )
    print_study(Console(), results)
    typer.echo(f"results: {results.folder / 'results'}")
    typer.echo(f"report: {write_study_report(results)}")
    if (results.units["state"] == "ok").any():
        typer.echo(f"next: {typed('lowpower', 'deploy', results.folder)}")
    if (results.units["state"] == "failed").any():
        raise typer.Exit(1)
