"""The model card that lies in every bundle as README.md."""

from __future__ import annotations

from lowpower.cohort import SCHEMES
from lowpower.models.bundle._bundle_spec import BundleMetric, BundleSpec
from lowpower.models.bundle._decision import Selective
from lowpower.views import PatchRecipe

__all__ = ["render_card"]


def render_card(spec: BundleSpec, notes: str = "") -> str:
    """Markdown of a bundle's model card, with `notes` appended."""
    low, high = spec.slide_mpp_range
    lines = [
        f"# {spec.name}",
        "",
        *([spec.description, ""] if spec.description else []),
        "**Research use only: not a medical device.**",
        "",
        "| | |",
        "|---|---|",
        f"| version | {spec.version} |",
        f"| predicts | {spec.marker}, {spec.scheme}: {', '.join(spec.classes)} |",
        f"| mapping | {SCHEMES[spec.scheme].mapping} |",
        f"| trained on | {spec.trained_on} |",
        f"| slides | {low:g} to {high:g} um/px at level 0; others are refused |",
        *(f"| {what} | {told} |" for what, told in _model_rows(spec)),
        f"| normalisation | {spec.normalisation} |",
        f"| calibration | temperature {spec.temperature:.3g} |",
        f"| prevalence | {_prevalence(spec)} |",
        f"| conformal sets | {_abstention(spec)} |",
        f"| answers | {_answers(spec)} |",
        f"| weights | {_weights(spec)} |",
        f"| cohort fingerprint | {spec.cohort_fingerprint} |",
        f"| seed | {spec.seed} |",
        f"| licence | {spec.licence} |",
        f"| software | {', '.join(f'{name} {version}' for name, version in spec.software.items())} |",
        "",
    ]
    if spec.metrics:
        lines += ["## Test slides", "", "| metric | value (95 % interval) | slides |", "|---|---|---|"]
        lines += [
            f"| {name} | {_interval(metric)} | {metric.n or ''} |" for name, metric in spec.metrics.items()
        ]
        lines.append("")
    if notes:
        lines += [notes.strip(), ""]
    return "\n".join(lines)


def _model_rows(spec: BundleSpec) -> list[tuple[str, str]]:
    """What the model is, by its kind."""
    rows = [("kind", spec.kind.replace("_", " "))]
    if spec.recipe is not None:
        recipe = spec.recipe
        margin = f"tissue's box + {recipe.margin_um:g} um"
        rows.append(("view", f"{recipe.mpp:g} um/px, {margin}, glass: {recipe.glass}"))
    if spec.architecture is not None:
        network = spec.architecture
        strides = ", ".join(map(str, network.strides))
        told = f"pooling {network.pooling}, head {network.head}, inputs {network.inputs}"
        rows.append(("network", f"{network.backbone}, strides {strides}, {told}"))
    if spec.mil is not None:
        encoder = spec.mil.encoder
        source = f", {encoder.hub}" if encoder.hub else ""
        told = f"weights SHA-256 {encoder.sha256}, licence {encoder.licence}; not in this bundle"
        rows += [
            ("patches", _patches(spec.mil.patches)),
            ("encoder", f"{encoder.name}{source}, {told}"),
            ("aggregator", f"{spec.mil.aggregator}, head {spec.mil.head}"),
        ]
    if spec.patch_fusion is not None:
        fusion = spec.patch_fusion
        top = f" {fusion.top:g}" if fusion.fusion == "top" else ""
        rows += [("patches", _patches(fusion.patches)), ("fusion of patches", f"{fusion.fusion}{top}")]
    if spec.measured is not None:
        regression = spec.measured.regression
        told = f"logistic regression over the measured shares, fitted on {regression.slides} slides"
        rows.append(("model", f"{told}; cells found by the network {spec.measured.cell_network[:12]}..."))
    if spec.late_fusion is not None:
        late = spec.late_fusion
        parts = (f"{weight:.2f} {name}" for name, weight in zip(late.members, late.weights, strict=True))
        rows.append((f"mean of {late.of}", ", ".join(parts)))
    return rows


def _prevalence(spec: BundleSpec) -> str:
    """Which shares of classes the probabilities were made for."""
    told = "the model's probabilities assume equal shares of the classes, as its training showed them"
    if spec.decision is not None and spec.decision.joint is not None:
        told += "; joined with the measurement, the shares among its validation slides"
    return told


def _patches(recipe: PatchRecipe) -> str:
    cap = "all" if recipe.max_patches is None else f"at most {recipe.max_patches}"
    return f"{recipe.size} px at {recipe.mpp:g} um/px, {cap}, at least {recipe.min_tissue:.0%} tissue"


def _weights(spec: BundleSpec) -> str:
    if not spec.has_weights:
        return f"none; numbers in bundle.json, SHA-256 {spec.weights_sha256}"
    return f"{spec.weights_file}, {spec.weights_dtype}, SHA-256 {spec.weights_sha256}"


def _abstention(spec: BundleSpec) -> str:
    rule = spec.abstention
    if rule is None:
        return "none fitted"
    limits = ", ".join(
        f"{name} {limit:.3g}" for name, limit in zip(spec.classes, rule.min_probability, strict=True)
    )
    note = f"; {rule.note}" if rule.note else ""
    return (
        f"coverage {rule.coverage:.0%}: possible at p >= {limits} (fitted on {sum(rule.n)} validation "
        f"slides{note})"
    )


def _answers(spec: BundleSpec) -> str:
    decision = spec.decision
    if decision is None:
        return "no rule for issued scores; a conformal set of one class is issued"
    alone = "measurement" if spec.kind == "measured" else "network alone"
    voices = [(alone, decision.network)]
    if decision.joint is not None:
        hears = decision.joint.combination.hears_network
        voices.append(("network and measurement" if hears else "measurement", decision.joint.voice))
    cutoffs = SCHEMES[spec.scheme].cutoffs
    told = []
    for name, voice in voices:
        rules = [("score", voice.issue)]
        rules += [
            (cutoff.name.replace("|", "\\|"), one.rule)
            for cutoff, one in zip(cutoffs, voice.cutoffs, strict=True)
        ]
        told.append(f"{name}: {'; '.join(f'{what} {_rule(rule)}' for what, rule in rules)}")
    familiar = None if decision.joint is None else decision.joint.familiar
    if familiar is not None:
        told.append(
            f"measured slides unlike all {len(familiar.appearances)} of these in stain, glass or sharpness: "
            f"never (further than {familiar.farthest:.2f})"
        )
    return ". ".join((*told, *decision.notes))


def _rule(rule: Selective) -> str:
    if rule.threshold is None:
        return f"never (at an error of {rule.error:.0%})"
    return (
        f"above {rule.threshold:.3f}: at most {rule.error:.0%} wrong with {rule.confidence:.0%} confidence "
        f"({rule.wrong} of {rule.issued} answered, of {rule.n} validation patients)"
    )


def _interval(metric: BundleMetric) -> str:
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"
