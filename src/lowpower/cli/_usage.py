"""Wrong usage in one sentence: what was given, what is taken, where to read more; and what to type next."""

from __future__ import annotations

import difflib
import re
import shlex
from pathlib import Path
from typing import Any, Final

import typer

from lowpower.errors import wrong_value

__all__ = ["BEGINNING", "FOR_EXAMPLE", "typed", "usage_sentence"]

FOR_EXAMPLE: Final = "For example: "
"""What stands before a verb's example, in its help and where its argument is missing."""

_POSSIBLE: Final = re.compile(r" \(Possible options: [^)]*\)")
_ELSEWHERE: Final = {"--format": "--to", "--formats": "--to", "--as": "--to"}
"""Options by the name that other programs give them, where no spelling is near."""
BEGINNING: Final = "`lowpower init SLIDES` writes one to begin with."
"""Where a configuration comes from that a user does not have yet."""


def usage_sentence(error: typer.BadParameter | Any) -> str:
    """One sentence for what typer refused; where an argument is missing, an example on a line of its own.

    Args:
        error: A usage error of typer's: `message`, `ctx` and, where it concerns one parameter, `param`.
    """
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    command = "lowpower" if context is None or context.parent is None else f"lowpower {context.info_name}"
    cause = _cause(error)
    if parameter is not None and cause is not None and not cause["msg"].startswith("Value error"):
        told = wrong_value(_name(parameter), cause)
    elif parameter is not None and error.message:
        told = f"{_name(parameter)}: {_plain(error.message)}"
    else:
        told = _elsewhere(error) or _nearest(error) or _plain(error.format_message())
    more = f"see {command} --help"
    said = f"{told[:-1]} ({more})?" if told.endswith("?") else f"{told.rstrip('.')} ({more})."
    if type(error).__name__ != "MissingParameter":
        return said
    beginning = f" {BEGINNING}" if getattr(parameter, "metavar", None) == "CONFIG.yaml" else ""
    example = getattr(getattr(context, "command", None), "epilog", None)
    return f"{said}{beginning}" + (f"\n{example}" if example else "")


def typed(*words: str | Path) -> str:
    """A command as it is typed into a shell: a path with a space in it is one word."""
    return shlex.join(map(str, words))


def _elsewhere(error: Any) -> str | None:
    """The option of this verb that does what an option typed does in other programs."""
    name = getattr(error, "option_name", None)
    ours = _ELSEWHERE.get(name or "")
    taken = (option for parameter in error.ctx.command.params for option in parameter.opts) if ours else ()
    return f"no such option: {name}; did you mean {ours}?" if ours in taken else None


def _nearest(error: Any) -> str | None:
    """The option spelled most like the one typed: what the library lists stands in order of the alphabet."""
    possible = getattr(error, "possibilities", None)
    if not possible or not hasattr(error, "option_name"):
        return None
    near = difflib.get_close_matches(error.option_name, possible, n=1, cutoff=0.0)
    return f"{_plain(_POSSIBLE.sub('', error.format_message())).rstrip('.')}; did you mean {near[0]}?"


def _name(parameter: Any) -> str:
    """An option by its longest spelling, an argument by what stands for it."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).strip("[]{}")


def _cause(error: BaseException) -> dict[str, Any] | None:
    """What pydantic, by which typer converts values, found first."""
    found = getattr(error.__cause__, "errors", None)
    return None if found is None else dict(found()[0])


def _plain(message: str) -> str:
    """A message without the library's own words before it."""
    message = " ".join(message.split()).removeprefix("Value error, ").removeprefix("Invalid value: ")
    return message[:1].lower() + message[1:] if message.startswith(("Missing", "No such")) else message
