"""Who stands behind the page: a folder of results for one person, or the service of a department."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fastapi import Request
from pydantic import BaseModel, Field

from lowpower.scoring import NOTICE, Record
from lowpower.serve._desk import State, WorklistRow
from lowpower.serve._reviews import Review, Verdict
from lowpower.serve._shelf import Entry
from lowpower.serve._tiles import SlidePlace

__all__ = ["PageHost", "ReviewGiven", "Waiting", "Worklist", "WorklistAsked"]


class Worklist(Record):
    """Slides, those that need a reader first: all of a folder, a page of a department's."""

    folder: str
    blind: bool
    reviews: bool
    version: str
    notice: str = NOTICE
    rows: tuple[WorklistRow, ...]
    scores: bool = False
    """Whether slides that have no result can be scored from the page, where nobody signs in."""
    paged: bool = False
    """Whether the server searches, filters and sorts, and gives a page at a time."""
    total: int | None = None
    """Slides that the search finds, where the server searches."""
    or_more: bool = False
    """Whether there are more than `total`: a search that finds very many is not counted to its end."""
    reviewed: int | None = None
    next: str | None = None
    """What to ask for the next page with."""


class WorklistAsked(BaseModel):
    """What of the worklist is asked for; a folder gives everything, whatever is asked."""

    search: str = Field("", max_length=200)
    show: str = Field("", max_length=40)
    sort: str = Field("", max_length=40)
    cursor: str = Field("", max_length=400)
    limit: int = Field(100, ge=1, le=500)


class ReviewGiven(Record):
    """What the page sends when a reader has decided."""

    reader: str = ""
    verdict: Verdict
    score: str = Field("", max_length=50)
    comment: str = ""
    version: str = Field("", max_length=40)
    """Of the record that the reader saw; a review of one that gave way to another is not taken."""


@dataclass(frozen=True)
class Waiting:
    """A slide without a result: what is happening to it.

    Attributes:
        place: The slide.
        marker: The stain it will be scored for.
        state: waiting, running, cancelled or unscored.
        reason: Why there is no result, where that is known.
        progress: Share of the scoring that is done; None while none is.
    """

    place: SlidePlace
    marker: str | None
    state: State
    reason: str | None = None
    progress: float | None = None


class PageHost(Protocol):
    """What the page's routes need to know, and whom they tell.

    Attributes:
        blind: Whether an answer is kept back until the reader has scored the slide.
        writes: Whether reviews and regions may be given.
    """

    blind: bool
    writes: bool

    def reader(self, request: Request) -> str:
        """Who asks."""

    def worklist(self, asked: WorklistAsked, reader: str) -> Worklist:
        """The slides."""

    def entry(self, key: str) -> Entry | None:
        """A slide's result; None where it has none, or there is no such slide."""

    def waiting(self, key: str) -> Waiting | None:
        """A slide that has no result yet; None where it has one, or there is no such slide."""

    def place(self, entry: Entry) -> SlidePlace:
        """Where the slide of a result is, and how it was read."""

    def place_of(self, key: str) -> SlidePlace | None:
        """Where a slide is, scored or not; None where there is none. Asked for every tile."""

    def marker(self, entry: Entry) -> str | None:
        """The stain; of a record that does not say, that of the folder."""

    def reviews(self, entry: Entry) -> list[Review]:
        """Reviews of the slide that was scored, oldest first."""

    def earlier(self, entry: Entry) -> list[Entry]:
        """Results of the same slide that gave way to this one, the latest first."""

    def add_review(self, entry: Entry, given: ReviewGiven, reader: str, *, blind: bool) -> Review:
        """Keep a review."""

    def reported(self, entry: Entry, form: str, reader: str) -> None:
        """Keep that somebody took a report of a result."""

    def regions(self, key: str) -> dict[str, Any]:
        """What was drawn on a slide, as a FeatureCollection."""

    def keep_regions(self, key: str, given: dict[str, Any], reader: str) -> dict[str, Any]:
        """Keep these regions instead."""

    def file(self, entry: Entry, name: str) -> Path | None:
        """A file of a result; None where there is none of that name."""
