"""Drawing slides of ER, PR and Ki-67: how many nuclei stain, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from lowpower.simulate._appearance import Laboratory, NuclearStain, Scanner
from lowpower.simulate._simulation_spec import Marker, SlideSpec, Specimen, Status
from lowpower.simulate.sampling._draw_slides import draw_slide
from lowpower.simulate.sampling._draw_wide import WIDE
from lowpower.simulate.sampling._shares import BORDER, Shares, settled
from lowpower.stain import er_status

__all__ = ["USUAL_STATUSES", "draw_nuclear_shares", "draw_nuclear_slide", "is_nuclear_border"]

USUAL_STATUSES: Final[Mapping[Marker, Mapping[Status, float]]] = {
    "ER": {"negative": 0.22, "low positive": 0.04, "positive": 0.74},
    "PR": {"negative": 0.3, "low positive": 0.12, "positive": 0.58},
    "Ki-67": {"negative": 0.02, "low positive": 0.33, "positive": 0.65},
}
"""Roughly how often each occurs in invasive breast cancer: low positive ER is rare."""
_NORMAL: Final[Mapping[Marker, tuple[float, float]]] = {
    "ER": (0.1, 0.6),
    "PR": (0.1, 0.5),
    "Ki-67": (0.0, 0.04),
}
"""Stained share of normal epithelium."""


_CUTOFFS: Final[Mapping[Marker, tuple[float, ...]]] = {
    "ER": (0.01, 0.10),
    "PR": (0.01, 0.10),
    "Ki-67": (0.01, 0.10, 0.20),
}
"""Shares of stained nuclei at which a status changes."""
_RANGES: Final[Mapping[Status, tuple[float, float]]] = {
    "negative": (0.0, 0.01),
    "low positive": (0.01, 0.10),
    "positive": (0.10, 1.0),
}
_NEAR: Final = 0.02


def _around(cutoff: float) -> tuple[float, float]:
    """What is near a cut-off: two points, at 1 % half to double."""
    return (cutoff / 2, 2 * cutoff) if cutoff < 0.05 else (cutoff - _NEAR, cutoff + _NEAR)


def is_nuclear_border(marker: Marker, shares: Shares) -> bool:
    """Whether the status is a matter of few nuclei."""
    stained = round(1 - shares[0], 9)
    return any(low <= stained <= high for low, high in map(_around, _CUTOFFS[marker]))


def draw_nuclear_shares(
    rng: np.random.Generator, marker: Marker, status: Status, border: float | None = None
) -> Shares:
    """Shares of tumour nuclei stained not at all, weakly, moderately, strongly.

    Most positive tumours stain in most nuclei, most of them strongly; low positive ones stain weakly. Ki-67
    stains a minority, strongly or moderately.

    Args:
        rng: Source of randomness.
        marker: ER, PR or Ki-67.
        status: Below 1, 1 to 10, or above 10 % stained.
        border: Chance that the status (of Ki-67 also: high or low) is a matter of few nuclei; None: usual.
    """
    low, high = _RANGES[status]
    bands = [(max(low, a), min(high, b)) for a, b in map(_around, _CUTOFFS[marker]) if a < high and b > low]

    def draw(near: bool) -> Shares:
        stained, strength = _stained(rng, marker, status)
        if near:
            stained = float(rng.uniform(*bands[int(rng.integers(len(bands)))]))
        # Binomial shares of two steps above weak, loosened: real slides are not that regular.
        mix = np.array([(1 - strength) ** 2, 2 * strength * (1 - strength), strength**2])
        mix = rng.dirichlet(8 * mix + 0.3)
        weak, moderate, strong = (round(float(part), 4) for part in stained * mix)
        return round(1 - weak - moderate - strong, 4), weak, moderate, strong

    def meant(shares: Shares) -> bool:
        return er_status(min(round(100 * (1 - shares[0]), 6), 100.0)) == status and min(shares) >= 0

    border = BORDER[marker] if border is None else border
    return settled(rng, border, draw, lambda shares: is_nuclear_border(marker, shares), meant)


def _stained(rng: np.random.Generator, marker: Marker, status: Status) -> tuple[float, float]:
    """Share of stained nuclei, and how strongly they stain, 0..1."""
    if status == "negative":
        stained = 0.0 if rng.random() < 0.6 else float(rng.uniform(0.0005, 0.01))
        return stained, float(rng.uniform(0.1, 0.5))
    if status == "low positive":
        return float(rng.uniform(0.01, 0.10)), float(rng.uniform(0.1, 0.6))
    if marker == "Ki-67":
        return float(np.clip(np.exp(rng.normal(3.2, 0.5)) / 100, 0.1001, 0.95)), 0.7
    if rng.random() < (0.7 if marker == "ER" else 0.5):
        return float(rng.uniform(0.75, 0.99)), float(np.clip(rng.beta(3.0, 1.3), 0.1, 0.95))
    return float(rng.uniform(0.1, 0.75)), float(rng.uniform(0.15, 0.8))


def draw_nuclear_slide(
    seed: int,
    status: Status,
    laboratory: Laboratory,
    scanner: Scanner,
    *,
    marker: Marker,
    specimen: Specimen = "disc",
    ish: None = None,
    control: bool = False,
    artefacts: bool = False,
    wide: float = WIDE,
    border: float | None = None,
) -> SlideSpec:
    """A slide of a nuclear marker, everything else drawn from `seed`.

    Args:
        seed: Draws what is not given.
        status: Below 1, 1 to 10, or above 10 % of tumour nuclei stained.
        laboratory: Who stained.
        scanner: What pictured.
        marker: ER, PR or Ki-67.
        specimen: Shape and size.
        ish: None; so that cohorts draw every marker alike.
        control: Whether control tissue lies on the slide.
        artefacts: Whether something went wrong.
        wide: Chance that its tissue is unusual.
        border: Chance that its status is a matter of few nuclei (`is_nuclear_border`); None: usual.
    """
    tissue = draw_slide(
        seed, "0", laboratory, scanner, specimen=specimen, control=control, artefacts=artefacts, wide=wide
    )
    rng = np.random.default_rng([seed, 0x2CC])
    changes = {
        "marker": marker,
        "score": None,
        "shares": draw_nuclear_shares(rng, marker, status, border),
        "nuclear": NuclearStain(
            normal=round(float(rng.uniform(*_NORMAL[marker])), 4),
            leak=round(float(rng.uniform(0.0, 0.09)), 4),
        ),
        "blush": 0.0 if rng.random() < 0.6 else round(float(np.exp(rng.uniform(-5.0, -3.2))), 4),
        "cell_noise": round(float(rng.uniform(0.4, 1.0)), 4),
    }
    return SlideSpec.model_validate({**dict(tissue), **changes})
