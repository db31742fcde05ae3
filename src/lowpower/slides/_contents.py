"""What can still be said of a file that does not open as a slide."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["contents_of"]

_MOST_PAGES = 12


def contents_of(path: str | Path) -> list[tuple[str, str]]:
    """Facts in the order of their use: (name, text). Never raises: what cannot be told is left out.

    Args:
        path: A file or folder, perhaps missing, damaged or no slide at all.
    """
    path = Path(path)
    facts: list[tuple[str, str]] = []
    with contextlib.suppress(OSError):
        if os.path.isdir(path):
            names = sorted(entry.name for entry in path.iterdir())
            shown = ", ".join(names[:_MOST_PAGES]) + (", ..." if len(names) > _MOST_PAGES else "")
            return [("holds", f"{len(names)} entries: {shown}" if names else "nothing")]
        if path.exists() and not path.is_file():
            return []  # a pipe would never end
        facts.append(("bytes", f"{path.stat().st_size:,}"))
        with path.open("rb") as stream:
            facts.append(("begins with", repr(stream.read(8))[1:]))
    with contextlib.suppress(Exception):  # a damaged file may break its library anywhere
        facts += _tiff_pages(path)
    return facts


def _tiff_pages(path: Path) -> list[tuple[str, str]]:
    import tifffile

    facts = []
    with tifffile.TiffFile(path) as file:
        for index, page in enumerate(file.pages):
            if index == _MOST_PAGES:
                facts.append(("pages", f"{len(file.pages)} in all"))
                break
            tags = page.aspage().tags
            width, height = (tags[name].value for name in ("ImageWidth", "ImageLength"))
            words = str(tags["ImageDescription"].value) if "ImageDescription" in tags else ""
            told = f"{width:,} x {height:,} px" + (f", {' '.join(words.split())[:60]}" if words else "")
            facts.append((f"page {index}", told))
    return facts
