"""What the page is told: the worklist, and one slide with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from lowpower.errors import LowpowerError, one_line
from lowpower.scoring import CELL_COLOURS, NOTICE, MeasuredSlide, Record, Result, class_names
from lowpower.serve._reviews import Review, answered_score
from lowpower.serve._shelf import Entry
from lowpower.serve._tiles import OpenSlides, SlidePlace, top_level

if TYPE_CHECKING:
    from lowpower.serve._host import Waiting

__all__ = [
    "PICTURES",
    "SHAPES",
    "SlideView",
    "WorklistRow",
    "is_hidden",
    "slide_view",
    "waiting_view",
    "worklist_row",
]

PICTURES: Final = {"overlay": "overlay.png", "cells": "cells.png", "quality": "quality.png"}
SHAPES: Final = {"network": "network.geojson", "quality": "quality.geojson", "tissue": "tissue.geojson"}
_HER2_CHOICES: Final = ("0", "null", "ultralow", "1+", "2+", "3+")

State = Literal[
    "referred", "issued", "measured", "refused", "failed", "hidden",
    "waiting", "running", "cancelled", "unscored",
]  # fmt: skip


class CutoffMark(Record):
    """A treatment cut-off in the worklist."""

    question: str
    answer: Literal["yes", "no", "undetermined"]


class WorklistRow(Record):
    """One slide of the worklist; of a hidden one nothing that was found."""

    key: str
    name: str
    marker: str | None
    state: State
    score: str | None = None
    probability: float | None = None
    measured: str | None = None
    cutoffs: tuple[CutoffMark, ...] = ()
    reason: str | None = None
    review: Review | None = None
    progress: float | None = None
    """Share of the scoring that is done, while it is going on."""
    case: str | None = None
    """Pseudonym of the case, where the service knows one."""
    reading: str = ""
    """How far the readers are, where the service counts them."""


class ImageView(Record):
    """How the page asks for tiles."""

    width: int
    height: int
    mpp: float | None
    tile: int
    top_level: int


class CellClass(Record):
    """A class of cells, in the order of their numbers."""

    name: str
    colour: str


class EarlierAnswer(Record):
    """A result of the same slide that gave way to another."""

    headline: str
    written: str
    """When, UTC, ISO 8601."""
    regions: dict[str, int] | None
    """Areas it was scored inside, by class; None: the whole slide."""
    control: str


class MeasuredSince(EarlierAnswer):
    """A measurement that was made after the model's answer, which stays what is shown of the slide."""

    sentence: str


class SlideView(Record):
    """Everything the page shows of one slide; of a hidden one the slide alone."""

    key: str
    name: str
    marker: str | None
    state: State
    version: str
    """Changes with the record: part of the tiles' addresses."""
    image: ImageView | None
    missing: str | None
    """Why there is no image, in a sentence."""
    headline: str | None = None
    promise: str | None = None
    cutoffs: tuple[str, ...] = ()
    record: dict[str, Any] | None = None
    pictures: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    cells: tuple[CellClass, ...] = ()
    """Classes of the cells that can be drawn; empty where none were measured."""
    answered: str = ""
    """What a reader may agree with."""
    choices: tuple[str, ...] = ()
    """Scores a reader may give; empty: a percentage."""
    reviews: tuple[Review, ...] = ()
    earlier: tuple[EarlierAnswer, ...] = ()
    """What was answered before it was scored again, the latest first."""
    measured_since: MeasuredSince | None = None
    """The newest measurement, where it is newer than the model's answer."""
    waiting: str | None = None
    """Why there is no result, in a sentence, where that is known."""
    progress: float | None = None
    notice: str = NOTICE


def is_hidden(reviews: Sequence[Review], blind: bool, reader: str) -> bool:
    """Whether the answer is kept back: in blind mode until this reader has scored this very slide.

    Args:
        reviews: Those of the slide.
        blind: Whether the mode is on.
        reader: Who asks.
    """
    return blind and not any(review.reader == reader for review in reviews)


def worklist_row(entry: Entry, reviews: Sequence[Review], *, hidden: bool) -> WorklistRow:
    """The row of a slide; `reviews` are those of this slide, oldest first."""
    record = entry.record
    row = WorklistRow(
        key=entry.key,
        name=one_line(entry.key),
        marker=record.marker,
        state="hidden" if hidden else _state(record),
    )
    if hidden:
        return row
    reason = None if record.reason is None else record.reason.removeprefix(f"{record.file}: ")
    shown: dict[str, Any] = {"reason": reason, "review": reviews[-1] if reviews else None}
    if isinstance(record, Result):
        answer = record.answer
        shown |= {
            "score": answered_score(record) or None,
            "probability": answer.probability if answer else None,
            "measured": record.measured_as or None,
            "cutoffs": tuple(
                CutoffMark(question=cutoff.question, answer=cutoff.answer)
                for cutoff in (answer.cutoffs if answer else ())
            ),
        }
    else:
        shown["score"] = answered_score(record) or None
    return row.model_copy(update=shown)


def waiting_view(waiting: Waiting, slides: OpenSlides) -> SlideView:
    """A slide that has no result yet: the slide, and what is happening to it."""
    image, missing = _image(waiting.place, slides)
    return SlideView(
        key=waiting.place.key,
        name=one_line(waiting.place.key),
        marker=waiting.marker,
        state=waiting.state,
        version=waiting.place.version,
        image=image,
        missing=missing,
        waiting=waiting.reason,
        progress=waiting.progress,
    )


def slide_view(
    entry: Entry,
    place: SlidePlace,
    slides: OpenSlides,
    reviews: Sequence[Review],
    earlier: Sequence[Entry],
    *,
    hidden: bool,
    marker: str | None,
) -> SlideView:
    """One slide; `reviews` are its, oldest first, `earlier` its results that gave way, latest first."""
    record = entry.record
    image, missing = _image(place, slides)
    stained = record.marker or marker
    view = SlideView(
        key=entry.key,
        name=one_line(entry.key),
        marker=stained,
        state="hidden" if hidden else _state(record),
        version=entry.version,
        image=image,
        missing=missing,
        choices=_HER2_CHOICES if stained == "HER2" else (),
    )
    if hidden:
        return view
    result = record if isinstance(record, Result) else None
    answer = result.answer if result else None
    since = [one for one in earlier if result and _is_measurement(one) and one.written > entry.written]
    drawn = entry.file("cells.parquet") is not None and record.mpp is not None
    return view.model_copy(
        update={
            "headline": _headline(record),
            "promise": answer.promise if answer else None,
            "cutoffs": tuple(cutoff.sentence for cutoff in answer.cutoffs) if answer else (),
            "record": record.model_dump(mode="json"),
            "pictures": tuple(name for name, file in PICTURES.items() if entry.file(file)),
            "shapes": tuple(name for name, file in SHAPES.items() if entry.file(file)),
            "cells": _classes(record.marker or "HER2") if drawn else (),
            "answered": answered_score(record),
            "reviews": tuple(reviews),
            "earlier": tuple(_earlier(one) for one in earlier if one not in since),
            "measured_since": _measured_since(since[0]) if since else None,
        }
    )


def _state(record: Result | MeasuredSlide) -> State:
    outcome = record.outcome
    return {"refer": "referred", "issued": "issued", "ok": "measured", "refused": "refused"}.get(  # type: ignore[return-value]
        outcome, "failed"
    )


def _headline(record: Result | MeasuredSlide) -> str:
    """The answer in a line; empty where there is none, since the state and the reasons say that."""
    if isinstance(record, Result):
        return record.headline if record.state == "ok" else ""
    said = answered_score(record)
    return f"{record.marker} measured {said}" if said else ""


def _earlier(entry: Entry) -> EarlierAnswer:
    record = entry.record
    when = datetime.fromtimestamp(entry.written / 1e9, UTC)
    return EarlierAnswer(
        headline=_headline(record) or _state(record),
        written=when.isoformat(timespec="seconds").replace("+00:00", "Z"),
        regions=None if record.regions is None else record.regions.counted,
        control=record.control,
    )


def _is_measurement(entry: Entry) -> bool:
    return isinstance(entry.record, MeasuredSlide)


def _measured_since(entry: Entry) -> MeasuredSince:
    told = entry.record.measured
    return MeasuredSince(**_earlier(entry).model_dump(), sentence="" if told is None else told.sentence)


def _image(place: SlidePlace, slides: OpenSlides) -> tuple[ImageView | None, str | None]:
    try:
        image = slides.image(place)
    except LowpowerError as error:
        return None, str(error)
    width, height = image.slide.size
    told = ImageView(
        width=width, height=height, mpp=image.mpp, tile=image.side, top_level=top_level(width, height)
    )
    return told, None


def _classes(marker: str) -> tuple[CellClass, ...]:
    named = zip(class_names(marker), CELL_COLOURS, strict=True)
    return tuple(CellClass(name=name, colour="#{:02x}{:02x}{:02x}".format(*rgb)) for name, rgb in named)
