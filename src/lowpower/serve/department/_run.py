"""Runs the service: the web server, and the worker beside it."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import uvicorn

from lowpower.errors import ConfigError
from lowpower.serve._page_files import require_page
from lowpower.serve.department._bounded_http import BoundedHttp
from lowpower.serve.department._department import Department, department_app
from lowpower.serve.department._roles import Role
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._telemetry import start_telemetry
from lowpower.serve.department.access import Who
from lowpower.serve.department.jobs import ScoringWorker

__all__ = ["DepartmentServer", "admin_link", "log_as_json", "run_worker"]

_LOGGED: Final = (
    "request", "method", "route", "status", "ms", "job", "slide", "attempt", "kept", "state", "kind",
    "charts",
)  # fmt: skip


class DepartmentServer:
    """The service on its address, until it is stopped.

    Attributes:
        address: What browsers open.
        first_link: The one-time link for the first admin; None where there is one.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the port and open the database.

        Raises:
            ConfigError: the page is not built, the port is taken, or the database cannot be reached.
        """
        require_page()
        self._end_telemetry = start_telemetry(settings)
        self._department = Department.open(settings)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((settings.host, settings.port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(
                f"Port {settings.port} cannot be used ({error.strerror}); choose another with --port."
            ) from error
        self._socket.listen(128)  # who connects from now on is answered once it runs
        port = self._socket.getsockname()[1]
        scheme = "https" if settings.tls_certificate else "http"
        self.address = settings.address or f"{scheme}://{settings.host}:{port}"
        secret = self._department.accounts.first_link()
        self.first_link = None if secret is None else f"{self.address}/#link={secret}"
        self._worker: ScoringWorker | None = None
        config = uvicorn.Config(
            department_app(self._department),
            http=BoundedHttp,  # beside uvloop, where that is: a third of what tiles wait without the two
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=settings.behind_proxy,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=60,  # a reader who looks at a screen for a while has connections for the next
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve and score until interrupted."""
        settings = self._department.settings
        if settings.workers:
            self._worker = ScoringWorker(self._department.database, settings, self._department.jobs).start()
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """Stop; the job in hand goes back into the queue."""
        self._server.should_exit = True
        if self._worker is not None:
            self._worker.close()
        self._department.database.close()
        self._socket.close()
        self._end_telemetry()


def admin_link(settings: Settings) -> str:
    """A new one-time link by which somebody becomes an admin; for who runs the machine.

    Raises:
        ConfigError: the database cannot be reached.
    """
    department = Department.open(settings)
    secret = department.accounts.link(Who("command line", Role.ADMIN), Role.ADMIN)
    department.database.close()
    home = settings.address or f"http://{settings.host}:{settings.port}"
    return f"{home}/#link={secret}"


def run_worker(settings: Settings) -> None:
    """Score until interrupted or terminated, without a web server: one more pair of hands, anywhere."""
    end_telemetry = start_telemetry(settings)
    department = Department.open(settings)
    worker = ScoringWorker(department.database, settings, department.jobs).start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        while not stop.wait(1.0):
            pass
    except KeyboardInterrupt:
        pass
    finally:
        worker.close()
        department.database.close()
        end_telemetry()


class _AsJson(logging.Formatter):
    """One JSON object a line: what happened and numbers, no names of people, files or cases."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        told |= {name: getattr(record, name) for name in _LOGGED if hasattr(record, name)}
        if record.exc_info is not None and record.exc_info[0] is not None:
            told["trace"] = _frames(record.exc_info[2])
        return json.dumps(told)


def _frames(trace: Any) -> list[str]:
    """Where it happened; not the message, which may quote what somebody typed."""
    return [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-8:]]


def log_as_json() -> None:
    """Write the service's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson())
    log = logging.getLogger("lowpower.serve")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
