"""Spans of requests and jobs: sent to a collector, and without anything about a patient."""

from __future__ import annotations

import http.server
import threading
from importlib.util import find_spec

import pytest

from lowpower.serve.department._telemetry import span, start_telemetry

from .conftest import browser_of, upload

pytestmark = pytest.mark.skipif(
    find_spec("opentelemetry") is None
    or find_spec("opentelemetry.sdk") is None
    or find_spec("opentelemetry.exporter") is None,
    reason="OpenTelemetry is not installed (pip install -e '.[dev]')",
)


@pytest.fixture
def collector():
    """Takes what is sent, as a collector does."""
    came = []

    class Takes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    server.server_close()


def test_requests_and_jobs_are_spans_without_names(open_with, collector, slide_file, tmp_path):
    address, came = collector
    department = open_with(telemetry=address)
    end = start_telemetry(department.settings)
    try:
        slide = tmp_path / "Jane Doe 1961.tif"
        slide.hardlink_to(slide_file)
        key = upload(browser_of(department, name="Dr. Who"), slide, case="Case of Jane")
        with span("score", job="a-job", slide=key, attempt=1) as add:
            add(state="ok")
    finally:
        end()  # sends what has not gone yet
    assert {path for path, _ in came} == {"/v1/traces"}
    told = b"".join(body for _, body in came)
    for word in (b"POST /v1/uploads/{upload_id}/complete", b"http.route", b"lowpower.job", key.encode()):
        assert word in told, word
    for word in (b"Jane", b"Dr. Who", b"127.0.0.1", b"cookie"):
        assert word not in told, word


def test_without_a_collector_nothing_is_kept(department):
    start_telemetry(department.settings)()
    with span("score", job="a-job") as add:
        add(state="ok")
