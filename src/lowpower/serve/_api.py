"""The page's HTTP interface. Its addresses are relative: any host may mount it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from lowpower.scoring.exchange import export
from lowpower.serve._cell_boxes import CellBoxes
from lowpower.serve._desk import PICTURES, SHAPES, SlideView, is_hidden, slide_view, waiting_view
from lowpower.serve._host import PageHost, ReviewGiven, Worklist, WorklistAsked
from lowpower.serve._reviews import Review, Verdict
from lowpower.serve._shelf import Entry
from lowpower.serve._tiles import OpenSlides, SlidePlace
from lowpower.units import Box

__all__ = ["KEPT_TILE", "TILE_ROUTE", "page_api"]

_MOST_CELLS = 40_000
_KEEP = {"Cache-Control": "private, max-age=3600"}
"""For what has the record's version in its address."""
KEPT_TILE = {"Cache-Control": f"{_KEEP['Cache-Control']}, immutable"}
"""Headers of a tile: pixels of a version do not change, so a browser need not ask again."""
_REPORTS = {
    "pdf": "application/pdf",
    "fhir": "application/fhir+json",
    "dicom-sr": "application/dicom",
    "dicom-cells": "application/dicom",
    "geojson": "application/geo+json",
}
TILE_ROUTE = "/v1/slides/{key}/tiles/{level}/{column}_{row}.jpg"

Number = Annotated[float, Query(allow_inf_nan=False, ge=-1e9, le=1e9)]
Asked = Annotated[WorklistAsked, Query()]


def page_api(host: PageHost, slides: OpenSlides | None = None) -> APIRouter:
    """The routes below `v1/`; `slides` are kept open, here or by others as well."""
    return _Page(host, slides or OpenSlides()).router()


class _Page:
    """The state behind the routes."""

    def __init__(self, host: PageHost, slides: OpenSlides) -> None:
        self._host = host
        self._slides, self._cells = slides, CellBoxes()

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1")
        slide = "/slides/{key}"
        router.get("/worklist")(self.worklist)
        router.get(slide)(self.slide)
        router.get(TILE_ROUTE.removeprefix("/v1"), response_class=Response)(self.tile)
        router.get(slide + "/cells", response_class=Response)(self.cells)
        router.get(slide + "/cells/{number}")(self.cell)
        router.get(slide + "/shapes/{name}", response_class=FileResponse)(self.shapes)
        router.get(slide + "/pictures/{name}", response_class=FileResponse)(self.picture)
        router.get(slide + "/reports/{form}", response_class=FileResponse)(self.report)
        router.get(slide + "/regions")(self.regions)
        if self._host.writes:
            router.put(slide + "/regions")(self.draw)
            router.post(slide + "/reviews", status_code=201)(self.review)
        return router

    def worklist(self, request: Request, asked: Asked) -> Worklist:
        return self._host.worklist(asked, self._host.reader(request))

    def slide(self, request: Request, key: str) -> SlideView:
        waiting = self._host.waiting(key)
        if waiting is not None:
            return waiting_view(waiting, self._slides)
        entry = self._entry(key)
        return slide_view(
            entry,
            self._host.place(entry),
            self._slides,
            self._host.reviews(entry),
            self._host.earlier(entry),
            hidden=self._is_hidden(entry, request),
            marker=self._host.marker(entry),
        )

    def tile(self, key: str, level: int, column: int, row: int) -> Response:
        jpeg = self._slides.tile(self._place(key), level, column, row)
        if jpeg is None:
            raise HTTPException(404, "The pyramid has no such tile.")
        return Response(jpeg, media_type="image/jpeg", headers=KEPT_TILE)

    def cells(
        self, request: Request, key: str, x: Number, y: Number, width: Number, height: Number
    ) -> Response:
        cells = self._cells.cells(self._shown(key, request))
        if cells is None:
            raise HTTPException(404, "No cells were measured on this slide.")
        box = Box(int(x), int(y), max(1, int(width)), max(1, int(height)))
        return Response(cells.packed(box, _MOST_CELLS), media_type="application/octet-stream")

    def cell(self, request: Request, key: str, number: int) -> dict[str, Any]:
        cells = self._cells.cells(self._shown(key, request))
        told = None if cells is None else cells.numbers(number)
        if told is None:
            raise HTTPException(404, "There is no such cell.")
        return told

    def shapes(self, request: Request, key: str, name: str) -> FileResponse:
        return self._file(self._shown(key, request), SHAPES.get(name), "application/geo+json")

    def picture(self, request: Request, key: str, name: str) -> FileResponse:
        return self._file(self._shown(key, request), PICTURES.get(name), "image/png")

    def report(self, request: Request, key: str, form: str) -> FileResponse:
        if form not in _REPORTS:
            raise HTTPException(404, f"Reports are: {', '.join(_REPORTS)}.")
        entry = self._shown(key, request)
        made = tempfile.TemporaryDirectory(prefix="lowpower-report-")
        told = export(entry.folder, [form], out=Path(made.name))
        if not told.files:
            made.cleanup()
            raise HTTPException(409, f"{key}: has nothing of this kind to report.")
        self._host.reported(entry, form, self._host.reader(request))
        return FileResponse(
            told.files[0],
            media_type=_REPORTS[form],
            filename=told.files[0].name,
            background=BackgroundTask(made.cleanup),
        )

    def regions(self, key: str) -> dict[str, Any]:
        self._place(key)
        return self._host.regions(key)

    def draw(self, request: Request, key: str, given: dict[str, Any]) -> dict[str, Any]:
        self._place(key)
        return self._host.keep_regions(key, given, self._host.reader(request))

    def review(self, request: Request, key: str, given: ReviewGiven) -> Review:
        entry = self._entry(key)
        reader = self._host.reader(request) or given.reader.strip()
        hidden = is_hidden(self._host.reviews(entry), self._host.blind, reader)
        if hidden and given.verdict is Verdict.AGREE:
            raise HTTPException(422, "In blind mode give your own score first.")
        return self._host.add_review(entry, given, reader, blind=hidden)

    def _entry(self, key: str) -> Entry:
        entry = self._host.entry(key)
        if entry is None:
            raise HTTPException(404, "There is no result of that name.")
        return entry

    def _place(self, key: str) -> SlidePlace:
        """The slide, scored or not."""
        place = self._host.place_of(key)
        if place is None:
            raise HTTPException(404, "There is no slide of that name.")
        return place

    def _shown(self, key: str, request: Request) -> Entry:
        """The entry, unless its answer is kept back from this reader."""
        entry = self._entry(key)
        if self._is_hidden(entry, request):
            raise HTTPException(403, "In blind mode this is shown after your review.")
        return entry

    def _is_hidden(self, entry: Entry, request: Request) -> bool:
        if not self._host.blind:
            return False
        return is_hidden(self._host.reviews(entry), True, self._host.reader(request))

    def _file(self, entry: Entry, name: str | None, kind: str) -> FileResponse:
        path = None if name is None else self._host.file(entry, name)
        if path is None:
            raise HTTPException(404, "The result has no such file.")
        return FileResponse(path, media_type=kind, headers=_KEEP)
