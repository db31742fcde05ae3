"""The model card that lies in every bundle as README.md."""

from __future__ import annotations

from lowpower.cohort import SCHEMES
from lowpower.models._bundle_spec import BundleSpec, Metric
from lowpower.models._decision import Selective

__all__ = ["render_card"]


def render_card(spec: BundleSpec, notes: str = "") -> str:
    """Markdown of a bundle's model card, with `notes` appended."""
    low, high = spec.slide_mpp_range
    architecture = spec.architecture
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
        f"| view | {spec.recipe.mpp:g} um/px, tissue's box + {spec.recipe.margin_um:g} um, glass: "
        f"{spec.recipe.glass} |",
        f"| network | {architecture.backbone}, strides {', '.join(map(str, architecture.strides))}, "
        f"pooling {architecture.pooling}, head {architecture.head}, inputs {architecture.inputs} |",
        f"| normalisation | {spec.normalisation} |",
        f"| calibration | temperature {spec.temperature:.3g} |",
        f"| conformal sets | {_abstention(spec)} |",
        f"| answers | {_answers(spec)} |",
        f"| weights | {spec.weights_file}, {spec.weights_dtype}, SHA-256 {spec.weights_sha256} |",
        f"| cohort fingerprint | {spec.cohort_fingerprint} |",
        f"| seed | {spec.seed} |",
        f"| licence | {spec.licence} |",
        f"| software | {', '.join(f'{name} {version}' for name, version in spec.software.items())} |",
        "",
    ]
    if spec.metrics:
        lines += ["## Test fold", "", "| metric | value (95 % interval) | slides |", "|---|---|---|"]
        lines += [
            f"| {name} | {_interval(metric)} | {metric.n or ''} |" for name, metric in spec.metrics.items()
        ]
        lines.append("")
    if notes:
        lines += [notes.strip(), ""]
    return "\n".join(lines)


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
    voices = [("network alone", decision.network)]
    voices += [("network and measurement", decision.joint.voice)] if decision.joint is not None else []
    cutoffs = SCHEMES[spec.scheme].cutoffs
    told = []
    for name, voice in voices:
        rules = [("score", voice.issue)]
        rules += [
            (cutoff.name.replace("|", "\\|"), one.rule)
            for cutoff, one in zip(cutoffs, voice.cutoffs, strict=True)
        ]
        told.append(f"{name}: {'; '.join(f'{what} {_rule(rule)}' for what, rule in rules)}")
    return ". ".join((*told, *decision.notes))


def _rule(rule: Selective) -> str:
    if rule.threshold is None:
        return f"never (at an error of {rule.error:.0%})"
    return (
        f"above {rule.threshold:.3f}: at most {rule.error:.0%} wrong with {rule.confidence:.0%} confidence "
        f"({rule.wrong} of {rule.issued} answered, of {rule.n} validation patients)"
    )


def _interval(metric: Metric) -> str:
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"
