"""The old name of two rooms: `lowpower.experiments` runs studies, `lowpower.reports` writes pages."""

import warnings
from importlib import import_module
from typing import Any

_ROOMS = ("experiments", "reports", "demo")


def __getattr__(name: str) -> Any:
    for room in _ROOMS:
        found = getattr(import_module(f"lowpower.{room}"), name, None) if not name.startswith("_") else None
        if found is not None:
            warnings.warn(
                f"lowpower.study.{name} is now lowpower.{room}.{name}", DeprecationWarning, stacklevel=2
            )
            return found
    raise AttributeError(f"module 'lowpower.study' has no attribute {name!r}")
