from __future__ import annotations

import pytest

from lowpower.cohort import HER2_SCORES, SCHEMES, Label, scheme_of
from lowpower.errors import CohortError


@pytest.mark.parametrize(
    ("scheme", "score", "ish", "index"),
    [
        ("her2_four", "0", None, 0),
        ("her2_four", "1", None, 1),
        ("her2_four", "2+", "positive", 2),
        ("her2_four", "+++", None, 3),
        ("her2_three", "0", "positive", 0),
        ("her2_three", "1+", None, 1),
        ("her2_three", "2+", "negative", 1),
        ("her2_three", "2+", "amplified", 2),
        ("her2_three", "3+", "negative", 2),
        ("her2_three", "low", None, 1),
        ("her2_three", "positive", None, 2),
        ("her2_status", "0", None, 0),
        ("her2_status", "negative", None, 0),
        ("her2_status", "2+", "+", 1),
        ("her2_status", "2+", "\u2212", 0),
        ("her2_status", "3+", None, 1),
        ("er_status", "0", None, 0),
        ("er_status", "<1%", None, 0),
        ("er_status", "0.9", None, 0),
        ("er_status", "1", None, 1),
        ("er_status", "10 %", None, 1),
        ("er_status", "10.5", None, 2),
        ("er_status", ">10", None, 2),
        ("er_status", "low positive", None, 1),
        ("pr_status", "0.99", None, 0),
        ("pr_status", "1", None, 1),
        ("pr_status", "low", None, 1),
        ("ki67_status", "19.9", None, 0),
        ("ki67_status", "20 %", None, 1),
        ("ki67_status", "<1%", None, 0),
        ("ki67_status", ">30", None, 1),
        ("ki67_three", "5", None, 0),
        ("ki67_three", "<5 %", None, 0),
        ("ki67_three", "5.1", None, 1),
        ("ki67_three", "29.9", None, 1),
        ("ki67_three", "30", None, 2),
    ],
)
def test_label_follows_the_published_mapping(scheme: str, score: str, ish: str | None, index: int) -> None:
    assert SCHEMES[scheme].label(score, ish) == Label(index)


@pytest.mark.parametrize("scheme", ["her2_three", "her2_status"])
def test_2_plus_without_ish_is_flagged(scheme: str) -> None:
    label = SCHEMES[scheme].label("2+")

    assert label.flag == "2+ without ISH"
    assert label.index == (1 if scheme == "her2_three" else 0)
    assert SCHEMES["her2_four"].label("2+").flag is None


def test_er_positive_without_a_percentage_is_flagged() -> None:
    assert "low positive" in (SCHEMES["er_status"].label("positive").flag or "")


@pytest.mark.parametrize(("score", "index"), [("low", 0), ("High", 1)])
def test_ki67_without_a_percentage_is_flagged(score: str, index: int) -> None:
    label = SCHEMES["ki67_status"].label(score)

    assert label.index == index
    assert "cut-off is unknown" in (label.flag or "")


@pytest.mark.parametrize(
    ("scheme", "score", "said"),
    [
        ("her2_four", "negative", "her2_status"),
        ("her2_three", "negative", "her2_status"),
        ("her2_four", "low", "her2_three or her2_status"),
        ("her2_four", "4+", "no HER2 score"),
        ("er_status", "2+", "percentage"),
        ("er_status", "101", "0 to 100"),
        ("ki67_three", "high", "ki67_status"),
        ("ki67_status", "positive", "or low, high"),
    ],
)
def test_label_refuses_what_it_cannot_know(scheme: str, score: str, said: str) -> None:
    with pytest.raises(CohortError, match=said):
        SCHEMES[scheme].label(score)


def test_every_scheme_is_consistent() -> None:
    for name, scheme in SCHEMES.items():
        assert scheme.name == name
        assert all(1 <= cutoff.at < len(scheme.classes) for cutoff in scheme.cutoffs)
        assert scheme.mapping


def test_no_spelling_means_two_scores() -> None:
    spellings = [spelling for all_ in HER2_SCORES.values() for spelling in all_]

    assert len(spellings) == len(set(spellings))


def test_scheme_of_names_the_choices() -> None:
    assert scheme_of("her2_four") is scheme_of(SCHEMES["her2_four"])
    with pytest.raises(CohortError, match="her2_three"):
        scheme_of("her2")
