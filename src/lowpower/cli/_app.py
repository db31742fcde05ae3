"""Gathers the verbs; turns an error raised on purpose into one sentence and an exit code."""

from __future__ import annotations

import errno
import functools
import io
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

import lowpower
from lowpower.cli._signals import ended_gently
from lowpower.cli._usage import FOR_EXAMPLE, usage_sentence
from lowpower.cli.verbs import (
    _calibrate,
    _check,
    _compare,
    _demo,
    _deploy,
    _doctor,
    _evaluate,
    _export,
    _export_model,
    _init,
    _measure,
    _prepare,
    _score,
    _serve,
    _simulate,
    _study,
    _subtype,
    _train,
    _view,
)
from lowpower.errors import LowpowerError, OptionError, one_line, spoken_as_options

__all__ = ["main"]


_INTERRUPTED: Final = 130
_OF_WRITING: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


class _Interrupted(Exception):
    """A verb was interrupted; says what is done and how to go on."""


def interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """A verb that says how to go on when it is interrupted; typer itself would end without a word."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt as stop:
            raise _Interrupted(
                str(stop) or "interrupted; the same command goes on where it stopped."
            ) from None

    return run


class _Verb(TyperCommand):
    """A verb whose help speaks of a NUMBER or a PATH, not of Python's types."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for parameter in self.params:
            _speak_plainly(parameter)

    def get_help_option(self, ctx: Any) -> Any:
        return _speak_plainly(super().get_help_option(ctx))


def _speak_plainly(parameter: Any) -> Any:
    shown = getattr(parameter, "display_type_rich", None)
    if shown is not None and not isinstance(shown, functools.partial):
        vars(parameter)["display_type_rich"] = functools.partial(_in_words, shown)
    return parameter


def _in_words(shown: Callable[..., str | None], ctx: Any) -> str | None:
    """What typer shows of a value's kind, in words; None for a switch."""
    kind = (shown(ctx) or "").strip("<>").removeprefix("list[").rstrip("]").removesuffix(" range")
    return {"": None, "bool": None, "str": "TEXT", "float": "NUMBER", "int": "NUMBER"}.get(
        kind, "PATH" if kind.lower() in ("path", "file", "directory") else kind
    )


app = typer.Typer(
    name="lowpower",
    help="Scores breast-cancer IHC slides (HER2 first) and asks how much resolution a score needs.\n\n"
    "Research use only: not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for verb in (
    _demo,
    _init,
    _doctor,
    _check,
    _prepare,
    _train,
    _evaluate,
    _compare,
    _simulate,
    _score,
    _measure,
    _calibrate,
    _study,
    _deploy,
    _export,
    _export_model,
    _subtype,
    _view,
    _serve,
):
    named = verb.__name__.rpartition(".")[2].lstrip("_").replace("_", "-")
    app.command(name=named, cls=_Verb, epilog=f"{FOR_EXAMPLE}{verb.EXAMPLE}")(interruptible(verb.command))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lowpower {lowpower.__version__} (research use only)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Exit codes: 0 all well; 1 something refused or failed; 2 wrong usage; 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end a run.
            stream.reconfigure(errors="backslashreplace")
    with spoken_as_options(), ended_gently():
        try:
            code = app(standalone_mode=False)
        except OptionError as error:
            _end(str(error), 2)
        except LowpowerError as error:
            _end(str(error), 1)
        except OSError as error:
            where = one_line(error.filename) if error.filename else "a file"
            if error.errno in _OF_WRITING:
                from lowpower.files import unwritten

                _end(f"{where}: {unwritten(error)}", 1)
            _end(f"{where}: {error.strerror or error}; check the path, and the permission to read it.", 1)
        except TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # the help was shown already
                typer.echo()
                sys.exit(2)
            _end(usage_sentence(error), 2)
        except _Interrupted as stop:
            _end(str(stop), _INTERRUPTED)
        if code == _INTERRUPTED:  # before the verb began
            raise KeyboardInterrupt
        sys.exit(code or 0)


def _end(sentence: str, code: int) -> NoReturn:
    typer.echo(f"lowpower: {sentence}", err=True)
    sys.exit(code)
