"""Aggregators by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import TypeVar

from lowpower.errors import ConfigError
from lowpower.models.mil._base import Aggregator
from lowpower.models.network import HeadName

__all__ = ["aggregator_names", "create_aggregator", "register_aggregator"]

_AGGREGATORS: dict[str, type[Aggregator]] = {}
Kind = TypeVar("Kind", bound=type[Aggregator])


def register_aggregator(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make an aggregator known by `name`.

    Raises:
        ValueError: if the name is taken.
    """

    def register(kind: Kind) -> Kind:
        if name in _AGGREGATORS:
            raise ValueError(f"an aggregator named {name!r} is registered already")
        _AGGREGATORS[name] = kind
        return kind

    return register


def aggregator_names() -> tuple[str, ...]:
    """Names of all aggregators, sorted."""
    return tuple(sorted(_AGGREGATORS))


def create_aggregator(
    name: str, dim: int, classes: int, head: HeadName = "softmax", **options: float
) -> Aggregator:
    """An aggregator with fresh weights.

    Args:
        name: One of `aggregator_names()`.
        dim: Length of an instance's feature.
        classes: Number of ordered classes.
        head: softmax, corn or cumulative.
        **options: What the aggregator takes besides (hidden, attention, dropout, ...).

    Raises:
        ConfigError: on an unknown name (the nearest are suggested), a head that the aggregator cannot have,
            or an option it does not know.
    """
    if name not in _AGGREGATORS:
        near = difflib.get_close_matches(name.lower(), _AGGREGATORS, n=2, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(aggregator_names())}."
        raise ConfigError(f"aggregator {name!r} is unknown; {hint}")
    kind = _AGGREGATORS[name]
    known = [key for key in inspect.signature(kind).parameters if key not in ("dim", "classes", "head")]
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
            raise ConfigError(f"aggregator {name!r} has no option {key!r}; {hint}")
    try:
        return kind(dim, classes, head, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"aggregator {name!r} cannot be made: {error}.") from error
