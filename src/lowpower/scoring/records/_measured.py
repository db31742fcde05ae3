"""What was measured on one slide by rule: the record in measurement.json and in every result."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lowpower.errors import as_sentence, one_line
from lowpower.scoring.records._record import NOTICE, DrawnRegions, QualityRecord, Record
from lowpower.scoring.records._slide_record import SlideRecord
from lowpower.slides import as_html
from lowpower.stain import Cells, Measurement, NuclearScore, Reading, Stopped, cell_network_identity

__all__ = [
    "Areas",
    "CellNetwork",
    "Deciding",
    "Measured",
    "MeasuredSlide",
    "Stains",
    "cell_network",
    "least_grade",
    "measured_of",
    "state_of",
]

HER2_CLASSES = ("none", "faint_incomplete", "moderate_complete", "intense_complete")
NUCLEAR_CLASSES = ("none", "weak", "moderate", "strong")
_CUTOFFS = {"ER": ((0.01, "negative", "low positive"), (0.10, "low positive", "positive")),
            "PR": ((0.01, "negative", "positive"),)}  # fmt: skip

_HER2_SHARES = {
    "stained": "any membrane staining",
    "complete": "complete staining",
    "intense_complete": "intense complete staining",
}


class Deciding(Record):
    """The share of tumour cells that decides the score, and how near its cut-off lies."""

    what: str = Field(description="any membrane staining, complete staining, ... or stained nuclei.")
    share: float = Field(description="Of the tumour-like cells, 0-1.")
    cutoff: float = Field(description="What the share is held against, 0-1.")
    nearest: str = Field(description="The score that the smallest change of one share would give instead.")
    distance: float = Field(description="That change, a share of the tumour-like cells.")
    change: str = Field("", description="That change in words: what a reader would have to see.")


class Stains(Record):
    """The slide's stain vectors, OD per unit concentration in red, green and blue."""

    hematoxylin: tuple[float, float, float]
    dab: tuple[float, float, float]
    source: str = Field(description="Which of the two were measured here, and which are Ruifrok's.")
    glass: tuple[float, float, float] | None = Field(
        None, description="RGB of the slide's glass, 0 to 255. None without a score, and in older records."
    )


class CellNetwork(Record):
    """The network that found nuclei and stained membranes; what follows from them is by rule."""

    name: str
    sha256: str = Field(description="SHA-256 of its weights' file.")
    recipe: str = Field(description="What made it, and on what.")


class Areas(Record):
    """Shares of the tissue's area by DAB OD; they describe and do not score."""

    weak: float
    moderate: float
    strong: float


class Between(Record):
    """A number of a guided measurement, and its 95 % interval."""

    value: float
    low: float
    high: float


class GuidedReading(Record):
    """How much a guided measurement read, and how sure that makes its numbers."""

    fields: int = Field(description="Fields of the slide that hold tissue.")
    read: int = Field(description="Fields that were read.")
    boxes: tuple[tuple[int, int, int, int], ...] = Field(
        description="Those fields in the order they were read: x, y, width, height in base pixels."
    )
    stopped: Stopped = Field(
        description="settled: no cut-off lies in the interval of a share held against it; all; seconds: the "
        "budget; interrupted: by Ctrl-C, so incomplete."
    )
    shares: dict[str, Between] = Field(
        description="Shares of tumour-like cells, HER2: stained, complete, intense_complete; else stained, "
        "moderate (and above), strong."
    )
    h_score: Between
    chance: float = Field(description="How probable another score is once every field is read.")
    seed: int
    sentence: str


class Measured(Record):
    """The stain as measured, cell by cell. Where there is no score, `notes` say why."""

    marker: str
    score: str | None = Field(None, description="HER2: 0 to 3+; ER, PR: status; Ki-67 and unmeasured: none.")
    group: str | None = Field(None, description="HER2: null, ultralow, low, equivocal or positive.")
    sentence: str = Field(description="The measurement, or why there is none, in a sentence.")
    tumour_cells: int = Field(description="Tumour-like cells that were counted.")
    cells: dict[str, int] = Field(description="All cells by kind: tumour, lymphoid, stromal (a look).")
    shares: dict[str, float] | None = Field(
        None,
        description="Shares of tumour-like cells. HER2: none, faint_incomplete, moderate_complete, "
        "intense_complete; nuclear markers: none, weak, moderate, strong.",
    )
    percent: float | None = Field(None, description="Percent of tumour-like cells stained at all.")
    h_score: float | None = Field(None, description="Membrane or nuclear H-score, 0-300.")
    allred: tuple[int, int] | None = Field(None, description="ER, PR: proportion 0-5 and intensity 0-3.")
    deciding: Deciding | None = None
    squares: dict[str, float] | None = Field(
        None, description="HER2: shares of the 500 um squares of the tissue that have each score."
    )
    areas: Areas | None = None
    stains: Stains | None = None
    threshold: float | None = Field(None, description="DAB OD asked of a stained membrane or nucleus here.")
    membrane_od: float | None = Field(
        None,
        description="HER2: median DAB OD of complete membranes as the usual slide's optics would show it; "
        "none for fewer than 30 such cells.",
    )
    intense_od: float | None = Field(
        None, description="HER2: DAB OD from which a complete membrane counts as intense on the usual slide."
    )
    rendering: float | None = Field(
        None,
        description="HER2: what this slide's optics show of a membrane's OD, over what the usual slide's "
        "show; cut-offs in OD were multiplied by it. None in older records.",
    )
    edge_um: float | None = Field(
        None,
        description="Over about how many microns nuclear edges rise from 10 to 90 %; none in older records "
        "and where images are coarser than 0.65 um/px.",
    )
    with_gaps: str | None = Field(
        None,
        description="HER2: the score with paler stretches of membranes taken for gaps, where it lies on the "
        "other side of 1+ | 2+, which is then undetermined.",
    )
    laboratory: str | None = Field(
        None,
        description="Whose cut-offs counted: name and signature of the file; none: the usual.",
    )
    mpp: float | None = Field(None, description="um/px the cells were measured at; none without cells.")
    cell_network: CellNetwork | None = Field(
        None, description="Which network found the cells; none without cells, and in older records."
    )
    open_questions: tuple[str, ...] = Field(
        (), description="HER2: what the guideline leaves open here: complete_in_few, strong_incomplete."
    )
    notes: tuple[str, ...] = Field((), description="What could not be measured or should be doubted.")
    reading: GuidedReading | None = Field(
        None, description="Of a guided measurement, whose numbers are estimates; none where all was read."
    )

    @property
    def interrupted(self) -> bool:
        """Whether it was ended before it was done; it is then made again."""
        return self.reading is not None and self.reading.stopped == "interrupted"


class MeasuredSlide(SlideRecord):
    """One slide's measurement.json. `refused`: no score; what was measured all the same is there."""

    schema_version: Literal[1] = 1
    marker: str
    measured: Measured | None = None
    regions: DrawnRegions | None = Field(None, description="The tumour regions, where they were given.")
    mask: str | None = Field(None, description="File of the tissue mask, where one was given.")
    control: str = Field("auto", description="Said of control tissue: auto, none, an end, a box or a file.")
    qc: QualityRecord | None = None
    mpp: float | None = None
    mpp_source: str | None = None
    backend: str | None = None
    seconds: float = 0.0
    notice: str = NOTICE

    def __str__(self) -> str:
        name = one_line(Path(self.file).name)
        if self.state != "ok" or self.measured is None:
            return f"{name}: {self.state}: {self.reason}"
        said = self.measured.sentence
        doubts = "".join(f" {note}" for note in self.measured.notes if note not in said)
        return f"{name}: {said.rstrip('.')}.{doubts} {self.notice}"

    def _repr_html_(self) -> str:
        facts = {"state": self.state, "reason": self.reason or "", "notice": self.notice}
        told = self.measured.sentence if self.measured else self.state
        picture = self.attached().picture("cells_overlay")
        return as_html(f"{one_line(Path(self.file).name)}: {told}", facts, picture)

    def summary_row(self) -> dict[str, Any]:
        """One flat row for a table over many slides."""
        row = super().summary_row() | {"marker": self.marker}
        told = self.measured
        for key in ("score", "with_gaps", "group", "percent", "h_score", "tumour_cells"):
            row[key] = getattr(told, key) if told is not None else None
        classes = HER2_CLASSES if self.marker == "HER2" else NUCLEAR_CLASSES
        shares = (told.shares if told is not None else None) or {}
        row |= {f"share_{name}": shares.get(name) for name in classes}
        deciding = told.deciding if told is not None else None
        for key in ("what", "share", "cutoff", "nearest", "distance"):
            row[f"deciding_{key}"] = getattr(deciding, key) if deciding is not None else None
        row["mpp"], row["seconds"], row["runtime"] = self.mpp, self.seconds, self.runtime
        return row


def measured_of(measurement: Measurement, laboratory: str | None = None) -> Measured:
    """The record of a measurement: everything but the cells themselves."""
    nuclear, her2 = measurement.nuclear, measurement.her2
    shares = percent = None
    if measurement.shares is not None:
        shares = dict(zip(HER2_CLASSES, measurement.shares.as_tuple(), strict=True))
        percent = 100 * measurement.shares.stained
    elif nuclear is not None:
        shares = dict(zip(NUCLEAR_CLASSES, nuclear.bins, strict=True))
        percent = nuclear.percent
    areas, vectors = measurement.areas, measurement.vectors
    stains = None
    if vectors is not None:
        stains = Stains(
            hematoxylin=_three(vectors.hematoxylin),
            dab=_three(vectors.dab),
            source=vectors.source,
            glass=measurement.white_point,
        )
    return Measured(
        marker=measurement.marker,
        score=her2.score if her2 is not None else (nuclear.status if nuclear is not None else None),
        group=her2.group if her2 is not None else None,
        sentence=measurement.sentence(),
        tumour_cells=measurement.tumour_cells,
        cells=_kinds(measurement.cells),
        shares=shares,
        percent=percent,
        h_score=measurement.h_score,
        allred=_allred(measurement),
        deciding=_deciding(measurement),
        squares=dict(measurement.heterogeneity.shares) if measurement.heterogeneity is not None else None,
        areas=Areas(weak=areas.weak, moderate=areas.moderate, strong=areas.strong) if areas else None,
        stains=stains,
        threshold=measurement.background.threshold if measurement.background is not None else None,
        membrane_od=measurement.membrane_od,
        intense_od=measurement.intense_od,
        rendering=None if measurement.rendering is None else round(measurement.rendering, 4),
        edge_um=None if measurement.edge_um is None else round(measurement.edge_um, 2),
        with_gaps=None if measurement.with_gaps is None else measurement.with_gaps.score,
        laboratory=laboratory,
        mpp=measurement.mpp,
        cell_network=None if measurement.cells is None else cell_network(),
        open_questions=measurement.open_questions,
        notes=tuple(as_sentence(note) for note in measurement.notes),
        reading=None if measurement.reading is None else _reading(measurement.reading),
    )


def _reading(reading: Reading) -> GuidedReading:
    return GuidedReading(
        fields=reading.fields,
        read=len(reading.boxes),
        boxes=tuple((box.x, box.y, box.width, box.height) for box in reading.boxes),
        stopped=reading.stopped,
        shares={name: Between(**share._asdict()) for name, share in reading.shares.items()},
        h_score=Between(**reading.h_score._asdict()),
        chance=reading.chance,
        seed=reading.seed,
        sentence=reading.sentence(),
    )


def cell_network() -> CellNetwork:
    """The network that this software finds cells with."""
    identity = cell_network_identity()
    return CellNetwork(name=identity.name, sha256=identity.sha256, recipe=identity.recipe)


def state_of(measured: Measured) -> tuple[Literal["ok", "refused"], str | None]:
    """Whether there is a score, and the short name of what stands against it or should be doubted."""
    if measured.shares is not None:
        return "ok", "warning" if measured.notes else None
    if measured.mpp is not None:
        return "refused", "too_few_tumour_cells"
    if measured.areas is None:
        other = any("does not look like" in note for note in measured.notes)
        return "refused", "unexpected_stain" if other else "poor_quality"
    return "refused", "regions" if any("regions" in note for note in measured.notes) else "too_coarse"


def least_grade(measured: Measured) -> int:
    """Cells of this grade and above make up the share that decides."""
    what = measured.deciding.what if measured.deciding is not None else ""
    return {_HER2_SHARES["complete"]: 2, _HER2_SHARES["intense_complete"]: 3}.get(what, 1)


def _three(vector: np.typing.NDArray[np.float32]) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 4) for value in vector)
    return red, green, blue


def _kinds(cells: Cells | None) -> dict[str, int]:
    if cells is None:
        return {}
    names, counts = np.unique(cells.table()["kind"].to_numpy().astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _allred(measurement: Measurement) -> tuple[int, int] | None:
    if measurement.nuclear is None or measurement.marker == "Ki-67":
        return None
    allred = measurement.nuclear.allred
    return allred.proportion, allred.intensity


def _deciding(measurement: Measurement) -> Deciding | None:
    if measurement.her2 is not None:
        her2 = measurement.her2
        return Deciding(
            what=_HER2_SHARES[her2.decided_by],
            share=her2.share,
            cutoff=her2.cutoff,
            nearest=her2.nearest,
            distance=her2.distance,
            change=her2.nearest_sentence(),
        )
    if measurement.nuclear is not None and measurement.marker in _CUTOFFS:
        return _nearest_cutoff(measurement.nuclear, measurement.marker)
    return None


def _nearest_cutoff(nuclear: NuclearScore, marker: str) -> Deciding:
    share = nuclear.percent / 100
    cutoff, below, above = min(_CUTOFFS[marker], key=lambda line: abs(share - line[0]))
    other = above if nuclear.status == below else below
    distance, more = abs(share - cutoff), "more" if share < cutoff else "fewer"
    return Deciding(
        what="stained nuclei",
        share=share,
        cutoff=cutoff,
        nearest=other,
        distance=distance,
        change=f"{100 * distance:.1f} percentage points {more} would make it {other}",
    )
