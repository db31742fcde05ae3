"""What the page is told: the worklist, and one slide with everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from lowpower.errors import LowpowerError, one_line
from lowpower.scoring import CELL_COLOURS, NOTICE, MeasuredSlide, Record, Result, class_names
from lowpower.serve._reviews import Review, answered_score
from lowpower.serve._shelf import Entry
from lowpower.serve._tiles import TILE, OpenSlides, top_level

__all__ = ["PICTURES", "SHAPES", "SlideView", "WorklistRow", "slide_view", "worklist_row"]

PICTURES: Final = {"overlay": "overlay.png", "cells": "cells.png", "quality": "quality.png"}
SHAPES: Final = {"network": "network.geojson", "quality": "quality.geojson", "tissue": "tissue.geojson"}
_HER2_CHOICES: Final = ("0", "null", "ultralow", "1+", "2+", "3+")

State = Literal["referred", "issued", "measured", "refused", "failed", "hidden"]


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


class ImageView(Record):
    """How the page asks for tiles."""

    width: int
    height: int
    mpp: float | None
    tile: int = TILE
    top_level: int


class CellClass(Record):
    """A class of cells, in the order of their numbers."""

    name: str
    colour: str


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
    notice: str = NOTICE


def is_hidden(entry: Entry, reviews: Iterable[Review], blind: bool, reader: str) -> bool:
    """Whether the answer is kept back: in blind mode until this reader has scored this very slide."""
    sha256 = entry.record.slide_sha256 or ""
    return blind and not any(
        review.slide == entry.key and review.reader == reader and review.slide_sha256 == sha256
        for review in reviews
    )


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


def slide_view(
    entry: Entry, slides: OpenSlides, reviews: Sequence[Review], *, hidden: bool, marker: str | None
) -> SlideView:
    """One slide; `reviews` are those of this slide, oldest first."""
    record = entry.record
    image, missing = _image(entry, slides)
    stained = record.marker or marker
    view = SlideView(
        key=entry.key,
        name=one_line(entry.key),
        marker=stained,
        state="hidden" if hidden else _state(record),
        version=f"{entry.written:x}",
        image=image,
        missing=missing,
        choices=_HER2_CHOICES if stained == "HER2" else (),
    )
    if hidden:
        return view
    result = record if isinstance(record, Result) else None
    answer = result.answer if result else None
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


def _image(entry: Entry, slides: OpenSlides) -> tuple[ImageView | None, str | None]:
    try:
        image = slides.image(entry)
    except LowpowerError as error:
        return None, str(error)
    width, height = image.slide.size
    return ImageView(width=width, height=height, mpp=image.mpp, top_level=top_level(width, height)), None


def _classes(marker: str) -> tuple[CellClass, ...]:
    named = zip(class_names(marker), CELL_COLOURS, strict=True)
    return tuple(CellClass(name=name, colour="#{:02x}{:02x}{:02x}".format(*rgb)) for name, rgb in named)
