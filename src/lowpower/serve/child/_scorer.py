"""A child process that scores, held to its limits of time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import psutil

__all__ = ["Scorer", "ScoringError"]

_LOOK_S: Final = 0.2
_START_S: Final = 180.0


class ScoringError(Exception):
    """There is no answer, and why.

    Attributes:
        code: In a word: time, memory, crash, cancelled, or the code of lowpower's own error.
    """

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class Scorer:
    """One child; used by one thread at a time. It is started anew after it was ended."""

    def __init__(self, *, seconds: float, memory: float) -> None:
        """Say the limits.

        Args:
            seconds: Time for a slide.
            memory: Bytes, of the child and all processes below it.
        """
        self._seconds, self._memory = seconds, memory
        self._child: subprocess.Popen[str] | None = None
        self._ready = False
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def start(self) -> None:
        """Start the child, if there is none; it loads its libraries meanwhile."""
        if self._child is not None and self._child.poll() is None:
            return
        self.end()
        self._answers, self._ready = queue.Queue(), False
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "lowpower.serve.child._score_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        _first_to_go(self._child.pid)
        threading.Thread(target=_listen, args=(self._child, self._answers), daemon=True).start()

    def score(
        self,
        slide: Path,
        out: Path,
        request: dict[str, Any],
        *,
        verb: Literal["score", "measure", "study"] = "score",
        keep_earlier: bool = False,
        seconds: float | None = None,
        progress: Callable[[float], None],
        wanted: Callable[[], bool],
    ) -> Path:
        """Score a slide; the folder that `score_files` wrote for it.

        Args:
            slide: The slide.
            out: Where to.
            request: Attributes of `ScoreRequest`.
            verb: Which of `score_files` and `measure_files` does it; or `run_study`, of which `slide` is the
                configuration.
            keep_earlier: As they take it.
            seconds: Time for it, over that for a slide.
            progress: Told the share that is done.
            wanted: Asked now and then whether to go on.

        Raises:
            ScoringError: it took too long or too much memory, died, was not wanted, or said no.
        """
        seconds = self._seconds if seconds is None else seconds
        self.start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        asked = {"slide": str(slide), "out": str(out), "request": request}
        question = json.dumps({**asked, "verb": verb, "keep_earlier": keep_earlier})
        with contextlib.suppress(OSError):  # it died: that shows below
            child.stdin.write(question + "\n")
            child.stdin.flush()
        deadline = time.monotonic() + seconds + (0.0 if self._ready else _START_S)
        asked_at = looked_at = 0.0
        while True:
            told: dict[str, Any] | None = {}
            with contextlib.suppress(queue.Empty):
                told = self._answers.get(timeout=_LOOK_S)
            if told is None:
                self.end()
                raise ScoringError(
                    "crash",
                    "scoring ended without a word, as a crash or the system's want of memory does.",
                )
            if "ready" in told:
                self._ready = True
                deadline = time.monotonic() + seconds
            elif "progress" in told:
                progress(float(told["progress"]))
            elif "error" in told:
                raise ScoringError(told["code"], told["error"])
            elif "folder" in told:
                return Path(told["folder"])
            if time.monotonic() < looked_at + _LOOK_S:
                continue  # it tells its progress all the time
            looked_at = time.monotonic()
            if time.monotonic() > deadline:
                self.end()
                raise ScoringError(
                    "time", f"scoring took longer than the {seconds / 60:g} minutes that it may."
                )
            if _memory_of(child.pid) > self._memory:
                self.end()
                raise ScoringError(
                    "memory", f"scoring took more than the {self._memory / 1e9:g} GB of memory that it may."
                )
            if time.monotonic() > asked_at + 1.0:
                asked_at = time.monotonic()
                if not wanted():
                    self.end()
                    raise ScoringError("cancelled", "it was cancelled.")

    def end(self) -> None:
        """End the child and what it started."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _listen(child: subprocess.Popen[str], answers: queue.Queue[dict[str, Any] | None]) -> None:
    assert child.stdout is not None
    with contextlib.suppress(ValueError, OSError):  # the pipe was closed under us
        for line in child.stdout:
            answers.put(json.loads(line))
    answers.put(None)


def _memory_of(process: int) -> int:
    """Bytes of a process and all below it."""
    try:
        parent = psutil.Process(process)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for one in family:
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total


def _first_to_go(process: int) -> None:
    """Where memory ends all the same, let the system end this process, not the service."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{process}/oom_score_adj").write_text("900")
