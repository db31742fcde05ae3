"""Options that verbs over slides have in common, said once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CellsThatCount",
    "Control",
    "CountedCells",
    "Effort",
    "EffortName",
    "Files",
    "Fresh",
    "JsonLines",
    "LaboratoryFile",
    "MarkerName",
    "MarkerOption",
    "Mask",
    "MppOverride",
    "OneFile",
    "Pattern",
    "Plane",
    "PrecisionName",
    "PrecisionOption",
    "Quiet",
    "RegionClass",
    "Regions",
    "Scene",
    "Seconds",
    "Seed",
    "Where",
    "WhereName",
    "Workers",
]


class MarkerName(StrEnum):
    """What was stained, as the command line spells it."""

    HER2 = "HER2"
    ER = "ER"
    PR = "PR"
    KI67 = "Ki-67"


def _marker(text: str) -> MarkerName:
    """A marker by any spelling that manifests may use."""
    from lowpower.cohort import canonical_marker

    try:
        return MarkerName(canonical_marker(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(MarkerName)}") from None


MarkerOption = Annotated[
    MarkerName,
    typer.Option(
        "--marker", help="What the slides are stained for.", parser=_marker, metavar="[HER2|ER|PR|Ki-67]"
    ),
]

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="SLIDE",
        help="Slides or fields of view; folders, searched to their depths; patterns such as 'slides/*.svs'; "
        "or a manifest (cohort.csv) whose mpp, control, mask and score are used.",
        show_default=False,
    ),
]
Pattern = Annotated[
    str | None, typer.Option(metavar="GLOB", help="Only such files of folders, for instance '*.svs'.")
]
MppOverride = Annotated[
    float | None,
    typer.Option(
        "--mpp", help="Microns per pixel, over what the files say; a manifest's row goes before this."
    ),
]
Scene = Annotated[
    str | None,
    typer.Option(
        help="Scene or optical path to read, by name or number, of files with several (`lowpower doctor` "
        "lists them); otherwise the largest."
    ),
]
Plane = Annotated[
    int | None, typer.Option(help="Focal plane to read, from 1, of files that hold several; the middle one.")
]
Control = Annotated[
    str,
    typer.Option(
        metavar="auto|none|END|BOX|FILE",
        help="On-slide control tissue, left out: found by itself, none at all, at one end of the slide "
        "(left, right, top, bottom), in X,Y,WIDTH,HEIGHT (base pixels), or shown by a GeoJSON or PNG (or a "
        "folder with one for each slide).",
    ),
]
Regions = Annotated[
    Path | None,
    typer.Option(
        help="Tumour regions: GeoJSON in base pixels, or a folder with SLIDE.geojson for each. Areas of "
        "class Tumor count, or all where none has a class; Ignore* is cut out, other classes are left out."
    ),
]
RegionClass = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A class of REGIONS that counts too; may come again. 'unclassified': areas without one.",
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        help="Tissue as you drew it: an image over the whole slide (white is tissue), GeoJSON, or a folder "
        "with one for each slide."
    ),
]


class CellsThatCount(StrEnum):
    """Which cells count."""

    TUMOUR = "tumour"
    ALL = "all"


CountedCells = Annotated[
    CellsThatCount,
    typer.Option(
        "--cells", help="Cells that count: tumour-like ones, or all, for fields and regions of tumour alone."
    ),
]
LaboratoryFile = Annotated[
    Path | None,
    typer.Option("--laboratory", help="Your own cut-offs: a file that `lowpower calibrate` wrote."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start anew: what OUT holds is set aside in it.")]
OneFile = Annotated[
    bool, typer.Option("--one-file", help="Embed the pictures in report.html, so that it can be mailed.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables: only what went wrong.")]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]


class WhereName(StrEnum):
    """Where work runs."""

    HERE = "here"
    RAY = "ray"


Where = Annotated[
    WhereName,
    typer.Option(
        "--on",
        help="Where work runs: this machine, or the Ray cluster that RAY_ADDRESS names (if it names none, "
        "one that is started on this machine); see docs/cluster.md.",
    ),
]


class EffortName(StrEnum):
    """How much of a slide is measured."""

    FULL = "full"
    GUIDED = "guided"


Effort = Annotated[
    EffortName,
    typer.Option(
        help="full measures every field; guided draws fields where low power says until the score is "
        "settled, with intervals: a fraction of the time on large slides.",
    ),
]
Seconds = Annotated[
    float | None, typer.Option(help="Budget of a slide's guided reading; what is known then is told.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of guided draws: the same seed reads the same fields.")]


class PrecisionName(StrEnum):
    """How networks run."""

    EXACT = "exact"
    FAST = "fast"


PrecisionOption = Annotated[
    PrecisionName,
    typer.Option(
        "--precision",
        help="exact: networks run in 32 bits, with the same numbers on every machine; fast: by OpenVINO "
        "(extra openvino), in bfloat16 where the processor has it.",
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default every processor.")]
