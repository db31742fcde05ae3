"""Unusual laboratories, scanners and tissue: the wide tail of what is drawn.

Ranges are those of real fields of several sources (`benchmarks/envelope.py` holds the two side by side).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.simulate._appearance import Laboratory, Rgb, Scanner, Traits
from lowpower.simulate._simulation_spec import SlideSpec

__all__ = ["MOST_BLUSH", "WIDE", "wide_laboratory", "wide_scanner", "wide_tissue"]

WIDE: Final = 0.4
"""Share of laboratories, scanners and slides that are unusual, unless told."""
MOST_BLUSH: Final = 0.15
"""Median DAB OD of cytoplasm on the brownest real fields of score 0 (0.13)."""
_BLUES: Final = np.array(
    [(0.84, 0.51, 0.17), (0.79, 0.55, 0.26), (0.73, 0.61, 0.31), (0.65, 0.64, 0.41), (0.6, 0.62, 0.5)]
)
"""Haematoxylin from cyan over blue to grey."""
_BROWNS: Final = np.array([(0.08, 0.33, 0.94), (0.16, 0.42, 0.89), (0.32, 0.54, 0.78), (0.51, 0.57, 0.65)])
"""DAB from orange over brown to nearly black."""


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _log_between(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 4)


def _some(rng: np.random.Generator, changes: dict[str, Any], share: float) -> dict[str, Any]:
    """Each of `changes` with the given chance."""
    kept = rng.random(len(changes)) < share
    return {name: value for (name, value), keep in zip(changes.items(), kept, strict=True) if keep}


def _hue(rng: np.random.Generator, road: NDArray[np.float64], place: float) -> Rgb:
    """A unit vector at `place` (0..1) along a road of colours, a little beside it."""
    stops = np.linspace(0, 1, len(road))
    vector = np.array([np.interp(place, stops, road[:, channel]) for channel in range(3)])
    vector = np.maximum(vector + rng.normal(0, 0.02, 3), 0.01)
    red, green, blue = (round(float(value), 4) for value in vector / np.linalg.norm(vector))
    return red, green, blue


def wide_laboratory(rng: np.random.Generator, usual: Laboratory) -> Laboratory:
    """`usual` with some of its habits replaced by ones from the whole range."""
    # Hues that can hardly be told apart, hues that a camera drove apart, brown through and through.
    kind = rng.choice(("near", "far", "overstained", "any"), p=(0.16, 0.16, 0.22, 0.46))
    low, high = {"near": (0.75, 1.0), "far": (0.0, 0.3)}.get(kind, (0.0, 1.0))
    own_hues, overstained = kind in ("near", "far"), kind == "overstained"
    colours = {
        "hematoxylin": _hue(rng, _BLUES, float(rng.uniform(low, high))),
        "dab": _hue(rng, _BROWNS, float(rng.uniform(low, 0.6 if overstained else high))),
    }
    counterstain = _log_between(rng, 0.08, 0.8)
    haze = counterstain * _log_between(rng, 0.6, 1.8)
    amounts = {
        "counterstain": counterstain,
        "cytoplasm": round(haze * float(rng.uniform(0.05, 0.5)), 4),
        "matrix": round(haze * float(rng.uniform(0.04, 0.26)), 4),
    }
    changes = _some(
        rng,
        {
            "dab_strength": _log_between(rng, 0.35, 2.6),
            "nuclear_dab": _log_between(rng, 0.5, 3.2),
            "dab_background": _log_between(rng, 0.002, 0.12),
            "blush": _log_between(rng, 0.003, 0.1),
            "sharpness": _between(rng, 0.0, 1.0),
            "relief": _between(rng, 0.0, 1.6),
            "through": _log_between(rng, 0.04, 1.0),
            "line_width": _log_between(rng, 0.4, 2.0),
            "unevenness": _between(rng, 0.3, 3.0),
            "granularity": _between(rng, 0.3, 3.0),
            "soot": _log_between(rng, 0.02, 0.4),
            "veil": _log_between(rng, 0.002, 0.08),
        },
        0.6,
    )
    if overstained:
        changes |= {
            "through": _between(rng, 0.6, 1.0), "dab_strength": _between(rng, 0.9, 2.4),
            "dab_background": _between(rng, 0.02, 0.15), "veil": _between(rng, 0.0, 0.08),
        }  # fmt: skip
        amounts |= {"counterstain": _log_between(rng, 0.08, 0.2), "cytoplasm": 0.01, "matrix": 0.01}
    if own_hues or overstained or rng.random() < 0.6:
        changes |= colours
    if overstained or rng.random() < 0.6:
        changes |= amounts
    return Laboratory.model_validate({**dict(usual), **changes})


def _glass(rng: np.random.Generator) -> Rgb:
    """Grey value of bare glass: blown out, grey, tinted."""
    kind = rng.random()
    if kind < 0.3:
        white = rng.uniform(250, 258) + np.minimum(rng.normal(0, 1.5, 3), 1)
    elif kind < 0.6:
        white = rng.uniform(165, 225) + rng.normal(0, 3, 3)
    else:
        # Colder or warmer light, and what a camera makes of it.
        warmth = rng.normal(-4, 13)
        white = rng.uniform(215, 250) + rng.normal(0, 5, 3) + np.array([warmth, 0.0, -warmth])
    red, green, blue = (round(float(value), 1) for value in np.clip(white, 150, 255))
    return red, green, blue


def wide_scanner(rng: np.random.Generator, usual: Scanner) -> Scanner:
    """`usual` as a hard camera, as soft or hazy optics, or as anything."""
    hard = {
        "gamma": _between(rng, 0.9, 1.5),
        "contrast": _between(rng, 0.0, 1.0),
        "black": _between(rng, 0.0, 0.3),
        "blown": _between(rng, 0.0, 0.07),
        "saturation": _between(rng, 0.9, 2.0),
        "psf_um": _log_between(rng, 0.08, 0.4),
        "sharpen": _between(rng, 0.5, 3.0),
        "sharpen_um": _between(rng, 0.2, 1.0),
        "noise": _between(rng, 0.5, 4.5),
        "jpeg_quality": int(rng.integers(55, 96)),
    }
    soft = {
        "gamma": _between(rng, 0.7, 1.15),
        "psf_um": _log_between(rng, 0.3, 1.2),
        "flare": _between(rng, 0.0, 0.25),
        "halo": _between(rng, 0.0, 0.5),
        "halo_um": _between(rng, 1.0, 4.0),
        "saturation": _between(rng, 0.5, 1.2),
        "sharpen": _between(rng, 0.0, 0.6),
        "noise": _between(rng, 0.3, 2.5),
        "jpeg_quality": int(rng.integers(50, 96)),
    }
    kind = rng.random()
    if kind < 0.35:
        changes = _some(rng, hard, 0.85)
    elif kind < 0.75:
        changes = _some(rng, soft, 0.85)
    else:
        changes = _some(rng, hard, 0.4) | _some(rng, soft, 0.3)
    if rng.random() < 0.7:
        changes["white"] = _glass(rng)
    if rng.random() < 0.15:
        changes |= {"jpeg_quality": int(rng.choice([97, 100, 100])), "subsampling": "444"}
    return Scanner.model_validate({**dict(usual), **changes})


def _wide_traits(rng: np.random.Generator, usual: SlideSpec) -> Traits:
    """What is hard to read, each of it on some slides."""
    positive = usual.shares[3] > 0.1
    common = {
        "wobble": _between(rng, 0.2, 1.3),
        "gaps": _between(rng, 0.1, 0.9),
        "basolateral": _between(rng, 0.3, 1.0),
    }
    rare = {
        "stroma_stain": _log_between(rng, 0.02, 0.3),
        "necrosis_stain": _log_between(rng, 0.05, 0.6),
        "normal_stain": _between(rng, 0.1, 0.9),
        "in_situ": _between(rng, 0.1, 0.6),
        "crush": _between(rng, 10.0, 55.0),
    }
    chosen = _some(rng, common, 0.5) | _some(rng, rare, 0.25)
    if rng.random() < 0.15:
        chosen["strong_partial"] = _between(rng, 0.1, 0.8)
    strong = rng.uniform(0.5, 1.0) if positive or rng.random() < 0.3 else rng.uniform(0.0, 0.2)
    if "in_situ" in chosen:
        chosen["in_situ_stain"] = round(float(strong), 4)
    return Traits.model_validate(chosen)


def wide_tissue(rng: np.random.Generator, usual: SlideSpec) -> SlideSpec:
    """`usual` with nuclei of other sizes, looks and crowding."""
    changes = _some(
        rng,
        {
            "nucleus_um": _log_between(rng, 4.5, 15.0),
            "spacing": _between(rng, 0.85, 2.2),
            "stacking": _between(rng, 0.2, 0.9),
            "rim": _between(rng, 0.0, 2.0),
            "chromatin": _between(rng, 0.2, 1.8),
            "pleomorphism": _between(rng, 0.5, 1.8),
            "cellularity": _log_between(rng, 0.2, 3.0),
            "tumour": _between(rng, 0.1, 0.95),
        },
        0.55,
    )
    changes["traits"] = _wide_traits(rng, usual)
    return SlideSpec.model_validate({**dict(usual), **changes})
