from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lowpower.evaluation import (
    ConformalRule,
    choose_operating_point,
    conformal_decisions,
    conformal_sets,
    fit_conformal,
    risk_coverage,
)


def conformal_p_values(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Textbook split conformal: (#{scores >= s} + 1) / (n + 1), score 1 - p, by brute force."""
    scores = 1 - true
    return np.array(
        [[((scores >= 1 - p).sum() + 1) / (scores.size + 1) for p in row] for row in probabilities]
    )


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("conditional", [False, True])
def test_sets_equal_conformal_p_values(
    draw: Callable[..., tuple], coverage: float, conditional: bool
) -> None:
    labels, probabilities = draw(150)
    _, new = draw(40, seed=1)

    rule = fit_conformal(labels, probabilities, coverage=coverage, class_conditional=conditional)

    true = probabilities[np.arange(150), labels]
    if conditional:
        p_values = np.stack(
            [conformal_p_values(true[labels == label], new)[:, label] for label in range(4)], axis=1
        )
    else:
        p_values = conformal_p_values(true, new)
    assert (conformal_sets(new, rule) == (p_values > 1 - coverage + 1e-12)).all()


@pytest.mark.parametrize("conditional", [False, True])
def test_coverage_is_kept_on_new_slides(draw: Callable[..., tuple], conditional: bool) -> None:
    covered = []
    for seed in range(60):
        labels, probabilities = draw(600, seed=seed, sharpen=3.0)
        rule = fit_conformal(labels[:300], probabilities[:300], coverage=0.9, class_conditional=conditional)
        held = conformal_sets(probabilities[300:], rule)[np.arange(300), labels[300:]]
        rare = labels[300:] == 3
        covered.append((held.mean(), held[rare].mean()))

    overall, in_the_rare_class = np.mean(covered, axis=0)
    assert overall == pytest.approx(0.9, abs=0.02 if not conditional else 0.03)
    if conditional:
        assert in_the_rare_class >= 0.89


def test_threshold_by_hand() -> None:
    true = np.arange(1, 20) / 20  # 19 slides: 0.05 .. 0.95
    rule = fit_conformal(np.zeros(19, int), np.c_[true, 1 - true], coverage=0.9)

    assert rule.min_probability == [0.1, 0.1]  # the 2nd smallest of 19: floor(20 * 0.1)
    assert rule.n == [19, 0]


def test_too_few_slides_keep_every_class_and_say_so() -> None:
    rule = fit_conformal([0] * 9 + [1] * 5, [[0.9, 0.1]] * 9 + [[0.2, 0.8]] * 5, class_conditional=True)

    assert rule.min_probability == [0.9, 0.0]
    assert "class 1 is always kept" in rule.note
    few = fit_conformal([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    assert few.min_probability == [0, 0]
    assert "every class" in few.note


def test_decisions_refer_unless_one_class_remains() -> None:
    rule = ConformalRule(coverage=0.9, class_conditional=True, min_probability=[0.3, 0.4, 0.6], n=[9, 9, 9])

    decisions = conformal_decisions([[0.9, 0.1, 0], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]], rule)

    assert decisions.tolist() == [0, -1, -1, 2]
    with pytest.raises(ValueError, match="3 classes"):
        conformal_sets([[0.5, 0.5]], rule)


def test_rule_survives_json(draw: Callable[..., tuple]) -> None:
    rule = fit_conformal(*draw())

    assert ConformalRule.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize("coverage", [0, 1, 1.5])
def test_coverage_must_be_a_share(draw: Callable[..., tuple], coverage: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_conformal(*draw(), coverage=coverage)


def test_risk_coverage_by_hand() -> None:
    # Confidence 0.9 right, 0.8 wrong, 0.7 right twice (kept together).
    curve = risk_coverage([0, 1, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.3, 0.7]])

    assert curve.coverage == pytest.approx([0.25, 0.5, 1])
    assert curve.risk == pytest.approx([0, 0.5, 0.25])
    assert curve.confidence == pytest.approx([0.9, 0.8, 0.7])
    assert curve.aurc == pytest.approx((0 + 0.5 + 2 * 0.25) / 4)


def test_aurc_without_ties_is_the_mean_of_selective_risks(draw: Callable[..., tuple]) -> None:
    labels, _ = draw()
    probabilities = np.random.default_rng(5).dirichlet((1, 1, 1, 1), labels.size)
    order = np.argsort(-probabilities.max(1))
    wrong = (probabilities.argmax(1) != labels)[order]

    risks = [wrong[:kept].mean() for kept in range(1, labels.size + 1)]

    assert risk_coverage(labels, probabilities).aurc == pytest.approx(np.mean(risks))


def test_last_point_of_the_curve_is_the_error_rate(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw()
    curve = risk_coverage(labels, probabilities)

    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((probabilities.argmax(1) != labels).mean())
    assert (np.diff(curve.coverage) > 0).all()


def test_youden_point_by_hand() -> None:
    score = np.array([0.1, 0.3, 0.4, 0.6, 0.8, 0.9])
    point = choose_operating_point([0, 0, 1, 0, 1, 1], np.c_[1 - score, score], 1)

    assert point.threshold == pytest.approx(
        0.35
    )  # PPA 3/3, NPA 2/3; 0.7 gives 2/3 and 3/3 and is farther off
    assert (point.ppa, point.npa) == (1, pytest.approx(2 / 3))


def test_youden_point_equals_a_search_over_every_threshold(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw(120)
    for at in (1, 2, 3):
        score, positive = probabilities[:, at:].sum(1), labels >= at
        best = max(
            (score >= t)[positive].mean() + (score < t)[~positive].mean() for t in np.linspace(0, 1, 5001)
        )

        point = choose_operating_point(labels, probabilities, at)

        assert point.ppa + point.npa == pytest.approx(best, abs=1e-9)
        assert point.ppa == pytest.approx((score >= point.threshold)[positive].mean())


def test_min_ppa_takes_the_highest_threshold_that_keeps_it(draw: Callable[..., tuple]) -> None:
    labels, probabilities = draw(120)
    point = choose_operating_point(labels, probabilities, 1, min_ppa=0.95)
    score, positive = probabilities[:, 1:].sum(1), labels >= 1

    assert point.ppa >= 0.95
    higher = np.sort(score[positive & (score >= point.threshold)])[0] + 1e-9
    assert (score >= higher)[positive].mean() < 0.95
    assert choose_operating_point(labels, probabilities, 1, min_ppa=1.0).ppa == 1


@pytest.mark.parametrize(("label", "said"), [(0, "positive"), (1, "negative")])
def test_one_sided_validation_leaves_the_threshold_alone(label: int, said: str) -> None:
    point = choose_operating_point([label] * 3, [[0.5, 0.5]] * 3, 1)

    assert point.threshold == 0.5
    assert point.ppa is None
    assert f"no validation slide is {said}" in point.note
