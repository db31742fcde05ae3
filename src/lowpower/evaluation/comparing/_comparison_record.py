"""The comparison of two tables of predictions, as a file."""

from __future__ import annotations

from typing import ClassVar, Literal

from lowpower.evaluation._stored import Part, Stored

__all__ = ["AucDifference", "Comparison", "Difference", "Discordance"]


class Difference(Part):
    """A metric of both models and `second - first`.

    Attributes:
        first: Value of the first model, None where undefined.
        second: Value of the second model.
        difference: second - first.
        low: Lower end of the difference's interval, None where none can be given.
        high: Upper end.
        p: Two-sided, by swapping the models patient by patient; of the metrics that are tested, and None
            with too few patients.
        p_bootstrap: Two-sided, from the share of resamples on either side of 0, which rejects somewhat too
            often (docs/metrics.md); None without an interval.
        n: Slides it rests on.
        note: What a reader must know, or an empty string.
    """

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_bootstrap: float | None
    n: int
    note: str = ""


class Discordance(Part):
    """McNemar's exact test on the slides that only one model gets right."""

    only_first: int
    only_second: int
    p: float


class AucDifference(Part):
    """DeLong's test, clustered by patient, of one class against the rest; `p_holm` over all classes."""

    first: float | None
    second: float | None
    error: float | None
    p: float | None
    p_holm: float | None
    note: str = ""


class Comparison(Stored):
    """Two models on the same slides, as a file.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        metrics: `Difference` by the names of `Evaluation.metrics`, and "auc_at/1", "ppa/1", "npa/1" for each
            cut-off. An ECE has none here: its difference is mostly chance.
        mcnemar: On the most probable class.
        delong: By class name.
        research_use: Stands in every file.
    """

    _called: ClassVar[str] = "a comparison"

    schema_version: Literal[1] = 1
    scheme: str
    first: str
    second: str
    slides: int
    patients: int
    confidence: float
    resamples: int
    seed: int
    metrics: dict[str, Difference]
    mcnemar: Discordance
    delong: dict[str, AucDifference]
    notes: list[str]
    research_use: str = "Research use only: not a medical device."
