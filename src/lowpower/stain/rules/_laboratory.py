"""A laboratory's own cut-offs as a small signed file, which `lowpower calibrate` writes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowpower.errors import ConfigError, wrong_value
from lowpower.files import read_yaml, write_text
from lowpower.made_by import made_by
from lowpower.stain.cells import Marker, cell_network_identity
from lowpower.stain.rules._cutoffs import Cutoffs, Her2Cutoffs, NuclearCutoffs

__all__ = [
    "Fitted",
    "Laboratory",
    "laboratory_doubts",
    "laboratory_for",
    "read_laboratory",
    "write_laboratory",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fitted(_Strict):
    """What the cut-offs were fitted to, and what they changed."""

    slides: int
    patients: int
    scores: dict[str, int] = Field(description="Slides per known score.")
    cohort: str = Field(description="Fingerprint of the manifest.")
    contents: tuple[str, ...] | None = Field(
        None,
        description="Content hash of each slide; none in files of before.",
        exclude_if=lambda contents: contents is None,  # their signature is of what they say
    )
    before: str = Field(description="Agreement with the usual cut-offs, with its interval.")
    after: str = Field(description="Agreement of slides whose patient was left out of the fit.")


class Laboratory(_Strict):
    """From which values on a stain counts at one laboratory, for one marker.

    Attributes:
        schema_version: Of this file.
        name: The laboratory, as its user calls it.
        marker: What was stained.
        her2: Values that differ from the usual ones, by name (`Her2Cutoffs`).
        nuclear: The same for nuclear markers (`NuclearCutoffs`).
        fitted: To what.
        cell_network: SHA-256 of the network that found the cells: another one asks for another fit.
        software_version: Of lowpower, with a fingerprint of what measures stain.
        signature: SHA-256 of everything else: an altered file is refused.
    """

    schema_version: Literal[1] = 1
    name: str
    marker: Marker
    her2: dict[str, float] = {}
    nuclear: dict[str, float] = {}
    fitted: Fitted
    cell_network: str
    software_version: str
    notice: str = "Research use only: not a medical device."
    signature: str = ""

    def __hash__(self) -> int:
        return hash(self.signature)

    def cutoffs(self) -> Cutoffs:
        """The values, as measuring takes them.

        Raises:
            ValueError: if they are no cut-offs.
        """
        try:
            return Cutoffs(Her2Cutoffs(**self.her2), NuclearCutoffs(**self.nuclear))
        except TypeError as error:
            raise ValueError(f"unknown cut-off: {error}") from error

    def signed(self) -> Laboratory:
        """The same with its signature."""
        return self.model_copy(update={"signature": _signature(self.model_dump(mode="json"))})


def _signature(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "signature"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_laboratory(path: str | Path, laboratory: Laboratory) -> None:
    """Write the file, atomically and signed.

    Raises:
        OutputError: if it cannot be written.
    """
    content = laboratory.signed().model_dump(mode="json")
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_laboratory(path: str | Path, marker: str | None = None) -> Laboratory:
    """Read and check a laboratory's file.

    Args:
        path: The file.
        marker: What the slides are stained for; not asked if None.

    Raises:
        ConfigError: if it cannot be read, is of another schema or marker, or was altered since.
    """
    content = read_yaml(path)
    again = "make it again with `lowpower calibrate`."
    if isinstance(content, dict) and content.get("schema_version") != 1:
        found = content.get("schema_version", "none")
        raise ConfigError(f"{path}: is of schema version {found}, this software reads 1; {again}")
    try:
        laboratory = Laboratory.model_validate(content)
        laboratory.cutoffs()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise ConfigError(f"{path}: {wrong_value(where, first)}; {again}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; {again}") from error
    if laboratory.signature != _signature(laboratory.model_dump(mode="json")):
        raise ConfigError(f"{path}: was altered after it was written (its signature does not fit); {again}")
    if marker is not None and laboratory.marker != marker:
        raise ConfigError(
            f"{path}: holds cut-offs for {laboratory.marker}, and the slides are stained for {marker}; give "
            "that marker's file."
        )
    return laboratory


def laboratory_doubts(own: Laboratory) -> tuple[str, ...]:
    """What speaks against using a file as it is, a sentence each."""
    if own.software_version == made_by("stain"):
        return ()
    return (
        f"the cut-offs of {own.name!r} were fitted to what another state of lowpower measured "
        f"({own.software_version}; this is {made_by('stain')}); make them again with `lowpower calibrate`, "
        "for they may no longer fit.",
    )


def laboratory_for(given: Laboratory | str | Path, marker: str) -> Laboratory:
    """A laboratory, read if it is a file, whose cut-offs may be used on slides stained for `marker`.

    Raises:
        ConfigError: the file cannot be read, or is another marker's or another cell network's.
    """
    own = given if isinstance(given, Laboratory) else read_laboratory(given, marker)
    if own.marker != marker:
        raise ConfigError(
            f"the laboratory file of {own.name} holds cut-offs for {own.marker}, and the slides are "
            f"stained for {marker}; give that marker's file."
        )
    if own.cell_network != cell_network_identity().sha256:
        raise ConfigError(
            f"the laboratory file of {own.name} was fitted with another cell network; make it again with "
            "`lowpower calibrate`."
        )
    return own
