"""Small simulated slides, made once: discs at 1 um/px."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowpower.simulate import Laboratory, Scanner, SlideSpec, SlideTruth, draw_slide, simulate_slide

LABORATORY = Laboratory(name="simulated-lab")
SCANNER = Scanner(name="simulated-scanner", mpp=1.0, level_step=2)


def small_spec(seed: int = 11, score: str = "2+", **changes: object) -> SlideSpec:
    """A disc at 1 um/px."""
    spec = draw_slide(seed, score, LABORATORY, SCANNER, wide=0.0)  # type: ignore[arg-type]
    return SlideSpec.model_validate({**spec.model_dump(), **changes})


@pytest.fixture(scope="session")
def small_slide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlideTruth]:
    """A 2+ disc and its truth."""
    path = tmp_path_factory.mktemp("simulated") / "simulated-small.tif"
    return path, simulate_slide(small_spec(), path)
