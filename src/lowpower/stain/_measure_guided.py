"""Reading a slide as a pathologist does: low power says where to look, high power is used until sure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from lowpower.geometry import Regions
from lowpower.slides import Slide
from lowpower.stain.cells import (
    Cells,
    Field,
    FieldCells,
    FieldReader,
    Marker,
    Progress,
    StainScale,
    in_reading_order,
    join_fields,
    stain_maps,
)
from lowpower.stain.guided import Design, Estimate, Reading, Stopped, estimate, strata_of
from lowpower.stain.rules import (
    INVENTED,
    Cutoffs,
    Her2Shares,
    counted_cells,
    grade_cells,
    her2_of,
    nuclear_status,
)
from lowpower.stain.vectors import StainVectors
from lowpower.tissue import CHECKS, Tissue

__all__ = ["Budget", "GuidedCells", "Judge", "guided_cells"]

_TILE: Final = 384
"""Side of a field's core, working pixels: about 192 um. Larger ones waste less on their surroundings, and
tell less, as cells of one field are alike: 192 um told as much as 256 in three quarters of the pixels."""
_SURE: Final = 0.975
"""Confidence that stops reading. Above 95 %, since who looks again and again finds what he looks for."""
_BROWNEST: Final = 0.98
_NAMES: Final = ("stained", "complete", "intense_complete"), ("stained", "moderate", "strong")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be read.

    Attributes:
        seconds: Of reading fields; None for as many as are needed.
        seed: Of the draws: the same seed reads the same fields.
    """

    seconds: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GuidedCells:
    """The cells of the fields that were read.

    Attributes:
        found: N cells, in reading order.
        weights: (N,) how many of the slide's cells each stands for.
        reading: What is known from them; None where too few fields were read to say anything.
        read: How many fields were.
        fields: How many there are.
        stopped: Why no more were read.
    """

    found: FieldCells
    weights: NDArray[np.float64]
    reading: Reading | None
    read: int
    fields: int
    stopped: Stopped


def guided_cells(
    slide: Slide,
    reader: FieldReader,
    view: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    tissue: Tissue,
    scale: StainScale,
    marker: Marker,
    drawn: Regions | None,
    cutoffs: Cutoffs,
    count: Literal["tumour", "all"],
    budget: Budget,
    workers: int,
    progress: Progress | None,
) -> GuidedCells:
    """Read fields until the score is settled, the budget is spent or all is read; Ctrl-C ends it early too.

    Args:
        slide: An open slide.
        reader: Reads its fields.
        view: (H, W, 3) RGB of the tissue's box at low power.
        mask: (H, W) where in it tissue is.
        tissue: The tissue.
        scale: The slide's scale.
        marker: What was stained.
        drawn: Tumour regions: fields outside are not read.
        cutoffs: Of the laboratory.
        count: Which cells count.
        budget: How much may be read.
        workers: Threads.
        progress: Called with fields read and fields that will be by the end of the batch.
    """
    fields = [field for field in reader.fields(_TILE) if drawn is None or _meets(field, drawn)]
    looks = _looks(fields, view, mask, tissue, scale.vectors)
    design = Design(strata_of(*looks), budget.seed)
    judge = Judge(marker, cutoffs)
    gathered = _Gathered(slide, reader, fields, scale, marker, drawn, cutoffs, count)
    stopped: Stopped = "settled"
    wanted = design.first()
    end = None if budget.seconds is None else time.monotonic() + budget.seconds
    while True:
        early = gathered.read(wanted, end, workers, progress)
        known = gathered.known(design)
        if early is not None:
            stopped = early
            break
        if known.whole:
            stopped = "all"
            break
        if judge.settled(known):
            break
        wanted = design.next(known, judge.open_class(known))
    reader.rest()
    reading = None
    if known.enough:
        shares = {name: known.share(least) for least, name in enumerate(judge.names, start=1)}
        chance = known.chance_of_change(lambda share: judge.score(share, known.cells), budget.seed)
        boxes = tuple(fields[number].core for number in gathered.numbers)
        reading = Reading(len(fields), boxes, stopped, shares, known.h_score(), chance, budget.seed)
    found, weights = gathered.cells(known)
    return GuidedCells(found, weights, reading, len(gathered.numbers), len(fields), stopped)


class Judge:
    """What the rule of a marker makes of shares, and whether intervals leave it open."""

    def __init__(self, marker: Marker, cutoffs: Cutoffs) -> None:
        self._marker, self._cutoffs = marker, cutoffs
        self.names = _NAMES[0] if marker == "HER2" else _NAMES[1]
        her2 = cutoffs.her2
        self._cuts: dict[int, tuple[float, ...]] = {
            1: {"ER": (0.01, 0.10), "PR": (0.01,), "Ki-67": (0.20,)}.get(marker, (her2.stained_share,))
        }
        if marker == "HER2":
            self._cuts |= {2: (her2.complete_share,), 3: (INVENTED, her2.intense_share)}

    def score(self, shares: NDArray[np.float64], cells: int) -> str:
        """The answer to shares (4,) of so many cells."""
        if self._marker == "HER2":
            return her2_of(Her2Shares(*(shares / shares.sum()).tolist()), cells, self._cutoffs.her2).score
        stained = float(shares[1:].sum())
        return nuclear_status(self._marker, 100 * stained) or str(stained > self._cuts[1][-1])

    def settled(self, known: Estimate) -> bool:
        """Whether the lowest and the highest shares that are likely mean the same score."""
        if not known.enough or CHECKS["few_tumour_cells"].effect(known.cells) == "refuse":
            return False
        bounds = [known.share(least, _SURE) for least in (1, 2, 3)]
        ends = (self._shares([b.low for b in bounds]), self._shares([b.high for b in bounds]))
        return self.score(ends[0], known.cells) == self.score(ends[1], known.cells)

    def open_class(self, known: Estimate) -> int:
        """The class whose share keeps the score open most: the widest interval with a cut-off in it."""
        widths = {}
        for least, cuts in self._cuts.items():
            _, low, high = known.share(least, _SURE)
            widths[least] = (any(low <= cut <= high for cut in cuts), high - low)
        return max(widths, key=widths.__getitem__)

    @staticmethod
    def _shares(at_least: Sequence[float]) -> NDArray[np.float64]:
        one, two, three = np.minimum.accumulate(at_least)
        return np.array([1 - one, one - two, two - three, three])


class _Gathered:
    """The cells of the fields read so far."""

    def __init__(
        self, slide: Slide, reader: FieldReader, fields: Sequence[Field], scale: StainScale, marker: Marker,
        drawn: Regions | None, cutoffs: Cutoffs, count: Literal["tumour", "all"],
    ) -> None:  # fmt: skip
        self._slide, self._reader, self._fields, self._scale = slide, reader, fields, scale
        self._marker, self._drawn, self._cutoffs, self._count = marker, drawn, cutoffs, count
        self._parts: list[FieldCells] = []
        self.numbers: list[int] = []

    def read(
        self, wanted: NDArray[np.int64], end: float | None, workers: int, progress: Progress | None
    ) -> Stopped | None:
        """Read fields; "seconds" or "interrupted" where that ended before all were."""
        before, total = len(self.numbers), len(self.numbers) + len(wanted)
        # Drawn as whole squares, of which no more is read than holds tissue: the same cells.
        fields = [self._reader.trimmed(self._fields[number], _TILE) for number in wanted]
        parts = self._reader.read(fields, workers)
        try:
            for number, part in zip(wanted.tolist(), parts, strict=True):
                self._parts.append(part)
                self.numbers.append(number)
                if progress is not None:
                    progress(len(self.numbers), total)
                if end is not None and time.monotonic() > end and len(self.numbers) < total:
                    parts.close()
                    return "seconds"
        except KeyboardInterrupt:
            return "interrupted"
        if end is not None and time.monotonic() > end and len(self.numbers) > before:
            return "seconds"
        return None

    def known(self, design: Design) -> Estimate:
        """What they say of the slide."""
        stratum = design.stratum[np.array(self.numbers, np.int64)]
        blank = Estimate(stratum, np.zeros((len(stratum), 4)), design.sizes)
        if not self._parts:
            return blank
        of_field = np.repeat(np.arange(len(self._parts)), [len(part.xy) for part in self._parts])
        cells, counted = self._graded(join_fields(self._parts), blank.weights[of_field])
        counts = np.zeros((len(stratum), 4))
        np.add.at(counts, (of_field[counted], cells.grade[counted]), 1)
        return estimate(stratum, counts, design.sizes)

    def cells(self, known: Estimate) -> tuple[FieldCells, NDArray[np.float64]]:
        """The cells, and how many of the slide's each stands for; in reading order."""
        parts = [self._reader.none(), *self._parts]
        found = join_fields(parts)
        weights = np.repeat(known.weights, [len(part.xy) for part in self._parts]).astype(np.float64)
        order = in_reading_order(found)
        return found.pick(order), weights[order]

    def _graded(self, found: FieldCells, weights: NDArray[np.float64]) -> tuple[Cells, NDArray[np.bool_]]:
        inside = None
        if self._drawn is not None:
            inside = self._drawn.contains(*(found.xy / self._slide.mpp).T)
        cells, _ = grade_cells(
            found, self._marker, self._slide.mpp, inside, self._cutoffs, self._scale.rendering, weights
        )
        counted = counted_cells(cells, self._count)
        return cells, counted if inside is None else counted & inside


def _meets(field: Field, drawn: Regions) -> bool:
    core = field.core
    return bool(shapely.intersects(drawn.area, shapely.box(core.x, core.y, core.right, core.bottom)))


def _looks(
    fields: Sequence[Field], view: NDArray[np.uint8], mask: NDArray[np.bool_], tissue: Tissue,
    vectors: StainVectors,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Of each field at low power: DAB OD of its brownest part, the mean, how haematoxylin varies."""
    hematoxylin, dab = stain_maps(view, tissue.white_point, vectors)
    hematoxylin, dab = hematoxylin * mask, np.maximum(dab, 0) * mask
    down, across = view.shape[0] / tissue.box.height, view.shape[1] / tissue.box.width
    looks = np.zeros((3, len(fields)))
    for number, field in enumerate(fields):
        top, bottom = _span((field.core.y - tissue.box.y) * down, field.core.height * down, view.shape[0])
        left, right = _span((field.core.x - tissue.box.x) * across, field.core.width * across, view.shape[1])
        brown, blue = dab[top:bottom, left:right], hematoxylin[top:bottom, left:right]
        rank = int(_BROWNEST * (brown.size - 1))
        looks[:, number] = np.partition(brown.ravel(), rank)[rank], brown.mean(), blue.std()
    return looks[0], looks[1], looks[2]


def _span(start: float, length: float, most: int) -> tuple[int, int]:
    """Pixels from `start` on, at least one, inside the image."""
    first = min(max(int(start), 0), most - 1)
    return first, max(first + 1, min(round(start + length), most))
