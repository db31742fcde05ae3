"""`lowpower prepare`: what arms need of a cohort's slides, made ahead of training or a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import Quiet, Where, WhereName, Workers

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower prepare experiment.yaml"


def command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Of a training or a study.")],
    workers: Workers = None,
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Make what a configuration's arms need of slides (views, patches, features); what is there is kept.

    Exit code 1 if a slide gave nothing; the others are made all the same.
    """
    from rich.console import Console
    from rich.table import Table

    from lowpower.cli._given_paths import configuration_there, labels_there
    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.cli._usage import BEGINNING
    from lowpower.engine import default_workers, run_on

    labels_there(config, configuration_there(config, BEGINNING))

    from lowpower.experiments import doubtful_in, prepare_run

    with run_on(on.value), progress_bar(quiet=quiet) as bar:
        task = bar.add_task("preparing", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        states = prepare_run(config, workers=workers or default_workers(), progress=show)
    bad = [state for state in states if state.state != "ok"]
    if bad:
        table = Table("slide", "state", "reason")
        for state in bad:
            table.add_row(Path(state.slide).name, state.state, state.reason or "")
        Console(highlight=False).print(table)
    stderr.print(f"{len(states) - len(bad)} of {len(states)} slides are ready.")
    doubtful = doubtful_in(config, states)
    if doubtful:
        stderr.print(
            f"control tissue is doubtful and unstated on {len(doubtful)}: {', '.join(doubtful)}; train "
            "refuses them until the column control says what it is (none, an end, or X,Y,WIDTH,HEIGHT).",
            soft_wrap=True,
            markup=False,
        )
    if bad:
        raise typer.Exit(1)
