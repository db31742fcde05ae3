from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowpower.models import ShareRegression, fit_share_regression, measured_inputs


@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2, 3), (1, 3)])
def test_it_is_scikit_learns_regression_without_pickle(present: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([present[row % len(present)] for row in range(60)])
    values = rng.normal(labels[:, None], 2.0, (60, 5))
    values[:, 4] = 0.3
    fitted = fit_share_regression(values, labels, 4, strength=0.5)
    again = ShareRegression.model_validate_json(fitted.model_dump_json())
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.5, class_weight="balanced", max_iter=5000)
    ).fit(values, labels)
    for row in values[:9]:
        found = again.probabilities(row)
        assert found[list(present)] == pytest.approx(model.predict_proba(row[None])[0], abs=1e-4)
        assert found.sum() == pytest.approx(1)
        assert found[[index for index in range(4) if index not in present]].sum() == 0
    with pytest.raises(ValueError, match="two classes"):
        fit_share_regression(values[:3], [1, 1, 1], 4)


def test_inputs_are_of_one_size() -> None:
    assert measured_inputs((0.1, 0.2, 0.3, 0.4), 150.0, (0.5, 0.1, 0.0)) == (
        0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.1, 0.0,
    )  # fmt: skip
