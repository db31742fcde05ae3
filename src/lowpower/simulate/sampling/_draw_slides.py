"""Drawing laboratories, scanners and slides: the ranges of domain randomisation."""

from __future__ import annotations

import numpy as np

from lowpower.simulate._appearance import Laboratory, Rgb, Scanner
from lowpower.simulate._her2_truth import Score
from lowpower.simulate._simulation_spec import Artefact, Ish, Pattern, SlideSpec, Specimen
from lowpower.simulate.sampling._draw_wide import MOST_BLUSH, WIDE, wide_laboratory, wide_scanner, wide_tissue
from lowpower.simulate.sampling._shares import BORDER, draw_shares

__all__ = ["draw_laboratory", "draw_scanner", "draw_slide"]

_PATTERNS: tuple[Pattern, ...] = ("solid", "nests", "cords", "tubules", "glands", "ducts", "columnar")
_ARTEFACTS: tuple[Artefact, ...] = ("pen", "fold", "bubble", "blur", "dust", "tear", "edge")


def _unit(vector: np.ndarray) -> Rgb:
    red, green, blue = (float(value) for value in vector / np.linalg.norm(vector))
    return round(red, 4), round(green, 4), round(blue, 4)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _log_between(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 4)


def _capped(blush: float, laboratory: Laboratory) -> float:
    """No more cytoplasmic DAB, the laboratory's included, than real slides of score 0 show in the mean."""
    return round(min(blush, max(0.0, MOST_BLUSH - laboratory.blush / 2 - laboratory.veil)), 4)


def draw_laboratory(seed: int, index: int = 0, wide: float = WIDE) -> Laboratory:
    """The `index`-th laboratory of `seed`; `wide` is the chance that it is an unusual one."""
    rng = np.random.default_rng([seed, index, 0x1AB])
    counterstain = _log_between(rng, 0.12, 0.6)
    # Counterstain that is strong in nuclei is strong around them too, but laboratories differ.
    haze = counterstain * _log_between(rng, 0.6, 1.6)
    usual = Laboratory(
        name=f"simulated-lab-{seed}-{index + 1:02d}",
        hematoxylin=_unit(np.array([0.68, 0.62, 0.37]) + rng.normal(0, [0.05, 0.03, 0.09])),
        dab=_unit(np.array([0.32, 0.54, 0.78]) + rng.normal(0, [0.06, 0.03, 0.05])),
        counterstain=counterstain,
        cytoplasm=round(haze * float(rng.uniform(0.14, 0.4)), 4),
        matrix=round(haze * float(rng.uniform(0.1, 0.3)), 4),
        dab_strength=_log_between(rng, 0.6, 1.6),
        dab_background=_between(rng, 0.0, 0.02),
        blush=_log_between(rng, 0.006, 0.08),
        sharpness=_between(rng, 0.1, 1.0),
        relief=_between(rng, 0.0, 1.2),
    )
    own = np.random.default_rng([seed, index, 0x1AB2])
    return wide_laboratory(own, usual) if own.random() < wide else usual


def draw_scanner(
    seed: int, index: int = 0, mpp: tuple[float, float] = (0.25, 0.5), wide: float = WIDE
) -> Scanner:
    """The `index`-th scanner of `seed`, of `mpp[0]` to `mpp[1]` um/px.

    Args:
        seed: Draws it.
        index: Which of the seed's scanners.
        mpp: Lowest and highest um/px.
        wide: Chance of an unusual one: hard cameras, soft or hazy optics, grey or tinted glass.
    """
    rng = np.random.default_rng([seed, index, 0x5CA])
    level = rng.uniform(228, 250)
    white = np.minimum(level + rng.normal(0, [3.0, 2.0, 5.0]) + np.array([0.0, 0.0, 3.0]), 254.0)
    red, green, blue = (round(float(value), 1) for value in white)
    usual = rng.random() < 0.7
    resolution = rng.choice([mpp[0], mpp[1]]) * rng.uniform(0.97, 1.03) if usual else rng.uniform(*mpp)
    common = Scanner(
        name=f"simulated-scanner-{seed}-{index + 1:02d}",
        mpp=round(float(np.clip(resolution, mpp[0], mpp[1])), 4),
        white=(red, green, blue),
        psf_um=_between(rng, 0.15, 0.4),
        sharpen=_between(rng, 0.0, 2.0),
        sharpen_um=_between(rng, 0.3, 0.8),
        gamma=_between(rng, 0.85, 1.2),
        flare=_between(rng, 0.0, 0.05),
        saturation=_between(rng, 0.8, 1.25),
        noise=_between(rng, 0.4, 2.2),
        shading=_between(rng, 0.0, 0.012),
        jpeg_quality=int(rng.integers(70, 93)),
        subsampling="420" if rng.random() < 0.6 else "444",
        level_step=4 if rng.random() < 0.5 else 2,
    )
    own = np.random.default_rng([seed, index, 0x5CA2])
    return wide_scanner(own, common) if own.random() < wide else common


def draw_slide(
    seed: int,
    score: Score,
    laboratory: Laboratory,
    scanner: Scanner,
    *,
    specimen: Specimen = "disc",
    ish: Ish | None = None,
    control: bool = False,
    artefacts: bool = False,
    wide: float = WIDE,
    border: float = BORDER["HER2"],
) -> SlideSpec:
    """A slide of the given score, everything else drawn from `seed`.

    Args:
        seed: Draws what is not given.
        score: The slide's score.
        laboratory: Who stained.
        scanner: What pictured.
        specimen: Shape and size.
        ish: Given for 2+ only.
        control: Whether control tissue lies on the slide.
        artefacts: Whether something went wrong.
        wide: Chance that its tissue is unusual.
        border: Chance that its score is a matter of few cells (`is_border`).
    """
    rng = np.random.default_rng([seed, 0x511DE])
    patterns = tuple(rng.choice(_PATTERNS, size=1 if rng.random() < 0.6 else 2, replace=False).tolist())
    wrong: tuple[Artefact, ...] = ()
    if artefacts:
        wrong = tuple(rng.choice(_ARTEFACTS, size=int(rng.integers(1, 4)), replace=False).tolist())
    usual = SlideSpec(
        seed=seed,
        score=score,
        ish=ish,
        shares=draw_shares(rng, score, border),
        laboratory=laboratory,
        scanner=scanner,
        specimen=specimen,
        patterns=patterns,
        tumour=_between(rng, 0.1, 0.65),
        cellularity=_log_between(rng, 0.4, 2.0),
        looseness=_between(rng, 0.2, 1.0),
        clone_um=_log_between(rng, 80, 1500),
        cell_noise=_between(rng, 0.1, 0.8),
        patchiness=_between(rng, 0.0, 0.35),
        blush=0.0 if rng.random() < 0.35 else _capped(_log_between(rng, 0.01, 0.2), laboratory),
        nucleus_um=_between(rng, 6.5, 11.0),
        spacing=_between(rng, 1.25, 1.9),
        retraction=0.0 if rng.random() < 0.5 else _between(rng, 0.5, 4.0),
        control=control,
        artefacts=wrong,
    )
    own = np.random.default_rng([seed, 0x511DE2])
    return wide_tissue(own, usual) if own.random() < wide else usual
