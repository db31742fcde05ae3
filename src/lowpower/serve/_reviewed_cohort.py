"""Reviews as labels: a cohort.csv for `train` and `calibrate`."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.cohort import canonical_score, read_cohort, write_manifest
from lowpower.errors import CohortError, ConfigError
from lowpower.serve._reviews import Review, ReviewBook, Verdict
from lowpower.serve._shelf import Entry, Shelf
from lowpower.slides import slide_name

__all__ = ["Reviewed", "ReviewedCohort", "is_department", "reviewed_cohort", "write_reviewed"]

_PLAIN_CONTROL: Final = re.compile(r"none|left|right|top|bottom|\d+,\d+,\d+,\d+")
_OF_A_DEPARTMENT: Final = ("lowpower.db", "pseudonym.key")


@dataclass(frozen=True)
class ReviewedCohort:
    """What became of the reviews.

    Attributes:
        path: The manifest.
        slides: Rows of it.
        overruled: Those whose score is not what lowpower said.
        notes: What was left out and what must be filled in, a sentence each.
    """

    path: Path
    slides: int
    overruled: int
    notes: tuple[str, ...]


def is_department(folder: str | Path) -> bool:
    """Whether `lowpower serve` keeps a department there; its packages need not be installed to ask."""
    return any((Path(folder) / name).is_file() for name in _OF_A_DEPARTMENT)


def reviewed_cohort(
    folder: str | Path, out: str | Path | None = None, *, patients: str | Path | None = None
) -> ReviewedCohort:
    """Write the latest review of each slide as a manifest.

    Args:
        folder: The folder of results.
        out: The manifest; `cohort.csv` in the folder if None.
        patients: A manifest with the columns slide and patient; without it each slide is its own patient.

    Raises:
        ConfigError: there are no reviews, or none gives a score.
        CohortError: `patients` cannot be read, or lacks a slide.
        OutputError: it cannot be written.
    """
    shelf = Shelf(folder)
    entries = shelf.entries()
    book = ReviewBook(shelf.folder)
    latest = {review.slide: review for review in book.reviews()}
    if not latest:
        raise ConfigError(
            f"{book.path}: holds no review; make some with: lowpower view {shlex.quote(str(folder))}"
        )
    reviewed: list[Reviewed] = []
    left: Counter[str] = Counter()
    for key, review in sorted(latest.items()):
        if key not in entries or (entries[key].record.slide_sha256 or "") != review.slide_sha256:
            left["their result is no longer in the folder"] += 1
        else:
            reviewed.append(Reviewed(entries[key], shelf.slide_file(entries[key]), review))
    return write_reviewed(
        reviewed,
        left,
        shelf.folder / "cohort.csv" if out is None else Path(out),
        book.path,
        patients=patients,
    )


@dataclass(frozen=True)
class Reviewed:
    """A slide and the review that counts.

    Attributes:
        entry: The result that was reviewed.
        file: Where the slide is.
        review: The review.
        patient: Whose it is, where that is known.
    """

    entry: Entry
    file: Path
    review: Review
    patient: str | None = None


def write_reviewed(
    reviewed: Sequence[Reviewed],
    left: Counter[str],
    out: Path,
    source: Path,
    *,
    patients: str | Path | None = None,
) -> ReviewedCohort:
    """Write reviews as a manifest.

    Args:
        reviewed: The slides.
        left: How many others there are, by why they are left out.
        out: The manifest.
        source: What holds the reviews.
        patients: As `reviewed_cohort` takes it.

    Raises:
        ConfigError: no review gives a score.
        CohortError: `patients` cannot be read, or lacks a slide.
        OutputError: it cannot be written.
    """
    whose = None if patients is None else _Patients(Path(patients))
    left = Counter(left)
    rows: list[dict[str, object]] = []
    overruled = unnamed = 0
    for one in reviewed:
        score = _label(one.review)
        if one.review.verdict is Verdict.CANNOT:
            left["the reader cannot score them"] += 1
        elif score is None:
            left["a manifest has no such score"] += 1
        else:
            unnamed += whose is None and one.patient is None
            patient = one.patient or slide_name(one.file) if whose is None else whose.of(one.file)
            rows.append(_manifest_row(one.entry, one.file, patient, one.review.marker, score))
            overruled += one.review.score != one.review.answered
    notes = [f"{count} left out: {why}." for why, count in left.items()]
    if not rows:
        raise ConfigError(
            " ".join([f"{source}: no review gives a score, so there is nothing to export.", *notes])
        )
    path = write_manifest(out, rows)
    gone = sum(not Path(str(row["slide"])).exists() for row in rows)
    if gone:
        notes.append(f"{gone} of the slides are not where they were scored: correct the column slide.")
    if 0 < unnamed < len(rows):
        notes.append(
            f"{unnamed} slides belong to no case: their column patient holds the slide's name; put in whose "
            "each is before you train, else one patient may be in training and test."
        )
    elif unnamed:
        notes.append(
            "The column patient holds the slide's name: before you train, put in whose each slide is, or "
            "name a manifest that says so with --patients; else one patient may be in training and test."
        )
    return ReviewedCohort(path, len(rows), overruled, tuple(notes))


class _Patients:
    """Whose each slide is, by a manifest."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        table = read_cohort(manifest, required=("slide", "patient")).table
        self._by_file = dict(zip(table["slide"].to_list(), table["patient"].to_list(), strict=True))
        names = Counter(Path(file).name for file in self._by_file)
        self._by_name = {
            Path(file).name: patient for file, patient in self._by_file.items() if names[Path(file).name] == 1
        }

    def of(self, slide: Path) -> str:
        found = self._by_file.get(str(slide)) or self._by_name.get(slide.name)
        if found is None:
            raise CohortError(f"{self._manifest}: names no patient for the slide {slide.name}; add its row.")
        return str(found)


def _label(review: Review) -> str | None:
    try:
        return canonical_score(review.score, review.marker)
    except ValueError:
        return None


def _manifest_row(entry: Entry, file: Path, patient: str, marker: str, score: str) -> dict[str, object]:
    asked = entry.record.asked
    control = asked.control if asked is not None and _PLAIN_CONTROL.fullmatch(asked.control) else None
    return {
        "slide": str(file),
        "patient": patient,
        "marker": marker,
        "score": score,
        "mpp": asked.mpp if asked is not None else None,
        "control": control,
    }
