"""Two figures of a study: performance against um/px, and cost against performance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lowpower.evaluation import Evaluation, Metric
from lowpower.experiments import ArmFindings
from lowpower.reports._plots import BLUE, GREY, ORANGE, drawn, write_numbers

__all__ = ["PARADIGMS", "pareto_front", "plot_cost", "plot_resolution", "series_of"]

PARADIGMS: Final = {
    "slide": "slide network",
    "mil": "multiple-instance learning",
    "patch": "patch network, fused",
    "fusion": "late fusion",
    "measured": "measured stain",
}
_LOOKS: Final = {
    "slide": (BLUE, "o"),
    "mil": (ORANGE, "s"),
    "patch": ("#009E73", "^"),
    "fusion": ("#AA4499", "D"),
    "measured": (GREY, "P"),
}
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (4, 1, 1, 1)))
_ALSO: Final = (".svg",)


def series_of(arms: Sequence[ArmFindings]) -> dict[str, list[ArmFindings]]:
    """Arms that differ by um/px alone, by a name of theirs; coarse first."""
    groups: dict[str, list[ArmFindings]] = {}
    for arm in arms:
        settings = {k: v for k, v in arm.record.settings.items() if k not in ("mpp", "name")}
        groups.setdefault(json.dumps([arm.record.paradigm, settings], sort_keys=True), []).append(arm)
    named: dict[str, list[ArmFindings]] = {}
    for group in groups.values():
        name = group[0].record.name.split("@")[0] if len(group) > 1 else group[0].record.name
        named[name if name not in named else group[0].record.name] = sorted(
            group, key=lambda arm: -arm.record.mpp
        )
    return named


def plot_resolution(arms: Sequence[ArmFindings], path: Path) -> Path:
    """Macro AUC, and the AUC at each cut-off, against um/px; one line a series of arms."""
    finished = [arm for arm in arms if arm.evaluation is not None]
    titles = _panels(finished[0].evaluation) if finished and finished[0].evaluation else {}
    groups = series_of(finished)
    dashes = _dashes(groups)
    rows: list[tuple[Any, ...]] = []
    with drawn(path, (3.55 * len(titles), 3.6), grid=(1, len(titles)), also=_ALSO) as (figure, panels):
        for column, (title, axes) in enumerate(zip(titles, panels, strict=True)):
            for number, (name, group) in enumerate(groups.items()):
                colour, marker = _LOOKS[group[0].record.paradigm]
                known = [(arm.record.mpp, _metric(arm, title)) for arm in group]
                known = [(mpp, metric) for mpp, metric in known if metric.value is not None]
                # Side by side on the logarithmic axis, so that intervals do not cover one another.
                shift = 1.045 ** (number - (len(groups) - 1) / 2)
                x, y = [mpp * shift for mpp, _ in known], [metric.value or 0.0 for _, metric in known]
                look = {"color": colour, "marker": marker, "linestyle": dashes[name]}
                axes.plot(x, y, markersize=4.5, linewidth=1.5, label=name, **look)
                for place, (_, metric) in zip(x, known, strict=True):
                    if metric.low is not None and metric.high is not None:
                        ends = [metric.low, metric.high]
                        axes.plot([place, place], ends, color=colour, linewidth=0.9, alpha=0.75)
                rows += [(title, name, mpp, m.value, m.low, m.high) for mpp, m in known]
            ticks = sorted({arm.record.mpp for arm in finished})
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [f"{mpp:g}" for mpp in ticks])
            axes.minorticks_off()
            axes.set(xlabel="um/px (fine to coarse)", title=title)
            axes.title.set_fontsize(10)
            axes.grid(axis="y", color="#E4E7EC", linewidth=0.8)
            axes.set_axisbelow(True)
            if column == 0:
                axes.set_ylabel("AUC")
        handles, labels = panels[0].get_legend_handles_labels()
        columns = min(4, max(1, len(labels)))
        figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, fontsize=8.5, handlelength=3
        )
    return write_numbers(path, ["panel", "series", "mpp", "value", "low", "high"], rows)


def _dashes(groups: Mapping[str, Sequence[ArmFindings]]) -> dict[str, Any]:
    """A line style a series; series of one paradigm share a colour, not a style."""
    seen: dict[str, int] = {}
    styles = {}
    for name, group in groups.items():
        paradigm = group[0].record.paradigm
        styles[name] = _DASHES[seen.get(paradigm, 0) % len(_DASHES)]
        seen[paradigm] = seen.get(paradigm, 0) + 1
    return styles


def _panels(evaluation: Evaluation) -> list[str]:
    more = list(evaluation.cutoffs) if len(evaluation.classes) > 2 else ["kappa, quadratic"]
    return ["macro AUC", *more]


def _metric(arm: ArmFindings, panel: str) -> Metric:
    assert arm.evaluation is not None  # finished arms only
    if panel == "macro AUC":
        return arm.evaluation.metrics["auc_macro"]
    if panel == "kappa, quadratic":
        return arm.evaluation.metrics["kappa_quadratic"]
    return arm.evaluation.cutoffs[panel].auc


def pareto_front(arms: Sequence[ArmFindings]) -> list[str]:
    """Names of the arms that no other beats in both seconds a slide and macro AUC, by point estimates."""
    points = {arm.record.name: _point(arm) for arm in arms}
    known = [(name, *point) for name, point in points.items() if point is not None]
    return [
        name
        for name, cost, value in known
        if not any(c <= cost and v >= value and (c, v) != (cost, value) for _, c, v in known)
    ]


def _point(arm: ArmFindings) -> tuple[float, float] | None:
    value = arm.evaluation.metrics["auc_macro"].value if arm.evaluation is not None else None
    return None if arm.cost is None or value is None else (arm.cost.seconds, value)


def plot_cost(arms: Sequence[ArmFindings], path: Path) -> Path:
    """Macro AUC with its interval against seconds a slide, and the front of arms that none beats in both."""
    from matplotlib.ticker import LogLocator

    known = [arm for arm in arms if _point(arm) is not None]
    front = pareto_front(known)
    rows: list[tuple[Any, ...]] = []
    with drawn(path, (7.6, 4.6), also=_ALSO) as (figure, axes):
        for paradigm, title in PARADIGMS.items():
            mine = [arm for arm in known if arm.record.paradigm == paradigm]
            colour, marker = _LOOKS[paradigm]
            for arm in mine:
                x, y = _point(arm) or (0.0, 0.0)
                metric = _metric(arm, "macro AUC")
                if metric.low is not None and metric.high is not None:
                    axes.plot([x, x], [metric.low, metric.high], color=colour, linewidth=0.9, alpha=0.6)
                on_front = arm.record.name in front
                axes.plot(x, y, marker, color=colour, markersize=7 if on_front else 5.5)
                rows.append((arm.record.name, x, y, metric.low, metric.high, on_front))
            if mine:
                axes.plot([], [], marker, color=colour, label=title)
        steps = sorted((_point(arm) or (0.0, 0.0)) for arm in known if arm.record.name in front)
        if len(steps) > 1:
            front_line = {"color": "#444444", "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 0}
            axes.step(*zip(*steps, strict=True), where="post", label="Pareto front", **front_line)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
        axes.set(xlabel="seconds a slide in use (read, features, predict)", ylabel="macro AUC")
        axes.grid(color="#EEF0F3", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.margins(x=0.16)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8.5)
        _label_points(figure, axes, [(arm.record.name, *(_point(arm) or (0.0, 0.0))) for arm in known])
    columns = ["arm", "seconds_a_slide", "auc_macro", "low", "high", "on_front"]
    return write_numbers(path, columns, rows)


def _label_points(figure: Any, axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Names beside their points: of eight places each the one that covers the least."""
    figure.canvas.draw()
    places = [axes.transData.transform((x, y)) for _, x, y in points]
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    inside = axes.get_window_extent()
    for (name, x, y), (px, py) in sorted(zip(points, places, strict=True), key=lambda one: -one[1][1]):
        width, height = 5.0 * len(name) + 4, 11.0
        options = []
        left = -9 - width
        for dx, dy in ((8, 4), (left, 4), (9, -5), (8, -16), (left, -5), (left, -16), (8, 18), (8, -30)):
            box = (px + dx, py + dy, px + dx + width, py + dy + height)
            covered = sum(
                max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
                * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
                for other in taken
            )
            outside = max(0.0, box[2] - inside.x1) + max(0.0, inside.x0 - box[0])
            options.append((covered + 40 * outside + 0.02 * (abs(dx) + abs(dy)), box, dx, dy))
        _, box, dx, dy = min(options)
        taken.append(box)
        points_a_pixel = 72 / figure.dpi
        axes.annotate(
            name,
            (x, y),
            xytext=(dx * points_a_pixel, dy * points_a_pixel),
            textcoords="offset points",
            fontsize=7.5,
            color="#333333",
            annotation_clip=False,
        )
