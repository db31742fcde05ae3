from __future__ import annotations

from tests.evaluation.conftest import draw, predictions

__all__ = ["draw", "predictions"]
