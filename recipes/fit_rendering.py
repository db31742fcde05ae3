"""Fits how a slide's optics render a membrane (`lowpower.stain`): simulate, measure, regress, print.

    python recipes/fit_rendering.py [--work runs]

On the simulated slides on which her2-sim's answers are calibrated. What a slide shows of complete membranes,
over the intensity that the simulator gave them, is regressed on eight numbers of its haematoxylin. The
residual is told for scanners that were left out. What is printed goes into `stain/_rendering.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowpower.engine import default_workers, map_items
from lowpower.simulate import CohortSpec, SlideTruth, simulate_cohort, truth_path
from lowpower.slides import open_slide
from lowpower.stain import (
    DEFAULT_CUTOFFS,
    FEATURES,
    RayTable,
    measure,
    optical_density,
    rendering_features,
    sample_fields,
    scale_of,
    stain_maps,
    working_factor,
)
from lowpower.tissue import find_tissue

RECIPES = Path(__file__).resolve().parent
COHORT = "her2-sim-decision-cohort"
FEWEST = 60
LEAST_INTENSITY = 0.1
"""Of a cell whose membrane is complete: paler ones are not told from none."""


def look(path: Path) -> tuple[str, NDArray[np.float64], float] | None:
    """Scanner, features, and log of the OD shown over the intensity told; NaN with too few such cells."""
    with open_slide(path) as slide:
        tissue = find_tissue(slide)
        measured = measure(slide, "HER2", tissue)
        if measured.counted is None:
            return None
        scale, fields = scale_of(slide, tissue), []
        for image in sample_fields(slide, tissue):
            hematoxylin, _ = stain_maps(image, tissue.white_point, scale.vectors)
            fields.append((hematoxylin, optical_density(image, tissue.white_point).mean(axis=2)))
        features = rendering_features(fields, scale.contrast, slide.mpp * working_factor(slide.mpp))
    if features is None:
        return None
    truth = SlideTruth.read(truth_path(path))
    cells = pl.read_parquet(path.parent / truth.cells).filter(
        (pl.col("type") == "tumour")
        & (pl.col("completeness") >= DEFAULT_CUTOFFS.her2.complete)
        & (pl.col("intensity") >= LEAST_INTENSITY)
    )
    completeness, density, _ = RayTable.of(measured.counted).graded(DEFAULT_CUTOFFS.her2)
    shown = density[completeness >= DEFAULT_CUTOFFS.her2.complete]
    ratio = np.nan
    if min(len(shown), cells.height) >= FEWEST:
        ratio = float(np.log(np.median(shown)) - np.log(cells["intensity"].to_numpy()).mean())
    return truth.spec.scanner.name, features, ratio


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=RECIPES.parent / "runs", help="folder of the slides")
    work = parser.parse_args().work
    manifest = simulate_cohort(
        CohortSpec.from_yaml(RECIPES / f"{COHORT}.yaml"), work / COHORT, workers=default_workers()
    )
    paths = [manifest.parent / name for name in pl.read_csv(manifest)["slide"]]
    found = [one for one in map_items(look, paths, workers=default_workers()) if one is not None]
    scanners, features, ratios = (np.array(column) for column in zip(*found, strict=True))
    known = np.isfinite(ratios)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 3, 7)))
    groups = GroupKFold(10).split(features[known], ratios[known], scanners[known])
    apart = cross_val_predict(model, features[known], ratios[known], cv=list(groups))
    scaler, ridge = model.fit(features[known], ratios[known])
    weights = ridge.coef_ / scaler.scale_
    for name, weight in zip(FEATURES, weights, strict=True):
        print(f"{name:16s} {weight:+.5f}")
    print(f"usual {np.median(features @ weights):.5f}, {known.sum()} slides of {len(found)}")
    print(f"spread {ratios[known].std():.3f}, of what is left {np.std(ratios[known] - apart):.3f}")


if __name__ == "__main__":
    main()
