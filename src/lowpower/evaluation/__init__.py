"""How good predictions are: metrics with intervals, calibration, abstention, operating points."""

from lowpower.evaluation._abstention import (
    ConformalRule,
    RiskCoverage,
    conformal_decisions,
    conformal_sets,
    fit_conformal,
    risk_coverage,
)
from lowpower.evaluation._against import (
    ComparisonSet,
    PairedTest,
    TestName,
    compare_with_reference,
    shared_slides,
)
from lowpower.evaluation._agreement import agreement_sentence
from lowpower.evaluation._answers import AnswerTest, Given, judge_answers
from lowpower.evaluation._bootstrap import (
    FEW_PATIENTS,
    MIN_PATIENTS,
    Interval,
    interval_of,
    resampled,
)
from lowpower.evaluation._calibration import (
    ReliabilityBin,
    TemperatureFit,
    apply_temperature,
    brier_score,
    ece_if_perfect,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)
from lowpower.evaluation._compare import compare_predictions
from lowpower.evaluation._comparison import AucDifference, Comparison, Difference, Discordance
from lowpower.evaluation._evaluate import evaluate_predictions
from lowpower.evaluation._evaluation import (
    Abstention,
    CutoffMetrics,
    Evaluation,
    Metric,
    OperatingMetrics,
    ReliabilityPoint,
    RiskPoint,
    RocCurve,
)
from lowpower.evaluation._fit_decision import MEASURED_COLUMNS, DecisionOptions, fit_decision
from lowpower.evaluation._flat import metric_table, named_metrics
from lowpower.evaluation._given import PER_SLIDE, GivenPredictions, arms_of, one_spelling, read_given
from lowpower.evaluation._held_out import patient_folds
from lowpower.evaluation._metrics import (
    accuracy,
    auc_at,
    auc_macro,
    auc_per_class,
    balanced_accuracy,
    confusion_matrix,
    expected_score,
    f1_macro,
    f1_weighted,
    kappa_quadratic,
    percent_agreement,
)
from lowpower.evaluation._operating import (
    Calibration,
    OperatingPoint,
    choose_operating_point,
    fit_calibration,
)
from lowpower.evaluation._paired import DeLongTest, McNemarTest, delong, holm, mcnemar
from lowpower.evaluation._predictions import read_predictions
from lowpower.evaluation._prevalence import at_prevalence, prevalence_of
from lowpower.evaluation._proportion import patient_wilson, wilson
from lowpower.evaluation._selective import fit_selective

__all__ = [
    "FEW_PATIENTS",
    "MEASURED_COLUMNS",
    "MIN_PATIENTS",
    "PER_SLIDE",
    "Abstention",
    "AnswerTest",
    "AucDifference",
    "Calibration",
    "Comparison",
    "ComparisonSet",
    "ConformalRule",
    "CutoffMetrics",
    "DeLongTest",
    "DecisionOptions",
    "Difference",
    "Discordance",
    "Evaluation",
    "Given",
    "GivenPredictions",
    "Interval",
    "McNemarTest",
    "Metric",
    "OperatingMetrics",
    "OperatingPoint",
    "PairedTest",
    "ReliabilityBin",
    "ReliabilityPoint",
    "RiskCoverage",
    "RiskPoint",
    "RocCurve",
    "TemperatureFit",
    "TestName",
    "accuracy",
    "agreement_sentence",
    "apply_temperature",
    "arms_of",
    "at_prevalence",
    "auc_at",
    "auc_macro",
    "auc_per_class",
    "balanced_accuracy",
    "brier_score",
    "choose_operating_point",
    "compare_predictions",
    "compare_with_reference",
    "conformal_decisions",
    "conformal_sets",
    "confusion_matrix",
    "delong",
    "ece_if_perfect",
    "evaluate_predictions",
    "expected_calibration_error",
    "expected_score",
    "f1_macro",
    "f1_weighted",
    "fit_calibration",
    "fit_conformal",
    "fit_decision",
    "fit_selective",
    "fit_temperature",
    "holm",
    "interval_of",
    "judge_answers",
    "kappa_quadratic",
    "log_loss",
    "mcnemar",
    "metric_table",
    "named_metrics",
    "one_spelling",
    "patient_folds",
    "patient_wilson",
    "percent_agreement",
    "prevalence_of",
    "read_given",
    "read_predictions",
    "reliability",
    "resampled",
    "risk_coverage",
    "shared_slides",
    "wilson",
]
