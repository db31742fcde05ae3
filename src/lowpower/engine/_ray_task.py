"""What runs on a cluster's machine. It travels by value: it must say what is amiss where lowpower is not.

Only the standard library may be imported at its top.
"""

from __future__ import annotations

import os
import pickle
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Driver", "Reply", "run_item"]


@dataclass(frozen=True)
class Driver:
    """What is so where the run was started, and must be so on every machine.

    Attributes:
        python: Its version, as 3.11.
        lowpower: Its version.
        folder: Working folder, which relative paths start from.
        writes: Files that stand, for the time of the run, in the folders that all must share.
        variables: Of the environment, as messages depend on them.
        threads: Processors a task may use.
    """

    python: str
    lowpower: str
    folder: str
    writes: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    threads: int


Reply = tuple[Literal["done", "raised", "unfit"], Any]


def run_item(driver: Driver, function: bytes, item: bytes, reads: Sequence[str]) -> Reply:
    """Work on an item.

    Returns:
        "done" and the pickled outcome, "raised" and the pickled exception, or "unfit" and a sentence: this
        machine cannot do it.
    """
    node = socket.gethostname()
    python = ".".join(platform.python_version_tuple()[:2])
    if python != driver.python:
        return "unfit", f"node {node}: has Python {python}, and {driver.python} is needed, as where it began."
    try:
        import lowpower
    except ImportError as error:
        return "unfit", f"node {node}: lowpower is not installed there ({error})."
    if lowpower.__version__ != driver.lowpower:
        return (
            "unfit",
            f"node {node}: has lowpower {lowpower.__version__}, and {driver.lowpower} is needed, as where "
            "it began.",
        )
    needed = (driver.folder, *driver.writes, *reads)
    unseen = next((path for path in needed if not os.path.exists(path)), None)
    if unseen is not None:
        shown = os.path.dirname(unseen) if unseen in driver.writes else unseen
        return (
            "unfit",
            f"node {node}: does not see {shown}, which is there where the run began; every machine must have "
            "slides and output folders under the same paths.",
        )
    from lowpower.engine._granted import grant_threads

    os.chdir(driver.folder)
    os.environ.update(driver.variables)
    grant_threads(driver.threads)
    try:
        return "done", pickle.dumps(pickle.loads(function)(pickle.loads(item)))
    except Exception as error:
        try:
            return "raised", pickle.dumps(error)
        except Exception:
            return "raised", pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
