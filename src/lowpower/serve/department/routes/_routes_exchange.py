"""Routes to the picture archive and to the FHIR server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field

from lowpower.scoring import Record
from lowpower.scoring.exchange import export
from lowpower.serve.department._department_host import DepartmentHost
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import AboutSlide, SlideRoom, slide_or_none
from lowpower.serve.department.exchange import Pacs, SeriesFound, post_fhir
from lowpower.serve.department.jobs import JobAsked, Jobs
from lowpower.serve.department.records import Database, note
from lowpower.serve.department.routes._routes_slides import SlideTold

__all__ = ["exchange_api"]

Uid = Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]
Words = Annotated[str, Query(max_length=64, pattern=r"^[^*?\\]*$")]


class FetchAsked(AboutSlide):
    """A series to bring here."""

    study: Uid
    series: Uid


class SendAsked(Record):
    """Where a report goes."""

    to: Literal["dicomweb", "fhir"]


def exchange_api(
    database: Database, settings: Settings, slides: SlideRoom, jobs: Jobs, host: DepartmentHost
) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1")

    @router.get("/pacs/series")
    def search(accession: Words = "", patient: Words = "", study: Words = "") -> list[SeriesFound]:
        if not (accession or patient or study):
            raise HTTPException(422, "Name an accession, a patient or a study.")
        return Pacs(settings, slides).search(accession=accession, patient=patient, study=study)

    @router.post("/pacs/fetch", status_code=201)
    def fetch(request: Request, given: FetchAsked) -> SlideTold:
        about = slides.pseudonymised(
            AboutSlide.model_validate(given.model_dump(include=set(AboutSlide.model_fields)))
        )
        slide = Pacs(settings, slides).fetch(given.study, given.series, about, request.state.who)
        job = jobs.ask(request.state.who, JobAsked(slide=slide.id, mpp=about.mpp))
        return SlideTold(slide=slide.id, job=job.id)

    @router.post("/slides/{key}/send", status_code=204)
    def send(request: Request, key: str, given: SendAsked) -> None:
        entry = host.entry(key)
        with database.read() as session:
            slide = slide_or_none(session, key)
        if entry is None or slide is None:
            raise HTTPException(404, "There is no result of that name.")
        with tempfile.TemporaryDirectory(prefix="lowpower-send-") as folder:
            forms = ["dicom-sr", "dicom-cells"] if given.to == "dicomweb" else ["fhir"]
            made = export(entry.folder, forms, out=Path(folder))
            if not made.files:
                raise HTTPException(409, f"{key}: has no answer to report.")
            numbers: list[str] = []
            if given.to == "dicomweb":
                numbers = Pacs(settings, slides).store(slide, made.files)
            else:
                post_fhir(settings, made.files[0])
        with database.write() as session:
            note(session, request.state.who.name, "report.sent", key, to=given.to, numbers=numbers)

    return router
