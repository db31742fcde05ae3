"""Images whose tissue is known: outlines drawn on the real cores, and squares of stain on made glass."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CORES",
    "core_file",
    "core_image",
    "core_truth",
    "imprint",
    "jpeg",
    "slide_truth",
    "stain_path",
    "stain_squares",
]

_OUTLINES = json.loads((Path(__file__).parent / "core_outlines.json").read_text())["cores"]
CORES = tuple(_OUTLINES)
"""The labelled cores, by the start of their file's name."""
CORE_MPP = 0.25
BAND_UM = 12.0
"""How far a line drawn by hand is trusted."""


def core_file(folder: Path, core: str) -> Path:
    """The file of a core."""
    return next(folder.glob(f"{core}*.jpg"))


def core_image(folder: Path, core: str, mpp: float) -> NDArray[np.uint8]:
    """A core as RGB at `mpp` um/px, 1 or above."""
    image = cv2.imread(str(core_file(folder, core)), cv2.IMREAD_REDUCED_COLOR_4)[..., ::-1]
    side = round(image.shape[0] * 4 * CORE_MPP / mpp)
    return np.ascontiguousarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))


def core_truth(core: str, shape: tuple[int, ...], mpp: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What lies inside the hand's outline, and what is glass further than 12 um from it."""
    drawn = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(drawn, [_pixels(_OUTLINES[core]["outline"], mpp)], 1)
    for hole in _OUTLINES[core]["holes"]:
        cv2.fillPoly(drawn, [_pixels(hole, mpp)], 0)
    side = 2 * max(1, round(BAND_UM / mpp)) + 1
    grown = cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return drawn > 0, grown == 0


def slide_truth(
    shape: tuple[int, ...], mpp: float
) -> tuple[list[NDArray[np.bool_]], NDArray[np.bool_], list[tuple[int, int]]]:
    """Pieces of tissue of crc-ihc-8.tif, main piece first; its unscanned block; (x, y) in each bubble."""
    told = json.loads((Path(__file__).parent / "slide_outline.json").read_text())
    pieces = [
        cv2.fillPoly(np.zeros(shape[:2], np.uint8), [_pixels(outline, mpp)], 1) > 0
        for outline in told["outlines"]
    ]
    block = np.zeros(shape[:2], bool)
    block[round(told["grey_from"] / mpp) + 1 :] = True
    left, top, right = (round(value / mpp) for value in told["square"])
    block[top:, left:right] = False
    return pieces, block, [(int(x), int(y)) for x, y in _pixels(told["bubbles"], mpp)]


def _pixels(points: ArrayLike, mpp: float) -> NDArray[np.int32]:
    return np.round(np.asarray(points, np.float64) / mpp).astype(np.int32)


def stain_path(count: int) -> NDArray[np.float64]:
    """`count` optical densities from faint counterstain to dark DAB, as RGB on glass of (244, 244, 244)."""
    stops = np.array([(235, 234, 240), (196, 196, 222), (196, 160, 140), (126, 74, 59)], float)
    density = np.log10(244.0 / stops)
    place = np.linspace(0, len(stops) - 1, count)
    return np.stack([np.interp(place, np.arange(len(stops)), density[:, c]) for c in range(3)], axis=1)


def stain_squares(
    glass: ArrayLike, mpp: float, *, side_um: float, gap_um: float, noise: float, quality: int, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Twelve flat squares by Beer-Lambert on tinted glass, with camera noise, JPEG-coded (4:2:0).

    Returns:
        The image and its labels: 0 glass, 1 the faintest to 12 the darkest square.
    """
    rng = np.random.default_rng(seed)
    side, gap = round(side_um / mpp), round(gap_um / mpp)
    labels = np.zeros((3 * (side + gap) + gap, 4 * (side + gap) + gap), np.int32)
    for index in range(12):
        top, left = (gap + (index // 4) * (side + gap), gap + (index % 4) * (side + gap))
        down, right = rng.integers(-gap // 8, gap // 8 + 1, 2)
        labels[top + down : top + down + side, left + right : left + right + side] = index + 1
    density = np.vstack([np.zeros(3), stain_path(12)])[labels]
    image = np.asarray(glass, float) * 10.0**-density + rng.normal(0, noise, density.shape)
    return jpeg(np.clip(np.rint(image), 0, 255).astype(np.uint8), quality), labels


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The image as JPEG would give it back."""
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def imprint(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask brought to another grid."""
    return cv2.resize(mask.view(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0
