"""`lowpower export`: results as DICOM SR, FHIR, PDF, GeoJSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT",
            help="A result.json or measurement.json, a slide's folder, a folder of results, or a pattern.",
        ),
    ],
    to: Annotated[
        str, typer.Option(help="Forms, comma-separated: dicom-sr, fhir, pdf, geojson, csv.")
    ] = "pdf",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; beside the results if not given. Files are named after the slide."),
    ] = None,
    patient_id: Annotated[
        str | None, typer.Option(help="The patient's identifier; left empty if not given.")
    ] = None,
    accession: Annotated[str | None, typer.Option(help="The case's accession number; likewise.")] = None,
) -> None:
    """Write results in the forms other systems read. Nothing about a patient is made up.

    Exit code 1 if a record holds no result; the others are exported all the same.
    """
    from lowpower.cli._progress import stderr
    from lowpower.scoring.exchange import export

    forms = [form.strip() for form in to.split(",") if form.strip()]
    made = export(results, forms, out=out, patient_id=patient_id, accession=accession)
    for file in made.files:
        typer.echo(str(file))
    for sentence in made.skipped:
        stderr.print(sentence, soft_wrap=True, markup=False)
    if made.skipped:
        raise typer.Exit(1)
