"""The measured stain on real tissue: seven cores of another organ, which measure nothing about accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowpower.slides import open_slide
from lowpower.stain import Measurement, measure

POSITIVE = ("2_0123a214", "2_da5928b4")
NEGATIVE = ("0_ccb66c10", "1_154ae963", "1_fb95908d", "2_726fa489")
PALEST = "0_9b0f64d1"


@pytest.fixture(scope="module")
def measured(real_cores: Path) -> dict[str, Measurement]:
    """Every core, measured once for all tests."""
    found = {}
    for name in (*POSITIVE, *NEGATIVE, PALEST):
        with open_slide(next(real_cores.glob(f"{name}*.jpg")), mpp=0.25) as slide:
            found[name] = measure(slide, workers=2)
    return found


@pytest.mark.slow
def test_positive_cores_stain_more_than_every_negative(measured: dict[str, Measurement]) -> None:
    positive, negative = ([measured[name] for name in names] for names in (POSITIVE, NEGATIVE))
    assert all(result.her2 is not None for result in (*positive, *negative))
    # Not a matter of a few cells: both positives lie far above the most stained negative.
    highest = max(result.h_score or 0.0 for result in (*negative, measured[PALEST]))
    assert min(result.h_score or 0.0 for result in positive) > 2 * highest
    # Tumour and stroma are told apart: each core holds both, hundreds of them.
    for result in positive:
        assert result.cells is not None
        assert 500 < result.tumour_cells < len(result.cells) - 500


@pytest.mark.slow
def test_the_palest_core_is_scored_zero_or_not_at_all(measured: dict[str, Measurement]) -> None:
    result = measured[PALEST]
    assert result.her2 is None or result.her2.score == "0"
    assert result.her2 is not None or "tumour-like" in result.notes[0]
