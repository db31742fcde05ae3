"""Routes by which the page of `lowpower view` has slides scored."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from lowpower.scoring import Record
from lowpower.serve._events import job_events
from lowpower.serve.folder._folder_host import FolderHost
from lowpower.serve.folder._folder_scoring import FolderJob, FolderScoring

__all__ = ["folder_jobs_api"]


class ScoreAsked(Record):
    """What is asked of a slide, with a result or without."""

    slide: str = Field(max_length=300)
    regions: bool = False
    """Score inside the regions that are drawn on it."""
    control: str | None = Field(None, max_length=100)
    """auto, none, an end, or x,y,width,height; None: as the first time, else auto."""
    mpp: float | None = Field(None, gt=0.01, lt=100)
    """um/px, over what the file says; None: as the first time."""


class ScoreJobTold(Record):
    """How far it is."""

    id: str
    slide: str
    state: str
    progress: float | None
    reason: str | None


def folder_jobs_api(host: FolderHost, scoring: FolderScoring) -> APIRouter:
    """The routes below `v1/`."""
    router = APIRouter(prefix="/v1")

    def found(job_id: str) -> FolderJob:
        job = scoring.job(job_id)
        if job is None:
            raise HTTPException(404, "There is no such job.")
        return job

    @router.post("/jobs", status_code=201)
    def ask(given: ScoreAsked) -> ScoreJobTold:
        regions = host.drawn(given.slide) if given.regions else None
        if given.regions and regions is None:
            raise HTTPException(422, f"{given.slide}: no region is drawn on it; draw one first.")
        return _told(scoring.ask(given.slide, regions, given.control, given.mpp))

    @router.get("/jobs/{job_id}")
    def one(job_id: str) -> ScoreJobTold:
        return _told(found(job_id))

    @router.post("/jobs/{job_id}/cancel")
    def cancel(job_id: str) -> ScoreJobTold:
        job = found(job_id)
        if not scoring.cancel(job):
            raise HTTPException(409, "This job has ended already.")
        return _told(job)

    @router.get("/events", response_class=StreamingResponse)
    async def events(request: Request) -> StreamingResponse:
        def active() -> list[dict[str, Any]]:
            return [_told(job).model_dump(exclude={"reason"}) for job in scoring.active()]

        return job_events(request, active)

    return router


def _told(job: FolderJob) -> ScoreJobTold:
    return ScoreJobTold(id=job.id, slide=job.slide, state=job.state, progress=job.progress, reason=job.reason)
