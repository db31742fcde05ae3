"""A small simulated slide to try things on, made once and kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

import lowpower
from lowpower.files import locked
from lowpower.simulate._make_slide import simulate_slide
from lowpower.simulate._truth import truth_path
from lowpower.simulate.sampling import draw_laboratory, draw_scanner, draw_slide

__all__ = ["sample"]

_SEED: Final = 8
_CACHE: Final = "LOWPOWER_CACHE"


def sample() -> Path:
    """A simulated HER2 3+ slide, 1.3 mm of tissue at 0.5 um/px: not a real specimen.

    Made when first asked for (seconds) and kept in the user's cache folder, or in the one that the
    environment's `LOWPOWER_CACHE` names; the truth per cell lies beside it (docs/simulator.md).

    Returns:
        A pyramidal TIFF.

    Raises:
        OutputError: the cache folder cannot be written.
    """
    cache = Path(os.environ.get(_CACHE) or user_cache_path("lowpower"))
    folder = cache / f"sample-{lowpower.__version__}"
    slide = folder / "simulated-her2.tif"
    with locked(folder / "sample.lock"):
        if not (slide.exists() and truth_path(slide).exists()):
            laboratory, scanner = draw_laboratory(_SEED, wide=0), draw_scanner(_SEED, mpp=(0.5, 0.5), wide=0)
            spec = draw_slide(_SEED, "3+", laboratory, scanner, specimen="disc", wide=0)
            simulate_slide(spec, slide)
    return slide
