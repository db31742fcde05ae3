"""`lowpower calibrate`: a laboratory's own cut-offs from slides whose score it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import MarkerName, MarkerOption

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower calibrate cohort.csv --out laboratory.yaml"


def command(
    cohort: Annotated[
        Path, typer.Argument(metavar="COHORT.csv", help="Manifest of 20 to 60 slides with known scores.")
    ],
    marker: MarkerOption = MarkerName.HER2,
    name: Annotated[str, typer.Option(help="The laboratory, as its file will name it.")] = "my laboratory",
    site: Annotated[str | None, typer.Option(help="Of the manifest's sites, the one to calibrate.")] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("laboratory.yaml"),
) -> None:
    """Fit what differs between laboratories to slides of known score, and nothing else.

    Writes a small signed file for --laboratory of score and measure. Agreement is told before and after, each
    slide's patient left out of the fit.
    """
    from rich.console import Console
    from rich.table import Table

    from lowpower.cli._given_paths import there
    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.engine import default_workers

    there(cohort, "name a manifest (CSV or XLSX); `lowpower init SLIDES` writes one to fill in.", stored=True)

    from lowpower.scoring import calibrate

    with progress_bar() as bar:
        task = bar.add_task("slides", total=None)
        made = calibrate(
            cohort,
            marker.value,
            name=name,
            site=site,
            out=out,
            workers=default_workers(),
            on_slide=lambda _: bar.advance(task),
        )
    console = Console(highlight=False)
    table = Table("slide", "known", "usual cut-offs", "own, patient left out")
    for slide in made.slides:
        table.add_row(slide.slide, slide.known, slide.before, slide.after)
    console.print(table)
    for slide_name, why in made.left_out:
        console.print(f"left out: {slide_name}: {why}", soft_wrap=True, markup=False)
    fitted = made.laboratory.fitted
    console.print(f"before: {fitted.before}", soft_wrap=True)
    console.print(f"after:  {fitted.after} (patients left out of the fit)", soft_wrap=True)
    values = made.laboratory.her2 | made.laboratory.nuclear
    said = ", ".join(f"{key} {value:g}" for key, value in values.items()) or "none: the usual ones serve"
    console.print(f"own cut-offs: {said}", soft_wrap=True)
    for note in made.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    stderr.print(f"written: {out} (research use only); use it with --laboratory {out}", soft_wrap=True)
