"""`lowpower measure`: reads the stain itself, cell by cell, by the guideline's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowpower.cli._options import Control, Files, JsonLines, LaboratoryFile, MarkerName, MppOverride

__all__ = ["command"]


def command(
    files: Files,
    marker: Annotated[
        MarkerName, typer.Option(help="What the slides are stained for.", case_sensitive=False)
    ] = MarkerName.HER2,
    mpp: MppOverride = None,
    regions: Annotated[
        Path | None,
        typer.Option(help="Tumour regions: GeoJSON in base pixels, or a folder with SLIDE.geojson for each."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Tissue as you drew it: a PNG over the whole slide, GeoJSON, or a folder of such."),
    ] = None,
    control: Control = "auto",
    laboratory: LaboratoryFile = None,
    out: Annotated[Path, typer.Option(help="Folder for pictures and records.")] = Path("lowpower-measured"),
    json_lines: JsonLines = False,
) -> None:
    """Measure the stain cell by cell, without labels, by the guideline's own words.

    Exit code 1 if any slide was refused or failed; the others are measured all the same.
    """
    from rich.console import Console

    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.cli._tables import print_measurements
    from lowpower.scoring import MeasuredSlide, ScoreRequest, measure_files

    request = ScoreRequest(
        marker=marker.value, mpp=mpp, regions=regions, mask=mask, control=control, laboratory=laboratory
    )
    with progress_bar() as bar:
        slides = bar.add_task("slides", total=len(files))
        fields = bar.add_task("fields", total=None)

        def next_slide(record: MeasuredSlide) -> None:
            bar.advance(slides)
            bar.reset(fields)

        records = measure_files(
            files,
            request,
            out=out,
            on_result=next_slide,
            progress=lambda done, total: bar.update(fields, completed=done, total=total),
        )
    if json_lines:
        for record in records:
            typer.echo(record.model_dump_json())
    print_measurements(stderr if json_lines else Console(highlight=False), records)
    stderr.print(f"report: {out / 'report.html'}", soft_wrap=True)
    if any(record.state != "ok" for record in records):
        raise typer.Exit(1)
