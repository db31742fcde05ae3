"""A first manifest from a folder: patient and marker guessed from names by one rule that is shown."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.cohort._spelling import MARKER_SPELLINGS, canonical_marker
from lowpower.errors import ConfigError, MissingMppError, SlideError
from lowpower.slides import find_slides, open_slide, slide_name

__all__ = ["Draft", "draft_manifest"]

_SEPARATORS: Final = r"[\s_.,;()\[\]-]"
_TCGA = re.compile(r"(?i)^(TCGA-\w{2}-\w{4})-")


@dataclass(frozen=True)
class Draft:
    """Rows for a manifest, and what they rest on.

    Attributes:
        rows: One a slide, by path: slide, patient, marker (empty where the name says none), score (empty).
        rule: How patient and marker were guessed, in a sentence.
        notes: What a person should look at.
    """

    rows: tuple[dict[str, str], ...]
    rule: str
    notes: tuple[str, ...]


def draft_manifest(
    folder: str | Path,
    manifest: str | Path,
    *,
    pattern: str | None = None,
    marker: str | None = None,
    patient: str | None = None,
) -> Draft:
    """Rows for a manifest of every slide in a folder and below; a score is never guessed.

    Args:
        folder: Where the slides are.
        manifest: Where the manifest will lie: slides are named relative to it.
        pattern: Which files; see `find_slides`.
        marker: What all slides are stained for; otherwise the marker's word in each name.
        patient: Regular expression whose first group (or whole match) in the path below `folder` is the
            patient; otherwise the name without the marker's word.

    Raises:
        ConfigError: no folder, no slide in it, an expression that cannot be read, an unknown marker.
    """
    folder, beside = Path(folder), Path(manifest).absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder; give the one that holds the slides.")
    slides = find_slides(folder, pattern)
    if not slides:
        raise ConfigError(f"{folder}: holds no slide{f' named like {pattern}' if pattern else ''}.")
    asked = _expression(patient)
    try:
        told = None if marker is None else canonical_marker(marker)
    except ValueError as error:
        raise ConfigError(f"--marker: {error}.") from None
    rows, unmatched, unreadable, unsized = [], [], [], []
    for slide in slides:
        name, below = slide_name(slide.name), slide.relative_to(folder).as_posix()
        whose = _patient(name, below, asked)
        if whose is None:
            unmatched.append(below)
        rows.append(
            {
                "slide": os.path.relpath(slide.absolute(), beside),
                "patient": whose or "",
                "marker": told or _marker_in(name) or _marker_in(Path(below).parent.as_posix()) or "",
                "score": "",
                "ish": "",
                "mpp": "",
            }
        )
        try:
            open_slide(slide).close()
        except MissingMppError:
            unsized.append(below)
        except SlideError:
            unreadable.append(below)
    notes = [
        *_named(unmatched, "has", "have", "no patient by this rule: fill it in"),
        *_named([r["slide"] for r in rows if not r["marker"]], "names", "name", "no marker: fill it in"),
        *_named(unsized, "says", "say", "no um/px: fill in the column mpp"),
        *_named(unreadable, "does", "do", "not open: lowpower doctor says why"),
    ]
    several = Counter(row["patient"] for row in rows if row["patient"])
    most, count = several.most_common(1)[0] if several else ("", 0)
    if count > 1:
        notes.append(f"patient {most} has {count} slides, more than any other: is that right?")
    how = f"what {patient!r} finds in the path" if patient else "the file's name without the marker's word"
    which = told or "the marker's word in the file's or folder's name"
    return Draft(tuple(rows), f"patient: {how}; marker: {which}.", tuple(notes))


def _expression(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise ConfigError(f"--patient {text!r} is no regular expression ({error}).") from None


def _patient(name: str, below: str, asked: re.Pattern[str] | None) -> str | None:
    """The patient by the rule; None where it finds none."""
    if asked is not None:
        found = asked.search(below)
        return None if found is None else ((found.group(1) if asked.groups else found.group(0)) or None)
    barcode = _TCGA.match(name)
    if barcode is not None:  # the participant's part of a TCGA barcode
        return barcode.group(1)
    for spelling in _spellings():
        name = _word(spelling).sub("", name)
    return name.strip(" _.,;-") or None


def _marker_in(text: str) -> str | None:
    """The marker whose word stands in a name; None where none does, or several do."""
    found = {
        marker
        for marker, spellings in MARKER_SPELLINGS.items()
        if any(_word(spelling).search(text) for spelling in (marker, *spellings))
    }
    return found.pop() if len(found) == 1 else None


def _spellings() -> list[str]:
    words = [word for marker, more in MARKER_SPELLINGS.items() for word in (marker, *more)]
    return sorted(words, key=len, reverse=True)


def _word(spelling: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?:{_SEPARATORS}|/|^){re.escape(spelling)}(?={_SEPARATORS}|/|$)")


def _named(files: list[str], one: str, many: str, what: str) -> list[str]:
    if not files:
        return []
    shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return [f"{shown} {one if len(files) == 1 else many} {what}."]
