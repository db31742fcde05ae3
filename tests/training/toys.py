"""Tiny cohorts of brown and blue fields of view, for tests of views, models and training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import Cohort, read_cohort, write_manifest
from lowpower.units import Box, Mpp
from lowpower.views import View

SCORES = ("0", "1+", "2+", "3+")
GLASS = np.array([236, 235, 243], np.float32)
BLUE = np.array([0.30, 0.22, 0.10], np.float32)
BROWN = np.array([0.25, 0.48, 0.70], np.float32)


def tissue_image(score: int, seed: int, height: int = 160, width: int = 200) -> NDArray[np.uint8]:
    """(H, W, 3) field: a textured disc of blue tissue on glass, the browner the higher the score."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - height / 2) / (0.4 * height)) ** 2 + ((columns - width / 2) / (0.4 * width)) ** 2 < 1
    grain = cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 1.5)
    grain = (grain - grain.min()) / (grain.max() - grain.min())
    od = inside[..., None] * (grain[..., None] * BLUE + score / 3 * (0.3 + grain[..., None]) * BROWN)
    noisy = GLASS * 10**-od + rng.normal(0, 1.0, od.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def toy_view(score: int, seed: int = 0, height: int = 64, width: int = 64) -> View:
    """A view made without a slide."""
    image = tissue_image(score, seed, height, width)
    mask = (GLASS - image).mean(-1) > 8
    image[~mask] = np.rint(GLASS)
    return View(image, mask, Box(0, 0, width, height), Mpp(8.0), GLASS)


def toy_cohort(folder: Path, per_class: int = 5, mpp: float = 2.0) -> Cohort:
    """`per_class` PNG fields a HER2 score, one patient each, with their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for score, name in enumerate(SCORES):
        for number in range(per_class):
            file = f"{score}-{number}.png"
            image = tissue_image(score, seed=100 * score + number, height=400, width=480)
            cv2.imwrite(str(folder / file), image[..., ::-1])
            rows.append({"slide": file, "patient": file, "marker": "HER2", "score": name, "mpp": mpp})
    return read_cohort(write_manifest(folder / "cohort.csv", rows))


def split_rows(cohort: Cohort, validation: int = 1) -> tuple[list[int], list[int]]:
    """Training and validation rows: the last `validation` slides of each score validate."""
    rows = (
        cohort.table.with_row_index().group_by("score", maintain_order=True).agg("index")["index"].to_list()
    )
    train = [row for part in rows for row in part[:-validation]]
    return train, [row for part in rows for row in part[-validation:]]
