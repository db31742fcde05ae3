"""The page's HTTP interface over a folder of results. Its addresses are relative: any host may mount it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field

import lowpower
from lowpower.scoring import NOTICE, Record
from lowpower.serve._cell_boxes import CellBoxes
from lowpower.serve._desk import PICTURES, SHAPES, SlideView, WorklistRow, is_hidden, slide_view, worklist_row
from lowpower.serve._drawn_regions import RegionsBook
from lowpower.serve._reviews import Review, ReviewBook, Verdict
from lowpower.serve._shelf import Entry, Shelf
from lowpower.serve._tiles import OpenSlides
from lowpower.units import Box

__all__ = ["page_api"]

_MOST_CELLS = 40_000
_KEEP = {"Cache-Control": "private, max-age=3600"}
"""For what has the record's version in its address."""

Number = Annotated[float, Query(allow_inf_nan=False)]
Reader = Annotated[str, Query(max_length=200)]


class Worklist(Record):
    """All slides of the folder, those that need a reader first."""

    folder: str
    blind: bool
    reviews: bool
    version: str
    notice: str = NOTICE
    rows: tuple[WorklistRow, ...]


class ReviewGiven(Record):
    """What the page sends when a reader has decided."""

    reader: str
    verdict: Verdict
    score: str = Field("", max_length=50)
    comment: str = ""


def page_api(shelf: Shelf, *, blind: bool = False, reviews: bool = True) -> APIRouter:
    """The routes below `v1/`.

    Args:
        shelf: The results.
        blind: Keep each answer back until the reader has scored the slide.
        reviews: Whether reviews and regions may be given.
    """
    return _Desk(shelf, blind, reviews).router()


class _Desk:
    """The state behind the routes."""

    def __init__(self, shelf: Shelf, blind: bool, reviews: bool) -> None:
        self._shelf, self._blind, self._writes = shelf, blind, reviews
        self._slides, self._cells = OpenSlides(shelf), CellBoxes()
        self._book, self._regions = ReviewBook(shelf.folder), RegionsBook(shelf.folder)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1")
        slide = "/slides/{key}"
        router.get("/worklist")(self.worklist)
        router.get(slide)(self.slide)
        router.get(slide + "/tiles/{level}/{column}_{row}.jpg")(self.tile)
        router.get(slide + "/cells")(self.cells)
        router.get(slide + "/cells/{number}")(self.cell)
        router.get(slide + "/shapes/{name}")(self.shapes)
        router.get(slide + "/pictures/{name}")(self.picture)
        router.get(slide + "/regions")(self.regions)
        if self._writes:
            router.put(slide + "/regions")(self.draw)
            router.post(slide + "/reviews", status_code=201)(self.review)
        return router

    def worklist(self, reader: Reader = "") -> Worklist:
        reviews = self._book.reviews()
        rows = [
            worklist_row(entry, _of(entry, reviews), hidden=is_hidden(entry, reviews, self._blind, reader))
            for entry in self._shelf.entries().values()
        ]
        return Worklist(
            folder=self._shelf.folder.name,
            blind=self._blind,
            reviews=self._writes,
            version=lowpower.__version__,
            rows=tuple(rows),
        )

    def slide(self, key: str, reader: Reader = "") -> SlideView:
        entry, reviews = self._entry(key), self._book.reviews()
        hidden = is_hidden(entry, reviews, self._blind, reader)
        return slide_view(entry, self._slides, _of(entry, reviews), hidden=hidden, marker=self._marker(entry))

    def tile(self, key: str, level: int, column: int, row: int) -> Response:
        jpeg = self._slides.image(self._entry(key)).tile(level, column, row)
        if jpeg is None:
            raise HTTPException(404, "The pyramid has no such tile.")
        return Response(jpeg, media_type="image/jpeg", headers=_KEEP)

    def cells(
        self, key: str, x: Number, y: Number, width: Number, height: Number, reader: Reader = ""
    ) -> Response:
        cells = self._cells.cells(self._shown(key, reader))
        if cells is None:
            raise HTTPException(404, "No cells were measured on this slide.")
        box = Box(int(x), int(y), max(1, int(width)), max(1, int(height)))
        return Response(cells.packed(box, _MOST_CELLS), media_type="application/octet-stream")

    def cell(self, key: str, number: int, reader: Reader = "") -> dict[str, Any]:
        cells = self._cells.cells(self._shown(key, reader))
        told = None if cells is None else cells.numbers(number)
        if told is None:
            raise HTTPException(404, "There is no such cell.")
        return told

    def shapes(self, key: str, name: str, reader: Reader = "") -> FileResponse:
        return self._file(self._shown(key, reader), SHAPES.get(name), "application/geo+json")

    def picture(self, key: str, name: str, reader: Reader = "") -> FileResponse:
        return self._file(self._shown(key, reader), PICTURES.get(name), "image/png")

    def regions(self, key: str) -> dict[str, Any]:
        return self._regions.read(self._entry(key))

    def draw(self, key: str, given: dict[str, Any]) -> dict[str, Any]:
        return self._regions.write(self._entry(key), given)

    def review(self, key: str, given: ReviewGiven) -> Review:
        entry = self._entry(key)
        hidden = is_hidden(entry, self._book.reviews(), self._blind, given.reader.strip())
        if hidden and given.verdict is Verdict.AGREE:
            raise HTTPException(422, "In blind mode give your own score first.")
        return self._book.add(
            entry,
            reader=given.reader,
            verdict=given.verdict,
            score=given.score,
            comment=given.comment,
            marker=self._marker(entry),
            blind=hidden,
        )

    def _entry(self, key: str) -> Entry:
        entry = self._shelf.entry(key)
        if entry is None:
            raise HTTPException(404, "The folder holds no result of that name.")
        return entry

    def _shown(self, key: str, reader: str) -> Entry:
        """The entry, unless its answer is kept back from this reader."""
        entry = self._entry(key)
        if self._blind and is_hidden(entry, self._book.reviews(), self._blind, reader):
            raise HTTPException(403, "In blind mode this is shown after your review.")
        return entry

    def _marker(self, entry: Entry) -> str | None:
        """The stain; of a record that does not say, that of the folder."""
        if entry.record.marker is not None:
            return entry.record.marker
        told = Counter(other.record.marker for other in self._shelf.entries().values() if other.record.marker)
        return told.most_common(1)[0][0] if len(told) == 1 else None

    @staticmethod
    def _file(entry: Entry, name: str | None, kind: str) -> FileResponse:
        path = None if name is None else entry.file(name)
        if path is None:
            raise HTTPException(404, "The result has no such file.")
        return FileResponse(path, media_type=kind, headers=_KEEP)


def _of(entry: Entry, reviews: list[Review]) -> list[Review]:
    """Reviews of the slide that is there now, not of another that had its folder before."""
    sha256 = entry.record.slide_sha256 or ""
    return [review for review in reviews if review.slide == entry.key and review.slide_sha256 == sha256]
