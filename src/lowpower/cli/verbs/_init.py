"""`lowpower init`: a manifest to fill in and a commented configuration, from a folder of slides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import Pattern

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower init slides/"


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the slides are.")],
    out: Annotated[Path, typer.Option(help="Folder for cohort.csv and experiment.yaml.")] = Path("."),
    pattern: Pattern = None,
    marker: Annotated[
        str | None, typer.Option(help="What all slides are stained for: HER2, ER, PR or Ki-67.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Finds the patient in a slide's path below FOLDER: the first group, or all that matches. "
            "For instance '^([^/]+)/' takes the first folder.",
        ),
    ] = None,
) -> None:
    """Write cohort.csv, to fill in, and a commented experiment.yaml. Scores are never guessed.

    Patient and marker are guessed from names by a rule that is shown. Nothing that is there is written over.
    """
    from lowpower.cli._given_paths import there
    from lowpower.cli._usage import typed
    from lowpower.cohort import draft_manifest, filled_manifests, write_manifest
    from lowpower.errors import OptionError, OutputError
    from lowpower.files import make_folder, write_text

    there(folder, "give the folder that holds the slides.", stored=True)
    if folder.is_file():
        raise OptionError(f"{folder}: is a file; give the folder that holds the slides.")
    manifest, configuration = out / "cohort.csv", out / "experiment.yaml"
    filled = filled_manifests(folder) if folder.is_dir() else []
    for file in (manifest, configuration):
        if file.exists():
            held = [_held(*of) for path, *of in filled if path.absolute() == file.absolute()]
            what = f": it names {held[0]}; `{typed('lowpower', 'check', file)}` looks at it." if held else "."
            raise OptionError(f"{file}: is there already{what} For a new one, give another --out.")
    draft = draft_manifest(folder, manifest, pattern=pattern, marker=marker, patient=patient)

    from lowpower.experiments import template

    markers = {row["marker"] for row in draft.rows} - {""}
    make_folder(out)
    write_manifest(manifest, draft.rows)
    try:
        write_text(configuration, template(markers.pop() if len(markers) == 1 else "HER2"))
    except OutputError:
        manifest.unlink()  # alone it would stand in the way of the next try
        raise
    patients = len({row["patient"] for row in draft.rows} - {""})
    typer.echo(f"{manifest}: {_counted(len(draft.rows), 'slide')}, {_counted(patients, 'patient')}.")
    typer.echo(f"Guessed, so look at it: {draft.rule}")
    for note in draft.notes:
        typer.echo(note)
    for path, slides, scored in filled:
        typer.echo(f"{path} is there already and names {_held(slides, scored)}.")
    typer.echo(
        f"{configuration}: what `lowpower study` and `lowpower train --arm` take, each line explained."
    )
    empty = [name for name in ("patient", "marker") if not all(row[name] for row in draft.rows)]
    fill = f"columns {', '.join(empty)} and score" if empty else "column score"
    fill_in = f"fill in the {fill} of {manifest}, then `{typed('lowpower', 'check', manifest)}`"
    if filled:
        known = filled[0][0]
        typer.echo(
            f"Next: if {known} is your table, `{typed('lowpower', 'check', known)}`, and name it in "
            f"{configuration} (cohort:); if not, {fill_in}."
        )
    else:
        typer.echo(f"Next: {fill_in}.")


def _held(slides: int, scored: int) -> str:
    return f"{_counted(slides, 'slide')}, {scored} with a score"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
