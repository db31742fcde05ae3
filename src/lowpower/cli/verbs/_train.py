"""`lowpower train`: a configuration in, a calibrated model bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import LaboratoryFile, Quiet

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower train experiment.yaml --arm slide@4"


def command(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.yaml", help="See docs/training.md for every key.")
    ],
    arm: Annotated[str | None, typer.Option(help="Which arm, where CONFIG has several.")] = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help="Which fold, counted from 0, over what CONFIG says.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder, over what CONFIG says.")] = None,
    fresh: Annotated[bool, typer.Option(help="Forget an earlier run in the same folder.")] = False,
    laboratory: LaboratoryFile = None,
    quiet: Quiet = False,
) -> None:
    """Train one arm on one fold, calibrate it without the test slides, and write a model bundle.

    The test fold is opened to look for copies alone. A killed run goes on with the same command.
    """
    from lowpower.cli._given_paths import configuration_there, folds_there
    from lowpower.cli._progress import progress_bar
    from lowpower.cli._usage import BEGINNING, typed
    from lowpower.cohort import check_asked

    check_asked(laboratory=laboratory)
    known = configuration_there(config, BEGINNING)

    from lowpower.experiments import one_arm

    folds_there(config, one_arm(known, arm, fold))

    from lowpower.experiments import train_run

    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("preparing", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        run = train_run(
            config, arm=arm, fold=fold, out=out, laboratory=laboratory, fresh=fresh, progress=show
        )
    for note in run.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"bundle: {run.bundle}")
    typer.echo(f"next: {typed('lowpower', 'evaluate', run.folder)}")
