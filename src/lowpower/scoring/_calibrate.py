"""A laboratory's own cut-offs from slides whose score it knows, held against left-out patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import SCHEMES, Cohort, percent_of, read_cohort
from lowpower.errors import CohortError, ConfigError, LowpowerError
from lowpower.evaluation import agreement_sentence
from lowpower.made_by import made_by
from lowpower.scoring.records import cell_network
from lowpower.slides import open_slide
from lowpower.stain import (
    DEFAULT_CUTOFFS,
    HER2_BOUNDS,
    Cutoffs,
    Fitted,
    Her2Cutoffs,
    LabelledCells,
    Laboratory,
    Marker,
    NuclearCutoffs,
    fit_her2,
    fit_nuclear,
    measure,
    rescored,
    write_laboratory,
)
from lowpower.tissue import find_tissue

__all__ = ["Calibration", "SlideAgreement", "calibrate"]

FEWEST: Final = 8
"""Fewer measured slides than this fit nothing."""
FEW: Final = 20
"""With fewer a laboratory is told that more would help."""
_FOLDS = 10
_INTENSE_OF_KNOWN = 0.8
_SCHEMES: Final[dict[str, str]] = {
    "HER2": "her2_four",
    "ER": "er_status",
    "PR": "pr_status",
    "Ki-67": "ki67_status",
}
_LEAVE_ONE_OUT = 25
_CLOUDS_DEGREES, _CLOUDS_SILHOUETTE = 8.0, 0.6
"""Two groups of slides are two laboratories where their haematoxylin lies so far, and so clearly, apart."""


@dataclass(frozen=True)
class SlideAgreement:
    """One slide of a calibration.

    Attributes:
        slide: As the manifest spells it.
        patient: Whose.
        known: The class of its known score.
        before: The class measured with the usual cut-offs.
        after: With cut-offs fitted without this patient.
    """

    slide: str
    patient: str
    known: str
    before: str
    after: str


@dataclass(frozen=True)
class Calibration:
    """What came of a calibration.

    Attributes:
        laboratory: The signed cut-offs; the usual ones where fitting did not help.
        slides: One row a measured slide.
        left_out: Slides that could not be measured: name and why.
        notes: What should be known or doubted, one sentence each.
    """

    laboratory: Laboratory
    slides: tuple[SlideAgreement, ...]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """A measured slide of known score."""

    slide: str
    patient: str
    label: int
    cells: LabelledCells
    membrane_od: float | None
    blue: NDArray[np.float32] | None
    """Its haematoxylin, where it was measured."""
    content: str
    """Its content hash."""


def calibrate(
    cohort: str | Path | Cohort,
    marker: Marker = "HER2",
    *,
    name: str = "my laboratory",
    site: str | None = None,
    out: str | Path = "laboratory.yaml",
    workers: int = 1,
    on_slide: Callable[[str], None] | None = None,
) -> Calibration:
    """Fit what differs between laboratories, and nothing else, and write it.

    Args:
        cohort: The manifest of slides with known scores, or its path: 20 to 60 slides of one laboratory.
        marker: What was stained; rows of other markers are passed over.
        name: The laboratory's, as the file will say it.
        site: Of the manifest's sites, the one to calibrate.
        out: Where the file goes.
        workers: Threads that measure one slide.
        on_slide: Called with each slide's name when it is measured.

    Raises:
        CohortError: the manifest cannot be read, or a score says too little.
        ConfigError: slides of several laboratories, too few slides, or one score only.
        OutputError: the file cannot be written.
    """
    table = read_cohort(cohort) if not isinstance(cohort, Cohort) else cohort
    rows = _rows(table, marker, site)
    if len(rows) < FEWEST:
        of = "" if site is None else f" of the site {site!r}"
        raise ConfigError(
            f"{table.source}: holds {len(rows)} {marker} slides{of} with a score; calibrating needs "
            f"{FEWEST}, better {FEW} to 60."
        )
    classes = SCHEMES[_SCHEMES[marker]].classes
    named = {classes[row["label"]] for row in rows}
    if len(named) == 1:
        _refuse_one_score(table.path, marker, *named)
    known, left_out = _measured(rows, marker, workers, on_slide)
    _refuse_few(table.path, known, left_out)
    notes = _doubts(known, site is not None)
    labels = np.array([slide.label for slide in known])
    if len(np.unique(labels)) == 1:
        cutoffs = _from_one_score(table.path, known, marker, classes[labels[0]])
        notes.append(f"All slides are {classes[labels[0]]}: only what is intense was fitted.")
        after = [_label(slide.cells, marker, cutoffs) for slide in known]
    else:
        after = _left_out(known, marker)
        cutoffs = _fitted(known, marker)
    before = [_label(slide.cells, marker, DEFAULT_CUTOFFS) for slide in known]
    patients = np.array([slide.patient for slide in known])
    said = [agreement_sentence(labels, np.array(found), patients, len(classes)) for found in (before, after)]
    if np.abs(labels - after).sum() > np.abs(labels - before).sum():
        cutoffs = DEFAULT_CUTOFFS
        notes.append("The usual cut-offs were kept: fitted ones agree less with left-out patients.")
    notes += _contradictions(known, marker, cutoffs, classes)
    laboratory = Laboratory(
        name=name,
        marker=marker,
        her2=_changed(cutoffs.her2, DEFAULT_CUTOFFS.her2),
        nuclear=_changed(cutoffs.nuclear, DEFAULT_CUTOFFS.nuclear),
        fitted=Fitted(
            slides=len(known),
            patients=len(set(patients.tolist())),
            scores={classes[index]: int(count) for index, count in sorted(Counter(labels.tolist()).items())},
            cohort=table.fingerprint,
            contents=tuple(sorted({slide.content for slide in known})),
            before=said[0],
            after=said[1],
        ),
        cell_network=cell_network().sha256,
        software_version=made_by("stain"),
    ).signed()
    write_laboratory(out, laboratory)
    agreed = tuple(
        SlideAgreement(slide.slide, slide.patient, classes[slide.label], classes[one], classes[other])
        for slide, one, other in zip(known, before, after, strict=True)
    )
    return Calibration(laboratory, agreed, tuple(left_out), tuple(notes))


def _rows(cohort: Cohort, marker: Marker, site: str | None) -> list[dict[str, Any]]:
    """The manifest's rows of one marker and one site, each with its class index `label`."""
    labels = cohort.labels(_SCHEMES[marker])
    entries = cohort.table.rows(named=True)
    rows = [entries[row] | {"label": label} for row, label in labels.select("row", "label").iter_rows()]
    sites = sorted({row["site"] for row in rows if row["site"]})
    if site is not None:
        if site not in sites:
            raise ConfigError(
                f"{cohort.source}: no {marker} slide is of the site {site!r}; there are {sites}."
            )
        return [row for row in rows if row["site"] == site]
    if len(sites) > 1:
        raise ConfigError(
            f"{cohort.source}: holds slides of {len(sites)} laboratories ({', '.join(sites)}); calibrate one "
            "at a time, with --site."
        )
    return rows


def _measured(
    rows: Sequence[dict[str, Any]], marker: Marker, workers: int, on_slide: Callable[[str], None] | None
) -> tuple[list[_Known], list[tuple[str, str]]]:
    known, left_out = [], []
    for row in rows:
        try:
            with open_slide(row["slide"], mpp=row["mpp"]) as slide:
                tissue = find_tissue(slide, mask=row["mask"], control=row["control"] or "auto")
                result = measure(slide, marker, tissue, workers=workers)
                content = slide.content_hash()
        except LowpowerError as error:
            left_out.append((row["slide_name"], str(error)))
        else:
            if result.counted is None or result.h_score is None or result.vectors is None:
                left_out.append((row["slide_name"], result.sentence()))
            else:
                assert result.background is not None
                value = row["label"] if marker == "HER2" else _percent(row)
                cells = LabelledCells(
                    result.counted, result.background.threshold, value, result.rendering or 1.0
                )
                measured = result.vectors.source in ("measured", "hematoxylin measured")
                blue = result.vectors.hematoxylin if measured else None
                known.append(
                    _Known(
                        row["slide_name"],
                        row["patient"],
                        row["label"],
                        cells,
                        result.membrane_od,
                        blue,
                        content,
                    )
                )
        if on_slide is not None:
            on_slide(row["slide_name"])
    return known, left_out


def _percent(row: dict[str, Any]) -> float:
    percent = percent_of(row["score"])
    if percent is None:
        raise CohortError(
            f"row {row['manifest_row']}: the score {row['score']!r} is a word; calibrating {row['marker']} "
            "needs percentages of stained nuclei."
        )
    return percent


def _refuse_few(path: Path, known: list[_Known], left_out: list[tuple[str, str]]) -> None:
    if len(known) >= FEWEST:
        return
    lost = f", {len(left_out)} could not be ({left_out[0][0]}: {left_out[0][1]})" if left_out else ""
    raise ConfigError(
        f"{path}: {len(known)} slides could be measured{lost}; calibrating needs {FEWEST}, better {FEW} "
        "to 60."
    )


def _doubts(known: list[_Known], told: bool) -> list[str]:
    """Notes on the cohort as a whole; two laboratories in one are refused unless `told` which it is."""
    notes = []
    if len(known) < FEW:
        notes.append(f"{len(known)} slides are few: with {FEW} and more the cut-offs are surer.")
    if told:
        return notes
    told_apart = [slide for slide in known if slide.blue is not None]
    if len(told_apart) < FEWEST:
        return notes
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    blue = np.stack([slide.blue for slide in told_apart if slide.blue is not None])
    group = KMeans(2, n_init=10, random_state=0).fit(blue).labels_
    apart = _degrees(blue[group == 0].mean(axis=0), blue[group == 1].mean(axis=0))
    # A cloud of one score alone is that score's brown, not another laboratory.
    labels = np.array([slide.label for slide in told_apart])
    mixed = min(len(set(labels[group == 0])), len(set(labels[group == 1]))) > 1
    share = float(group.mean())
    clear = 0.2 <= share <= 0.8 and silhouette_score(blue, group) > _CLOUDS_SILHOUETTE
    if apart > _CLOUDS_DEGREES and clear and mixed:
        first = [slide.slide for slide, mine in zip(told_apart, group, strict=True) if mine == 0]
        raise ConfigError(
            f"the slides' haematoxylin lies in two clouds {apart:.0f} degrees apart, as of two laboratories: "
            f"{', '.join(first[:3])}{' ...' * (len(first) > 3)} ({len(first)}) and the "
            f"other {len(told_apart) - len(first)}; name each slide's laboratory in the column site, and one "
            "of them with --site."
        )
    return notes


def _degrees(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _refuse_one_score(path: Path, marker: str, only: str, *, dark: bool = True) -> None:
    """Refuse slides of one score, unless they are dark HER2 3+; asked before anything is measured, too."""
    if marker != "HER2" or only != "3+" or not dark:
        raise ConfigError(f"{path}: every slide's score is {only}; cut-offs lie between scores: add others.")


def _from_one_score(path: Path, known: list[_Known], marker: str, only: str) -> Cutoffs:
    """What known 3+ tissue alone tells: how dark this laboratory makes an intense membrane."""
    dark = [slide.membrane_od for slide in known if slide.membrane_od is not None]
    _refuse_one_score(path, marker, only, dark=bool(dark))
    intense = float(np.clip(_INTENSE_OF_KNOWN * np.median(dark), *HER2_BOUNDS["intense_od"]))
    return Cutoffs(replace(DEFAULT_CUTOFFS.her2, intense_od=round(intense, 4)))


def _fitted(known: Sequence[_Known], marker: str) -> Cutoffs:
    cells = [slide.cells for slide in known]
    if marker == "HER2":
        return Cutoffs(fit_her2(cells, DEFAULT_CUTOFFS.her2))
    return Cutoffs(nuclear=fit_nuclear(cells, DEFAULT_CUTOFFS.nuclear))


def _left_out(known: list[_Known], marker: Marker) -> list[int]:
    """Each slide's class with cut-offs that its patient had no part in."""
    patients = sorted({slide.patient for slide in known})
    folds = len(patients) if len(patients) <= _LEAVE_ONE_OUT else _FOLDS
    part = {patient: index % folds for index, patient in enumerate(patients)}
    found = [0] * len(known)
    for fold in range(folds):
        kept = [slide for slide in known if part[slide.patient] != fold]
        one_score = len({slide.label for slide in kept}) == 1
        cutoffs = DEFAULT_CUTOFFS if one_score else _fitted(kept, marker)
        for index, slide in enumerate(known):
            if part[slide.patient] == fold:
                found[index] = _label(slide.cells, marker, cutoffs)
    return found


def _label(cells: LabelledCells, marker: Marker, cutoffs: Cutoffs) -> int:
    return SCHEMES[_SCHEMES[marker]].label(rescored(cells, marker, cutoffs)).index


def _contradictions(
    known: Sequence[_Known], marker: Marker, cutoffs: Cutoffs, classes: Sequence[str]
) -> list[str]:
    notes = []
    for slide in known:
        found = _label(slide.cells, marker, cutoffs)
        if abs(found - slide.label) >= 2:
            notes.append(
                f"{slide.slide}: known as {classes[slide.label]}, but its stain measures {classes[found]}, "
                "with the cut-offs that fit best, too; is that score this slide's?"
            )
    return notes


def _changed(values: Her2Cutoffs | NuclearCutoffs, usual: Her2Cutoffs | NuclearCutoffs) -> dict[str, float]:
    """The values that differ from the usual ones, by name."""
    pairs = ((one.name, getattr(values, one.name), getattr(usual, one.name)) for one in fields(values))
    return {name: round(value, 4) for name, value, other in pairs if abs(value - other) > 1e-9}
