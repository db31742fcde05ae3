"""Keeping C++ libraries' chatter off the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

__all__ = ["quiet_stderr"]

_lock = threading.Lock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send the process's standard error to nowhere for a moment; only around calls of milliseconds.

    Some readers print what they also raise. What Python itself writes meanwhile is flushed before and after.
    """
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:  # no standard error at all, as in a windowed application
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
