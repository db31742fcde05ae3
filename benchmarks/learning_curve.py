"""How many slides `lowpower calibrate` needs: agreement of other slides of the same simulated laboratory.

    python benchmarks/learning_curve.py [--laboratories 4] [--slides 40] [--work FOLDER]

Each laboratory has its own stain and one scanner; its slides are discs of all four scores in equal numbers,
15 % of them border cases. They are measured once, whole. Sixteen slides are kept to be judged; of the others
8 to all are drawn, several times each, to calibrate on: cut-offs are fitted, held against left-out patients,
and kept or not, as the verb does. What is judged took no part in anything. A reader's own doubt about a label
is not in these figures, so that real laboratories need more.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from lowpower.cohort import read_cohort
from lowpower.scoring._calibrate import _fitted, _Known, _label, _left_out, _measured, _rows
from lowpower.simulate import CohortSpec, simulate_cohort
from lowpower.stain import DEFAULT_CUTOFFS, Cutoffs

JUDGED = 16
SIZES = (8, 12, 16, 20, 24)
DRAWS = {8: 4, 12: 3, 16: 3, 20: 2, 24: 1}
SEED = 71_000


def slides_of(laboratory: int, slides: int, work: Path) -> list[_Known]:
    """The measured slides of one laboratory, in no order of score."""
    seed = SEED + laboratory
    spec = CohortSpec(
        name="curve-simulated", seed=seed, patients=slides, second_slide=0, sites=1, site_seed=seed,
        scanners=1, scanner_seed=seed, controls=0, artefacts=0,
    )  # fmt: skip
    manifest = simulate_cohort(spec, work / f"{laboratory}")
    known, left_out = _measured(_rows(read_cohort(manifest), "HER2", None), "HER2", 1, None)
    for name, why in left_out:
        print(f"  laboratory {laboratory}, {name}: {why[:90]}", flush=True)
    order = np.random.default_rng(seed).permutation(len(known))
    return [known[index] for index in order]


def calibrated(known: list[_Known]) -> tuple[Cutoffs, bool]:
    """What `calibrate` would write, and whether it fitted or kept the usual."""
    labels = np.array([slide.label for slide in known])
    if len(np.unique(labels)) < 2:
        return DEFAULT_CUTOFFS, False
    before = [_label(slide.cells, "HER2", DEFAULT_CUTOFFS) for slide in known]
    after = _left_out(known, "HER2")
    if np.abs(labels - after).sum() > np.abs(labels - before).sum():
        return DEFAULT_CUTOFFS, False
    return _fitted(known, "HER2"), True


def curve(laboratory: int, slides: int, work: Path) -> list[dict[str, float]]:
    """Rows of one laboratory: slides calibrated on, whether it fitted, labels judged and found."""
    known = slides_of(laboratory, slides, work)
    judged, pool = known[:JUDGED], known[JUDGED:]
    rng = np.random.default_rng([SEED, laboratory])
    rows: list[dict[str, float]] = []

    def judge(size: int, draw: int, cutoffs: Cutoffs, fitted: bool) -> None:
        for number, slide in enumerate(judged):
            found = _label(slide.cells, "HER2", cutoffs)
            rows.append(
                {"laboratory": laboratory, "size": size, "draw": draw, "fitted": fitted, "slide": number,
                 "label": slide.label, "found": found}
            )  # fmt: skip

    judge(0, 0, DEFAULT_CUTOFFS, fitted=False)
    for size in SIZES:
        if size > len(pool):
            break
        for draw in range(DRAWS[size]):
            chosen = [pool[index] for index in rng.permutation(len(pool))[:size]]
            judge(size, draw, *calibrated(chosen))
    return rows


def agreement(label: NDArray[np.int64], found: NDArray[np.int64]) -> tuple[float, float]:
    """Quadratic kappa and accuracy."""
    kappa = cohen_kappa_score(label, found, weights="quadratic", labels=range(4))
    return float(kappa), float((label == found).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--laboratories", type=int, default=4)
    parser.add_argument("--slides", type=int, default=40, help="slides a laboratory")
    parser.add_argument("--work", type=Path, help="folder that keeps the simulated slides")
    options = parser.parse_args()
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.laboratories):
            found += curve(number, options.slides, options.work or Path(folder))
            print(f"after {number + 1} laboratories")
            report(pl.DataFrame(found))


def report(table: pl.DataFrame) -> None:
    """Print agreement by how many slides were calibrated on; 0 is the usual cut-offs."""
    print("slides   kappa  accuracy   worst laboratory   fitted   laboratories better, worse")
    usual: dict[int, float] = {}
    for (size,), rows in table.group_by("size", maintain_order=True):
        each = {
            int(laboratory): agreement(own["label"].to_numpy(), own["found"].to_numpy())[0]
            for (laboratory,), own in rows.group_by("laboratory", maintain_order=True)
        }
        usual = usual or each
        kappa, accuracy = agreement(rows["label"].to_numpy(), rows["found"].to_numpy())
        change = np.array([each[name] - usual[name] for name in each])
        print(
            f"{size:6d}  {kappa:6.3f}  {accuracy:8.3f}  {min(each.values()):17.3f}"
            f"  {rows['fitted'].mean():7.2f}   {(change > 0.02).sum()}, {(change < -0.02).sum()}"
        )


if __name__ == "__main__":
    main()
