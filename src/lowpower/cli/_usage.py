"""Wrong usage in one sentence: what was given, what is taken, and where to read more."""

from __future__ import annotations

from typing import Any, Final

import typer

from lowpower.errors import wrong_value

__all__ = ["BEGINNING", "usage_sentence"]

BEGINNING: Final = "`lowpower init SLIDES` writes one to begin with."
"""Where a configuration comes from that a user does not have yet."""


def usage_sentence(error: typer.BadParameter | Any) -> str:
    """One sentence for what typer refused.

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
        told = _plain(error.format_message())
    return f"{told.rstrip('.')} (see {command} --help).{_beginning(error, context, parameter)}"


def _beginning(error: typer.BadParameter | Any, context: Any, parameter: Any) -> str:
    """Where a configuration that was not named comes from."""
    metavar = getattr(parameter, "metavar", None)
    if type(error).__name__ != "MissingParameter" or metavar != "CONFIG.yaml":
        return ""
    return f" {BEGINNING}"


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
