"""`lowpower export`: results as DICOM SR, FHIR, PDF, GeoJSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower export results --to pdf,fhir"


def command(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT",
            help="A result.json or measurement.json, a slide's folder, a folder of results, or a pattern; or "
            "`reviews FOLDER`: what readers said in `lowpower view`, or in the department whose data FOLDER "
            "is, as a cohort.csv.",
        ),
    ],
    to: Annotated[
        str, typer.Option(help="Forms, comma-separated: dicom-sr, dicom-cells, fhir, pdf, geojson, csv.")
    ] = "pdf",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder; beside the results if not given. Files are named after the slide. With `reviews`: "
            "the cohort.csv.",
        ),
    ] = None,
    patient_id: Annotated[
        str | None, typer.Option(help="The patient's identifier; left empty if not given.")
    ] = None,
    accession: Annotated[str | None, typer.Option(help="The case's accession number; likewise.")] = None,
    patients: Annotated[
        Path | None,
        typer.Option(
            help="With `reviews`: a manifest with slide and patient, which says whose each slide is."
        ),
    ] = None,
) -> None:
    """Write results in the forms other systems read. Nothing about a patient is made up.

    Exit code 1 if a record holds no result; the others are exported all the same.
    """
    from lowpower.cli._given_paths import some_there
    from lowpower.cli._progress import stderr
    from lowpower.errors import OptionError

    if results == ["reviews"] and not Path("reviews").exists():
        raise OptionError("reviews of which results? Name their folder: lowpower export reviews FOLDER.")
    named = results[1:] if results[0] == "reviews" and len(results) > 1 else results
    some_there(named, "give what `lowpower score` or `lowpower measure` wrote.")
    if results[0] == "reviews" and len(results) > 1:
        _reviews(results[1:], out, patients)
        return

    from lowpower.scoring.exchange import export

    forms = [form.strip() for form in to.split(",") if form.strip()]
    made = export(results, forms, out=out, patient_id=patient_id, accession=accession)
    for file in made.files:
        typer.echo(str(file))
    for sentence in made.skipped:
        stderr.print(sentence, soft_wrap=True, markup=False)
    if made.skipped:
        raise typer.Exit(1)


def _reviews(folders: list[str], out: Path | None, patients: Path | None) -> None:
    from lowpower.cli._progress import stderr
    from lowpower.errors import ConfigError, install_with
    from lowpower.serve import is_department, reviewed_cohort

    if len(folders) != 1:
        raise ConfigError(f"Reviews are exported folder by folder, and {len(folders)} were named; name one.")
    if is_department(folders[0]):
        try:
            from lowpower.serve.department import read_settings, reviewed_department
        except ModuleNotFoundError as error:
            raise ConfigError(f"A department's reviews need {error.name}; {install_with('serve')}") from error
        made = reviewed_department(read_settings(data=Path(folders[0])), out, patients=patients)
    else:
        made = reviewed_cohort(folders[0], out, patients=patients)
    typer.echo(str(made.path))
    for sentence in (f"{made.slides} slides, {made.overruled} of them overruled.", *made.notes):
        stderr.print(sentence, soft_wrap=True, markup=False)
