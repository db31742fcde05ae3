"""What a user names as slides: files, folders, patterns and manifests, made into one list."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lowpower.cohort.manifest._manifest import read_cohort
from lowpower.errors import OptionError, address_of, one_line
from lowpower.files import meant
from lowpower.slides import MAY_NOT, find_slides, without_slides
from lowpower.storage import full_name, is_folder, is_there, matching, missing, place

__all__ = ["MANIFEST_ENDINGS", "SlideInput", "slide_inputs"]

MANIFEST_ENDINGS: Final = (".csv", ".tsv", ".xlsx", ".parquet")
_OTHER_TABLES: Final = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".txt", ".json")
_CONFIGURATIONS: Final = (".yaml", ".yml")
_SHOWN: Final = 5
_COLUMNS: Final = ("mpp", "control", "mask", "marker", "score", "ish")


@dataclass(frozen=True, slots=True)
class SlideInput:
    """One slide that was named, and what a manifest says of it.

    Attributes:
        path: The slide.
        mpp: um/px, where the manifest says it.
        control: What it says of on-slide control tissue.
        mask: Its tissue mask.
        marker: What was stained.
        score: The label: the score that a reader gave.
        ish: In-situ hybridisation.
        manifest: The manifest that names it; None for what was named itself or found in a folder.
        absent: Why nothing is there, of what was named itself: no such file, or a folder without slides.
    """

    path: Path
    mpp: float | None = None
    control: str | None = None
    mask: str | None = None
    marker: str | None = None
    score: str | None = None
    ish: str | None = None
    manifest: Path | None = field(default=None, compare=False)
    absent: str | None = field(default=None, compare=False)


def slide_inputs(given: Sequence[str | Path | SlideInput], pattern: str | None = None) -> list[SlideInput]:
    """Every slide that was named, each once, in the order given and by path within a folder.

    Args:
        given: Each a slide; a folder, searched to its depths; a glob such as `slides/*.svs`; or a manifest
            (CSV, TSV, XLSX, Parquet) of which only the column `slide` must be there. A folder of DICOM files
            is one slide. What does not exist among others that do stays in the list, as `absent`.
        pattern: Which files of folders; see `find_slides`.

    Raises:
        OptionError: nothing that was named is there, a manifest is not, or a pattern matches nothing.
        CohortError: a manifest cannot be used.
    """
    found: dict[str, SlideInput] = {}
    for one in given:
        for slide in _expand(one, pattern):
            # The same file named twice is one slide; a manifest says more of it than a bare name.
            key = full_name(slide.path)
            if key not in found or found[key] == SlideInput(found[key].path):
                found[key] = slide
    if found and all(slide.absent for slide in found.values()):
        missing = [f"{one_line(slide.path)}: {slide.absent}" for slide in found.values()]
        raise OptionError(
            " ".join(missing[:_SHOWN] + [f"And {len(missing) - _SHOWN} more."] * (len(missing) > _SHOWN))
        )
    return list(found.values())


def _expand(given: str | Path | SlideInput, pattern: str | None) -> Iterator[SlideInput]:
    if isinstance(given, SlideInput):
        stored = address_of(given.path) is not None  # what is not there is told when its turn comes
        named = given.manifest is not None or stored or os.path.lexists(given.path)
        yield replace(given, absent=given.absent if named else _nowhere(given.path))
        return
    path, text = place(given), str(given)
    if address_of(path) is None:
        text = str(path)
    if is_folder(path):
        slides = find_slides(path, pattern)
        if not slides and pattern is not None:
            raise OptionError(f"{path}: holds nothing named like {pattern}; check --pattern.")
        for slide in slides:
            shut = os.path.isdir(slide) and not os.access(slide, os.R_OK | os.X_OK)
            yield SlideInput(slide, absent=MAY_NOT if shut else None)
        if not slides:
            yield SlideInput(path, absent=without_slides(path))
    elif path.suffix.lower() in MANIFEST_ENDINGS and is_there(path):
        for row in read_cohort(path, required=("slide",)).table.iter_rows(named=True):
            told = {name: row[name] for name in _COLUMNS}
            yield SlideInput(Path(row["slide"]), **told, manifest=Path(full_name(path)))
    elif path.suffix.lower() in _CONFIGURATIONS:
        raise OptionError(
            f"{one_line(path)}: is no slide but a configuration, which `lowpower train` and `lowpower study` "
            "take; name slides, a folder or a manifest (cohort.csv)."
        )
    elif path.suffix.lower() in _OTHER_TABLES:
        raise OptionError(
            f"{one_line(path)}: is no slide; if it is a manifest, save it as CSV, TSV, XLSX or Parquet."
        )
    elif _is_seen(path):
        yield SlideInput(path)
    elif glob.has_magic(text):
        stored = address_of(path) is not None
        matched = matching(text) if stored else sorted(glob.glob(text, recursive=True))
        if not matched:
            raise OptionError(f"{text}: no file matches this pattern; check the path.")
        for match in matched:
            yield from _expand(match, pattern)
    elif path.suffix.lower() in MANIFEST_ENDINGS:
        raise OptionError(f"{one_line(path)}: no such manifest; {meant(path) or 'check the path.'}")
    else:
        yield SlideInput(path, absent=_nowhere(path))


def _is_seen(path: Path) -> bool:
    """Whether a name leads to anything, be it a link to nothing."""
    return is_there(path) if address_of(path) is not None else os.path.lexists(path)


def _nowhere(path: Path) -> str:
    """Why nothing is seen at a path."""
    address = address_of(path)
    if address is not None:
        return missing(address)
    shut = os.path.isdir(path.parent) and not os.access(path.parent, os.X_OK)
    return (
        "lies in a folder that may not be read; ask for permission."
        if shut
        else f"does not exist; {meant(path) or 'check the path.'}"
    )
