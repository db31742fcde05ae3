"""Options that verbs over slides have in common, said once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Control", "Files", "JsonLines", "LaboratoryFile", "MarkerName", "MppOverride"]


class MarkerName(StrEnum):
    """What was stained, as the command line spells it."""

    HER2 = "HER2"
    ER = "ER"
    PR = "PR"
    KI67 = "Ki-67"


Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Slides or fields of view.")]
MppOverride = Annotated[
    float | None, typer.Option("--mpp", help="Microns per pixel of every file; overrides what the files say.")
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
LaboratoryFile = Annotated[
    Path | None,
    typer.Option("--laboratory", help="Your own cut-offs: a file that `lowpower calibrate` wrote."),
]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
