"""Fits how size and neighbours tell tumour beside the network's likeness: simulate, measure, regress.

    python recipes/fit_likeness.py [--work runs]

Each slide counts as much as any other. What is printed goes into `stain/cells/_tumour_likeness.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lowpower.engine import default_workers, map_items
from lowpower.simulate import CohortSpec, SlideTruth, simulate_cohort, truth_path
from lowpower.slides import open_slide
from lowpower.stain import context_of, measure

RECIPES = Path(__file__).resolve().parent
NEAR_UM, FEWEST = 4.0, 40
SPEC = CohortSpec(
    name="kinds-simulated", patients=48, second_slide=0.0, seed=771, sites=48, site_seed=771, scanners=24,
    scanner_seed=771, mpp=(0.5, 0.5), specimens={"core": 1.0}, artefacts=0.2,
)  # fmt: skip


def look(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """(N, 3) log-odds of a cell, of those around it, log diameter; and (N,) whether it is tumour."""
    with open_slide(path) as slide:
        cells, mpp = measure(slide, "HER2").cells, float(slide.mpp)
    if cells is None or len(cells) < FEWEST:
        return None
    truth = pl.read_parquet(path.parent / SlideTruth.read(truth_path(path)).cells)
    xy = np.stack([cells.x, cells.y], axis=1) * mpp
    apart, nearest = cKDTree(truth.select("x", "y").to_numpy() * mpp).query(xy)
    tumour = (apart < NEAR_UM) & (truth["type"].to_numpy()[nearest] == "tumour")
    return context_of(xy, cells.tumour, cells.diameter), tumour


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=RECIPES.parent / "runs", help="folder of the slides")
    work = parser.parse_args().work
    manifest = simulate_cohort(SPEC, work / SPEC.name, workers=default_workers())
    paths = [manifest.parent / name for name in pl.read_csv(manifest)["slide"]]
    found = [one for one in map_items(look, paths, workers=default_workers()) if one is not None]
    each = np.concatenate([np.full(len(tumour), 1 / len(tumour)) for _, tumour in found])
    columns, tumour = (np.concatenate(column) for column in zip(*found, strict=True))
    model = LogisticRegression(C=10).fit(columns, tumour, each * len(each) / each.sum())
    own, around, size = model.coef_[0] / model.coef_[0][:2].sum()
    print(f"own {own:.2f}, around {around:.2f}, size {size:.2f}; {len(found)} slides, {len(each)} cells")
    for name, told in (
        ("own likeness", lambda one: one[:, 0]),
        ("in context", lambda one: model.decision_function(one)),
    ):
        areas = [roc_auc_score(truth, told(one)) for one, truth in found if 0 < truth.mean() < 1]
        print(
            f"{name}: AUC within a slide {np.mean(areas):.3f}, a tenth below {np.percentile(areas, 10):.3f}"
        )


if __name__ == "__main__":
    main()
