"""`lowpower simulate`: a cohort of simulated slides with the truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import Quiet, Where, WhereName, Workers

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower simulate --patients 8 --out simulated"


def command(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC.yaml]", help="What to simulate; see docs/simulator.md.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for slides, truth and cohort.csv.")] = Path("simulated"),
    patients: Annotated[int | None, typer.Option(min=1, max=100_000, help="Over what SPEC says.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, over what SPEC says.")] = None,
    workers: Workers = None,
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Simulate IHC slides with known truth. They are not real and say so."""
    from lowpower.cli._given_paths import there
    from lowpower.cli._progress import progress_bar
    from lowpower.cli._usage import typed
    from lowpower.engine import default_workers, run_on
    from lowpower.files import read_yaml

    if spec is not None:
        there(spec, "docs/simulator.md says what may stand in it; without one HER2 slides are made.")
        read_yaml(spec)

    from lowpower.simulate import CohortSpec, simulate_cohort

    wanted = CohortSpec.from_yaml(spec) if spec is not None else CohortSpec()
    changes = {key: value for key, value in (("patients", patients), ("seed", seed)) if value is not None}
    wanted = CohortSpec.model_validate({**wanted.model_dump(), **changes})
    with run_on(on.value), progress_bar(quiet=quiet) as bar:
        task = bar.add_task("simulating", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        cohort = simulate_cohort(wanted, out, workers=workers or default_workers(), progress=show)
    typer.echo(str(cohort))
    typer.echo(
        f"next: {typed('lowpower', 'check', cohort)}, then {typed('lowpower', 'score', cohort)}", err=True
    )
