from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lowpower.simulate import draw_shares, is_border, membrane_class, score_from_cells, score_from_shares
from lowpower.simulate.stain._membrane_stain import by_rank
from lowpower.stain import Her2Shares, her2_score


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


SCORES = ("0", "1+", "2+", "3+")


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(SCORES), st.booleans())
def test_drawn_shares_mean_the_score(seed: int, score: str, border: bool) -> None:
    shares = draw_shares(np.random.default_rng(seed), score, float(border))  # type: ignore[arg-type]
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) >= 0
    assert score_from_shares(shares) == score
    assert is_border(shares) == border


def test_shares_leave_no_gap_at_the_cut_offs() -> None:
    rng = np.random.default_rng(3)
    drawn = np.array([draw_shares(rng, score) for score in SCORES for _ in range(1500)])  # type: ignore[arg-type]
    assert np.mean([is_border(tuple(row)) for row in drawn]) == pytest.approx(0.15, abs=0.02)
    _, faint, moderate, intense = drawn.T
    for share in (faint + moderate + intense, moderate + intense, intense):
        near = np.histogram(share, bins=np.arange(0.08, 0.1201, 0.005))[0]
        assert near.min() > 0


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(0, 1000), st.sampled_from([1, 9, 10, 11, 99, 100, 101])), min_size=3, max_size=3
    ).filter(lambda parts: sum(parts) <= 1000)
)
def test_the_rule_is_the_one_that_measuring_uses(parts: list[int]) -> None:
    faint, moderate, intense = (part / 1000 for part in parts)
    shares = (1 - faint - moderate - intense, faint, moderate, intense)
    assume(min(shares) >= 0)
    assert score_from_shares(shares) == her2_score(Her2Shares(*shares)).score


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(SCORES), st.integers(300, 3000))
def test_rounding_to_whole_cells_changes_no_score(seed: int, score: str, cells: int) -> None:
    rng = np.random.default_rng(seed)
    shares = draw_shares(rng, score, 1.0)  # type: ignore[arg-type]
    level = rng.standard_normal(cells).astype(np.float32)
    grades = by_rank(level, shares, score_from_shares)
    found = np.bincount(grades, minlength=4) / cells
    assert score_from_shares(found.tolist()) == score
    assert np.abs(found - shares).max() < 3 / cells
    assert (np.diff(grades[np.argsort(level)].astype(int)) >= 0).all()


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ValueError, match="mean what is wanted"):
        draw_shares(np.random.default_rng(0), "4+")  # type: ignore[arg-type]
