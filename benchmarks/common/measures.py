"""What can be said of patches in words: density, stain, spectrum, nuclei; read beside the distances."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from common.patches import Patches, Window, density
from lowpower.stain import RUIFROK_DAB, RUIFROK_H, estimate_stains, unmix

__all__ = ["LEVELS", "densities", "nuclei", "spectrum", "stains"]

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MATRIX = np.stack([RUIFROK_H, RUIFROK_DAB])
_PIXELS = 20_000


def _od(windows: list[Window], patches: Patches) -> list[NDArray[np.float32]]:
    return [density(rgb, windows[at].white) for rgb, at in zip(patches.rgb, patches.window, strict=True)]


def densities(windows: list[Window], patches: Patches) -> dict[str, list[float]]:
    """Quantiles `LEVELS` over all pixels of mean OD, haematoxylin and DAB (Ruifrok's vectors) and hue."""
    od = np.stack(_od(windows, patches)).reshape(-1, 3)
    od = od[np.random.default_rng(0).permutation(len(od))[: _PIXELS * 10]]
    amounts = unmix(od, _MATRIX)
    columns = {
        "mean OD": od.mean(axis=1),
        "haematoxylin": amounts[:, 0],
        "DAB": amounts[:, 1],
        "OD red - blue": od[:, 0] - od[:, 2],
    }
    return {name: [float(v) for v in np.quantile(values, LEVELS)] for name, values in columns.items()}


def stains(windows: list[Window], patches: Patches) -> dict[str, dict[str, object]]:
    """Stain vectors per window, as the package estimates them on its patches."""
    od = _od(windows, patches)
    found: dict[str, dict[str, object]] = {}
    for index, window in enumerate(windows):
        mine = [one for one, at in zip(od, patches.window, strict=True) if at == index]
        if not mine:
            continue
        pixels = np.concatenate([one.reshape(-1, 3) for one in mine])
        vectors = estimate_stains(pixels)
        found[window.name] = {
            "score": window.score,
            "hematoxylin": [round(float(v), 4) for v in vectors.hematoxylin],
            "dab": [round(float(v), 4) for v in vectors.dab],
            "source": vectors.source,
        }
    return found


def spectrum(windows: list[Window], patches: Patches, mpp: float) -> tuple[list[float], list[list[float]]]:
    """Radially averaged power of mean OD.

    Returns:
        Frequencies in cycles per micron, and log10 of power per patch at each: its 10, 50 and 90 % quantile.
    """
    side = patches.rgb.shape[1]
    ring = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) * side
    ring = ring.round().astype(int)
    window = np.outer(np.hanning(side), np.hanning(side))
    window /= np.sqrt((window**2).mean())
    rows = []
    for od in _od(windows, patches):
        grey = od.mean(axis=2)
        power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2 / side**2
        rings = np.bincount(ring.ravel(), power.ravel())[1 : side // 2 + 1]
        rows.append(rings / np.bincount(ring.ravel())[1 : side // 2 + 1])
    logs = np.log10(np.maximum(np.asarray(rows), 1e-12))
    frequencies = [float(k / side / mpp) for k in range(1, side // 2 + 1)]
    return frequencies, [[float(v) for v in np.quantile(logs, q, axis=0)] for q in (0.1, 0.5, 0.9)]


def nuclei(windows: list[Window], patches: Patches, mpp: float) -> dict[str, list[float]]:
    """Dark blue blobs that a threshold finds at 0.5 um/px: quantiles 10, 50, 90 % of their measures.

    Crude on purpose (no model): touching nuclei merge, pale ones are missed, on both sides alike.
    """
    rows: list[tuple[float, float, float, float, float]] = []
    counts: list[float] = []
    for od in _od(windows, patches):
        blue = unmix(od.reshape(-1, 3), _MATRIX)[:, 0].reshape(od.shape[:2]).astype(np.float32)
        smooth = cv2.GaussianBlur(blue, (0, 0), 0.6 / mpp)
        local = cv2.GaussianBlur(smooth, (0, 0), 12.0 / mpp)
        mask = (smooth > local + 0.045).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        seen = 0
        for outline in outlines:
            area = cv2.contourArea(outline) * mpp**2
            if not 8 < area < 200 or len(outline) < 8:
                continue
            seen += 1
            _, axes, _ = cv2.fitEllipse(outline)
            inside = np.zeros(mask.shape, np.uint8)
            cv2.drawContours(inside, [outline], -1, 1, -1)
            values = blue[inside > 0]
            hull = cv2.contourArea(cv2.convexHull(outline)) * mpp**2
            rows.append(
                (
                    float(np.sqrt(4 * area / np.pi)),
                    float(max(axes) / max(min(axes), 0.1)),
                    area / max(hull, 1e-6),
                    float(values.mean()),
                    float(values.std() / max(values.mean(), 1e-6)),
                )
            )
        counts.append(seen / (od.shape[0] * od.shape[1] * mpp**2) * 1e6)
    names = ("diameter um", "long / short axis", "solidity", "mean haematoxylin", "variation inside")
    table = np.asarray(rows).T if rows else np.zeros((5, 1))
    measures = zip(names, table, strict=True)
    return {name: _quantiles(values) for name, values in [("per mm2", np.asarray(counts)), *measures]}


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.quantile(values, (0.1, 0.5, 0.9))]
