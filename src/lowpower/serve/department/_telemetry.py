"""Spans of requests and jobs for an OpenTelemetry collector: numbers and pseudonyms, no people."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import lowpower
from lowpower.errors import ConfigError
from lowpower.serve.department._settings import Settings

__all__ = ["span", "start_telemetry"]

_TRACER: Final[list[Any]] = []
"""The one in use; our own, so that no library's spans, which may hold more, go out with ours."""


def start_telemetry(settings: Settings) -> Callable[[], None]:
    """Send spans to the collector of the settings, if they name one; what ends it and sends the last ones.

    Raises:
        ConfigError: the packages for it are not installed.
    """
    if settings.telemetry is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError("telemetry needs OpenTelemetry: pip install 'lowpower[otel]'.") from error
    about = {"service.name": "lowpower", "service.version": lowpower.__version__}
    provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
    collector = OTLPSpanExporter(f"{settings.telemetry.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(collector))
    _TRACER[:] = [provider.get_tracer("lowpower")]

    def end() -> None:
        _TRACER.clear()
        provider.shutdown()

    return end


@contextlib.contextmanager
def span(name: str, **attributes: str | int) -> Iterator[Callable[..., None]]:
    """A span around what is done; gives what adds to its attributes, and may name it anew."""
    if not _TRACER:
        yield lambda name=None, **_: None
        return
    with _TRACER[0].start_as_current_span(
        name, attributes=_dotted(attributes), record_exception=False, set_status_on_exception=False
    ) as current:

        def add(name: str | None = None, **more: str | int) -> None:
            current.set_attributes(_dotted(more))
            if name is not None:
                current.update_name(name)

        yield add


def _dotted(attributes: dict[str, str | int]) -> dict[str, str | int]:
    """Names as OpenTelemetry writes them: `http_route` is http.route, what is ours begins with lowpower."""
    known = {"http_route": "http.route", "http_method": "http.request.method",
             "http_status": "http.response.status_code"}  # fmt: skip
    return {known.get(name, f"lowpower.{name}"): value for name, value in attributes.items()}
