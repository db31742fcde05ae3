"""What a slide is called, and which files of a folder may be slides, by their endings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["PICTURE_ENDINGS", "SLIDE_ENDINGS", "slide_name"]

SLIDE_ENDINGS: Final = (
    ".ome.tiff", ".ome.tif", ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vsi", ".vms", ".vmu", ".qptiff",
    ".tiff", ".tif", ".dcm", ".dicom",
)  # fmt: skip
"""Endings of whole slides, longer ones first."""
PICTURE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".bmp")
"""Endings of plain images: fields of view, but also masks and thumbnails beside slides."""


def slide_name(path: str | Path) -> str:
    """The slide's name: its file's without the ending that says the format, or its folder's whole name.

    Examples:
        >>> slide_name("in/case 17.ome.tif"), slide_name("1.2.840.10")
        ('case 17', '1.2.840.10')
    """
    path = Path(path)
    name = path.name
    if not path.is_dir():
        for ending in (*SLIDE_ENDINGS, *PICTURE_ENDINGS):
            if name.lower().endswith(ending):
                return name[: -len(ending)] or name
    return name
