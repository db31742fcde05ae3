"""What ends a run from outside, ended as Ctrl-C ends it: told what is done, the tables written."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["ended_gently"]


@contextlib.contextmanager
def ended_gently() -> Iterator[None]:
    """Let SIGTERM (a cluster's time limit) and SIGHUP (a lost terminal) interrupt as Ctrl-C does.

    What is handled or ignored already, as by nohup, stays as it is; so do processes that are forked.
    """
    here = os.getpid()
    before = {}

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() == here:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
