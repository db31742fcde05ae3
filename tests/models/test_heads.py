from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lowpower.models import HeadName, class_probabilities, expected_score, head_loss, temper
from lowpower.models.network._heads import Head

HEADS: tuple[HeadName, ...] = ("softmax", "corn", "cumulative")


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_corn_probabilities_by_hand() -> None:
    logits = torch.tensor([[1.2, -0.4, 0.7]], dtype=torch.float64)
    a, b, c = sigmoid(1.2), sigmoid(-0.4), sigmoid(0.7)
    wanted = [1 - a, a - a * b, a * b - a * b * c, a * b * c]
    assert class_probabilities("corn", logits)[0].tolist() == pytest.approx(wanted)


def test_corn_loss_by_hand() -> None:
    logits = torch.tensor([[1.2, -0.4, 0.7], [0.3, 0.8, -1.0]], dtype=torch.float64)
    # Class 1 passes step 0, fails step 1, is not asked step 2. Class 3 passes all three.
    first = -math.log(sigmoid(1.2)) - math.log(1 - sigmoid(-0.4))
    second = -math.log(sigmoid(0.3)) - math.log(sigmoid(0.8)) - math.log(sigmoid(-1.0))
    loss = head_loss("corn", logits, torch.tensor([1, 3]))
    assert float(loss) == pytest.approx((first + second) / 2)


def test_corn_loss_is_the_negative_log_likelihood_of_its_probabilities() -> None:
    logits = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 4
    likelihood = class_probabilities("corn", logits)[torch.arange(50), labels].log().mean()
    assert float(head_loss("corn", logits, labels)) == pytest.approx(-float(likelihood))


def test_cumulative_probabilities_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0]], dtype=torch.float64)
    a, b, c = sigmoid(2.0), sigmoid(0.5), sigmoid(-1.0)
    assert class_probabilities("cumulative", logits)[0].tolist() == pytest.approx([1 - a, a - b, b - c, c])


def test_cumulative_thresholds_stay_ordered_and_shared() -> None:
    head = Head("cumulative", 5, 4)
    with torch.no_grad():
        head.gaps.copy_(torch.tensor([-4.0, 3.0]))
    logits = head(torch.randn(20, 5))
    gaps = logits[:, :-1] - logits[:, 1:]
    assert (gaps > 0).all()
    assert torch.allclose(gaps, gaps[:1].expand_as(gaps), atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    head=st.sampled_from(HEADS),
    values=st.lists(st.floats(-30, 30), min_size=3, max_size=3),
    temperature=st.floats(0.05, 20),
)
def test_probabilities_are_probabilities(head: HeadName, values: list[float], temperature: float) -> None:
    if head == "cumulative":
        values = sorted(values, reverse=True)
    logits = torch.tensor([values], dtype=torch.float64)
    for probabilities in (
        class_probabilities(head, logits),
        temper(class_probabilities(head, logits), temperature),
    ):
        assert (probabilities >= 0).all()
        assert float(probabilities.sum()) == pytest.approx(1.0)
        assert 0 <= float(expected_score(probabilities)) <= probabilities.shape[1] - 1


def test_temperature_of_softmax_divides_logits() -> None:
    logits = torch.randn(10, 4, dtype=torch.float64)
    assert torch.allclose(temper(logits.softmax(-1), 2.5), (logits / 2.5).softmax(-1))
    assert torch.allclose(temper(logits.softmax(-1), 1.0), logits.softmax(-1))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_heads_learn_an_ordered_toy(head: HeadName, classes: int) -> None:
    torch.manual_seed(0)
    labels = torch.arange(120) % classes
    features = torch.stack([labels + 0.1 * torch.randn(120), torch.randn(120)], 1)
    model = Head(head, 2, classes)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        head_loss(head, model(features), labels).backward()
        optimizer.step()
    probabilities = class_probabilities(head, model(features))
    assert (probabilities.argmax(-1) == labels).float().mean() > 0.95
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_expected_score() -> None:
    probabilities = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    assert np.allclose(expected_score(probabilities).numpy(), [2.0, 0.0])
