"""A scored or measured slide as read back from its folder: what every export says."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lowpower.errors import ConfigError, as_sentence
from lowpower.scoring.records import Measured, MeasuredSlide, Result

__all__ = ["Case", "cells_by", "find_records", "read_case", "said_of"]

_NAMES = ("result.json", "measurement.json")


@dataclass(frozen=True, eq=False)
class Case:
    """One slide's record, whichever verb made it.

    Attributes:
        path: The JSON file.
        record: What it says.
    """

    path: Path
    record: Result | MeasuredSlide

    @property
    def folder(self) -> Path:
        """Where pictures and cells lie."""
        return self.path.parent

    @property
    def slide(self) -> Path:
        """The slide's file, as it was given."""
        return Path(self.record.file)

    @property
    def marker(self) -> str:
        """What was stained."""
        return self.record.marker or ""

    @property
    def scored(self) -> Result | None:
        """The record, where a network answered."""
        return self.record if isinstance(self.record, Result) else None

    @property
    def measured(self) -> Measured | None:
        """What was measured, with a network or without."""
        return self.record.measured

    @property
    def identifier(self) -> str:
        """What names the slide without any patient: its content."""
        return f"sha256:{self.record.slide_sha256}"

    def row(self) -> Mapping[str, Any]:
        """One flat row of a table."""
        return self.record.summary_row()


def cells_by(measured: Measured) -> tuple[str, ...]:
    """One sentence on the network that found the cells, where one did and the record says so."""
    network = measured.cell_network
    if network is None:
        return ()
    return (f"Cells found by {network.name}, weights SHA-256 {network.sha256} ({network.recipe}).",)


def said_of(scored: Result) -> list[str]:
    """The answer and all that is to be read with it, one sentence each: what every form says."""
    said = [f"{scored.headline}.", *scored.reasons]
    if scored.answer is not None:
        said += [f"{as_sentence(cutoff.sentence)}." for cutoff in scored.answer.cutoffs]
        said.append(scored.answer.promise)
    return said


def find_records(given: str | Path) -> list[Path]:
    """The records of a JSON file, a slide's folder, a folder above such ones, or a pattern, by path.

    Raises:
        ConfigError: if there is none.
    """
    path = Path(given)
    if path.is_file():
        return [path]
    if not path.exists() and glob.has_magic(str(given)):
        found = [
            record
            for match in sorted(glob.glob(str(given), recursive=True))
            for record in _within(Path(match))
        ]
    else:
        found = _within(path)
    if not found:
        raise ConfigError(
            f"{given}: {'holds' if path.is_dir() else 'is'} no result.json or measurement.json; give what "
            "`lowpower score` or `lowpower measure` wrote."
        )
    return found


def _within(path: Path) -> list[Path]:
    """Records in a folder and below it, but for those that were set aside."""
    if path.is_file():
        return [path]
    return sorted(
        record
        for name in _NAMES
        for record in path.rglob(name)
        if not any(part.startswith("set-aside-") for part in record.relative_to(path).parts)
    )


def read_case(path: Path) -> Case:
    """Read one record.

    Raises:
        ConfigError: if it is no result or measurement of this version.
    """
    try:
        told = json.loads(path.read_bytes())
        kind = MeasuredSlide if "decision" not in told else Result
        return Case(path, kind.model_validate(told))
    except (OSError, ValueError, TypeError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise ConfigError(f"{path}: is no result or measurement of this software ({why}).") from error
