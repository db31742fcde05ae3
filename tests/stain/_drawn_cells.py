"""Fields drawn cell by cell: nuclei of haematoxylin, rings of DAB, everything known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lowpower.slides import open_slide
from lowpower.stain import RUIFROK_DAB, RUIFROK_H, Measurement, measure, to_rgb

WHITE = np.array([236.0, 235.0, 244.0], np.float32)
MPP = 0.5


@dataclass(frozen=True)
class Drawn:
    image: NDArray[np.uint8]
    xy: NDArray[np.float64]


def draw_cells(
    *,
    rows: int = 12,
    columns: int = 12,
    spacing_um: float = 14.0,
    nucleus_um: float = 9.0,
    membrane: float = 0.0,
    share: float = 1.0,
    blush: float = 0.0,
    nuclear: float = 0.0,
    stained_every: int = 1,
    margin_um: float = 60.0,
    seed: int = 0,
) -> Drawn:
    """A sheet of round cells at 0.5 um/px: every `stained_every`-th is stained along `share` of its ring."""
    rng = np.random.default_rng(seed)
    height = int((rows * spacing_um + 2 * margin_um) / MPP)
    width = int((columns * spacing_um + 2 * margin_um) / MPP)
    hematoxylin, dab = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    low = int((margin_um - 2) / MPP)
    hematoxylin[low : height - low, low : width - low] = 0.06
    dab[low : height - low, low : width - low] = blush
    centres = []
    for number in range(rows * columns):
        x, y = (
            margin_um + (index + 0.5) * spacing_um + rng.uniform(-0.7, 0.7)
            for index in (number % columns, number // columns)
        )
        centres.append((x, y))
        middle = (round(x / MPP * 16), round(y / MPP * 16))
        cv2.circle(hematoxylin, middle, round(nucleus_um / 2 / MPP * 16), 0.4, -1, cv2.LINE_AA, 4)
        stained = number % stained_every == 0
        if nuclear and stained:
            cv2.circle(dab, middle, round(nucleus_um / 2 / MPP * 16), nuclear, -1, cv2.LINE_AA, 4)
        if membrane and stained:
            radius = round((spacing_um / 2 - 0.8) / MPP)
            size, place = (radius, radius), (round(x / MPP), round(y / MPP))
            start = float(rng.uniform(0, 360))
            cv2.ellipse(dab, place, size, start, 0, 360 * share, membrane, 2, cv2.LINE_AA)
    hematoxylin = cv2.GaussianBlur(hematoxylin, (0, 0), 0.8)
    dab = cv2.GaussianBlur(dab, (0, 0), 0.7)
    od = hematoxylin[..., None] * RUIFROK_H + dab[..., None] * RUIFROK_DAB
    noisy = to_rgb(od, WHITE).astype(np.float32) + rng.normal(0, 1.0, (height, width, 3))
    return Drawn(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), np.array(centres))


def soft(image: NDArray[np.uint8], sigma_um: float) -> NDArray[np.uint8]:
    """RGB (H, W, 3) behind a wider point spread."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_um / MPP), np.uint8)


def measured_in(folder: Path, image: NDArray[np.uint8]) -> Measurement:
    """What `measure` says of RGB (H, W, 3), written as a file."""
    cv2.imwrite(str(folder / "cells.png"), image[..., ::-1])
    with open_slide(folder / "cells.png", mpp=MPP) as slide:
        return measure(slide)
