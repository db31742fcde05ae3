"""The database: SQLite in the data folder, or PostgreSQL by URL; made and brought up to date by Alembic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.config
from dbos import DBOS
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from lowpower.errors import ConfigError
from lowpower.files import locked, make_folder
from lowpower.serve.department._settings import SQLITE_FILE, Settings
from lowpower.serve.department.records._search_index import index_search

__all__ = ["Database", "database_url"]

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_READING: Final = "lowpower_reading"
_BUSY_S: Final = 30


def database_url(settings: Settings) -> str:
    """The address as SQLAlchemy takes it, PostgreSQL by psycopg.

    Raises:
        ConfigError: it is neither database's address.
    """
    if settings.database is None:
        return f"sqlite:///{settings.data / SQLITE_FILE}"
    try:
        url = make_url(settings.database)
    except ArgumentError as error:
        raise ConfigError("database: is no address; write postgresql://USER:PASSWORD@HOST/NAME.") from error
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    elif url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigError("database: must be postgresql://... or sqlite:///FILE.")
    return url.render_as_string(hide_password=False)


class Database:
    """Transactions for reading and for writing."""

    def __init__(self, settings: Settings) -> None:
        """Say where it is; nothing is connected yet."""
        self._data = settings.data
        self.url = database_url(settings)
        self.is_sqlite = self.url.startswith("sqlite")
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        self._reading = self.engine.execution_options(**{_READING: True})

    def migrate(self) -> None:
        """Make the tables, or bring them to this version; of several processes one does it.

        Raises:
            ConfigError: it cannot be reached, or a newer version made it.
        """
        make_folder(self._data)
        try:
            with locked(self._data / ".migrate.lock"):
                with self.engine.connect() as connection, connection.begin():
                    if self.is_sqlite:
                        connection.detach()  # closed afterwards: its keys are not watched
                        connection.exec_driver_sql("COMMIT")
                        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                        # A table that is made anew is gone for a moment, with what others point to.
                        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                    else:
                        connection.execute(text("SELECT pg_advisory_xact_lock(2203)"))
                    config = alembic.config.Config()
                    config.set_main_option("script_location", str(_MIGRATIONS))
                    config.attributes["connection"] = connection
                    alembic.command.upgrade(config, "head")
                    index_search(connection)
                DBOS.migrate(self.url)
        except OperationalError as error:
            raise ConfigError(
                f"database: cannot be reached ({_short(error)}); start it, or correct its address."
            ) from error
        except alembic.util.CommandError as error:
            raise ConfigError(
                f"database: was made by a newer lowpower ({error}); update this one."
            ) from error

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may change things: committed at the end, undone by an error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing."""
        with Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A transaction that sees everything as it was at one moment, however long it takes."""
        engine = self._reading  # SQLite's transactions are so anyway
        if not self.is_sqlite:
            engine = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with Session(engine) as session:
            yield session

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()


def _short(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())[:200]


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": _BUSY_S, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, not at the first change
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING)
        # A reader that turns writer midway could meet a lock that never ends; a writer says so at once.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: str) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,  # what was written is nobody's business in a log
        pool_pre_ping=True,  # after the database was restarted, the next request finds it again
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        connect_args={"connect_timeout": 5, "application_name": "lowpower"},
    )
