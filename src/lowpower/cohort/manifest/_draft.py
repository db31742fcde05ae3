"""A first manifest from a folder: patient and marker guessed from names by one rule that is shown."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from lowpower.cohort._spelling import MARKER_SPELLINGS, canonical_marker
from lowpower.cohort.manifest._inputs import MANIFEST_ENDINGS
from lowpower.cohort.manifest._manifest import parse_manifest
from lowpower.errors import MissingMppError, OptionError, SlideError, address_of, one_line
from lowpower.slides import find_slides, open_slide, slide_name, without_slides
from lowpower.storage import is_folder, place

__all__ = ["Draft", "draft_manifest", "filled_manifests"]

_SEPARATORS: Final = r"[\s_.,;()\[\]-]"
_BLOCK: Final = re.compile(
    rf"(?i){_SEPARATORS}+(?:(?:block|blk|slide|section|sec|level){_SEPARATORS}*(?P<named>[a-z]?\d{{1,2}}|[a-z])"
    r"|(?P<letter>[a-h]\d?))$"
)
"""What may stand behind a patient's identifier for one of several blocks or slides: -A, _B2, block 3."""
_NUMBERED: Final = re.compile(rf"(.*\d.*){_SEPARATORS}\d{{1,2}}")
_TCGA = re.compile(r"(?i)^(TCGA-\w{2}-\w{4})-")


_TRIMMED: Final = " _.,;-"
_RULE: Final = (
    "the file's name without the marker's word, and without a block's letter or number at its end (-A, _B2, "
    "block 3) where a number stands before it"
)


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
        OptionError: no folder, no slide in it, an expression that cannot be read, an unknown marker.
    """
    folder, beside = place(folder), Path(manifest).absolute().parent
    asked = _expression(patient)
    try:
        told = None if marker is None else canonical_marker(marker)
    except ValueError as error:
        raise OptionError(f"--marker: {error}.") from None
    if not is_folder(folder):
        raise OptionError(f"{one_line(folder)}: is no folder; give the one that holds the slides.")
    slides = find_slides(folder, pattern)
    if not slides:
        none = f"holds nothing named like {pattern}; check --pattern." if pattern else without_slides(folder)
        raise OptionError(f"{one_line(folder)}: {none}")
    rows, unmatched, unreadable, unsized = [], [], [], []
    for slide in slides:
        name, below = slide_name(slide.name), slide.relative_to(folder).as_posix()
        whose, block = _patient(name, below, asked)
        if whose is None:
            unmatched.append(below)
        rows.append(
            {
                "slide": address_of(slide) or os.path.relpath(slide.absolute(), beside),
                "patient": whose or "",
                "marker": told or _marker_in(name) or _marker_in(Path(below).parent.as_posix()) or "",
                "score": "",
                "ish": "",
                "mpp": "",
                "control": "",
                **({"block": block} if block else {}),
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
    numbered = Counter(tail[1] for row in rows if (tail := _NUMBERED.fullmatch(row["patient"])))
    for stem, count in numbered.most_common(1):
        if count > 1 and not patient:
            notes.append(
                f"{count} names are {stem} and a number: each is taken for a patient; if they are one "
                "patient's, say where the patient ends with --patient."
            )
    several = Counter(row["patient"] for row in rows if row["patient"])
    most, count = several.most_common(1)[0] if several else ("", 0)
    if count > 1:
        notes.append(f"patient {most} has {count} slides, more than any other: is that right?")
    how = f"what {patient!r} finds in the path" if patient else _RULE
    which = told or "the marker's word in the file's or folder's name"
    if not any(row["marker"] for row in rows):
        which = "not guessed, as no name holds a marker's word"
    return Draft(tuple(rows), f"patient: {how}; marker: {which}.", tuple(notes))


def filled_manifests(folder: str | Path) -> list[tuple[Path, int, int]]:
    """Manifests that people filled already, in a folder of slides or beside it.

    Returns:
        Of each its path, how many slides of the folder it names, and how many of them with a score; none
        without any score.
    """
    folder, found = Path(folder), []
    for around in (folder, folder.absolute().parent):
        for path in sorted(around.iterdir()) if os.access(around, os.R_OK | os.X_OK) else ():
            if path.suffix.lower() not in MANIFEST_ENDINGS or not path.is_file():
                continue
            cohort, _ = parse_manifest(path, ("slide", "score"), keep=("slide",))
            if cohort is None:
                continue
            here = cohort.table.filter(pl.col("slide").str.starts_with(f"{folder.absolute()}{os.sep}"))
            scored = here["score"].count()
            if scored:
                found.append((Path(os.path.relpath(path)), here.height, scored))
    return found


def _expression(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise OptionError(f"--patient {text!r} is no regular expression ({error}).") from None


def _patient(name: str, below: str, asked: re.Pattern[str] | None) -> tuple[str | None, str]:
    """The patient by the rule, None where it finds none; and the block where the name says one."""
    if asked is not None:
        found = asked.search(below)
        whole = None if found is None else found.group(1) if asked.groups else found.group(0)
        return whole or None, ""
    barcode = _TCGA.match(name)
    if barcode is not None:  # the participant's part of a TCGA barcode
        return barcode.group(1), ""
    for spelling in _spellings():
        name = _word(spelling).sub("", name)
    name = name.strip(_TRIMMED)
    tail = _BLOCK.search(name)
    before = "" if tail is None else name[: tail.start()].strip(_TRIMMED)
    # Letters alone before it are no identifier: then the letter is what tells patients apart.
    if tail is None or not any(letter.isdigit() for letter in before):
        return name or None, ""
    return before, (tail["letter"] or tail["named"] or "").upper()


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
