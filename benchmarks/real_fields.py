"""What measuring makes of real labelled fields: nuclei, Ki-67 index, HER2 score, one table a source.

    LOWPOWER_REAL=FOLDER python benchmarks/real_fields.py [--optics] [--precision fast]
        [--pictures DIR] [--history WORDS]

`LOWPOWER_REAL` holds a folder a source with `labels.csv` (source, file, mpp, marker, label, positive_mask,
negative_mask); the HER2 cores lie in `her2_cores` of `LOWPOWER_DATA`. Nothing of them is part of this
project. What is absent is said. Masks hold every nucleus of one kind; each drawn piece is one nucleus, or
several where the mask's distance transform has several maxima; it is found if a measured one lies within
6 um of it, each once. Masks may be shifted: they are laid where they fit the found nuclei best, within 8 um.
`--optics` shows every field through other optics too (`common/optics.py`): what a reader would score the
same must be measured the same.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from common.optics import OPTICS, Change
from lowpower.errors import LowpowerError
from lowpower.graphs import Precision
from lowpower.slides import open_slide
from lowpower.stain import Measurement, measure

RADIUS_UM = 6.0
LEAST_UM2 = 6.0
SCORES = ("0", "1+", "2+", "3+")
HISTORY = Path(__file__).parent / "results" / "real_fields_history.csv"
COLOURS = ((60, 90, 220), (235, 200, 40), (240, 120, 20), (200, 0, 30))


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled field or core."""

    source: str
    path: Path
    mpp: float
    marker: str
    label: str
    positive: Path | None
    negative: Path | None


def fields_of(folder: Path) -> list[Field]:
    """The fields of one source."""

    def mask(name: str | None) -> Path | None:
        return folder / name if name else None

    return [
        Field(
            folder.name, folder / row["file"], float(row["mpp"]), row["marker"], row["label"] or "",
            mask(row["positive_mask"]), mask(row["negative_mask"]),
        )
        for row in pl.read_csv(folder / "labels.csv", infer_schema_length=0).iter_rows(named=True)
    ]  # fmt: skip


def cores() -> list[Field]:
    """The seven labelled HER2 cores."""
    data = Path(os.environ.get("LOWPOWER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    paths = sorted((data / "her2_cores").glob("[0-3]_*.jpg"))
    return [Field("her2_cores", path, 0.25, "HER2", path.name[0].replace("3", "3+").replace("2", "2+")
                  .replace("1", "1+"), None, None) for path in paths]  # fmt: skip


def centres(path: Path | None, mpp: float) -> NDArray[np.float64]:
    """(N, 2) microns: one in each drawn piece, more where the piece is of several touching nuclei.

    Those of a large piece are the maxima of its distance transform, at least 3 um apart and 1 um deep.
    Pieces under `LEAST_UM2` are specks of a mask that was thresholded; holes in a nucleus are filled.
    """
    if path is None:
        return np.zeros((0, 2))
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    factor = max(1, int(0.4 / mpp))
    size = (mask.shape[1] // factor, mask.shape[0] // factor)
    if (mask > 127).mean() > 0.5:  # drawn black on white
        mask = 255 - mask
    small = cv2.resize((mask > 127).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    step = mpp * factor
    drawn = binary_fill_holes(small).astype(np.uint8)
    count, piece, boxes, _ = cv2.connectedComponentsWithStats(drawn)
    drawn[(boxes[:, cv2.CC_STAT_AREA] * step**2 < LEAST_UM2)[piece]] = 0
    depth = cv2.distanceTransform(drawn, cv2.DIST_L2, 5) * step
    depth = cv2.GaussianBlur(depth, (0, 0), 0.7 / step)
    deepest = np.zeros(count)
    np.maximum.at(deepest, piece, depth)
    reach = max(1, round(2.6 / step))
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    top = (depth >= cv2.dilate(depth, window)) & (depth > 1.0) | (depth >= deepest[piece])
    return (
        np.asarray(cv2.connectedComponentsWithStats((top & (drawn > 0)).astype(np.uint8))[3][1:] + 0.5) * step
    )


def aligned(truth: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """`truth` moved by up to 8 um to where most of it lies on a found nucleus: masks may be shifted."""
    if len(truth) < 20 or len(found) < 20:
        return truth
    steps = np.arange(-8.0, 8.5, 1.0)
    tree = cKDTree(found)
    moves = [np.array([x, y]) for x in steps for y in steps]
    near = [np.exp(-((tree.query(truth + move)[0] / 2.0) ** 2)).sum() for move in moves]
    return np.asarray(truth + moves[int(np.argmax(near))])


def pairs(found: NDArray[np.float64], truth: NDArray[np.float64]) -> int:
    """How many are found, each truth once."""
    if len(found) == 0 or len(truth) == 0:
        return 0
    apart = cdist(found, truth)
    rows, columns = linear_sum_assignment(np.where(apart <= RADIUS_UM, apart, 1e4))
    return int((apart[rows, columns] <= RADIUS_UM).sum())


def f1(hits: int, found: int, truth: int) -> str:
    """F1, precision and recall as text."""
    precision, recall = hits / max(found, 1), hits / max(truth, 1)
    return f"{2 * hits / max(found + truth, 1):.3f} ({precision:.2f}, {recall:.2f})"


@dataclass(frozen=True, slots=True)
class Counted:
    """Nuclei of one Ki-67 field."""

    every: int
    tumour: int
    truth: int
    hits: int
    tumour_hits: int
    index: float | None
    every_index: float
    true_index: float | None


def counted(field: Field, result: Measurement) -> Counted:
    """Found against truth."""
    positive, negative = centres(field.positive, field.mpp), centres(field.negative, field.mpp)
    truth = np.concatenate([positive, negative])
    cells = result.cells
    if cells is None:
        return Counted(0, 0, len(truth), 0, 0, None, 0.0, None)
    xy = np.stack([cells.x, cells.y], axis=1) * field.mpp
    truth = aligned(truth, xy)
    like = cells.kind == 0
    percent = None if result.nuclear is None else result.nuclear.percent
    every = 100 * float((cells.grade > 0).mean()) if len(xy) else 0.0
    true = 100 * len(positive) / len(truth) if field.positive else None
    hits, tumour_hits = pairs(xy, truth), pairs(xy[like], truth)
    return Counted(len(xy), int(like.sum()), len(truth), hits, tumour_hits, percent, every, true)


def nuclei(results: list[tuple[Field, Measurement]]) -> dict[str, str]:
    """The figures of a Ki-67 source."""
    rows = [counted(field, result) for field, result in results]
    for (field, _), row in zip(results, rows, strict=True):
        said = "no index" if row.index is None else f"index {row.index:.1f}"
        if row.true_index is not None:
            said += f" (true {row.true_index:.1f}, every nucleus {row.every_index:.1f})"
        print(f"  {field.path.name}: {said}; tumour-like F1 {f1(row.tumour_hits, row.tumour, row.truth)}")

    def total(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    out = {
        "any F1": f1(total("hits"), total("every"), total("truth")),
        "tumour F1": f1(total("tumour_hits"), total("tumour"), total("truth")),
    }
    known = [(row.index, row.every_index, row.true_index) for row in rows if row.true_index is not None]
    off = np.array([index - true for index, _, true in known if index is not None])
    if len(off):
        median, mean = np.median(abs(off)), abs(off).mean()
        out["index off"] = f"median {median:.1f}, mean {mean:.1f}, bias {off.mean():+.1f}"
        every = np.array([abs(index - true) for _, index, true in known])
        out["index off, every nucleus"] = f"median {np.median(every):.1f}, mean {every.mean():.1f}"
    return out


def scores(results: list[tuple[Field, Measurement]]) -> dict[str, str]:
    """The figures of a HER2 source."""
    truth, found, h, left_open = [], [], [], []
    for field, result in results:
        score = None if result.her2 is None else result.her2.score
        print(f"  {field.path.name[:12]}: label {field.label}, measured {score} {_numbers(result)}")
        if score is not None and result.h_score is not None:
            truth.append(SCORES.index(field.label))
            found.append(SCORES.index(score))
            h.append(result.h_score)
            left_open.append(result.with_gaps is not None)
    right = int(np.equal(truth, found).sum())
    kappa = cohen_kappa_score(truth, found, weights="quadratic", labels=range(4))
    positive = np.array(truth) >= 2
    order = roc_auc_score(positive, h) if 0 < positive.sum() < len(truth) else float("nan")
    wrong = np.not_equal(positive, np.array(found) >= 2)
    said = ~np.array(left_open)
    return {
        "exact": f"{right} of {len(truth)} ({len(results) - len(truth)} without a score)",
        "kappa": f"{kappa:.3f}",
        "AUC of H-score, 2+ and 3+": f"{order:.2f}",
        "at least 2+": f"{said.sum()} answered, {(wrong & said).sum()} wrong; of {(~said).sum()} left open "
        f"{(wrong & ~said).sum()} would be",
    }


def _numbers(result: Measurement) -> str:
    if result.shares is None or result.h_score is None:
        return f"({result.tumour_cells} tumour-like cells)"
    shares = " ".join(f"{share:.2f}" for share in result.shares.as_tuple())
    od = "-" if result.membrane_od is None else f"{result.membrane_od:.2f}"
    gaps = "" if result.with_gaps is None else f", {result.with_gaps.score} with gaps"
    return f"H {result.h_score:.0f} [{shares}] {result.tumour_cells} cells, membrane OD {od}{gaps}"


def picture(field: Field, result: Measurement, target: Path) -> None:
    """The field, tumour-like cells by class (blue, yellow, orange, red), others grey, truth as dots."""
    image = cv2.cvtColor(cv2.imread(str(field.path)), cv2.COLOR_BGR2RGB)
    scale = field.mpp / 0.25
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if result.cells is not None:
        cells = result.cells
        for index in range(len(cells)):
            colour = COLOURS[cells.grade[index]] if cells.kind[index] == 0 else (120, 120, 120)
            middle = (round(cells.x[index] * scale), round(cells.y[index] * scale))
            cv2.circle(image, middle, max(3, round(cells.diameter[index] * 2)), colour, 2, cv2.LINE_AA)
    for path, colour in ((field.positive, (0, 160, 0)), (field.negative, (0, 220, 220))):
        for x, y in centres(path, field.mpp) / 0.25:
            cv2.circle(image, (round(x), round(y)), 3, colour, -1)
    cv2.imwrite(str(target), cv2.cvtColor(image[:3000, :3000], cv2.COLOR_RGB2BGR))


@contextmanager
def seen(field: Field, change: Change | None) -> Iterator[Path]:
    """The field's file, or one of the field as other optics show it."""
    if change is None:
        yield field.path
        return
    image = change(cv2.imread(str(field.path))[..., ::-1].astype(np.float32), field.mpp)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{field.path.stem}.png"
        cv2.imwrite(str(path), np.clip(np.round(image), 0, 255).astype(np.uint8)[..., ::-1])
        yield path


def measured(
    fields: list[Field], pictures: Path | None, change: Change | None = None, precision: Precision = "exact"
) -> Iterator[tuple[Field, Measurement]]:
    for field in fields:
        try:
            with seen(field, change) as path, open_slide(path, mpp=field.mpp) as slide:
                result = measure(slide, field.marker, workers=2, precision=precision)  # type: ignore[arg-type]
        except LowpowerError as error:
            print(f"  {field.path.name}: refused: {error}")
            continue
        if pictures is not None:
            picture(field, result, pictures / f"{field.source[:8]}_{field.path.stem}.png")
        yield field, result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="write overlays to this folder")
    parser.add_argument("--optics", action="store_true", help="through other optics too")
    parser.add_argument("--precision", choices=("exact", "fast"), default="exact")
    parser.add_argument("--history", help="add a row a source to benchmarks/results, with these words")
    options = parser.parse_args()
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    root = os.environ.get("LOWPOWER_REAL")
    sources = [fields_of(path.parent) for path in sorted(Path(root).glob("*/labels.csv"))] if root else []
    if not sources:
        print("no labelled fields: LOWPOWER_REAL names no folder with SOURCE/labels.csv")
    sources.append(cores())
    if not sources[-1]:
        print("no HER2 cores: LOWPOWER_DATA names no folder with her2_cores")
    for number, fields in enumerate(source for source in sources if source):
        name = f"{fields[0].marker} set {number + 1}" if fields[0].source != "her2_cores" else "HER2 cores"
        print(f"{name}: {len(fields)} fields at {fields[0].mpp:g} um/px")
        table = scores if fields[0].marker == "HER2" else nuclei
        figures = table(list(measured(fields, options.pictures, None, options.precision)))
        for optics, change in OPTICS.items() if options.optics else ():
            print(f" {name}, {optics}")
            changed = table(list(measured(fields, None, change, options.precision)))
            figures |= {f"{key}, {optics}": value for key, value in changed.items()}
        for key, value in figures.items():
            print(f"  {key}: {value}")
        if options.history:
            with HISTORY.open("a", newline="", encoding="utf-8") as stream:
                rows = csv.writer(stream)
                day = datetime.date.today().isoformat()
                rows.writerows([day, options.history, name, key, value] for key, value in figures.items())


if __name__ == "__main__":
    main()
