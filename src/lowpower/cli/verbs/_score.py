"""`lowpower score`: slides in, a table, overlays and result files out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from lowpower.cli._options import (
    CellsThatCount,
    Control,
    CountedCells,
    Effort,
    EffortName,
    Files,
    Fresh,
    JsonLines,
    LaboratoryFile,
    Mask,
    MppOverride,
    OneFile,
    Pattern,
    Plane,
    PrecisionName,
    PrecisionOption,
    Quiet,
    RegionClass,
    Regions,
    Scene,
    Seconds,
    Seed,
    Where,
    WhereName,
)

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower score slides/ --out results"


def command(
    files: Files,
    pattern: Pattern = None,
    mpp: MppOverride = None,
    scene: Scene = None,
    plane: Plane = None,
    model: Annotated[
        str, typer.Option(help="A bundled model's name, a bundle's or a run's folder, or hf://owner/name.")
    ] = "her2-sim",
    regions: Regions = None,
    region_class: RegionClass = None,
    mask: Mask = None,
    control: Control = "auto",
    laboratory: LaboratoryFile = None,
    cells: CountedCells = CellsThatCount.TUMOUR,
    out: Annotated[Path, typer.Option(help="Folder for overlays and results; they add up.")] = Path(
        "lowpower-results"
    ),
    json_lines: JsonLines = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on when the stain does not look like the marker's.")
    ] = False,
    fresh: Fresh = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Also measure the stain cell by cell, beside the network's answer; takes longer than it.",
        ),
    ] = True,
    one_file: OneFile = False,
    effort: Effort = EffortName.FULL,
    seconds: Seconds = None,
    seed: Seed = 0,
    precision: PrecisionOption = PrecisionName.EXACT,
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Score slides: the network's answer and the stain as measured, pictures and result.json per slide.

    Slides that OUT already holds are not scored again, unless slide, model, options or version differ. Exit
    code 1 if any slide was refused or failed; the others are scored all the same.
    """
    from lowpower.cli._batch import finish
    from lowpower.cli._given_paths import model_there
    from lowpower.cli._progress import SlideProgress, warn
    from lowpower.cohort import check_asked, check_budget, slide_inputs
    from lowpower.engine import run_on
    from lowpower.graphs import check_precision

    check_asked(
        mpp=mpp, scene=scene, plane=plane, control=control, regions=regions, mask=mask, laboratory=laboratory
    )
    check_budget(seconds, effort.value)
    check_precision(precision.value)
    model_there(model)
    slides = slide_inputs(files, pattern)

    from lowpower.scoring import ScoreRequest, score_files

    request = ScoreRequest(
        model=model,
        mpp=mpp,
        scene=scene,
        plane=plane,
        regions=regions,
        region_classes=tuple(region_class or ()),
        mask=mask,
        control=control,
        laboratory=laboratory,
        cells=cells.value,
        effort=effort.value,
        seconds=seconds,
        seed=seed,
        precision=precision.value,
        force=force,
        measure=measure,
    )
    with run_on(on.value), SlideProgress("scoring", len(slides), quiet=quiet) as shown:
        batch = score_files(
            slides,
            request=request,
            out=out,
            fresh=fresh,
            one_file=one_file,
            on_result=shown.slide_done,
            on_warning=warn,
            progress=shown.field_done,
        )
    finish(batch, json_lines=json_lines, quiet=quiet)
