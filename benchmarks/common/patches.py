"""Windows of tissue, real and simulated, and patches drawn from them alike.

A window is about one tissue-microarray core: at most 1.4 mm on a side, at 0.5 um/px. The tissue rule is
the benchmark's own and simple, so that ratios kept over time do not move when the package's rule does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.slides import open_slide
from lowpower.units import Box

__all__ = ["BASE_MPP", "SCALES", "Patches", "Scale", "Window", "cut", "real_windows", "simulated_windows"]

REPOSITORY = Path(__file__).resolve().parents[2]
BASE_MPP = 0.5
WINDOW_UM = 1400.0
REAL_MPP = 0.25
"""um/px of the real cores: inferred from their diameter, not stated by their source."""


@dataclass(frozen=True)
class Scale:
    """How patches are cut at one um/px: side in pixels, least share of tissue, most patches of a window."""

    mpp: float
    side: int
    tissue: float
    per_window: int

    @property
    def factor(self) -> int:
        """Pixels of the base image per pixel of this scale, along one side."""
        return round(self.mpp / BASE_MPP)


SCALES = (Scale(8.0, 64, 0.7, 40), Scale(2.0, 128, 0.9, 40), Scale(0.5, 128, 0.95, 40))
"""512 um, 256 um and 64 um of tissue."""


@dataclass(frozen=True, eq=False)
class Window:
    """One piece of a slide at 0.5 um/px: RGB image, its glass, where tissue is (at 4 um/px)."""

    name: str
    score: str
    image: NDArray[np.uint8]
    white: NDArray[np.float64]
    tissue: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of one scale: (N, side, side, 3) RGB with the window each came from."""

    rgb: NDArray[np.uint8]
    window: NDArray[np.int64]


def data_folder() -> Path:
    """Where real images lie: `LOWPOWER_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("LOWPOWER_DATA", REPOSITORY.parent / "shared" / "data"))


def real_windows() -> Iterator[Window]:
    """The seven labelled real cores, in the order of their names."""
    for path in sorted((data_folder() / "her2_cores").glob("[0-3]_*.jpg")):
        with open_slide(path, mpp=REAL_MPP) as slide:
            image = slide.read(Box(0, 0, *slide.size), BASE_MPP)
        yield _window(path.stem[:10], path.name[0] + ("+" if path.name[0] != "0" else ""), image)


def simulated_windows(cohort: Path, seed: int = 0) -> Iterator[Window]:
    """One window of each slide of a manifest `cohort` whose pixels are fine enough, in its order."""
    for index, row in enumerate(pl.read_csv(cohort, infer_schema=False).iter_rows(named=True)):
        rng = np.random.default_rng([seed, index])
        with open_slide(cohort.parent / row["slide"]) as slide:
            if slide.mpp > BASE_MPP * 1.05:
                continue
            side = round(WINDOW_UM / slide.mpp)
            width, height = (min(side, length) for length in slide.size)
            x, y = 0, 0
            if (width, height) != slide.size:
                overview = slide.overview(4.0)
                tissue = tissue_at_4um(overview, 4.0, glass(shrink(overview, 2)))
                rows, columns = np.nonzero(tissue)
                pick = int(rng.integers(len(rows)))
                x = int(np.clip(columns[pick] * 4.0 / slide.mpp - width / 2, 0, slide.size[0] - width))
                y = int(np.clip(rows[pick] * 4.0 / slide.mpp - height / 2, 0, slide.size[1] - height))
            yield _window(
                Path(row["slide"]).stem, row["score"], slide.read(Box(x, y, width, height), BASE_MPP)
            )


def _window(name: str, score: str, image: NDArray[np.uint8]) -> Window:
    # Whole 16 x 16 blocks, so that every scale is an exact average of the base image.
    height, width = (length // 16 * 16 for length in image.shape[:2])
    image = np.ascontiguousarray(image[:height, :width])
    white = glass(shrink(image, 16))
    return Window(name, score, image, white, tissue_at_4um(image, BASE_MPP, white))


def shrink(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Area average over `factor` x `factor` pixels."""
    if factor == 1:
        return image
    small: NDArray[np.uint8] = cv2.resize(
        image, (image.shape[1] // factor, image.shape[0] // factor), interpolation=cv2.INTER_AREA
    )
    return small


def glass(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB of the glass: the median of the brightest twentieth of an image at 8 um/px."""
    brightness = image.mean(axis=2)
    return np.asarray(np.median(image[brightness >= np.quantile(brightness, 0.95)], axis=0), np.float64)


def density(image: NDArray[np.uint8], white: NDArray[np.float64]) -> NDArray[np.float32]:
    """Optical density (H, W, 3) against `white`."""
    table = -np.log10(np.maximum(np.arange(256)[:, None], 1) / white).astype(np.float32)
    return np.stack([table[image[..., channel], channel] for channel in range(3)], axis=-1)


def tissue_at_4um(image: NDArray[np.uint8], mpp: float, white: NDArray[np.float64]) -> NDArray[np.uint8]:
    """1 where tissue is, at 4 um/px: OD above glass, or texture within 28 um."""
    od = density(shrink(image, round(4.0 / mpp)), white).mean(axis=2)
    mean = cv2.blur(od, (7, 7))
    deviation = np.sqrt(np.maximum(cv2.blur(od * od, (7, 7)) - mean * mean, 0))
    found = ((mean > 0.014) | (deviation > 0.006)).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened: NDArray[np.uint8] = cv2.morphologyEx(found, cv2.MORPH_OPEN, disc)
    return opened


def cut(windows: list[Window], scale: Scale, seed: int = 0) -> Patches:
    """Patches on tissue, at random places of each window; fewer where a window has fewer places."""
    rgb: list[NDArray[np.uint8]] = []
    owner: list[int] = []
    for index, window in enumerate(windows):
        image = shrink(window.image, scale.factor)
        size = (image.shape[1], image.shape[0])
        mask = cv2.resize(window.tissue, size, interpolation=cv2.INTER_AREA if scale.mpp > 4 else 0)
        share = cv2.boxFilter(mask.astype(np.float32), -1, (scale.side, scale.side), anchor=(0, 0))
        share = share[: size[1] - scale.side + 1, : size[0] - scale.side + 1]
        step = scale.side // 8
        rows, columns = np.nonzero(share[::step, ::step] >= scale.tissue)
        rng = np.random.default_rng([seed, index, scale.side, round(scale.mpp * 100)])
        for pick in rng.permutation(len(rows))[: scale.per_window]:
            y, x = rows[pick] * step, columns[pick] * step
            rgb.append(image[y : y + scale.side, x : x + scale.side])
            owner.append(index)
    return Patches(np.stack(rgb), np.asarray(owner, np.int64))
