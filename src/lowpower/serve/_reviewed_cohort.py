"""Reviews as labels: a cohort.csv for `train` and `calibrate`."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lowpower.cohort import canonical_score, read_cohort, write_manifest
from lowpower.errors import CohortError, ConfigError
from lowpower.serve._reviews import Review, ReviewBook, Verdict
from lowpower.serve._shelf import Entry, Shelf
from lowpower.slides import slide_name

__all__ = ["ReviewedCohort", "reviewed_cohort"]

_PLAIN_CONTROL: Final = re.compile(r"none|left|right|top|bottom|\d+,\d+,\d+,\d+")


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
    whose = None if patients is None else _Patients(Path(patients))
    rows: list[dict[str, object]] = []
    left: Counter[str] = Counter()
    overruled = 0
    for key, review in sorted(latest.items()):
        score = _label(review)
        if key not in entries or (entries[key].record.slide_sha256 or "") != review.slide_sha256:
            left["their result is no longer in the folder"] += 1
        elif review.verdict is Verdict.CANNOT:
            left["the reader cannot score them"] += 1
        elif score is None:
            left["a manifest has no such score"] += 1
        else:
            file = shelf.slide_file(entries[key])
            patient = slide_name(file) if whose is None else whose.of(file)
            rows.append(_manifest_row(entries[key], file, patient, review.marker, score))
            overruled += review.score != review.answered
    if not rows:
        raise ConfigError(f"{book.path}: no review gives a score, so there is nothing to export.")
    path = write_manifest(shelf.folder / "cohort.csv" if out is None else out, rows)
    notes = [f"{count} left out: {why}." for why, count in left.items()]
    gone = sum(not Path(str(row["slide"])).exists() for row in rows)
    if gone:
        notes.append(f"{gone} of the slides are not where they were scored: correct the column slide.")
    if whose is None:
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
