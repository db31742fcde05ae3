"""A PostgreSQL of the tests' own, where Debian's is installed: on a free port, gone with the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

__all__ = ["PostgreSql"]

_OPTIONS = "-c fsync=off -c full_page_writes=off -c shared_buffers=16MB -c max_connections=60"


def _tools() -> Path | None:
    """Where initdb is; the newest of several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).resolve().parent if here else None


class PostgreSql:
    """A cluster in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make it in an empty folder that its user can reach; pytest keeps its own ones private."""
        tools = _tools()
        if tools is None:
            reason = "there is no PostgreSQL on this machine (Debian: apt-get install postgresql)"
            if os.environ.get("CI") and not os.environ.get("LOWPOWER_NO_POSTGRESQL"):
                pytest.fail(reason)
            pytest.skip(reason)
        self._tools, self._folder = tools, folder
        # PostgreSQL refuses to run as root; Debian's package brings a user of its own.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._call(
            "initdb",
            "-D",
            str(folder / "cluster"),
            "-U",
            "lowpower",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        )
        self.start()
        self._made = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"{_OPTIONS} -c listen_addresses=127.0.0.1 -p {self.port} -k {self._folder}"
        log = str(self._folder / "log")
        self._call("pg_ctl", "-D", str(self._folder / "cluster"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """As a machine that goes away: no waiting for whoever is connected."""
        self._call("pg_ctl", "-D", str(self._folder / "cluster"), "-w", "-m", "immediate", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://lowpower@127.0.0.1:{self.port}/{database}"

    def new(self, template: str = "template0") -> str:
        """The address of a new database, a copy of another."""
        self._made += 1
        name = f"test_{self._made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def _call(self, tool: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._tools / tool), *arguments],
            user=self._user, group=self._user, extra_groups=[] if self._user else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            (self._folder / "log").read_text() if (self._folder / "log").exists() else tool
        )
