"""Several models against one reference on the same slides, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import ClassVar, Literal

import polars as pl

from lowpower.cohort import LabelScheme, scheme_of
from lowpower.errors import PredictionsError
from lowpower.evaluation._bootstrap import RESAMPLES
from lowpower.evaluation._stored import Part, Stored
from lowpower.evaluation.comparing._comparison_record import Comparison
from lowpower.evaluation.comparing._paired import holm
from lowpower.evaluation.comparing._permutation import TESTED
from lowpower.evaluation.comparing._two_models import compare_predictions

__all__ = ["ComparisonSet", "PairedTest", "TestName", "compare_with_reference", "shared_slides"]

TestName = Literal["permutation", "bootstrap", "mcnemar", "delong"]


class PairedTest(Part):
    """One test of one model against the reference.

    Attributes:
        model: The model.
        test: permutation (models swapped by patient), bootstrap, mcnemar (slides right) or delong.
        measure: auc_macro, kappa_quadratic, f1_weighted, accuracy, "auc[0 | >=1+]" for a cut-off's AUC, or
            for DeLong the class whose AUC against the rest is tested.
        reference: Value of the reference, None where undefined.
        value: Value of the model.
        difference: value - reference.
        low: Lower end of the difference's interval (DeLong: from its standard error).
        high: Upper end.
        p: Two-sided, for this test alone.
        p_holm: After Holm over the same test of every model, and of every cut-off or class.
        family: How many tests that were.
        note: What a reader must know, or an empty string.
    """

    model: str
    test: TestName
    measure: str
    reference: float | None
    value: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None
    family: int = 0
    note: str = ""


class ComparisonSet(Stored):
    """Models against a reference, as a file.

    Attributes:
        reference: Name of the reference.
        comparisons: By the other model's name; in each the reference is first.
        tests: The tests behind a claim, Holm-corrected. Other differences stand in `comparisons` with
            intervals and are exploratory.
        notes: What a reader must know.
    """

    _called: ClassVar[str] = "a comparison"

    schema_version: Literal[1] = 1
    scheme: str
    reference: str
    comparisons: dict[str, Comparison]
    tests: list[PairedTest]
    notes: list[str]
    research_use: str = "Research use only: not a medical device."

    def test_of(self, model: str, test: str, measure: str) -> PairedTest | None:
        """One test, None where there is none."""
        wanted = (model, test, measure)
        return next((t for t in self.tests if (t.model, t.test, t.measure) == wanted), None)

    def table(self) -> pl.DataFrame:
        """One row a test."""
        rows = [{"against": self.reference} | test.model_dump() for test in self.tests]
        return pl.DataFrame(rows, infer_schema_length=None)


def compare_with_reference(
    tables: Mapping[str, pl.DataFrame],
    scheme: str | LabelScheme,
    reference: str,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    keep_shared: bool = False,
    tests: Sequence[TestName] = ("permutation",),
) -> ComparisonSet:
    """Compare every model with the reference on the same slides.

    Args:
        tables: Predictions by model, as `evaluate_predictions` takes them, of the same slides.
        scheme: Label scheme, or its name.
        reference: Which of them the others are held against.
        seed: Of the resampling.
        resamples: How many.
        confidence: Of the intervals.
        keep_shared: Compare each model over the slides that it shares with the reference; a note says how
            many. A model that shares none is not compared.
        tests: Which tests. McNemar's takes the slides of one patient as independent, the bootstrap's rejects
            somewhat too often (docs/metrics.md).

    Raises:
        PredictionsError: if a table is not one, or slides, patients or labels differ between them.
    """
    scheme = scheme_of(scheme)
    pairs = {name: (tables[reference], table) for name, table in tables.items() if name != reference}
    notes: list[str] = []
    if keep_shared:
        pairs, notes = _over_shared(pairs)
    comparisons = {
        name: compare_predictions(
            first,
            table,
            scheme,
            names=(reference, name),
            seed=seed,
            resamples=resamples,
            confidence=confidence,
        )
        for name, (first, table) in pairs.items()
    }
    made = [test for name, found in comparisons.items() for test in _tests(name, found, scheme, tests)]
    said = [note for found in comparisons.values() for note in found.notes]
    notes += [note for note in said if "mcnemar" in tests or not note.startswith("McNemar")]
    return ComparisonSet(
        scheme=scheme.name,
        reference=reference,
        comparisons=comparisons,
        tests=_corrected(made),
        notes=list(dict.fromkeys(notes)),
    )


def _over_shared(
    pairs: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
) -> tuple[dict[str, tuple[pl.DataFrame, pl.DataFrame]], list[str]]:
    kept, notes = {}, []
    for name, (first, other) in pairs.items():
        shared = set(first["slide"]) & set(other["slide"])
        if not shared:
            notes.append(f"{name} shares no slide with the reference and is not compared")
            continue
        if len(shared) < max(first.height, other.height):
            notes.append(f"{name} is compared over the {len(shared)} slides that both predicted")
        kept[name] = (
            first.filter(pl.col("slide").is_in(shared)),
            other.filter(pl.col("slide").is_in(shared)),
        )
    return kept, notes


def _tests(name: str, found: Comparison, scheme: LabelScheme, kinds: Sequence[TestName]) -> list[PairedTest]:
    makers = {
        "permutation": lambda: _of_metrics(name, found, scheme, "permutation"),
        "bootstrap": lambda: _of_metrics(name, found, scheme, "bootstrap"),
        "mcnemar": lambda: [_mcnemar(name, found)],
        "delong": lambda: _delong(name, found, scheme),
    }
    return [test for kind in dict.fromkeys(kinds) for test in makers[kind]()]


def _of_metrics(
    name: str, found: Comparison, scheme: LabelScheme, kind: Literal["permutation", "bootstrap"]
) -> list[PairedTest]:
    keys = {measure: measure for measure in TESTED}
    keys |= {f"auc[{cutoff.name}]": f"auc_at/{cutoff.at}" for cutoff in scheme.cutoffs}
    tests = []
    for measure, key in keys.items():
        entry = found.metrics[key]
        tests.append(
            PairedTest(
                model=name,
                test=kind,
                measure=measure,
                reference=entry.first,
                value=entry.second,
                difference=entry.difference,
                low=entry.low,
                high=entry.high,
                p=entry.p if kind == "permutation" else entry.p_bootstrap,
                note=entry.note,
            )
        )
    return tests


def _mcnemar(name: str, found: Comparison) -> PairedTest:
    accuracy = found.metrics["accuracy"]
    return PairedTest(
        model=name,
        test="mcnemar",
        measure="accuracy",
        reference=accuracy.first,
        value=accuracy.second,
        difference=accuracy.difference,
        low=accuracy.low,
        high=accuracy.high,
        p=found.mcnemar.p,
        note=f"right by one alone: {found.mcnemar.only_first} {found.first}, "
        f"{found.mcnemar.only_second} {found.second}",
    )


def _delong(name: str, found: Comparison, scheme: LabelScheme) -> list[PairedTest]:
    # With two classes both have the same AUC: one test, not two.
    classes = scheme.classes if len(scheme.classes) > 2 else scheme.classes[1:]
    z = NormalDist().inv_cdf((1 + found.confidence) / 2)
    tests = []
    for label in classes:
        entry = found.delong[label]
        change = None if entry.first is None or entry.second is None else entry.second - entry.first
        half = None if change is None or entry.error is None or entry.p is None else z * entry.error
        tests.append(
            PairedTest(
                model=name,
                test="delong",
                measure=label,
                reference=entry.first,
                value=entry.second,
                difference=change,
                low=None if half is None or change is None else change - half,
                high=None if half is None or change is None else change + half,
                p=entry.p,
                note=entry.note,
            )
        )
    return tests


def _corrected(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Holm over the models; over models and cut-offs, or classes, where a measure has several."""
    families: dict[tuple[str, str], list[int]] = {}
    for index, test in enumerate(tests):
        if test.p is not None:
            measure = "" if test.test == "delong" else test.measure.partition("[")[0]
            families.setdefault((test.test, measure), []).append(index)
    corrected = list(tests)
    for members in families.values():
        adjusted = holm([p for index in members if (p := tests[index].p) is not None])
        for index, p in zip(members, adjusted, strict=True):
            corrected[index] = tests[index].model_copy(update={"p_holm": p, "family": len(members)})
    return corrected


def shared_slides(tables: Mapping[str, pl.DataFrame], *, keep_shared: bool) -> dict[str, pl.DataFrame]:
    """The tables over the slides that all of them hold.

    Args:
        tables: Predictions by model.
        keep_shared: Whether slides that some lack may be left out.

    Raises:
        PredictionsError: slides differ and `keep_shared` is False, or none is shared; with the counts.
    """
    sets = {name: set(table["slide"]) for name, table in tables.items()}
    shared = set.intersection(*sets.values())
    if all(slides == shared for slides in sets.values()):
        return dict(tables)
    counts = ", ".join(f"{name} {len(slides)}" for name, slides in sets.items())
    name, extra = next((n, sorted(slides - shared)) for n, slides in sets.items() if slides - shared)
    if not shared:
        raise PredictionsError(
            f"the tables share no slide ({counts}); {name} has for instance {extra[0]!r}: do they name "
            "slides alike?"
        )
    if not keep_shared:
        raise PredictionsError(
            f"the tables hold different slides: {counts}, {len(shared)} shared; {extra[0]!r}, for instance, "
            f"is in {name} but not in all. Go on over the shared slides with --shared."
        )
    return {name: table.filter(pl.col("slide").is_in(shared)) for name, table in tables.items()}
