"""fastslide in processes that can be ended, for a decode of its own may wait for ever, deaf to Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from lowpower.slides._reader import Pixels

__all__ = ["KillableSlide", "StoppedError"]

_CHILD = Path(__file__).with_name("_fastslide_child.py")
_LIMIT = 45.0  # seconds; a band of a very wide slide on a slow network drive takes a few
_PROCESSES = 4
_CACHE_BYTES = 64 << 20
_PIPE_BYTES = 1 << 20  # pixels come in fewer pieces


class StoppedError(RuntimeError):
    """The library gave no answer: it was ended, or ended itself."""


class KillableSlide:
    """A slide that fastslide has open; safe in threads, each of which is served by a process, up to four.

    Args:
        path: The slide.
        limit: Seconds that pixels may take.

    Raises:
        ValueError: if fastslide does not open it.
        StoppedError: if it does not answer.
    """

    def __init__(self, path: Path, limit: float = _LIMIT) -> None:
        self._path, self._limit = path, limit
        self._free = threading.Condition()
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._closed = False
        first = self._take()
        self.facts = first.facts
        self._give(first)

    def read_region(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Pixels of a level, as fastslide gives them.

        Raises:
            ValueError: if it says that it cannot.
            StoppedError: if it does not answer.
        """
        return self._ask(["read", level, x, y, width, height])

    def associated(self, name: str) -> Pixels:
        """One associated image; raises as `read_region` does."""
        return self._ask(["associated", name])

    def close(self) -> None:
        """End the processes."""
        with self._free:
            self._closed = True
            processes, self._all, self._idle = self._all, [], []
            self._free.notify_all()
        for process in processes:
            process.end()

    def _ask(self, question: list[Any]) -> Pixels:
        process = self._take()
        try:
            pixels = process.ask(question, self._limit)
        except ValueError:
            self._give(process)
            raise
        except BaseException:  # no answer, or Ctrl-C amid one: what it says next is not to be believed
            self._drop(process)
            raise
        self._give(process)
        return pixels

    def _take(self) -> _Process:
        with self._free:
            while not self._idle:
                if self._closed:
                    raise StoppedError("the slide is closed")
                if len(self._all) < _PROCESSES:
                    process = _Process(self._path)
                    self._all.append(process)
                    break
                self._free.wait()
            else:
                return self._idle.pop()
        try:
            process.open()
        except BaseException:
            self._drop(process)
            raise
        return process

    def _give(self, process: _Process) -> None:
        with self._free:
            self._idle.append(process)
            self._free.notify()

    def _drop(self, process: _Process) -> None:
        process.end()
        with self._free:
            self._all = [other for other in self._all if other is not process]
            self._free.notify()


class _Process:
    """One process, asked one question at a time."""

    def __init__(self, path: Path) -> None:
        self._deadline: float | None = None
        self.facts: dict[str, Any] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD), str(path), str(_CACHE_BYTES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=_PIPE_BYTES,
        )  # fmt: skip
        threading.Thread(target=self._watch, daemon=True, name="lowpower-watch").start()

    def open(self) -> None:
        self.facts = self._hear(_LIMIT)[0]

    def ask(self, question: list[Any], limit: float) -> Pixels:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise StoppedError("it ended itself") from error
        return self._hear(limit)[1]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # of what was still to be written
                    pipe.close()

    def _hear(self, limit: float) -> tuple[dict[str, Any], Pixels]:
        out = self._process.stdout
        assert isinstance(out, io.BufferedReader)
        deadline = self._deadline = time.monotonic() + limit
        try:
            line = out.readline()
            about: dict[str, Any] = json.loads(line) if line else {"stopped": True}
            pixels = np.empty(about.get("shape", 0), np.uint8)
            whole = out.readinto(pixels.data.cast("B")) == pixels.nbytes if pixels.nbytes else True
        finally:
            self._deadline = None
        if "stopped" in about or not whole:
            late = time.monotonic() > deadline
            raise StoppedError(f"it gave no answer within {limit:g} s" if late else "it ended itself")
        if "error" in about:
            raise ValueError(about["error"])
        return about, pixels

    def _watch(self) -> None:
        """Ends the process when an answer is overdue."""
        while self._process.poll() is None:
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._process.kill()
                return
            time.sleep(0.5)
