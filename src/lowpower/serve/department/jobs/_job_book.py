"""Jobs: what is asked, its way through the states, and its one result."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any, Final

from dbos import DBOSClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from lowpower.errors import ConfigError
from lowpower.scoring import MeasuredSlide, Result
from lowpower.serve._desk import worklist_row
from lowpower.serve._shelf import Entry
from lowpower.serve.department._settings import Settings, named_models
from lowpower.serve.department._slides import slide_or_none, words_of
from lowpower.serve.department.access import Who
from lowpower.serve.department.jobs._job_asked import Claimed, JobAsked
from lowpower.serve.department.jobs._study_job import study_file
from lowpower.serve.department.jobs._which_model import marker_of
from lowpower.serve.department.records import RANKS, Database, Job, Regions, ScoredResult, Slide, moment, note
from lowpower.tissue import is_control_word

__all__ = ["QUEUE", "STUDIES", "WORKFLOW", "Jobs", "queue_of"]

QUEUE: Final = "score"
STUDIES: Final = "study"
"""A queue of their own: slides do not wait for hours."""
WORKFLOW: Final = "lowpower-score"
_APPLICATION: Final = "lowpower"
_LOOKED_BACK: Final = 50


class Jobs:
    """The book of jobs. The queue itself is DBOS's, in the same database and the same transactions."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._queue = DBOSClient(
            system_database_engine=database.engine,
            application_name=_APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )

    def ask(self, who: Who, asked: JobAsked, key: str | None = None) -> Job:
        """Put a job into the queue; with the same idempotency key again it is the same job.

        um/px that were given for the slide before hold until others are.

        Raises:
            ConfigError: there is no such slide, model or study, nothing is drawn on it, the key came with
                another wish, control tissue is said by a file, it is to be measured and nobody said for what,
                or the study is being run.
        """
        if not is_control_word(asked.control):
            raise ConfigError("Control tissue is auto, none, an end or x,y,width,height here.")
        if asked.kind == "measure" and (asked.model is not None or asked.measure is False):
            raise ConfigError("Measuring asks no model, and it measures; leave out model and measure.")
        if asked.model is not None and asked.model not in named_models(self._settings):
            raise ConfigError("There is no such model here; /v1/models names those that there are.")
        with self._database.write() as session:
            if key is not None:
                held = session.scalar(select(Job).where(Job.by == who.name, Job.key == key))
                if held is not None:
                    before = [held.asked.get(name) for name in ("slide", "study")]
                    kind = held.asked.get("kind", "score")
                    if (before, kind) != ([asked.slide, asked.study], asked.kind):
                        raise ConfigError("This idempotency key was used for another slide or kind of job.")
                    return held
            told: dict[str, Any] = asked.model_dump(mode="json")
            slide = None
            if asked.study is not None:
                told["file"] = study_file(session, self._settings, asked.study)
            else:
                slide = slide_or_none(session, asked.slide or "")
                if slide is None:
                    raise ConfigError(f"There is no slide {asked.slide}.")
                told["drawn"] = self._drawn(session, asked) if asked.regions else None
                told["mpp"] = _mpp_said(session, asked)
                told["marker"] = self._measured_marker(slide) if asked.kind == "measure" else None
            job = Job(
                id=secrets.token_hex(16),
                slide_id=None if slide is None else slide.id,
                asked=told,
                state="waiting",
                priority=asked.priority,
                by=who.name,
                created=moment(),
                attempts=0,
                key=key,
            )
            session.add(job)
            _show(slide, "waiting")
            session.flush()
            about = {"study": asked.study} if slide is None else {"slide": slide.id, "regions": told["drawn"]}
            note(session, who.name, "job.asked", job.id, **about)
            self.enqueue(session, job)
            return job

    def enqueue(self, session: Session, job: Job) -> None:
        """Put a job into the queue, in the transaction that books it."""
        self._queue.enqueue_in_transaction(
            session,
            {
                "workflow_name": WORKFLOW,
                "queue_name": queue_of(job),
                "workflow_id": job.id,
                "priority": job.priority,
            },
            job.id,
        )

    def again(self, who: Who, job: Job) -> Job:
        """Ask once more for what a job asked."""
        asked = {name: value for name, value in job.asked.items() if name in JobAsked.model_fields}
        return self.ask(who, JobAsked.model_validate(asked))

    def cancel(self, who: Who, job_id: str) -> bool:
        """End a job that waits or runs; whether there was something to end."""
        with self._database.write() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None or job.state not in ("waiting", "running"):
                return False
            job.state, job.ended = "cancelled", moment()
            _show(None if job.slide_id is None else session.get_one(Slide, job.slide_id), "cancelled")
            note(session, who.name, "job.cancelled", job.id, slide=job.slide_id)
        self._queue.cancel_workflow(job_id)
        return True

    def claim(self, job_id: str, worker: str, alive: set[str]) -> Claimed | None:
        """Take a job; None where it has ended, or another worker that is alive has it.

        Args:
            job_id: The job.
            worker: Who takes it.
            alive: Workers that are.
        """
        with self._database.write() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None or job.state not in ("waiting", "running"):
                return None
            if job.state == "running" and job.worker in alive - {worker}:
                return None
            slide = None if job.slide_id is None else session.get_one(Slide, job.slide_id)
            job.attempts += 1
            job.state, job.worker, job.progress = "running", worker, None
            job.started = job.started or moment()
            _show(slide, "running")
            drawn = None
            if job.asked.get("drawn") is not None:
                drawn = session.get_one(Regions, job.asked["drawn"]).drawn
            asked = {name: value for name, value in job.asked.items() if name in JobAsked.model_fields}
            return Claimed(
                id=job.id,
                attempt=job.attempts,
                slide=Path(job.asked["file"]) if slide is None else self._settings.data / slide.path,
                slide_key="" if slide is None else slide.id,
                sha256="" if slide is None else slide.sha256,
                marker=job.asked.get("marker") or (None if slide is None else slide.marker),
                asked=JobAsked.model_validate(asked),
                regions=drawn,
            )

    def progressed(self, job_id: str, worker: str, share: float) -> bool:
        """Say how far a job is; whether it is still this worker's."""
        with self._database.write() as session:
            job = session.get(Job, job_id)
            if job is None or job.state != "running" or job.worker != worker:
                return False
            job.progress = share
            return True

    def is_wanted(self, job_id: str, worker: str) -> bool:
        """Whether nobody cancelled the job, and it is still this worker's."""
        with self._database.read() as session:
            job = session.get(Job, job_id)
            return job is not None and job.state == "running" and job.worker == worker

    def finish(
        self,
        job: Claimed,
        worker: str,
        record: Result | MeasuredSlide,
        folder: str,
        text: bytes,
        written: int,
    ) -> bool:
        """Keep a job's result, once; False where the job was cancelled or has one.

        Args:
            job: The job.
            worker: Whose it is.
            record: The result.
            folder: Where its files are, below the results.
            text: result.json, or measurement.json.
            written: When it was written, nanoseconds since 1970.
        """
        with self._database.write() as session:
            kept = session.get(Job, job.id, with_for_update=True)
            if kept is None or kept.state != "running" or kept.worker != worker:
                return False
            kept.state, kept.ended, kept.progress = "done", moment(), 1.0
            kept.reason = None if record.state == "ok" else self._plain(record)
            result = ScoredResult(
                id=job.id,
                job_id=job.id,
                slide_id=job.slide_key,
                folder=folder,
                record=text.decode(),
                sha256=hashlib.sha256(text).hexdigest(),
                outcome=record.outcome,
                created=moment(),
                written=written,
            )
            session.add(result)
            session.flush()
            slide = session.get_one(Slide, job.slide_key)
            if _takes_the_place(record, _shown_outcome(session, slide)):
                entry = Entry(slide.id, self._settings.data, record, written)
                _tell(slide, result, entry)
            note(
                session, f"worker {worker}", "result.made", job.id,
                slide=slide.id, outcome=record.outcome, sha256=result.sha256,
            )  # fmt: skip
            return True

    def taken(self) -> dict[str, str]:
        """Jobs that a worker took out of the queue and did not end, and the worker's name."""
        given = self._queue.list_workflows(
            status="PENDING", name=WORKFLOW, load_input=False, load_output=False
        )
        return {one.workflow_id: one.executor_id for one in given if one.executor_id is not None}

    def release(self, job_id: str, queue: str) -> None:
        """Give a job whose worker was lost to whoever takes it next."""
        self._queue.resume_workflow(job_id, queue_name=queue)

    def _plain(self, record: Result | MeasuredSlide) -> str:
        """Why there is no answer; where files lie on this machine is nobody's business."""
        said = (record.reason or "").removeprefix(f"{record.file}: ")
        return said.replace(f"{self._settings.data}/", "")

    def _measured_marker(self, slide: Slide) -> str:
        """What to measure: the marker that came with the slide, else the model's, as for scoring."""
        marker = slide.marker or marker_of(self._settings.model)
        if marker is None:
            raise ConfigError(f"{slide.id}: it was not said what it is stained for; send it with its marker.")
        return marker

    @staticmethod
    def _drawn(session: Session, asked: JobAsked) -> str:
        latest = session.scalar(
            select(Regions).where(Regions.slide_id == asked.slide).order_by(Regions.time.desc()).limit(1)
        )
        if latest is None or not latest.drawn.get("features"):
            raise ConfigError(f"{asked.slide}: no region is drawn on it; draw one first.")
        return latest.id


def _shown_outcome(session: Session, slide: Slide) -> str | None:
    held = None if slide.result_id is None else session.get(ScoredResult, slide.result_id)
    return None if held is None else held.outcome


def _takes_the_place(record: Result | MeasuredSlide, shown: str | None) -> bool:
    """Whether a result is shown of its slide from now on: a model's answer stays until there is another."""
    if shown in ("issued", "refer"):
        return record.state == "ok" and isinstance(record, Result)
    return record.state == "ok" or shown != "ok"


def queue_of(job: Job) -> str:
    """The queue that a job waits in."""
    return QUEUE if job.slide_id is not None else STUDIES


def _show(slide: Slide | None, state: str) -> None:
    """A slide without a result is shown by the state of its job."""
    if slide is not None and slide.result_id is None:
        slide.state, slide.rank = state, RANKS[state]


def _mpp_said(session: Session, asked: JobAsked) -> float | None:
    """um/px of a slide as this job says, or the last that did."""
    if asked.mpp is not None:
        return asked.mpp
    before = select(Job.asked).where(Job.slide_id == asked.slide).order_by(Job.created.desc(), Job.id)
    said = (job["mpp"] for job in session.scalars(before.limit(_LOOKED_BACK)) if job.get("mpp") is not None)
    return next(said, None)


def _tell(slide: Slide, result: ScoredResult, entry: Entry) -> None:
    """Put a result into the slide's row of the worklist."""
    row = worklist_row(entry, (), hidden=False)
    slide.result_id = result.id
    slide.marker = row.marker or slide.marker
    slide.state, slide.rank = row.state, RANKS[row.state]
    slide.score, slide.reason = row.score or "", row.reason
    slide.sureness = 2.0 if row.probability is None else row.probability
    slide.words = words_of(slide)
    slide.answer_words = f"{slide.words} {(row.reason or '').lower()}"
    slide.row = row.model_dump(mode="json")
