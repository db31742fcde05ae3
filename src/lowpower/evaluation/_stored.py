"""What of this room is a file: saved as JSON, and read back strictly."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.errors import PredictionsError, wrong_value
from lowpower.files import write_json

__all__ = ["Part", "Stored"]


class Part(BaseModel):
    """A part of a file: no unknown key, no change, no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stored(Part):
    """A file."""

    _called: ClassVar[str] = "a file of lowpower"

    def save(self, path: str | Path) -> Path:
        """Write as JSON.

        Raises:
            OutputError: if the file cannot be written.
        """
        write_json(path, self.model_dump(mode="json"))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            PredictionsError: if the file holds something else.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise PredictionsError(f"{path}: cannot be read ({error.strerror or error}).") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise PredictionsError(f"{path}: is not {cls._called} ({wrong_value(place, first)}).") from error
