"""Routes by which slides come in, and what is told of their results."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Request
from pydantic import Field
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from lowpower.scoring import Record
from lowpower.serve.department._cases import CaseTold, case_of
from lowpower.serve.department._department_host import DepartmentHost
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import AboutSlide, SlideRoom
from lowpower.serve.department._uploads import Uploads, about_of
from lowpower.serve.department.jobs import JobAsked, Jobs
from lowpower.serve.department.records import Database, ScoredResult, Slide, Upload

__all__ = ["slides_api"]


class UploadAsked(AboutSlide):
    """A slide that is to come in."""

    name: str = Field(min_length=1, max_length=500, description="Its file's name; only the ending is kept.")
    size: int = Field(ge=1, le=2**50)
    sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$", description="Of the whole file.")
    files: int = Field(
        1, ge=1, le=10_000, description="How many files the slide has, where it is a DICOM series."
    )


class UploadTold(Record):
    """How far an upload is."""

    id: str
    received: int
    size: int
    piece: int
    """Largest piece that is taken."""
    slide: str | None = None


class SlideRegistered(AboutSlide):
    """A slide that lies below an allowed folder."""

    path: str = Field(min_length=1, max_length=4096)
    score: bool = True


class SlideTold(Record):
    """A slide that came in, or a part of one."""

    slide: str | None
    job: str | None = None
    waits_for: str | None = Field(None, description="What of a DICOM series is still missing.")


class ResultLine(Record):
    """One of a slide's results."""

    id: str
    created: str
    outcome: str
    sha256: str
    is_latest: bool


def slides_api(
    database: Database,
    settings: Settings,
    slides: SlideRoom,
    uploads: Uploads,
    jobs: Jobs,
    host: DepartmentHost,
) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1")

    def told(upload: Upload) -> UploadTold:
        return UploadTold(
            id=upload.id,
            received=upload.received,
            size=upload.size,
            piece=settings.chunk_bytes,
            slide=upload.slide_id,
        )

    def own(request: Request, upload_id: str) -> Upload:
        upload = uploads.get(request.state.who, upload_id)
        if upload is None:
            raise HTTPException(404, "There is no such upload; begin again.")
        return upload

    @router.get("/roots")
    def roots() -> list[str]:
        return slides.listed()

    @router.post("/slides", status_code=201)
    def register(request: Request, given: SlideRegistered) -> SlideTold:
        about = AboutSlide.model_validate(given.model_dump(include=set(AboutSlide.model_fields)))
        slide = slides.register(given.path, about, request.state.who)
        job = jobs.ask(request.state.who, JobAsked(slide=slide.id, mpp=about.mpp)) if given.score else None
        return SlideTold(slide=slide.id, job=None if job is None else job.id)

    @router.delete("/slides/{key}", status_code=204)
    def remove(request: Request, key: str) -> None:
        if not slides.remove(key, request.state.who):
            raise HTTPException(404, "There is no slide of that name.")

    @router.post("/uploads", status_code=201)
    def begin(request: Request, given: UploadAsked) -> UploadTold:
        about = AboutSlide.model_validate(given.model_dump(include=set(AboutSlide.model_fields)))
        return told(
            uploads.begin(request.state.who, given.name, given.size, given.sha256, about, given.files)
        )

    @router.get("/uploads/{upload_id}")
    def look(request: Request, upload_id: str) -> UploadTold:
        return told(own(request, upload_id))

    @router.patch(
        "/uploads/{upload_id}",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def piece(
        request: Request,
        upload_id: str,
        upload_offset: Annotated[int, Header(ge=0, le=2**50)],
        repr_digest: Annotated[str | None, Header(max_length=100)] = None,
    ) -> UploadTold:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > settings.chunk_bytes:
                raise HTTPException(413, f"A piece has at most {settings.chunk_bytes} bytes.")
        upload = await run_in_threadpool(own, request, upload_id)
        await run_in_threadpool(uploads.add, upload, upload_offset, bytes(body), repr_digest)
        return told(await run_in_threadpool(own, request, upload_id))

    @router.post("/uploads/{upload_id}/complete", status_code=201)
    def complete(request: Request, upload_id: str) -> SlideTold:
        upload = own(request, upload_id)
        done = uploads.complete(upload, request.state.who)
        if done.slide is None:
            return SlideTold(slide=None, waits_for=done.waits_for)
        asked = JobAsked(slide=done.slide, mpp=about_of(upload).mpp)
        job = jobs.ask(request.state.who, asked, key=f"upload {upload.id}")
        return SlideTold(slide=done.slide, job=job.id)

    @router.delete("/uploads/{upload_id}", status_code=204)
    def drop(request: Request, upload_id: str) -> None:
        uploads.forget(own(request, upload_id), request.state.who)

    @router.get("/slides/{key}/results")
    def results(key: str) -> list[ResultLine]:
        with database.read() as session:
            slide = session.get(Slide, key)
            if slide is None or slide.removed is not None:
                raise HTTPException(404, "There is no slide of that name.")
            found = session.scalars(
                select(ScoredResult).where(ScoredResult.slide_id == key).order_by(ScoredResult.created)
            )
            return [
                ResultLine(
                    id=row.id,
                    created=row.created,
                    outcome="hidden" if settings.blind else row.outcome,
                    sha256=row.sha256,
                    is_latest=row.id == slide.result_id,
                )
                for row in found
            ]

    @router.get("/results/{result_id}")
    def result(request: Request, result_id: str) -> dict[str, Any]:
        entry = host.entry_of(result_id)
        if entry is None:
            raise HTTPException(404, "There is no such result.")
        _shown(request, host, entry.key)
        return entry.record.model_dump(mode="json")

    @router.get("/cases/{case}")
    def case(request: Request, case: str) -> CaseTold:
        """A case by its pseudonym: its slides, and the subtype that they give together."""
        joined = case_of(database, settings, case, host.reader(request))
        if joined is None:
            raise HTTPException(404, "There is no case of that pseudonym.")
        return joined

    return router


def _shown(request: Request, host: DepartmentHost, key: str) -> None:
    """Refuse while the answer is kept back from this reader."""
    if not host.blind:
        return
    entry = host.entry(key)
    reader = host.reader(request)
    if entry is None or not any(review.reader == reader for review in host.reviews(entry)):
        raise HTTPException(403, "In blind mode this is shown after your review.")
