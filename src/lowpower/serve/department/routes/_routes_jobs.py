"""Routes of jobs, and what watches over the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import Field
from sqlalchemy import func, select, text

import lowpower
from lowpower.bundles import SPEC_FILE
from lowpower.scoring import NOTICE, Record
from lowpower.serve._events import job_events
from lowpower.serve.department._roles import STUDIES
from lowpower.serve.department._settings import Settings, named_models
from lowpower.serve.department.charts import DRIFT, AgreementTold, DriftTold, agreement_of, drift_of
from lowpower.serve.department.jobs import STUDY_FILES, JobAsked, Jobs
from lowpower.serve.department.records import Audit, Database, Job, Slide, schema

__all__ = ["jobs_api"]


class JobTold(Record):
    """A job and how far it is."""

    id: str
    slide: str | None = Field(description="None of a study.")
    kind: str
    state: str
    progress: float | None
    reason: str | None
    by: str
    created: str
    started: str | None
    ended: str | None
    attempts: int
    asked: dict[str, Any]


class AuditLine(Record):
    """One row of the audit log."""

    number: int
    time: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class Health(Record):
    """Whether the service can do its work."""

    status: str
    version: str
    notice: str = NOTICE


class ModelTold(Record):
    """A model that can be named in a job."""

    name: str
    is_default: bool


def jobs_api(database: Database, settings: Settings, jobs: Jobs) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1")

    def found(job_id: str) -> Job:
        with database.read() as session:
            job = session.get(Job, job_id)
        if job is None:
            raise HTTPException(404, "There is no such job.")
        return job

    def check(request: Request, *, is_study: bool) -> None:
        role = request.state.who.role
        if is_study and role not in STUDIES:
            raise HTTPException(403, f"The role {role} has no right to studies.")

    @router.get("/jobs")
    def listed(
        active: bool = False,
        slide: Annotated[str, Query(max_length=32)] = "",
        kind: Annotated[Literal["slide", "study", ""], Query(description="Of slides, or studies.")] = "",
        before: Annotated[str, Query(max_length=32)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[JobTold]:
        wanted = select(Job).order_by(Job.created.desc(), Job.id).limit(limit)
        if active:
            wanted = wanted.where(Job.state.in_(("waiting", "running")))
        if slide:
            wanted = wanted.where(Job.slide_id == slide)
        if kind:
            wanted = wanted.where(Job.slide_id.is_(None) if kind == "study" else Job.slide_id.is_not(None))
        if before:
            wanted = wanted.where(Job.created < before)
        with database.read() as session:
            return [_told(job) for job in session.scalars(wanted)]

    @router.post("/jobs", status_code=201)
    def ask(
        request: Request,
        given: JobAsked,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> JobTold:
        check(request, is_study=given.kind == "study")
        return _told(jobs.ask(request.state.who, given, idempotency_key))

    @router.get("/jobs/{job_id}")
    def one(job_id: str) -> JobTold:
        return _told(found(job_id))

    @router.post("/jobs/{job_id}/cancel")
    def cancel(request: Request, job_id: str) -> JobTold:
        check(request, is_study=found(job_id).slide_id is None)
        if not jobs.cancel(request.state.who, job_id):
            raise HTTPException(409, "This job has ended already.")
        return _told(found(job_id))

    @router.post("/jobs/{job_id}/retry", status_code=201)
    def retry(request: Request, job_id: str) -> JobTold:
        job = found(job_id)
        check(request, is_study=job.slide_id is None)
        if job.state in ("waiting", "running"):
            raise HTTPException(409, "This job has not ended yet.")
        return _told(jobs.again(request.state.who, job))

    @router.get("/jobs/{job_id}/files/{name}", response_class=FileResponse)
    def file(job_id: str, name: str) -> FileResponse:
        """Of a study that is done: report.html, arms.csv, tests.csv, groups.csv or units.csv."""
        job = found(job_id)
        if name not in STUDY_FILES:
            raise HTTPException(404, f"A study has {', '.join(STUDY_FILES)}.")
        if job.folder is None:
            raise HTTPException(409, "This job has made no study.")
        path = settings.data / "results" / job.folder / name
        return FileResponse(path, media_type=STUDY_FILES[name], filename=f"study-{job_id[:8]}-{name}")

    @router.get("/events", response_class=StreamingResponse)
    async def events(request: Request) -> StreamingResponse:
        """Server-sent events: the active jobs, whenever something about them changes."""

        def active() -> list[dict[str, Any]]:
            wanted = select(Job).where(Job.state.in_(("waiting", "running"))).order_by(Job.created).limit(200)
            with database.read() as session:
                return [
                    {
                        "id": job.id,
                        "slide": job.slide_id,
                        "kind": _kind(job),
                        "state": job.state,
                        "progress": job.progress,
                    }
                    for job in session.scalars(wanted)
                ]

        return job_events(request, active)

    @router.get("/agreement")
    def agreement(blind_only: bool = False) -> AgreementTold:
        return agreement_of(database, blind_only=blind_only)

    @router.get("/drift")
    def drift() -> DriftTold:
        return drift_of(database, settings)

    @router.get("/models")
    def models() -> list[ModelTold]:
        names = sorted(named_models(settings))
        return [ModelTold(name=name, is_default=name == settings.model) for name in names]

    @router.get("/models/{name}/card", response_class=Response)
    def card(name: str) -> Response:
        """The model's card, as Markdown: by the name it has here, or its own, as results say it."""
        named = named_models(settings)
        folder = named.get(name) or next((one for one in named.values() if _own_name(one) == name), None)
        page = None if folder is None else folder / "README.md"
        if page is None or not page.is_file():
            raise HTTPException(404, "There is no model of that name, or it has no card.")
        return Response(page.read_bytes(), media_type="text/markdown; charset=utf-8")

    @router.get("/audit")
    def audit(
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        subject: Annotated[str, Query(max_length=120)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[AuditLine]:
        wanted = select(Audit).where(Audit.number > after).order_by(Audit.number).limit(limit)
        if subject:
            wanted = wanted.where(Audit.subject == subject)
        with database.read() as session:
            return [
                AuditLine(
                    number=row.number,
                    time=row.time,
                    actor=row.actor,
                    action=row.action,
                    subject=row.subject,
                    detail=json.loads(row.detail),
                    hash=row.hash,
                )
                for row in session.scalars(wanted)
            ]

    @router.get("/health")
    def health() -> Health:
        with database.read() as session:
            session.execute(text("SELECT 1"))
        return Health(status="ok", version=lowpower.__version__)

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Counts, as Prometheus reads them."""
        with database.read() as session:
            by_state = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
            slides = session.scalar(select(func.count()).select_from(Slide).where(Slide.removed.is_(None)))
            reviews = session.scalar(select(func.count()).select_from(schema.Review))
            drifts = session.scalar(select(func.count()).select_from(Audit).where(Audit.action == DRIFT))
        lines = ["# TYPE lowpower_jobs gauge"]
        lines += [f'lowpower_jobs{{state="{state}"}} {count}' for state, count in by_state]
        lines += ["# TYPE lowpower_slides gauge", f"lowpower_slides {slides}"]
        lines += ["# TYPE lowpower_reviews gauge", f"lowpower_reviews {reviews}"]
        lines += ["# TYPE lowpower_drift_alerts counter", f"lowpower_drift_alerts {drifts}", ""]
        return Response("\n".join(lines), media_type="text/plain; version=0.0.4")

    return router


def _own_name(folder: Path) -> str | None:
    """What a bundle calls itself; None where it cannot be read."""
    try:
        return str(json.loads((folder / SPEC_FILE).read_bytes())["name"])
    except (OSError, ValueError, KeyError):
        return None


def _kind(job: Job) -> str:
    return str(job.asked.get("kind", "score"))  # rows from before there were others name none


def _told(job: Job) -> JobTold:
    return JobTold(
        id=job.id,
        slide=job.slide_id,
        kind=_kind(job),
        state=job.state,
        progress=job.progress,
        reason=job.reason,
        by=job.by,
        created=job.created,
        started=job.started,
        ended=job.ended,
        attempts=job.attempts,
        asked=job.asked,
    )
