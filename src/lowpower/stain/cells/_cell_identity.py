"""Which cell network measured: a result can only be made again with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from safetensors import safe_open

from lowpower.files import sha256_of

__all__ = ["WEIGHTS", "CellNetworkIdentity", "cell_network_identity"]

WEIGHTS: Final = "cell_network.safetensors"


@dataclass(frozen=True, slots=True)
class CellNetworkIdentity:
    """The cell network that comes with this software.

    Attributes:
        name: Its name.
        sha256: SHA-256 of its weights' file.
        recipe: What made it: the recipe, its steps and fields, and what tissue they are of.
    """

    name: str
    sha256: str
    recipe: str


@lru_cache(maxsize=1)
def cell_network_identity() -> CellNetworkIdentity:
    """Name, checksum and recipe of the cell network, as its weights' file states them."""
    with resources.as_file(resources.files("lowpower.stain") / WEIGHTS) as path:
        with safe_open(Path(path), "np") as weights:
            notes = weights.metadata()
        recipe = f"{notes['made_by']}, {notes['steps']} steps on {notes['fields']} {notes['data']} fields"
        return CellNetworkIdentity("cell_network", sha256_of(path), recipe)
