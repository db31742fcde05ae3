"""Real fields on this machine, and fields of simulated slides, with their nuclei."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from common.envelope_measures import MPP, Nuclei, measures
from lowpower.simulate import CohortSpec, cohort_members, field_around, plan_slide
from lowpower.slides import open_slide
from lowpower.stain import measure

__all__ = ["SIDE_UM", "Real", "drawn", "real_fields"]

SIDE_UM: Final = 192.0
_STAINED: Final = 0.1
"""Relative DAB above which a simulated nucleus counts as positive."""
_EMPTY = np.zeros((0, 2))
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Real:
    """What was measured on one real field."""

    source: str
    name: str
    marker: str
    values: dict[str, float]


def real_fields() -> Iterator[Real]:
    """Every real field of `LOWPOWER_REAL`, the HER2 cores of `LOWPOWER_DATA` and scikit-image's colon.

    Sources are named by marker and number, in the order of their folders: reports name no repository.
    """
    counts: dict[str, int] = {}
    root = os.environ.get("LOWPOWER_REAL")
    for folder in sorted(path.parent for path in Path(root).glob("*/labels.csv")) if root else []:
        rows = list(pl.read_csv(folder / "labels.csv", infer_schema_length=0).iter_rows(named=True))
        marker = rows[0]["marker"]
        counts[marker] = counts.get(marker, 0) + 1
        for number, row in enumerate(rows, 1):
            yield _real(
                f"{marker} set {counts[marker]}", f"{number:02d} {row['label'] or ''}".strip(), row, folder
            )
    data = Path(os.environ.get("LOWPOWER_DATA", Path(__file__).parents[3] / "shared" / "data"))
    for number, path in enumerate(sorted((data / "her2_cores").glob("[0-3]_*.jpg")), 1):
        row = {"file": path.name, "mpp": "0.25", "marker": "HER2"}
        yield _real("HER2 cores", f"{number:02d} {path.name[0]}", row, path.parent)


def _real(source: str, name: str, row: dict[str, Any], folder: Path) -> Real:
    mpp = float(row["mpp"])
    image = np.asarray(cv2.imread(str(folder / row["file"]))[..., ::-1], np.uint8)
    left, top, side = _window(image, mpp)
    inside = (slice(top, top + side), slice(left, left + side))
    image = np.ascontiguousarray(image[inside])
    masks = {}
    for kind in ("positive", "negative"):
        if row.get(f"{kind}_mask"):
            mask = cv2.imread(str(folder / row[f"{kind}_mask"]), cv2.IMREAD_GRAYSCALE) > 127
            masks[kind] = (mask if mask.mean() < 0.5 else ~mask)[inside]
    if "positive" in masks:
        nuclei = _of_masks(masks, mpp)
    else:
        nuclei = _of_cells(image, mpp, row["marker"])
    return Real(source, name, row["marker"], measures(image, mpp, nuclei, row["marker"]))


def _window(image: Bytes, mpp: float) -> tuple[int, int, int]:
    """Left, top and side of the square with the most dark pixels, pixels."""
    side = min(round(SIDE_UM / mpp), *image.shape[:2])
    small = cv2.resize(image, None, fx=0.05, fy=0.05, interpolation=cv2.INTER_AREA).min(axis=2)
    dark = (small < np.quantile(small, 0.98) - 25).astype(np.float32)
    span = max(1, round(side * 0.05))
    share = cv2.boxFilter(dark, -1, (span, span), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    share = share[: max(1, dark.shape[0] - span + 1), : max(1, dark.shape[1] - span + 1)]
    row, column = np.unravel_index(int(share.argmax()), share.shape)
    top, left = (
        min(int(at / 0.05), length - side) for at, length in zip((row, column), image.shape, strict=False)
    )
    return left, top, side


def _blobs(mask: NDArray[np.bool_], mpp: float) -> tuple[NDArray[np.float64], list[float]]:
    """Centres (maxima of the distance transform) and diameters of blobs that are one nucleus."""
    depth = cv2.GaussianBlur(
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) * mpp, (0, 0), 0.7 / mpp
    )
    reach = max(1, round(2.6 / mpp))
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    top = ((depth >= cv2.dilate(depth, window)) & (depth > 1.0)).astype(np.uint8)
    centres = np.asarray(cv2.connectedComponentsWithStats(top)[3][1:] + 0.5) * mpp
    diameters = []
    for outline in cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        area, hull = cv2.contourArea(outline), cv2.contourArea(cv2.convexHull(outline))
        if area * mpp**2 > 8 and area > 0.93 * hull:
            diameters.append(float(np.sqrt(4 * area / np.pi)) * mpp)
    return centres.reshape(-1, 2), diameters


def _of_masks(masks: dict[str, NDArray[np.bool_]], mpp: float) -> Nuclei:
    found = {kind: _blobs(mask, mpp) for kind, mask in masks.items()}
    positive, negative = found["positive"], found.get("negative", (_EMPTY, []))
    every = np.concatenate([negative[0], positive[0]])
    return Nuclei(negative[0], positive[0], np.array(positive[1] + negative[1]), every)


def _of_cells(image: Bytes, mpp: float, marker: str) -> Nuclei:
    """What measuring finds, where nobody drew nuclei."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.png"
        cv2.imwrite(str(path), image[..., ::-1])
        with open_slide(path, mpp=mpp) as slide:
            cells = measure(slide, marker).cells
    if cells is None:
        return Nuclei(_EMPTY, _EMPTY, np.zeros(0), _EMPTY)
    xy = np.stack([cells.x, cells.y], axis=1) * mpp
    like = cells.kind == 0
    stained = cells.grade > 0 if marker != "HER2" else np.zeros(len(cells), bool)
    return Nuclei(xy[~stained & like], xy[stained & like], np.asarray(cells.diameter[like], float), xy[like])


def drawn(marker: str, seed: int, number: int, count: int) -> dict[str, float]:
    """The same of a field of the `number`-th of `count` simulated slides, each of a laboratory of its own."""
    cv2.setNumThreads(1)
    spec = CohortSpec.model_validate(
        {
            "name": "envelope-simulated", "marker": marker, "seed": seed, "patients": count,
            "second_slide": 0, "sites": min(count, 1000), "site_seed": seed + 1, "scanners": min(count, 1000),
            "scanner_seed": seed + 2, "mpp": (MPP, MPP), "controls": 0, "artefacts": 0,
        }
    )  # fmt: skip
    slide = cohort_members(spec)[number].spec
    plan = plan_slide(slide)
    cells = plan.pieces[0].cells
    rng = np.random.default_rng([seed, number])
    middle = int(rng.choice(np.flatnonzero(cells.kind == 0)))
    field = field_around(slide, plan, 0, middle, SIDE_UM, 1)
    if marker == "HER2":
        # As for real fields, where nobody drew nuclei either.
        nuclei = _of_cells(field.image, slide.scanner.mpp, marker)
        return measures(field.image, slide.scanner.mpp, nuclei, marker)
    epithelial = np.isin(field.kind, ("tumour", "in-situ", "crushed", "normal"))
    positive = field.nuclear > _STAINED
    _, diameters = _blobs(field.nuclei > 0.15, MPP)
    xy = field.xy.astype(float)
    nuclei = Nuclei(xy[~positive & epithelial], xy[positive], np.array(diameters), xy[epithelial])
    return measures(field.image, slide.scanner.mpp, nuclei, marker)
