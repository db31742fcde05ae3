"""Which workers are alive: they say so every few seconds, and of this machine one can also look."""

from __future__ import annotations

import secrets
import socket

import psutil
from sqlalchemy import select

from lowpower.serve.department.records import Database, Worker, moment

__all__ = ["Roll"]


class Roll:
    """The table of workers, as one of them keeps it.

    Attributes:
        name: This one's.
    """

    def __init__(self, database: Database, lost_after_s: float) -> None:
        self._database, self._lost_after_s = database, lost_after_s
        self._host = socket.gethostname()[:60]
        self.name = f"{self._host}-{secrets.token_hex(4)}"

    def say_alive(self) -> None:
        """Sign it."""
        process = psutil.Process()
        with self._database.write() as session:
            row = session.get(Worker, self.name)
            if row is None:
                row = Worker(
                    id=self.name, host=self._host, process=process.pid, began=process.create_time(), seen=""
                )
                session.add(row)
            row.seen = moment()

    def alive(self) -> set[str]:
        """Workers that are: heard of lately, and of this host also there."""
        silent = moment(-self._lost_after_s)
        with self._database.read() as session:
            workers = list(session.scalars(select(Worker)))
        return {worker.id for worker in workers if worker.seen >= silent and self._is_there(worker)}

    def _is_there(self, worker: Worker) -> bool:
        if worker.host != self._host:
            return True
        try:
            return bool(abs(psutil.Process(worker.process).create_time() - worker.began) < 2.0)
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True
