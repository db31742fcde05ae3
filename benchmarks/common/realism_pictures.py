"""Pictures of the realism benchmark: an overview for the documentation, contact sheets for the author."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from common.distances import nearest
from common.measures import LEVELS
from common.patches import SCALES, Patches, Scale, Window, cut
from lowpower.files import atomic_path

matplotlib.use("Agg")
from matplotlib import pyplot as plt

__all__ = ["extremes", "overview"]

Side = tuple[list[Window], Patches, NDArray[np.float64]]
_REAL, _SIMULATED = "#1f5f8b", "#c1440e"


def _tiles(rgb: list[NDArray[np.uint8]], columns: int, side: int = 128) -> NDArray[np.uint8]:
    shown = [cv2.resize(one, (side, side), interpolation=cv2.INTER_NEAREST) for one in rgb]
    shown += [np.full((side, side, 3), 255, np.uint8)] * (-len(shown) % columns)
    rows = [np.hstack(shown[at : at + columns]) for at in range(0, len(shown), columns)]
    return np.vstack(rows)


def _spread(windows: list[Window], scale: Scale, count: int) -> list[NDArray[np.uint8]]:
    """`count` patches taken in turn from every window, by rising score."""
    patches = cut(windows, scale, seed=7)
    order = sorted(range(len(windows)), key=lambda index: windows[index].score)
    piles = [list(np.flatnonzero(patches.window == index)) for index in order]
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count and any(piles):
        chosen += [(rank, pile.pop()) for rank, pile in enumerate(piles) if pile]
    return [patches.rgb[index] for _, index in sorted(chosen[:count])]


def overview(
    path: Path, scales: dict[str, Any], real: list[Window], simulated: list[Window], title: str
) -> None:
    """Patches, spectra and densities of both sides, one row a resolution."""
    figure, axes = plt.subplots(
        3, 4, figsize=(22, 14), gridspec_kw={"width_ratios": (1.5, 1.5, 1, 1)}, layout="constrained"
    )
    for row, scale in enumerate(SCALES):
        entry = scales[f"{scale.mpp:g}"]
        ratio = entry["colour"]["frechet"]
        for axis, windows, name in ((axes[row, 0], real, "real"), (axes[row, 1], simulated, "simulated")):
            axis.imshow(_tiles(_spread(windows, scale, 28), 7))
            axis.set_axis_off()
            axis.set_title(f"{name}, {scale.mpp:g} um/px, patches of {scale.side * scale.mpp:.0f} um")
        _spectra(axes[row, 2], entry)
        axes[row, 2].set_title(f"Frechet ratio {ratio:.2f} (grey {entry['grey']['frechet']:.2f})")
        _densities(axes[row, 3], entry)
    figure.suptitle(f"{title}; 1 = as far as one half of the real cores is from the other", fontsize=15)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70)
    plt.close(figure)


def _spectra(axis: Any, entry: dict[str, Any]) -> None:
    for side, colour in (("real", _REAL), ("simulated", _SIMULATED)):
        spectrum = entry[side]["spectrum"]
        low, middle, high = spectrum["log10_power"]
        axis.fill_between(spectrum["cycles_per_um"], low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(spectrum["cycles_per_um"], middle, color=colour, label=side)
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("cycles per um")
    axis.set_ylabel("log10 power of mean OD (10, 50, 90 %)")
    axis.legend()


def _densities(axis: Any, entry: dict[str, Any]) -> None:
    for marker, name in (("o", "mean OD"), ("s", "haematoxylin"), ("^", "DAB")):
        axis.plot(
            entry["real"]["density"][name], entry["simulated"]["density"][name], marker=marker, label=name
        )
    low, high = axis.get_xlim()
    axis.plot((low, high), (low, high), color="grey", linewidth=0.8, zorder=0)
    axis.set_xlabel("real")
    axis.set_ylabel("simulated")
    axis.set_title(f"OD quantiles, {LEVELS[0]:.0%} to {LEVELS[-1]:.0%}")
    axis.legend()


def extremes(out: Path, scale: Scale, real: Side, simulated: Side, count: int = 24) -> None:
    """Contact sheets: what on either side lies farthest from the other, beside its nearest counterpart.

    Every second tile is the nearest patch of the other side. Real patches are ranked by distance to simulated
    ones relative to the distance to another core's, so that rare ones do not win by rarity alone.
    """
    for name, (_, mine, features), (_, others, other_features) in (
        ("real_without_simulated", real, simulated),
        ("simulated_far_from_real", simulated, real),
    ):
        across, match = nearest(features, other_features)
        within = np.full(len(features), np.inf)
        for window in np.unique(mine.window):
            at = mine.window == window
            within[at] = nearest(features[at], features[~at])[0]
        worst = np.argsort(-(across / within) if name.startswith("real") else -across)[:count]
        tiles = [tile for index in worst for tile in (mine.rgb[index], others.rgb[match[index]])]
        with atomic_path(out / f"{name}_{scale.mpp:g}.png") as temporary:
            cv2.imwrite(str(temporary), _tiles(tiles, 12)[..., ::-1])
