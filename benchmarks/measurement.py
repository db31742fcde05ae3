"""How well the measured stain agrees with simulated truth, what real cores give, and how fast it is.

    python benchmarks/measurement.py [--slides 24] [--nuclear 12] [--folder DIR] [--seed 40417]

Laboratories and scanners are drawn from `--seed`; development used 5501, 5502, 9021 to 9025 and 31337 to
31343.
A nucleus counts as found within 3 um of the true centre, each truth once; truth outside the found tissue is
left out of F1 (its share stands in the last column).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from sklearn.metrics import cohen_kappa_score

from lowpower.simulate import CohortSpec, SlideTruth, simulate_cohort
from lowpower.slides import Slide, open_slide
from lowpower.stain import Measurement, measure
from lowpower.tissue import find_tissue
from lowpower.units import Box

RADIUS_UM = 3.0
SCORES = ("0", "1+", "2+", "3+")


def matched(found: NDArray[np.float64], truth: NDArray[np.float64]) -> int:
    """One-to-one pairs within `RADIUS_UM`, nearest first."""
    if len(found) == 0 or len(truth) == 0:
        return 0
    distance, index = cKDTree(truth).query(found, k=4, distance_upper_bound=RADIUS_UM)
    rows, columns = np.nonzero(np.isfinite(distance))
    pairs = sorted(zip(distance[rows, columns], rows, index[rows, columns], strict=True))
    used_found, used_truth = set(), set()
    for _, one, other in pairs:
        if one not in used_found and other not in used_truth:
            used_found.add(one)
            used_truth.add(other)
    return len(used_found)


def f1_of(result: Measurement, truth: pl.DataFrame, mpp: float) -> tuple[float, float]:
    """F1 of all nuclei, and the share of true tumour nuclei called tumour-like."""
    cells = result.cells
    assert cells is not None
    real = truth.filter(pl.col("type") != "erythrocyte")
    found = np.stack([cells.x, cells.y], axis=1) * mpp
    hits = matched(found, real.select("x", "y").to_numpy() * mpp)
    tumour = truth.filter(pl.col("type") == "tumour").select("x", "y").to_numpy() * mpp
    like = matched(found[cells.kind == 0], tumour)
    return 2 * hits / max(1, len(found) + real.height), like / max(1, len(tumour))


def her2(folder: Path, slides: int, seed: int) -> None:
    spec = CohortSpec(
        name="measurement-simulated", seed=seed, patients=slides, second_slide=0, sites=8, site_seed=seed + 1,
        scanners=5, scanner_seed=seed + 2, controls=0, artefacts=0,
    )  # fmt: skip
    simulate_cohort(spec, folder, workers=1)
    rows, truths, measured = [], [], []
    print("slide  true meas  true shares     measured shares     F1   tumour found, on tissue")
    for path in sorted((folder / "slides").glob("*.tif")):
        truth = SlideTruth.read(path.with_suffix(".truth.json"))
        with open_slide(path) as slide:
            tissue = find_tissue(slide)
            result = measure(slide, tissue=tissue, workers=2)
            cells = pl.read_parquet(path.with_suffix(".cells.parquet"))
            rows_down, columns = tissue.mask.shape
            row = np.minimum(cells["y"].to_numpy() * rows_down / slide.size[1], rows_down - 1).astype(int)
            column = np.minimum(cells["x"].to_numpy() * columns / slide.size[0], columns - 1).astype(int)
            on_tissue = tissue.mask[row, column]
            f1, like = f1_of(result, cells.filter(pl.Series(on_tissue)), slide.mpp)
        shares = np.array(result.shares.as_tuple() if result.shares else (1.0, 0, 0, 0))
        score = result.her2.score if result.her2 else "-"
        rows.append((f1, like, abs(shares[0] - truth.shares[0]), np.abs(shares - truth.shares).max()))
        rows[-1] += (np.median(np.abs(shares - truth.shares)),)
        if score != "-":
            truths.append(SCORES.index(truth.score))
            measured.append(SCORES.index(score))
        print(
            f"{path.stem[-6:]:8}{truth.score:4} {score:4} {np.round(truth.shares, 2)!s:28}"
            f"{np.round(shares, 2)!s:28}{f1:.3f} {like:.2f}  {on_tissue.mean():.2f}",
            flush=True,
        )
    table = np.array(rows)
    per_class = np.median(table[:, 3])
    print(f"nuclei F1 at {RADIUS_UM:g} um: mean {table[:, 0].mean():.3f}, worst {table[:, 0].min():.3f}")
    print(
        f"true tumour nuclei called tumour-like: mean {table[:, 1].mean():.3f}, worst {table[:, 1].min():.3f}"
    )
    print(f"percent membrane-positive: median error {100 * np.median(table[:, 2]):.1f} points")
    middle = 100 * np.median(table[:, 4])
    print(f"class shares: median error {middle:.1f} points, of the worst class {100 * per_class:.1f}")
    kappa = cohen_kappa_score(truths, measured, weights="quadratic", labels=range(4))
    print(f"four-way quadratic kappa {kappa:.3f} on {len(truths)} slides scored of {len(rows)}")


def nuclear(folder: Path, slides: int, seed: int) -> None:
    spec = CohortSpec(
        name="nuclear-simulated", marker="ER", seed=seed, patients=slides, second_slide=0, sites=8,
        site_seed=seed + 3, scanners=5, scanner_seed=seed + 4, controls=0, artefacts=0, mpp=(0.45, 0.5),
        statuses={"negative": 1.0, "low positive": 1.0, "positive": 2.0},
    )  # fmt: skip
    simulate_cohort(spec, folder, workers=1)
    errors, right, h_errors = [], [], []
    for path in sorted((folder / "slides").glob("*.tif")):
        truth = SlideTruth.read(path.with_suffix(".truth.json")).nuclear
        assert truth is not None
        with open_slide(path) as slide:
            result = measure(slide, "ER", workers=2)
            f1, like = f1_of(result, pl.read_parquet(path.with_suffix(".cells.parquet")), slide.mpp)
        if result.nuclear is None:
            print(f"ER {path.stem[-6:]}: true {truth.percent:5.1f} %  {result.sentence()}", flush=True)
            continue
        errors.append(abs(result.nuclear.percent - truth.percent))
        h_errors.append(abs((result.h_score or 0.0) - truth.h_score))
        right.append(result.nuclear.status == truth.status)
        print(
            f"ER {path.stem[-6:]}: true {truth.percent:5.1f} %  measured {result.nuclear.percent:5.1f} %  "
            f"{truth.status} / {result.nuclear.status}, H-score {truth.h_score:.0f} / {result.h_score:.0f}, "
            f"F1 {f1:.3f}, tumour-like {like:.2f}",
            flush=True,
        )
    if errors:
        print(f"ER: median error {np.median(errors):.1f} points, worst {max(errors):.1f}")
        print(
            f"ER: H-score median error {np.median(h_errors):.0f}; status right {sum(right)} of {len(right)}"
        )


def _cores() -> Path:
    data = os.environ.get("LOWPOWER_DATA", Path(__file__).parents[2] / "shared" / "data")
    return Path(data) / "her2_cores"


def cores() -> None:
    for path in sorted(_cores().glob("[012]_*.jpg")):
        with open_slide(path, mpp=0.25) as slide:
            result = measure(slide, workers=2)
        score = "none" if result.h_score is None else f"{result.h_score:.1f}"
        print(f"{path.stem[:10]}: membrane H-score {score}; {result.sentence()}", flush=True)


def picture(path: Path) -> None:
    """Real cores at 0.5 um/px, tumour-like cells by class (blue, yellow, orange, red), the others grey."""
    colours = ((60, 90, 220), (235, 200, 40), (240, 120, 20), (200, 0, 30))
    places = {
        "2_0123a214": (2500, 2000),
        "2_da5928b4": (2700, 2400),
        "1_154ae963": (2400, 2300),
        "0_ccb66c10": (2000, 2500),
    }
    shown = []
    for name, (x, y) in places.items():
        with open_slide(next(_cores().glob(f"{name}*.jpg")), mpp=0.25) as slide:
            image = slide.read(Box(x, y, 1400, 1400), 0.25)
            cells = measure(slide, workers=2).cells
        assert cells is not None
        near = (abs(cells.x - x - 700) < 700) & (abs(cells.y - y - 700) < 700)
        for index in np.flatnonzero(near).tolist():
            colour = colours[cells.grade[index]] if cells.kind[index] == 0 else (120, 120, 120)
            middle = (round(cells.x[index] - x), round(cells.y[index] - y))
            cv2.circle(image, middle, round(cells.diameter[index] * 2), colour, 2, cv2.LINE_AA)
        shown.append(image)
    top, bottom = np.hstack(shown[:2]), np.hstack(shown[2:])
    page = cv2.resize(np.vstack([top, bottom]), None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    Image.fromarray(page).quantize(200).save(path, optimize=True)


def speed(path: Path) -> None:
    with open_slide(path, mpp=0.25) as slide:
        print(f"speed on {path.name}: {_rate(slide)}")


def _rate(slide: Slide) -> str:
    measure(slide, workers=2)
    wall, cpu = time.perf_counter(), time.process_time()
    result = measure(slide, workers=2)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert result.mpp is not None
    megapixels = slide.size[0] * slide.size[1] * (slide.mpp / result.mpp) ** 2 / 1e6
    return (
        f"{megapixels:.1f} MP at {result.mpp:.2f} um/px in {wall:.2f} s wall, {cpu:.2f} s of processor: "
        f"{megapixels / wall:.1f} MP/s, {2 * megapixels / cpu:.1f} MP/s if two cores were free"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=24)
    parser.add_argument("--nuclear", type=int, default=12)
    parser.add_argument("--seed", type=int, default=40417)
    parser.add_argument("--folder", type=Path, default=Path("runs/measurement"))
    parser.add_argument("--picture", type=Path, help="only draw cells on real cores, to this PNG")
    options = parser.parse_args()
    if options.picture is not None:
        picture(options.picture)
        return
    if options.slides:
        her2(options.folder, options.slides, options.seed)
    if options.nuclear:
        nuclear(options.folder / "nuclear", options.nuclear, options.seed)
    cores()
    for path in sorted(_cores().glob("2_[07]*.jpg"))[:2]:
        speed(path)


if __name__ == "__main__":
    main()
