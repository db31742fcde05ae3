"""Server-sent events: the jobs that wait or run, whenever something about them changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import anyio
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

__all__ = ["job_events"]

_EVENT_S: Final = 0.4
_LONGEST_S: Final = 600.0


def job_events(request: Request, active: Callable[[], list[dict[str, Any]]]) -> StreamingResponse:
    """Tell a page of the active jobs until it goes away, or for ten minutes; it then asks anew.

    Args:
        request: Who listens.
        active: The jobs as they are now: id, slide, state, progress.
    """

    async def stream() -> AsyncIterator[str]:
        last, since = None, anyio.current_time()
        while anyio.current_time() < since + _LONGEST_S and not await request.is_disconnected():
            told = json.dumps(await run_in_threadpool(active))
            if told != last:
                last = told
                yield f"event: jobs\ndata: {told}\n\n"
            await anyio.sleep(_EVENT_S)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
