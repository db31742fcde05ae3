"""`lowpower measure`: reads the stain itself, cell by cell, by the guideline's rules."""

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
    MarkerName,
    MarkerOption,
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

EXAMPLE: Final = "lowpower measure case-17.svs --marker ER"


def command(
    files: Files,
    pattern: Pattern = None,
    marker: MarkerOption = MarkerName.HER2,
    mpp: MppOverride = None,
    scene: Scene = None,
    plane: Plane = None,
    regions: Regions = None,
    region_class: RegionClass = None,
    mask: Mask = None,
    control: Control = "auto",
    laboratory: LaboratoryFile = None,
    cells: CountedCells = CellsThatCount.TUMOUR,
    out: Annotated[Path, typer.Option(help="Folder for pictures and records; they add up.")] = Path(
        "lowpower-measured"
    ),
    json_lines: JsonLines = False,
    fresh: Fresh = False,
    one_file: OneFile = False,
    effort: Effort = EffortName.FULL,
    seconds: Seconds = None,
    seed: Seed = 0,
    precision: PrecisionOption = PrecisionName.EXACT,
    on: Where = WhereName.HERE,
    quiet: Quiet = False,
) -> None:
    """Measure the stain cell by cell, without labels, by the guideline's own words.

    Slides that OUT already holds are not measured again, unless slide, options or version differ. Exit code
    1 if any slide was refused or failed; the others are measured all the same.
    """
    from lowpower.cli._batch import finish
    from lowpower.cli._progress import SlideProgress, warn
    from lowpower.cohort import check_asked, check_budget, slide_inputs
    from lowpower.engine import run_on
    from lowpower.graphs import check_precision

    check_asked(
        mpp=mpp, scene=scene, plane=plane, control=control, regions=regions, mask=mask, laboratory=laboratory
    )
    check_budget(seconds, effort.value)
    check_precision(precision.value)
    slides = slide_inputs(files, pattern)

    from lowpower.scoring import ScoreRequest, measure_files

    request = ScoreRequest(
        marker=marker.value,
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
    )
    with run_on(on.value), SlideProgress("measuring", len(slides), quiet=quiet) as shown:
        batch = measure_files(
            slides,
            request,
            out=out,
            fresh=fresh,
            one_file=one_file,
            on_result=shown.slide_done,
            on_warning=warn,
            progress=shown.field_done,
        )
    finish(batch, json_lines=json_lines, quiet=quiet)
