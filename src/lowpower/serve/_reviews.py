"""What readers say of results: one row a review in reviews.csv, never changed, only added to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import ValidationError

import lowpower
from lowpower.cohort import canonical_score
from lowpower.errors import ConfigError, OutputError, one_line
from lowpower.files import locked, write_text
from lowpower.scoring import MeasuredSlide, Record, Result
from lowpower.serve._shelf import Entry
from lowpower.slides import BOOKS

__all__ = ["MEASURED", "Review", "ReviewBook", "Verdict", "answered_score", "review_of"]

MEASURED: Final = "measured"
"""Stands for the model in reviews of a measurement, where no model answered."""
_FILE: Final = "reviews.csv"
_LONGEST_COMMENT, _LONGEST_NAME = 2000, 100


class Verdict(StrEnum):
    """What a reader says of an answer."""

    AGREE = "agree"
    OTHER = "other score"
    CANNOT = "cannot score"


class Review(Record):
    """One row of reviews.csv."""

    time: str
    """When, UTC, ISO 8601."""
    reader: str
    slide: str
    """The slide's name among the results."""
    verdict: Verdict
    score: str = ""
    """The reader's score; empty where it cannot be scored."""
    comment: str = ""
    marker: str
    answered: str = ""
    """What lowpower said: the likeliest score, or the measured one; empty where it said none."""
    decision: str = ""
    """issued, refer, ok, refused or failed."""
    blind: bool = False
    """Whether the reader scored before seeing the answer."""
    model: str = ""
    file: str = ""
    slide_sha256: str = ""
    software_version: str = lowpower.__version__


def answered_score(record: Result | MeasuredSlide) -> str:
    """What was said of it: the likeliest score or, of a measurement, the measured one; "" if nothing."""
    if isinstance(record, Result):
        if record.answer is not None:
            return record.answer.likeliest
        return record.decision if record.decision not in (None, "refer") else ""
    told = record.measured
    if told is None:
        return ""
    return told.score or (f"{told.percent:.1f}" if told.percent is not None else "")


def review_of(
    entry: Entry,
    *,
    reader: str,
    verdict: Verdict,
    score: str = "",
    comment: str = "",
    marker: str | None = None,
    blind: bool = False,
) -> Review:
    """A reader's word as a row; the arguments are those of `ReviewBook.add`.

    Raises:
        ConfigError: no name, no such score, or nothing to agree with.
    """
    record = entry.record
    reader, comment = one_line(reader).strip(), one_line(comment).strip()
    stained = record.marker or marker
    if not reader:
        raise ConfigError("Say who reviews: the reader's name is empty.")
    if len(reader) > _LONGEST_NAME or len(comment) > _LONGEST_COMMENT:
        raise ConfigError(
            f"A name has at most {_LONGEST_NAME} letters, a comment {_LONGEST_COMMENT}; shorten it."
        )
    if stained is None:
        raise ConfigError(f"{entry.key}: its record names no marker, so it cannot be given a score here.")
    answered = answered_score(record)
    return Review(
        time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        reader=reader,
        slide=entry.key,
        verdict=verdict,
        score=_score(entry.key, verdict, score, answered, stained),
        comment=comment,
        marker=stained,
        answered=answered,
        decision=record.outcome,
        blind=blind,
        model=_model(record),
        file=record.file,
        slide_sha256=record.slide_sha256 or "",
    )


class ReviewBook:
    """The reviews.csv beside results. Every row that was written stays as it is, byte for byte."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self._lock = folder / BOOKS / "reviews.lock"

    def add(
        self,
        entry: Entry,
        *,
        reader: str,
        verdict: Verdict,
        score: str = "",
        comment: str = "",
        marker: str | None = None,
        blind: bool = False,
    ) -> Review:
        """Write a review; of several writers each waits for its turn, and none loses a row.

        Args:
            entry: What is reviewed.
            reader: Who says so.
            verdict: What they say.
            score: Their score, any spelling of a manifest; asked for where the verdict is another score.
            comment: In their words; line breaks become spaces.
            marker: The stain, where the record does not name it.
            blind: Whether they had not seen the answer.

        Raises:
            ConfigError: no name, no such score, or nothing to agree with.
            OutputError: it cannot be written.
        """
        review = review_of(
            entry,
            reader=reader,
            verdict=verdict,
            score=score,
            comment=comment,
            marker=marker,
            blind=blind,
        )
        with locked(self._lock):
            write_text(self.path, self._text() + _row(review))
        return review

    def reviews(self) -> list[Review]:
        """Every review, oldest first; rows that somebody spoilt by hand are left out."""
        found = []
        for row in csv.DictReader(io.StringIO(self._text())):
            cells = {name: value for name, value in row.items() if name in Review.model_fields and value}
            try:
                found.append(Review.model_validate(cells))
            except ValidationError:
                continue
        return found

    def _text(self) -> str:
        """What is there, ending with a line break; the header where nothing is."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            text = ""
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(f"{self.path}: cannot be read ({error}); move it away or mend it.") from error
        if not text:
            return _line(list(Review.model_fields))
        return text if text.endswith("\n") else text + "\n"


def _score(key: str, verdict: Verdict, score: str, answered: str, marker: str) -> str:
    if verdict is Verdict.CANNOT:
        return ""
    if verdict is Verdict.AGREE:
        if not answered:
            raise ConfigError(
                f"{key}: there is no score to agree with; give yours, or say it cannot be scored."
            )
        return answered
    try:
        return canonical_score(score, marker)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}.") from error


def _model(record: Result | MeasuredSlide) -> str:
    if isinstance(record, Result):
        return f"{record.model.name} {record.model.version}" if record.model else ""
    return MEASURED


def _row(review: Review) -> str:
    cells = review.model_dump(mode="json")
    return _line(
        [("yes" if value else "no") if isinstance(value, bool) else value for value in cells.values()]
    )


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
