"""The exception tree that `lowpower.errors` draws is the one that it has."""

from __future__ import annotations

import inspect
import re

import lowpower
from lowpower import errors


def test_the_tree_as_drawn_is_the_tree_as_coded() -> None:
    drawn, above = {}, {0: "LowpowerError"}
    for lead, name in re.findall(r"(?m)^([│├└─ ]+)(\w+Error) +\S", errors.__doc__ or ""):
        depth = len(lead) // 4
        above[depth] = name
        drawn[name] = above[depth - 1]
    coded = {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.LowpowerError) and name != "LowpowerError"
    }
    assert drawn == coded
    assert set(coded) < set(errors.__all__)
    assert set(coded) < set(lowpower.__all__)  # the front door
