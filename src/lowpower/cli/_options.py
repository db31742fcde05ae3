"""Options that verbs over slides have in common, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Control", "Files", "IntenseOd", "JsonLines", "MppOverride"]

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
IntenseOd = Annotated[
    float | None,
    typer.Option(
        help="HER2: DAB OD from which a complete membrane is intense: 0.8 times the membrane_od that "
        "measurement.json gives for tissue known to be 3+, stained and scanned like yours."
    ),
]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
