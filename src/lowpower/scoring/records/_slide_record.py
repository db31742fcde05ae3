"""The base of what is recorded of one slide, whichever verb made it."""

from __future__ import annotations

from typing import Any, Literal, Self

from PIL import Image
from pydantic import Field, PrivateAttr

from lowpower.scoring.records._attachments import Attachments
from lowpower.scoring.records._record import Asked, Record
from lowpower.stain import Cells

__all__ = ["SlideRecord"]


class SlideRecord(Record):
    """A record with what goes beside it: pictures and cells, in memory or in its folder."""

    schema_version: int = 1
    file: str
    state: Literal["ok", "refused", "failed"]
    reason: str | None = Field(None, description="Why refused, failed or referred; else warnings, if any.")
    reason_code: str | None = None
    slide_sha256: str | None = None
    asked: Asked | None = Field(None, description="The options it was made with; none in older records.")
    runtime: str | None = Field(
        None,
        description="What ran the networks, in which numbers; none in older records and where none was run.",
    )
    software_version: str = Field(
        description="Version, and after `+` a fingerprint of the code and weights that decide the numbers."
    )
    manifest: str | None = Field(
        None, description="Of a file that was not there: the manifest that names it."
    )

    _made: Attachments = PrivateAttr(default_factory=Attachments)
    _reused: bool = PrivateAttr(False)
    _earlier: str | None = PrivateAttr(None)
    _outdated: str | None = PrivateAttr(None)

    @property
    def outcome(self) -> str:
        """What became of it: its state; of a scored slide issued or refer."""
        return self.state

    @property
    def was_measured(self) -> bool:
        """Whether the stain was looked at cell by cell."""
        return True

    @property
    def reused(self) -> bool:
        """Whether a batch found it there instead of making it."""
        return self._reused

    @property
    def interrupted(self) -> bool:
        """Whether its measurement was ended by Ctrl-C: it says what it knows, and is made again."""
        measured = getattr(self, "measured", None)
        return measured is not None and bool(measured.interrupted)

    def attached(self) -> Attachments:
        """Everything that goes with the record."""
        return self._made

    @property
    def earlier(self) -> str | None:
        """What became of an earlier result, where that is to be said."""
        return self._earlier

    @property
    def outdated(self) -> str | None:
        """The software of a result that gave way to this one for being of another software."""
        return self._outdated

    def attach(
        self,
        made: Attachments,
        *,
        reused: bool = False,
        earlier: str | None = None,
        outdated: str | None = None,
    ) -> Self:
        """The same record carrying its pictures and cells."""
        copy = self.model_copy()
        copy._made, copy._reused, copy._earlier, copy._outdated = made, reused, earlier, outdated
        return copy

    @property
    def cells(self) -> Cells | None:
        """The measured cells, as `Measurement.cells`; None where none was looked for."""
        return self._made.all_cells()

    def cells_overlay(self) -> Image.Image:
        """The slide, its cells coloured by class, and four fields at full resolution.

        Raises:
            ValueError: no cell was measured, or the record was read from a bare file.
        """
        picture = self._made.picture("cells_overlay")
        if picture is None:
            raise ValueError(
                f"{self.file}: there is no picture of cells; measure the slide with measure=True."
            )
        return picture

    def __repr__(self) -> str:
        return f"<{self}>"

    def summary_row(self) -> dict[str, Any]:
        """One flat row for a table over many slides."""
        row = {key: getattr(self, key) for key in ("file", "state", "reason_code", "reason")}
        if self.file.startswith(("=", "+", "-", "@")):  # a spreadsheet would take it for a formula
            row["file"] = f"./{self.file}"
        return row
