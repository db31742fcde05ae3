"""What was measured on one slide, and how it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lowpower.errors import as_sentence
from lowpower.slides import as_html
from lowpower.stain.cells import Cells, FieldCells, Marker
from lowpower.stain.guided import Reading
from lowpower.stain.rules import Background, Her2Score, Her2Shares, NuclearScore
from lowpower.stain.vectors import StainVectors
from lowpower.units import Mpp

__all__ = ["DabAreas", "Heterogeneity", "Measurement"]

_NOTICE: Final = "Research use only: not a medical device."


@dataclass(frozen=True, slots=True)
class DabAreas:
    """Shares of the tissue's area by DAB OD at 4 um/px (or coarser): they describe and do not score."""

    weak: float
    moderate: float
    strong: float


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How the score varies inside a slide.

    Attributes:
        square_um: Side of the squares the slide was cut into.
        scores: Score of each square with enough tumour cells, by (column, row) from the slide's corner.
        shares: Share of those squares per score.
    """

    square_um: float
    scores: Mapping[tuple[int, int], str]
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Measurement:
    """What was measured on one slide.

    Attributes:
        marker: HER2, ER, PR or Ki-67.
        mpp: um/px the cells were measured at; None where they were not.
        vectors: The slide's stain vectors.
        tumour_cells: How many tumour-like cells were counted.
        her2: Score, for HER2 where there were enough cells.
        shares: Shares of tumour cells per membrane class, likewise.
        h_score: Membrane or nuclear H-score, 0..300, likewise.
        nuclear: Score of a nuclear marker, likewise.
        heterogeneity: Of HER2.
        areas: DAB by area.
        background: What unstainable cells show here.
        membrane_od: HER2: median DAB OD of the complete membranes of counted cells, as the usual slide's
            optics would show it; None for fewer than 30.
        intense_od: HER2: DAB OD from which a complete membrane counts as intense on the usual slide.
        cells: Every cell; None where none was looked for.
        counted: What was read of those that counted, before any cut-off; likewise.
        notes: What could not be measured or should be doubted, one sentence each.
        open_questions: HER2: what the guideline leaves open here (`her2_open_questions`); also in the notes.
        rendering: HER2: what this slide's optics show of a membrane's OD, over what the usual slide's show:
            the cut-offs in OD were multiplied by it (`Her2Cutoffs.seen_through`).
        white_point: (3,) RGB of the slide's glass.
        edge_um: Over about how many microns nuclear edges rise from 10 to 90 %: how sharp the slide is; None
            where images are coarser than 0.65 um/px.
        with_gaps: HER2: the score with paler stretches of membranes taken for gaps, where that lies on the
            other side of 1+ | 2+: whether the slide is at least 2+ is then undetermined.
        reading: Of a guided measurement: how much was read, between what the numbers lie, and what reading on
            would change. Shares, H-score and percent are then estimates of the whole slide's, and `cells` are
            those that were read.
    """

    marker: Marker
    mpp: Mpp | None
    vectors: StainVectors | None
    tumour_cells: int
    her2: Her2Score | None
    shares: Her2Shares | None
    h_score: float | None
    nuclear: NuclearScore | None
    heterogeneity: Heterogeneity | None
    areas: DabAreas | None
    background: Background | None
    membrane_od: float | None
    intense_od: float | None
    cells: Cells | None
    counted: FieldCells | None
    notes: tuple[str, ...]
    open_questions: tuple[str, ...] = ()
    rendering: float | None = None
    white_point: tuple[float, float, float] | None = None
    reading: Reading | None = None
    edge_um: float | None = None
    with_gaps: Her2Score | None = None

    def __str__(self) -> str:
        lines = [self.sentence() or f"{self.marker}: nothing measured."]
        if self.h_score is not None:
            lines.append(f"{self.tumour_cells} tumour-like cells; H-score {self.h_score:.0f} of 300.")
        told = self.sentence()
        if self.reading is not None and self.reading.complete:  # else it is among the notes
            lines.append(f"Guided: {self.reading.sentence()}")
        notes = (as_sentence(note) for note in self.notes)
        return "\n".join([*lines, *(note for note in notes if note not in told), _NOTICE])

    def __repr__(self) -> str:
        return f"<Measurement: {self.sentence()}>"

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {"tumour-like cells": self.tumour_cells}
        if self.h_score is not None:
            facts["H-score"] = f"{self.h_score:.0f} of 300"
        if self.areas is not None:
            area = self.areas
            shares = f"weak {area.weak:.1%}, moderate {area.moderate:.1%}, strong {area.strong:.1%}"
            facts["DAB by area"] = shares
        facts |= {f"note {number}": note for number, note in enumerate(self.notes, 1)}
        return as_html(self.sentence(), facts) + f"<i>{_NOTICE}</i>"

    def sentence(self) -> str:
        """The result as one sentence, or why there is none."""
        if self.her2 is not None:
            return f"measured {self.her2.sentence()}"
        if self.nuclear is not None:
            status = f", {self.nuclear.status}" if self.nuclear.status else ""
            return f"measured {self.marker}: {self.nuclear.percent:.1f} % of tumour nuclei stained{status}."
        return " ".join(as_sentence(note) for note in self.notes)
