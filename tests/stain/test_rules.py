from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowpower.stain.rules._score_rules import (
    HER2_CUTOFF,
    HER2_INTENSE_PRESENT,
    Her2Shares,
    allred,
    er_status,
    h_score,
    her2_open_questions,
    her2_score,
    labelling_index,
    pr_status,
    subtype,
)

ORDER = ("0", "1+", "2+", "3+")


@st.composite
def shares(draw: st.DrawFn) -> Her2Shares:
    counts = draw(st.lists(st.integers(0, 400), min_size=4, max_size=4).filter(lambda found: sum(found) > 0))
    total = sum(counts)
    return Her2Shares(*(count / total for count in counts))


@pytest.mark.parametrize(
    ("table", "score", "group"),
    [
        ((1.0, 0.0, 0.0, 0.0), "0", "null"),
        ((0.95, 0.05, 0.0, 0.0), "0", "ultralow"),
        ((0.90, 0.10, 0.0, 0.0), "0", "ultralow"),
        ((0.89, 0.11, 0.0, 0.0), "1+", "low"),
        ((0.20, 0.75, 0.05, 0.0), "1+", "low"),
        ((0.50, 0.39, 0.11, 0.0), "2+", "equivocal"),
        ((0.50, 0.40, 0.05, 0.05), "2+", "equivocal"),
        ((0.95, 0.0, 0.0, 0.05), "2+", "equivocal"),
        ((0.50, 0.20, 0.20, 0.10), "2+", "equivocal"),
        ((0.50, 0.20, 0.19, 0.11), "3+", "positive"),
        ((0.0, 0.0, 0.0, 1.0), "3+", "positive"),
    ],
)
def test_her2_table(table: tuple[float, float, float, float], score: str, group: str) -> None:
    result = her2_score(Her2Shares(*table))
    assert (result.score, result.group) == (score, group)


def test_her2_says_what_decided() -> None:
    result = her2_score(Her2Shares(0.5, 0.39, 0.11, 0.0))
    assert (result.decided_by, result.cutoff, result.nearest) == ("complete", HER2_CUTOFF, "1+")
    assert result.share == pytest.approx(0.11)
    assert result.margin == result.distance == pytest.approx(0.01)
    assert "complete staining in 11.0%" in result.sentence()
    by_few = her2_score(Her2Shares(0.9, 0.05, 0.0, 0.05))
    assert (by_few.decided_by, by_few.cutoff) == ("intense_complete", HER2_INTENSE_PRESENT)


def test_her2_null_allows_what_measuring_invents() -> None:
    faint = Her2Shares(0.99, 0.01, 0.0, 0.0)
    assert her2_score(faint).group == "ultralow"
    assert her2_score(faint, null_up_to=0.02).group == "null"


@given(shares())
def test_her2_distance_is_where_the_score_changes(table: Her2Shares) -> None:
    """Nothing smaller than `distance` changes the score over a 10 % cut-off, whichever share it moves."""
    result = her2_score(table, intense_from=2.0)
    assert result.distance >= 0
    step = 0.999 * result.distance - 1e-12
    values = list(table.as_tuple())
    for source in range(4):
        for target in range(4):
            if abs(source - target) != 1 or step <= 0 or values[source] < step:
                continue
            moved = list(values)
            moved[source] -= step
            moved[target] += step
            assert her2_score(Her2Shares(*moved), intense_from=2.0).score == result.score


def test_distance_is_said_in_what_a_reader_could_see() -> None:
    faint = her2_score(Her2Shares(0.86, 0.14, 0.0, 0.0)).sentence()
    assert faint.endswith("over 10%; 4.0 percentage points fewer with any membrane staining would make it 0.")
    null = her2_score(Her2Shares(1.0, 0.0, 0.0, 0.0))
    assert (
        null.nearest_sentence() == "10.0 percentage points more with any membrane staining would make it 1+"
    )
    few = her2_score(Her2Shares(0.9, 0.06, 0.0, 0.04))
    assert (
        few.nearest_sentence() == "6.0 percentage points more with intense complete staining would make it 3+"
    )


def test_one_intense_cell_in_fifty_is_no_finding() -> None:
    table = Her2Shares(0.80, 0.18, 0.0, 0.02)
    assert her2_score(table).score == "2+"
    assert her2_score(table, cells=50).score == "1+"
    assert her2_score(table, cells=500).score == "2+"
    assert her2_score(table, cells=500, intense_from=0.03).score == "1+"


def test_what_the_guideline_leaves_open_is_named() -> None:
    few = Her2Shares(0.93, 0.0, 0.07, 0.0)
    assert her2_open_questions(her2_score(few), few, 0.0) == ("complete_in_few",)
    assert her2_open_questions(her2_score(few), few, 0.0, invented=0.08) == ()
    low = Her2Shares(0.5, 0.5, 0.0, 0.0)
    assert her2_open_questions(her2_score(low), low, 0.3) == ("strong_incomplete",)
    strong = Her2Shares(0.2, 0.3, 0.5, 0.0)
    assert her2_open_questions(her2_score(strong), strong, 0.3) == ()


@given(shares(), st.floats(0, 1))
def test_more_staining_never_lowers_the_score(table: Her2Shares, part: float) -> None:
    for lower in range(3):
        values = list(table.as_tuple())
        moved = part * values[lower]
        values[lower] -= moved
        values[lower + 1] += moved
        more = Her2Shares(*values)
        assert ORDER.index(her2_score(more).score) >= ORDER.index(her2_score(table).score)
        assert more.h_score >= table.h_score - 1e-9


@pytest.mark.parametrize("table", [(0.5, 0.6, 0.0, 0.0), (0.5, 0.4, 0.0, 0.0), (1.2, -0.2, 0.0, 0.0)])
def test_shares_must_be_shares(table: Any) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        Her2Shares(*table)


@pytest.mark.parametrize(
    ("bins", "proportion", "intensity"),
    [
        ((0.0, 0.0, 0.0), 0, 0),
        ((0.005, 0.0, 0.0), 1, 1),
        ((0.01, 0.0, 0.0), 2, 1),
        ((0.0, 0.1, 0.0), 2, 2),
        ((0.0, 0.11, 0.0), 3, 2),
        ((0.0, 0.0, 1 / 3), 3, 3),
        ((0.0, 0.2, 0.2), 4, 3),
        ((2 / 3, 0.0, 0.0), 4, 1),
        ((0.4, 0.3, 0.0), 5, 1),
        ((0.0, 0.0, 1.0), 5, 3),
    ],
)
def test_allred_table(bins: tuple[float, float, float], proportion: int, intensity: int) -> None:
    result = allred(*bins)
    assert (result.proportion, result.intensity) == (proportion, intensity)
    assert result.total == proportion + intensity


@given(shares())
def test_allred_and_h_score_stay_in_range(table: Her2Shares) -> None:
    bins = table.as_tuple()[1:]
    total = allred(*bins).total
    assert total == 0 or 2 <= total <= 8
    assert 0 <= h_score(*bins) <= 300 + 1e-6


def test_h_score_of_known_bins() -> None:
    assert h_score(0.1, 0.2, 0.3) == pytest.approx(10 + 40 + 90)
    with pytest.raises(ValueError, match="at most 1"):
        h_score(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("percent", "er", "pr"),
    [
        (0.0, "negative", "negative"),
        (0.99, "negative", "negative"),
        (1.0, "low positive", "positive"),
        (10.0, "low positive", "positive"),
        (10.1, "positive", "positive"),
        (100.0, "positive", "positive"),
    ],
)
def test_receptor_status(percent: float, er: str, pr: str) -> None:
    assert (er_status(percent), pr_status(percent)) == (er, pr)


@pytest.mark.parametrize("function", [er_status, pr_status])
def test_percent_must_be_percent(function: Any) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        function(101.0)


def test_labelling_index() -> None:
    assert labelling_index(3, 12) == 25.0
    with pytest.raises(ValueError, match="nucleus"):
        labelling_index(0, 0)


@pytest.mark.parametrize(
    ("er", "pr", "her2", "ki67", "expected"),
    [
        (90, 80, "negative", 8, "luminal A-like"),
        (90, 80, "negative", 30, "luminal B-like HER2-negative"),
        (90, 5, "negative", 8, "luminal B-like HER2-negative"),
        (90, 80, "negative", None, "luminal, HER2-negative (A or B)"),
        (90, 20, "negative", None, "luminal, HER2-negative (A or B)"),
        (90, 19.9, "negative", None, "luminal B-like HER2-negative"),
        (0, 30, "negative", None, "luminal B-like HER2-negative"),
        (90, 80, "positive", None, "luminal B-like HER2-positive"),
        (0, 0, "positive", 40, "HER2-positive non-luminal"),
        (0.5, 0.5, "negative", 60, "triple negative"),
        (0, 30, "negative", 8, "luminal B-like HER2-negative"),
        (90, 80, "equivocal", 8, "not determined: HER2 equivocal"),
    ],
)
def test_subtype_table(er: float, pr: float, her2: Any, ki67: float | None, expected: str) -> None:
    assert subtype(er, pr, her2, ki67) == expected
