"""`lowpower serve`: the page, the interface and the jobs of a department."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from lowpower.serve.department import Settings

__all__ = ["EXAMPLE", "command"]

EXAMPLE: Final = "lowpower serve run --data department"

_NEEDED = {
    "argon2": "argon2-cffi", "alembic": "alembic", "dbos": "dbos", "httptools": "httptools",
    "sqlalchemy": "sqlalchemy",
}  # fmt: skip


class Task(StrEnum):
    """What is to be done with the service."""

    RUN = "run"
    WORKER = "worker"
    LINK = "link"
    VERIFY = "verify"
    BACKUP = "backup"
    RESTORE = "restore"
    PURGE = "purge"


_OF_ONE_THERE = (Task.LINK, Task.VERIFY, Task.BACKUP, Task.PURGE)
"""What is done with a department that was served before: a mistyped folder must not become a new one."""
_SERVED = "name the folder of a department that `lowpower serve` has served."


def command(
    task: Annotated[
        Task,
        typer.Argument(
            help="run: the service. worker: scoring alone, on this machine or another. link: a new one-time "
            "link for an admin. verify: whether the audit log is whole. backup, restore: everything "
            "into or out of FILE. purge: slides and the work of "
            "studies older than keep_days go.",
        ),
    ] = Task.RUN,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for slides, results and, unless DATABASE says other, the database."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="postgresql://USER:PASSWORD@HOST/NAME; SQLite if not given."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with settings; docs/serve.md lists them.")
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder from which slides may be registered where they lie; may come again."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; beyond this machine only with TLS.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, 8080 if not given; 0: a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, max=64, help="Slides scored at once by this process; 0: none.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The archive that backup writes and restore reads.")
    ] = None,
    blind: Annotated[
        bool | None,
        typer.Option("--blind", help="Show no answer of a slide before the reader has scored it."),
    ] = None,
) -> None:
    """Serve a department: upload slides, have them scored, look, review; with accounts and an audit log.

    The first start prints a one-time link, by which the first admin makes an account. Ctrl-C ends it; jobs
    that were not done go on at the next start.
    """
    from lowpower.cli._given_paths import there
    from lowpower.errors import ConfigError, OptionError, install_with

    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(f"lowpower serve needs {', '.join(missing)}; {install_with('serve')}")
    if config is not None:
        there(config, "docs/serve.md lists what may stand in it.")
    if task is Task.RESTORE and file is not None:
        there(file, "name the archive that `lowpower serve backup` wrote.")

    if task in _OF_ONE_THERE and data is not None and database is None:
        there(data, _SERVED)

    from lowpower.serve.department import SQLITE_FILE, read_settings

    settings = read_settings(
        config, data=data, database=database, roots=root, host=host, port=port, workers=workers, blind=blind
    )
    if task in _OF_ONE_THERE and settings.database is None:
        there(settings.data, _SERVED)
        there(settings.data / SQLITE_FILE, f"{settings.data} is no department's folder.")
    if task is Task.BACKUP and file is not None and file.exists():
        raise OptionError(f"{file}: is there already; give another name, or move it away.")
    if task in (Task.BACKUP, Task.RESTORE):
        if file is None:
            raise OptionError(f"name the archive: lowpower serve {task.value} --file ARCHIVE.tar.")
        (_back_up if task is Task.BACKUP else _restore)(settings, file)
        return
    does = {Task.RUN: _run, Task.WORKER: _worker, Task.LINK: _link, Task.VERIFY: _verify, Task.PURGE: _purge}
    does[task](settings)


def _run(settings: Settings) -> None:
    import contextlib

    from lowpower.serve.department import DepartmentServer, log_as_json

    log_as_json()
    with contextlib.closing(DepartmentServer(settings)) as server:
        typer.echo(server.address)
        if server.first_link is not None:
            typer.echo(f"The first admin makes an account here, once: {server.first_link}")
        with contextlib.suppress(KeyboardInterrupt):
            server.run()


def _worker(settings: Settings) -> None:
    from lowpower.serve.department import log_as_json, run_worker

    log_as_json()
    run_worker(settings)


def _link(settings: Settings) -> None:
    from lowpower.serve.department import admin_link

    typer.echo(f"An admin makes an account here, once: {admin_link(settings)}")


def _verify(settings: Settings) -> None:
    from lowpower.serve.department import Database, verify_audit

    told = verify_audit(Database(settings))
    if told.problem is not None:
        typer.echo(
            f"lowpower: the audit log is broken: {told.problem}; rows before it that are whole: {told.rows}.",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"The audit log is whole: {_rows(told.rows)}, the last one sealed as {told.head}.")


def _back_up(settings: Settings, file: Path) -> None:
    from lowpower.serve.department import back_up

    made = back_up(settings, file)
    typer.echo(f"{made.path}: {_rows(made.rows)}, {made.files} files.")


def _restore(settings: Settings, file: Path) -> None:
    from lowpower.serve.department import restore

    made = restore(settings, file)
    typer.echo(f"{settings.data}: {_rows(made.rows)}, {made.files} files; the audit log is whole.")


def _purge(settings: Settings) -> None:
    from lowpower.serve.department import Department, purge

    gone = purge(Department.open(settings))
    studies = f" and the work of {len(gone.studies)} studies" if gone.studies else ""
    typer.echo(f"{len(gone.slides)} slides{studies} are gone, {gone.bytes / 1e9:.2f} GB are free.")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
