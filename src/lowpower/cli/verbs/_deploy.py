"""`lowpower deploy`: an arm of a study becomes a model bundle that `score` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import Quiet

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower deploy studies/mine"


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A study's folder.")],
    arm: Annotated[
        str | None, typer.Option(help="Which arm; by default the one with the best validation AUC.")
    ] = None,
    fold: Annotated[
        str, typer.Option(metavar="K|all", help="Whose model, counted from 0; all: the mean of every fold's.")
    ] = "0",
    refit: Annotated[
        bool, typer.Option(help="Train once more, on every slide of the cohort; takes as long as one fold.")
    ] = False,
    cohort: Annotated[
        Path | None, typer.Option(help="The manifest, where it was moved since the study.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Put a study's winner to work: STUDY/bundles/ARM/, a model bundle.

    The winner is chosen on validation slides, never on test slides. The model is the one that the study
    trained on a fold, with its temperature and rules, unless --refit is given.
    """
    from lowpower.cli._given_paths import study_there, there
    from lowpower.cli._progress import progress_bar
    from lowpower.cli._usage import typed
    from lowpower.errors import OptionError

    if fold != "all" and not fold.isdecimal():
        raise OptionError(f"--fold takes a number from 0 on, or all, not {fold!r}.")
    study_there(study)
    if cohort is not None:
        there(cohort, "name the manifest.", stored=True)

    from lowpower.experiments import deploy

    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("deploying", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        made = deploy(
            study,
            arm=arm,
            fold="all" if fold == "all" else int(fold),
            refit=refit,
            cohort=cohort,
            progress=show,
        )
    typer.echo(f"bundle: {made.bundle.folder}")
    typer.echo(f"arm: {made.arm}, {made.why}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"next: {typed('lowpower', 'score', 'new/', '--model', made.bundle.folder)}")
