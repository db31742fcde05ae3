from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.simulate import draw_shares, membrane_class, score_from_cells, score_from_shares


@pytest.mark.parametrize(
    ("shares", "score"),
    [
        ((1.0, 0.0, 0.0, 0.0), "0"),
        ((0.9, 0.1, 0.0, 0.0), "0"),
        ((0.89, 0.11, 0.0, 0.0), "1+"),
        ((0.0, 0.9, 0.1, 0.0), "1+"),
        ((0.85, 0.05, 0.06, 0.0), "1+"),
        ((0.89, 0.0, 0.11, 0.0), "2+"),
        ((0.98, 0.0, 0.0, 0.02), "2+"),
        ((0.9, 0.0, 0.0, 0.1), "2+"),
        ((0.86, 0.0, 0.07, 0.07), "2+"),
        ((0.89, 0.0, 0.0, 0.11), "3+"),
        ((0.0, 0.0, 0.5, 0.5), "3+"),
    ],
)
def test_rule_at_its_thresholds(shares: tuple[float, ...], score: str) -> None:
    assert score_from_shares(shares) == score


@pytest.mark.parametrize(
    ("completeness", "intensity", "grade"),
    [
        (0.0, 0.0, 0),
        (0.9, 0.01, 0),
        (0.0, 0.9, 0),
        (0.4, 0.1, 1),
        (0.5, 0.9, 1),
        (0.95, 0.1, 1),
        (0.85, 0.3, 2),
        (1.0, 0.6, 2),
        (0.9, 0.8, 3),
    ],
)
def test_membrane_class(completeness: float, intensity: float, grade: int) -> None:
    assert membrane_class(np.array([completeness]), np.array([intensity]))[0] == grade


def _cells(kinds: list[str], completeness: list[float], intensity: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"type": kinds, "completeness": completeness, "intensity": intensity})


def test_only_tumour_cells_count() -> None:
    cells = _cells(["tumour"] * 9 + ["normal"] * 9, [0.0] * 9 + [1.0] * 9, [0.0] * 9 + [0.9] * 9)
    result = score_from_cells(cells)
    assert (result.score, result.null, result.tumour_cells) == ("0", True, 9)


def test_ultralow_is_no_null() -> None:
    cells = _cells(["tumour"] * 20, [0.4] + [0.0] * 19, [0.1] + [0.0] * 19)
    result = score_from_cells(cells)
    assert result.score == "0"
    assert not result.null
    assert result.shares == (0.95, 0.05, 0.0, 0.0)


def test_no_tumour_cells_no_score() -> None:
    with pytest.raises(ValueError, match="tumour cells"):
        score_from_cells(_cells(["stromal"], [0.0], [0.0]))


@given(st.integers(0, 2**32), st.sampled_from(["0", "1+", "2+", "3+"]))
def test_drawn_shares_mean_the_score_with_room_to_spare(seed: int, score: str) -> None:
    shares = draw_shares(np.random.default_rng(seed), score)  # type: ignore[arg-type]
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) >= 0
    # Rounding to whole cells in a small tumour (300 cells) must not change the score.
    for k in range(1, 4):
        for change in (-1 / 300, 1 / 300):
            moved = list(shares)
            if moved[k] + change >= 0 and moved[k] > 0 and moved[0] - change >= 0:
                moved[k] += change
                moved[0] -= change
                assert score_from_shares(moved) == score
