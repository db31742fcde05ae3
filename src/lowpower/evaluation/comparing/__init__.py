"""Two models, or several against one, on the same slides."""

from lowpower.evaluation.comparing._comparison_record import Comparison
from lowpower.evaluation.comparing._paired import delong, holm, mcnemar
from lowpower.evaluation.comparing._several_models import (
    ComparisonSet,
    PairedTest,
    TestName,
    compare_with_reference,
    shared_slides,
)
from lowpower.evaluation.comparing._two_models import compare_predictions

__all__ = [
    "Comparison",
    "ComparisonSet",
    "PairedTest",
    "TestName",
    "compare_predictions",
    "compare_with_reference",
    "delong",
    "holm",
    "mcnemar",
    "shared_slides",
]
