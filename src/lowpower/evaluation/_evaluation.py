"""The evaluation of one table of predictions, as a file."""

from __future__ import annotations

from typing import ClassVar, Literal

from lowpower.evaluation._stored import Part, Stored

__all__ = [
    "ConformalOutcome",
    "CutoffMetrics",
    "Evaluation",
    "Metric",
    "OperatingMetrics",
    "ReliabilityPoint",
    "RiskPoint",
    "RocCurve",
]


class Metric(Part):
    """A number with its interval.

    Attributes:
        value: None where undefined; `note` says why.
        low: Lower end of the interval, None where none can be given.
        high: Upper end.
        n: Slides it rests on.
        note: What a reader must know, or an empty string.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str = ""


class OperatingMetrics(Part):
    """Agreement at a threshold on the summed probability of the positive classes, chosen on validation."""

    threshold: float
    criterion: str
    ppa: Metric
    npa: Metric


class CutoffMetrics(Part):
    """A two-way question that decides treatment.

    Attributes:
        at: First class index that counts as positive.
        auc: Area under the ROC curve of the summed probability of the positive classes.
        ppa: Positive percent agreement, as a share, where the most probable class decides.
        npa: Negative percent agreement, as a share, likewise.
        operating_point: The same where a threshold chosen on validation decides; None without calibration.
    """

    at: int
    auc: Metric
    ppa: Metric
    npa: Metric
    operating_point: OperatingMetrics | None


class ReliabilityPoint(Part):
    """One bin of the reliability curve (`ReliabilityBin`)."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


class RiskPoint(Part):
    """One step of the risk-coverage curve."""

    coverage: float
    risk: float
    confidence: float


class RocCurve(Part):
    """ROC curve of a class against the rest; empty where undefined."""

    false_positive_rate: list[float]
    true_positive_rate: list[float]
    threshold: list[float | None]


class ConformalOutcome(Part):
    """What a conformal rule, fitted on validation, did here.

    Attributes:
        promised: Coverage the rule promised.
        coverage: Share of slides whose set holds the label.
        coverage_per_class: The same within each class.
        referred: Share of slides without exactly one possible class.
        set_size: Mean number of possible classes.
        accuracy_kept: Accuracy among slides not referred.
    """

    promised: float
    coverage: Metric
    coverage_per_class: dict[str, Metric]
    referred: Metric
    set_size: Metric
    accuracy_kept: Metric


class Evaluation(Stored):
    """Everything measured on one table of predictions.

    Attributes:
        mapping: How scores became classes, as one sentence.
        confidence: Of the intervals; they come from resampling patients.
        temperature: Applied to the probabilities before anything else; 1 changes nothing.
        metrics: auc_macro, accuracy, balanced_accuracy, f1_weighted, f1_macro, kappa_quadratic,
            expected_score_error (mean absolute difference of expected and labelled class index), log_loss,
            brier, ece, aurc.
        per_class: By class name: auc, f1, sensitivity, precision.
        cutoffs: By the cut-off's name.
        confusion: Rows the label, columns the most probable class.
        research_use: Stands in every file.
    """

    _called: ClassVar[str] = "an evaluation"

    schema_version: Literal[1] = 1
    scheme: str
    mapping: str
    classes: list[str]
    slides: int
    patients: int
    class_counts: dict[str, int]
    confidence: float
    resamples: int
    seed: int
    temperature: float
    metrics: dict[str, Metric]
    per_class: dict[str, dict[str, Metric]]
    cutoffs: dict[str, CutoffMetrics]
    confusion: list[list[int]]
    reliability: list[ReliabilityPoint]
    risk_coverage: list[RiskPoint]
    roc: dict[str, RocCurve]
    abstention: ConformalOutcome | None
    notes: list[str]
    research_use: str = "Research use only: not a medical device."
