"""Scores slides of a folder, for the first time or again, one after another, in a process of its own."""

from __future__ import annotations

import itertools
import math
import os
import queue
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lowpower.errors import ConfigError
from lowpower.serve._shelf import Shelf
from lowpower.serve.child import Scorer, ScoringError
from lowpower.serve.folder._again import Again, again
from lowpower.slides import find_slides, slide_name
from lowpower.tissue import is_control_word

__all__ = ["FolderJob", "FolderScoring"]

_LOOKED_S: Final = 2.0
"""How long what was found among the slides holds: they may lie on a slow disk, and the page asks often."""


@dataclass
class FolderJob:
    """A slide that is to be scored.

    Attributes:
        id: Its number.
        slide: The slide's key.
        state: waiting, running, done, failed or cancelled.
        progress: Share of the scoring that is done, 0 to 1; None while none is.
        reason: Why there is no result.
    """

    id: str
    slide: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    progress: float | None = None
    reason: str | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")


class FolderScoring:
    """Slides that have no result yet, and the one process that scores, started when first asked."""

    def __init__(self, shelf: Shelf, model: str, laboratory: Path | None = None) -> None:
        self._shelf, self._model, self._laboratory = shelf, model, laboratory
        self._jobs: dict[str, FolderJob] = {}
        self._queue: queue.Queue[tuple[FolderJob, Path, Again] | None] = queue.Queue()
        self._scorer = Scorer(seconds=math.inf, memory=math.inf)  # one's own machine, and a button to cancel
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._found: tuple[float, list[Path]] = (-math.inf, [])
        self._keys: dict[Path, str] = {}  # given once: a page that is open goes on by it
        self._became: dict[str, str] = {}

    def unscored(self) -> dict[str, Path]:
        """Slides without a result, by their names; of several of one name, numbered ones."""
        entries = self._shelf.entries()
        scored = {os.path.realpath(self._shelf.slide_file(entry)) for entry in entries.values()}
        found = [path for path in self._slides() if os.path.realpath(path) not in scored]
        with self._lock:
            for path in found:
                if path not in self._keys:
                    taken = {*self._keys.values(), *entries}
                    names = (f"{slide_name(path)} ({number})" for number in itertools.count(2))
                    self._keys[path] = next(
                        name for name in itertools.chain([slide_name(path)], names) if name not in taken
                    )
            return {self._keys[path]: path for path in found}

    def ask(self, key: str, regions: Path | None, control: str | None, mpp: float | None = None) -> FolderJob:
        """Have a slide scored; where that was asked already, it is the same job.

        An earlier result is kept below `set-aside-N`; one that is an answer does not give way to a refusal.

        Args:
            key: The slide, with a result or without.
            regions: GeoJSON to score inside; None for the whole slide.
            control: What is said of control tissue; None: as the first time.
            mpp: um/px, over what the file says; None: as the first time.

        Raises:
            ConfigError: there is no such slide, its file is gone, or the earlier result was made by what is
                not known here.
        """
        if control is not None and not is_control_word(control):
            raise ConfigError(f"{key}: control tissue is auto, none, an end or x,y,width,height here.")
        path, work = self._asked(key, regions, control, mpp)
        with self._lock:
            held = self.latest(key)
            if held is not None and held.active:
                return held
            job = FolderJob(secrets.token_hex(8), key)
            self._jobs[job.id] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lowpower-scoring", daemon=True)
                self._thread.start()
        self._queue.put((job, path, work))
        return job

    def _asked(
        self, key: str, regions: Path | None, control: str | None, mpp: float | None
    ) -> tuple[Path, Again]:
        """The slide's file, and what is to be done with it."""
        entry = self._shelf.entry(self.became(key))
        if entry is not None:
            path = self._shelf.slide_file(entry)
            if not path.exists():
                raise ConfigError(
                    f"{key}: its file {path} is gone; put it back, or name its folder: lowpower view RESULTS "
                    "--slides DIR"
                )
            about: dict[str, Any] = {"regions": regions, "control": control, "mpp": mpp}
            return path, again(entry, model=self._model, laboratory=self._laboratory, **about)
        new = self.unscored().get(key)
        if new is None:
            raise ConfigError(f"{key}: is no slide of this folder.")
        request = {
            "model": self._model,
            "mpp": mpp,
            "control": control or "auto",
            "regions": None if regions is None else str(regions),
            "laboratory": None if self._laboratory is None else str(self._laboratory),
        }
        return new, Again("score", request)

    def cancel(self, job: FolderJob) -> bool:
        """End a job that waits or runs; whether there was something to end."""
        with self._lock:
            if not job.active:
                return False
            job.state, job.progress = "cancelled", None
            return True

    def job(self, job_id: str) -> FolderJob | None:
        """A job by its number."""
        return self._jobs.get(job_id)

    def latest(self, key: str) -> FolderJob | None:
        """The last job of a slide."""
        return next((job for job in reversed(self._jobs.values()) if job.slide == key), None)

    def active(self) -> list[FolderJob]:
        """Jobs that wait or run, in their order."""
        return [job for job in list(self._jobs.values()) if job.active]

    def became(self, key: str) -> str:
        """The name of the result of a slide that was scored here under this key."""
        return self._became.get(key, key)

    def close(self) -> None:
        """Score nothing more; a slide in hand has no result then."""
        for job in self.active():
            self.cancel(job)
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._scorer.end()

    def _slides(self) -> list[Path]:
        looked, found = self._found
        if time.monotonic() > looked + _LOOKED_S and self._shelf.slides is not None:
            found = find_slides(self._shelf.slides)
            self._found = (time.monotonic(), found)
        return found

    def _work(self) -> None:
        while (asked := self._queue.get()) is not None:
            job, path, work = asked
            with self._lock:
                if job.state != "waiting":
                    continue
                job.state = "running"
            self._score(job, path, work)

    def _score(self, job: FolderJob, path: Path, work: Again) -> None:
        def progress(share: float) -> None:
            job.progress = share

        try:
            folder = self._scorer.score(
                path,
                self._shelf.folder,
                work.request,
                verb=work.verb,
                keep_earlier=True,
                progress=progress,
                wanted=lambda: job.active,
            )
        except ScoringError as error:
            ended: Literal["done", "failed"] = "failed"
            said: str | None = str(error).removeprefix(f"{path}: ")
        except OSError as error:
            ended, said = "failed", f"the process that scores could not be started ({error.strerror})."
        else:
            ended, said = "done", None
            self._became[job.slide] = folder.name
        with self._lock:
            if job.active:
                job.state, job.reason, job.progress = ended, said, None
