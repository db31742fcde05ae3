"""Takes jobs out of the queue and has them scored; takes over those of workers that were lost."""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from dbos import DBOS, DBOSConfig
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from lowpower.errors import OutputError
from lowpower.files import make_folder, write_json
from lowpower.scoring import MeasuredSlide, Result
from lowpower.serve._shelf import record_of
from lowpower.serve.child import Scorer, ScoringError
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._telemetry import span
from lowpower.serve.department.charts import note_drift
from lowpower.serve.department.jobs._job_asked import Claimed
from lowpower.serve.department.jobs._job_book import QUEUE, STUDIES, WORKFLOW, Jobs, queue_of
from lowpower.serve.department.jobs._job_request import request_of, without_answer
from lowpower.serve.department.jobs._roll import Roll
from lowpower.serve.department.jobs._study_job import keep_study, study_folder
from lowpower.serve.department.records import Database, Job, ScoredResult, Worker, moment

__all__ = ["ScoringWorker"]

_POLL_S: Final = 0.25
_RETRY_S: Final = 1.0
_ORPHAN_S: Final = 3600.0
_DRIFT_S: Final = 900.0
"""Between two looks at the charts, where there are new results."""

_log = logging.getLogger("lowpower.serve")
T = TypeVar("T")


class ScoringWorker:
    """Of a process there is one; it scores `Settings.workers` slides at once."""

    def __init__(self, database: Database, settings: Settings, jobs: Jobs) -> None:
        self._database, self._settings, self._jobs = database, settings, jobs
        self._roll = Roll(database, settings.lost_after_s)
        self.name = self._roll.name
        self._scorers: queue.LifoQueue[Scorer] = queue.LifoQueue()
        self._all: list[Scorer] = []
        self._studies = self._new_scorer()
        """Its child runs studies, one at a time beside the slides, and is there only meanwhile."""
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None
        self._unwatched = False  # results that no look at the charts has seen
        self._watched = -_DRIFT_S

    def start(self) -> Self:
        """Begin to take jobs."""
        for _ in range(self._settings.workers):
            scorer = self._new_scorer()
            scorer.start()
            self._all.append(scorer)
            self._scorers.put(scorer)
        self._all.append(self._studies)
        self._roll.say_alive()
        self._sweep()
        config: DBOSConfig = {
            "name": "lowpower",
            "system_database_url": self._database.url,
            "application_version": "1",  # jobs outlive an update of this software
            "executor_id": self.name,
            "log_level": "ERROR",
            "run_migrations": False,
            "notification_listener_polling_interval_sec": 1.0,
        }
        DBOS(config=config)
        _RUNNING["worker"] = self
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._settings.workers,
            polling_interval_sec=_POLL_S,
            on_conflict="always_update",
        )
        if self._settings.study_roots:
            DBOS.register_queue(
                STUDIES, worker_concurrency=1, polling_interval_sec=_POLL_S, on_conflict="always_update"
            )
        self._beat = threading.Thread(target=self._watch, daemon=True, name="lowpower-heartbeat")
        self._beat.start()
        return self

    def _new_scorer(self) -> Scorer:
        return Scorer(seconds=self._settings.job_minutes * 60, memory=self._settings.job_memory_gb * 1e9)

    def close(self) -> None:
        """Take no more jobs; the one in hand goes back into the queue."""
        self._stop.set()
        for scorer in self._all:
            scorer.end()
        DBOS.destroy()
        _RUNNING.clear()
        with contextlib.suppress(DBAPIError), self._database.write() as session:
            row = session.get(Worker, self.name)
            if row is not None:
                session.delete(row)

    def run(self, job_id: str) -> None:
        """Do a job to its end; whatever happens, it has a result then, or was cancelled."""
        claimed = self._patiently(lambda: self._jobs.claim(job_id, self.name, self._roll.alive()))
        if claimed is None:
            return
        do = self._run_study if claimed.asked.kind == "study" else self._run
        with span(claimed.asked.kind, job=job_id, slide=claimed.slide_key, attempt=claimed.attempt) as add:
            add(state=do(claimed))

    def _run(self, claimed: Claimed) -> str:
        """Do a job that is ours; the state of its result, or cancelled."""
        job_id = claimed.id
        _log.info(
            "job.started", extra={"job": job_id, "slide": claimed.slide_key, "attempt": claimed.attempt}
        )
        staging = make_folder(self._settings.data / "staging") / f"{job_id}-{secrets.token_hex(4)}"
        try:
            self._check_attempts(claimed)
            folder = self._scored(claimed, staging)
            record = record_of((folder / claimed.record_name).read_bytes())
        except ScoringError as error:
            if error.code == "cancelled" or self._stop.is_set():
                shutil.rmtree(staging, ignore_errors=True)
                return "cancelled"
            folder, record = without_answer(claimed, self._settings, staging, error)
        except OutputError as error:
            folder, record = without_answer(
                claimed, self._settings, staging, ScoringError("output", str(error))
            )
        kept = self._patiently(lambda: self._publish(claimed, record, folder))
        self._unwatched = self._unwatched or kept
        shutil.rmtree(staging, ignore_errors=True)
        _log.info(
            "job.ended",
            extra={"job": job_id, "slide": claimed.slide_key, "kept": kept, "state": record.state},
        )
        return record.state

    def _check_attempts(self, job: Claimed) -> None:
        if job.attempt > self._settings.job_attempts:
            raise ScoringError(
                "lost", f"its worker was lost {job.attempt - 1} times in a row, so it is not tried again."
            )

    def _run_study(self, job: Claimed) -> str:
        """Run a study to its end: units that are done already, by whichever worker, are not done again."""
        _log.info("job.started", extra={"job": job.id, "attempt": job.attempt})
        made = reason = None
        try:
            self._check_attempts(job)
            made = self._studies.score(
                job.slide,
                study_folder(job, self._settings),
                {"fresh": job.asked.force and job.attempt == 1},
                verb="study",
                seconds=self._settings.study_hours * 3600,
                **self._watched_by(job),
            )
        except (ScoringError, OutputError, OSError) as error:
            if self._stop.is_set() or (isinstance(error, ScoringError) and error.code == "cancelled"):
                return "cancelled"
            reason = str(error).replace(f"{self._settings.data}/", "")
        finally:
            self._studies.end()  # what training took is given back
        kept = self._patiently(
            lambda: keep_study(self._database, self._settings, job, self.name, made, reason)
        )
        _log.info("job.ended", extra={"job": job.id, "kept": kept, "state": "ok" if made else "failed"})
        return "ok" if made else "failed"

    def _scored(self, job: Claimed, staging: Path) -> Path:
        request = request_of(job, self._settings)
        make_folder(staging)
        if job.regions is not None:
            regions = self._settings.data / "regions" / job.id / f"{job.slide_key}.geojson"
            write_json(regions, job.regions)
            request["regions"] = str(regions)
        scorer = self._scorers.get()
        try:
            return scorer.score(
                job.slide, staging / "out", request, verb=job.asked.kind, **self._watched_by(job)
            )
        finally:
            self._scorers.put(scorer)
            if not self._stop.is_set():
                scorer.start()

    def _watched_by(self, job: Claimed) -> dict[str, Any]:
        """What a scorer tells of a job in hand, and whom it asks whether to go on."""
        last = 0.0

        def progress(share: float) -> None:
            nonlocal last
            if time.monotonic() > last + 0.5:
                last = time.monotonic()
                with contextlib.suppress(DBAPIError):
                    self._jobs.progressed(job.id, self.name, share)

        def wanted() -> bool:
            try:
                return not self._stop.is_set() and self._jobs.is_wanted(job.id, self.name)
            except DBAPIError:
                return True  # the database will come back

        return {"progress": progress, "wanted": wanted}

    def _publish(self, job: Claimed, record: Result | MeasuredSlide, made: Path) -> bool:
        name = f"{job.id}-{secrets.token_hex(4)}"
        place = make_folder(self._settings.data / "results") / name
        text = (made / job.record_name).read_bytes()
        written = (made / job.record_name).stat().st_mtime_ns
        made.rename(place)
        try:
            kept = self._jobs.finish(job, self.name, record, name, text, written)
        except DBAPIError:
            place.rename(made)  # and once more, when the database is there again
            raise
        if not kept:
            shutil.rmtree(place, ignore_errors=True)
        return kept

    def _patiently(self, do: Callable[[], T]) -> T:
        """Do it; where the database is gone, when it is back."""
        while True:
            try:
                return do()
            except DBAPIError:
                if self._stop.wait(_RETRY_S):
                    raise

    def _watch(self) -> None:
        while not self._stop.wait(self._settings.lost_after_s / 6):
            try:
                self._roll.say_alive()
                self._take_over()
                self._watch_drift()
            except DBAPIError:
                _log.warning("database.gone")
            except Exception:
                _log.exception("heartbeat")  # the next beat tries again

    def _take_over(self) -> None:
        taken = self._jobs.taken()  # first: who took one of these was there before, so is among the living
        alive = self._roll.alive()
        with self._database.write() as session:
            held = list(session.scalars(select(Job).where(Job.state.in_(("running", "waiting")))))
            # A worker may have died between taking a job out of the queue and claiming it.
            whose = {job.id: job.worker if job.state == "running" else taken.get(job.id) for job in held}
            lost = [job for job in held if whose[job.id] is not None and whose[job.id] not in alive]
            for row in session.scalars(select(Worker)):
                if row.id not in alive and row.seen < moment(-10 * self._settings.lost_after_s):
                    session.delete(row)
        for job in lost:
            _log.warning("job.taken-over", extra={"job": job.id})
            self._jobs.release(job.id, queue_of(job))

    def _watch_drift(self) -> None:
        """Look whether what comes in is still what it was; what is not goes into the audit log."""
        if self._unwatched and time.monotonic() > self._watched + _DRIFT_S:
            self._unwatched, self._watched = False, time.monotonic()
            new = note_drift(self._database, self._settings)
            if new:
                _log.warning("drift.outside", extra={"charts": new})

    def _sweep(self) -> None:
        """Remove what killed workers left: half-made results, and whole ones that nobody got to book."""
        with self._database.read() as session:
            booked = {*session.scalars(select(ScoredResult.folder)), *session.scalars(select(Job.folder))}
        for folder in [
            *(self._settings.data / "staging").glob("*"),
            *(place for place in (self._settings.data / "results").glob("*") if place.name not in booked),
        ]:
            with contextlib.suppress(OSError):
                if folder.stat().st_mtime < time.time() - _ORPHAN_S:
                    shutil.rmtree(folder, ignore_errors=True)


_RUNNING: dict[str, ScoringWorker] = {}
"""DBOS knows functions by name, so this process's worker is found here."""


@DBOS.workflow(name=WORKFLOW)
def _score(job_id: str) -> None:
    _RUNNING["worker"].run(job_id)
