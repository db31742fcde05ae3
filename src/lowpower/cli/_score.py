"""`lowpower score`: slides in, a table, overlays and result files out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowpower.cli._options import Control, Files, JsonLines, LaboratoryFile, MppOverride

__all__ = ["command"]


def command(
    files: Files,
    mpp: MppOverride = None,
    model: Annotated[
        str, typer.Option(help="A bundled model's name, a bundle folder or hf://owner/name.")
    ] = "her2-sim",
    control: Control = "auto",
    laboratory: LaboratoryFile = None,
    out: Annotated[Path, typer.Option(help="Folder for overlays and results.")] = Path("lowpower-results"),
    json_lines: JsonLines = False,
    force: Annotated[
        bool, typer.Option(help="Go on when the stain does not look like the marker's.")
    ] = False,
    fresh: Annotated[bool, typer.Option(help="Score again what OUT already holds.")] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Also measure the stain cell by cell, beside the network's answer; takes longer than it.",
        ),
    ] = True,
) -> None:
    """Score slides: the network's answer and the stain as measured, pictures and result.json per slide.

    Exit code 1 if any slide was refused or failed; the others are scored all the same.
    """
    from rich.console import Console

    from lowpower.cli._progress import progress_bar, stderr
    from lowpower.cli._tables import print_results
    from lowpower.scoring import ScoreRequest, score_files

    request = ScoreRequest(
        model=model, mpp=mpp, control=control, laboratory=laboratory, force=force, measure=measure
    )
    with progress_bar() as bar:
        slides = bar.add_task("scoring", total=len(files))
        fields = bar.add_task("measuring", total=None, visible=measure)

        def next_slide(result: object) -> None:
            bar.advance(slides)
            bar.reset(fields)

        results = score_files(
            files,
            request=request,
            out=out,
            fresh=fresh,
            on_result=next_slide,
            progress=lambda done, total: bar.update(fields, completed=done, total=total),
        )
    if json_lines:
        for result in results:
            typer.echo(result.model_dump_json())
    print_results(stderr if json_lines else Console(highlight=False), results)
    stderr.print(f"report: {out / 'report.html'}", soft_wrap=True)
    if any(result.state != "ok" for result in results):
        raise typer.Exit(1)
