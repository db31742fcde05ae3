"""What can be measured alike on a real field and on a simulated one: colour, contrast, sharpness, nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from lowpower.stain import RUIFROK_DAB, RUIFROK_H, unmix

__all__ = ["MPP", "Nuclei", "measures"]

MPP: Final = 0.25
"""um/px at which fields are compared; finer ones are averaged down to it."""
_FAINT: Final = 0.15
_DISC_UM: Final = 1.5
_SIGMAS_UM: Final = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
_RUIFROK: Final = np.stack([RUIFROK_H, RUIFROK_DAB])
Bytes = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Nuclei:
    """Nuclei of one field.

    Attributes:
        negative: (N, 2) x, y of nuclei without DAB, microns.
        positive: (M, 2) of those with DAB in the nucleus.
        diameters: Of circles of their areas, microns, where nuclei do not touch.
        tumour: (K, 2) whichever of them stand for tumour cells.
    """

    negative: NDArray[np.float64]
    positive: NDArray[np.float64]
    diameters: NDArray[np.float64]
    tumour: NDArray[np.float64]


def measures(native: Bytes, mpp: float, nuclei: Nuclei, marker: str) -> dict[str, float]:
    """Quantities of a field; NaN where the field cannot say.

    Args:
        native: (H, W, 3) RGB as it came.
        mpp: Its um/px.
        nuclei: Its nuclei.
        marker: HER2 or a nuclear one.
    """
    image = native
    if mpp < 0.9 * MPP:
        size = tuple(round(side * mpp / MPP) for side in native.shape[1::-1])
        image = np.asarray(cv2.resize(native, size, interpolation=cv2.INTER_AREA), np.uint8)
        mpp = MPP
    soft = cv2.GaussianBlur(image, (0, 0), 2.0)
    white = np.quantile(soft.reshape(-1, 3), 0.98, axis=0)
    od = np.maximum(-np.log10(np.maximum(image, 1) / np.maximum(white, 1)), -0.1).astype(np.float32)
    stains = unmix(od, _RUIFROK)
    grey = od.mean(axis=2)
    found: dict[str, float] = {
        "white, grey value": float(white.mean()),
        "white, red - blue": float(white[0] - white[2]),
        "white, green - magenta": float(white[1] - (white[0] + white[2]) / 2),
        "clipped bright, share": float((image >= 254).any(axis=2).mean()),
        "clipped dark, share": float((image <= 3).any(axis=2).mean()),
    }
    for name, plane in (("H", stains[..., 0]), ("DAB", stains[..., 1])):
        for level, value in zip((5, 50, 95, 99), np.quantile(plane, (0.05, 0.5, 0.95, 0.99)), strict=True):
            found[f"{name} OD, {level} %"] = float(value)
    found |= _hues(od)
    found |= _nuclear(grey, stains[..., 1], nuclei, mpp, marker)
    if marker == "HER2":
        found |= _membranes(np.asarray(stains[..., 1], np.float32), mpp)
    found["edge 10-90 %, um"] = _edge(grey, mpp)
    found["noise, grey values"] = _noise(native)
    found["JPEG blocking"] = _blocking(native)
    return found


def _hues(od: NDArray[np.float32]) -> dict[str, float]:
    """Directions of the bluest and of the brownest 2 % of stained pixels."""
    length = np.linalg.norm(od, axis=2)
    stained = od[(length > _FAINT) & (od > 0).all(axis=2)]
    names = ("H, red / green", "H, blue / green", "DAB, red / green", "DAB, blue / green", "angle, degrees")
    if len(stained) < 2000:
        return dict.fromkeys(names, float("nan"))
    unit = stained / np.linalg.norm(stained, axis=1, keepdims=True)
    place = unit[:, 2] - 0.8 * unit[:, 0]
    low, high = np.quantile(place, (0.02, 0.98))
    pair = [np.median(unit[chosen], axis=0) for chosen in (place <= low, place >= high)]
    blue, brown = (vector / np.linalg.norm(vector) for vector in pair)
    angle = float(np.degrees(np.arccos(np.clip(blue @ brown, -1, 1))))
    ratios = [float(v[channel] / v[1]) for v in (blue, brown) for channel in (0, 2)]
    return dict(zip(names, [*ratios, angle], strict=True))


def _discs(plane: Plane, xy: NDArray[np.float64], mpp: float) -> NDArray[np.float64]:
    """Mean of `plane` within 1.5 um of each point."""
    side = 2 * round(_DISC_UM / mpp) + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.float32)
    mean = cv2.filter2D(plane, -1, window / window.sum())
    column, row = (np.clip((xy[:, axis] / mpp).astype(int), 0, plane.shape[1 - axis] - 1) for axis in (0, 1))
    return np.asarray(mean[row, column], np.float64)


def _inside(xy: NDArray[np.float64], shape: tuple[int, ...], mpp: float) -> NDArray[np.float64]:
    pixels = xy / mpp
    kept = (pixels > 4).all(axis=1) & (pixels[:, 0] < shape[1] - 4) & (pixels[:, 1] < shape[0] - 4)
    return xy[kept]


def _nuclear(grey: Plane, dab: Plane, nuclei: Nuclei, mpp: float, marker: str) -> dict[str, float]:
    nan = float("nan")
    negative, positive = (_inside(xy, grey.shape, mpp) for xy in (nuclei.negative, nuclei.positive))
    found = dict.fromkeys(
        ("negative nuclei OD, 10 %", "negative nuclei OD, 50 %", "negative nuclei OD, 90 %",
         *(("positive nuclei OD, 50 %", "positive nuclei OD, 90 %") if marker != "HER2" else ()),
         "nuclear diameter, um", "neighbour, um", "cytoplasmic DAB OD, 25 %"), nan,
    )  # fmt: skip
    if len(negative) >= 8:
        values = np.quantile(_discs(grey, negative, mpp), (0.1, 0.5, 0.9))
        for level, value in zip((10, 50, 90), values, strict=True):
            found[f"negative nuclei OD, {level} %"] = float(value)
    if len(positive) >= 4 and marker != "HER2":
        values = np.quantile(_discs(grey, positive, mpp), (0.5, 0.9))
        for level, value in zip((50, 90), values, strict=True):
            found[f"positive nuclei OD, {level} %"] = float(value)
    if len(nuclei.diameters) >= 8:
        found["nuclear diameter, um"] = float(np.median(nuclei.diameters))
    every = np.concatenate([negative, positive])
    if len(every) >= 8:
        found["neighbour, um"] = float(np.median(cKDTree(every).query(every, k=2)[0][:, 1]))
    tumour = _inside(nuclei.tumour, grey.shape, mpp)
    if len(tumour) >= 8:
        around = np.ones(grey.shape, np.uint8)
        column, row = (tumour / mpp).astype(int).T
        around[row, column] = 0
        far = cv2.distanceTransform(around, cv2.DIST_L2, 5) * mpp
        found["cytoplasmic DAB OD, 25 %"] = float(np.quantile(dab[(far > 4.5) & (far < 7.5)], 0.25))
    return found


def _membranes(dab: Plane, mpp: float) -> dict[str, float]:
    """OD and width (full, at half height) of the strongest brown ridges."""
    best = np.full(dab.shape, -1.0, np.float32)
    width = np.zeros(dab.shape, np.float32)
    for sigma_um in _SIGMAS_UM:
        sigma = sigma_um / mpp
        smooth = cv2.GaussianBlur(dab, (0, 0), sigma)
        xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((2, 0), (0, 2), (1, 1)))
        bend = np.sqrt((xx - yy) ** 2 / 4 + xy**2) - (xx + yy) / 2
        response = bend * np.float32(sigma**1.5)
        better = response > best
        best[better], width[better] = response[better], sigma_um
    strongest = best >= np.quantile(best, 0.98)
    smooth = cv2.GaussianBlur(dab, (0, 0), 0.25 / mpp)
    return {
        "membrane DAB OD, 50 %": float(np.median(smooth[strongest])),
        "membrane DAB OD, 90 %": float(np.quantile(smooth[strongest], 0.9)),
        "membrane width, um": float(2.355 * width[strongest].mean()),
    }


def _edge(grey: Plane, mpp: float) -> float:
    """Median distance over which the strongest edges rise from 10 to 90 %, microns."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    slope = np.hypot(gx, gy)
    reach = round(3.0 / mpp)
    slope[:reach] = slope[-reach:] = 0
    slope[:, :reach] = slope[:, -reach:] = 0
    row, column = np.nonzero(
        (slope >= cv2.dilate(slope, np.ones((9, 9)))) & (slope > np.quantile(slope, 0.97))
    )
    if len(row) < 20:
        return float("nan")
    steps = np.arange(-reach, reach + 0.01, 0.25)
    nx, ny = gx[row, column] / slope[row, column], gy[row, column] / slope[row, column]
    lines = map_coordinates(
        grey, [row[:, None] + ny[:, None] * steps, column[:, None] + nx[:, None] * steps], order=1
    )
    middle = len(steps) // 2
    low = lines[:, :middle].min(axis=1, keepdims=True)
    high = lines[:, middle:].max(axis=1, keepdims=True)
    share = (lines - low) / np.maximum(high - low, 1e-3)
    # From the middle outwards: the last place below 10 % and the first above 90 %.
    before = middle - np.argmax(share[:, middle::-1] <= 0.1, axis=1)
    after = middle + np.argmax(share[:, middle:] >= 0.9, axis=1)
    return float(np.median((after - before) * 0.25) * mpp)


def _noise(image: Bytes) -> float:
    """Standard deviation in the smoothest tenth of unclipped 8 x 8 blocks, slopes taken out."""
    grey = image[..., 1].astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    fine = cv2.filter2D(grey, -1, kernel)
    rows, columns = (side // 8 for side in grey.shape)

    def blocks(plane: Plane) -> Plane:
        return plane[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 64)

    usable = (blocks(grey) < 254).all(axis=1)
    deviation = blocks(fine)[usable].std(axis=1)
    return float(np.quantile(deviation, 0.1)) if len(deviation) > 20 else float("nan")


def _blocking(image: Bytes) -> float:
    """Steps across every eighth column and row over the steps elsewhere, at the grid that shows most."""
    grey = image[..., 1].astype(np.float32)
    ratios = []
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        by_phase = np.array([step[phase::8].mean() for phase in range(8)])
        ratios.append(by_phase.max() / max(float(np.median(by_phase)), 1e-3))
    # What is below is chance: no grid shows.
    return max(float(np.mean(ratios)), 1.02)
