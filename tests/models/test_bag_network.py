from __future__ import annotations

import numpy as np
import pytest
import torch

from lowpower.models import BagNetwork, aggregator_names, create_aggregator


@pytest.mark.parametrize("name", aggregator_names())
def test_every_aggregator_says_something_of_the_bag_and_of_each_patch(name: str) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = BagNetwork(create_aggregator(name, 6, 4, "corn"), torch.zeros(6), torch.ones(6))
    features = rng.normal(0, 1, (9, 6)).astype(np.float16)
    coords = rng.integers(0, 5000, (9, 2))
    found = network.predict(features, coords)
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.attention.shape == found.scores.shape == (9,)
    assert found.attention.sum() == pytest.approx(1, abs=1e-5)
    assert ((found.scores >= 0) & (found.scores <= 3)).all()
    alone = network.predict(features[4:5], coords[4:5])
    assert found.scores[4] == pytest.approx(float(alone.probabilities @ np.arange(4)), abs=1e-5)
    assert network.training, "it is left as it was found"
