"""Rows of the tables of a study's report, and its CSV files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from lowpower.cohort import LabelScheme
from lowpower.evaluation import metric_table
from lowpower.experiments import GROUP_METRICS, ArmFindings, StudyFindings, StudyResults
from lowpower.reports._study_answer import seconds
from lowpower.reports._table_cells import NONE, Cell, Row, columns_of, metric_cell, model_rows

__all__ = ["arm_rows", "arm_table", "cost_rows", "fold_rows", "group_rows", "shown_in_groups"]


def arm_rows(found: StudyFindings) -> tuple[list[str], list[Row]]:
    """The paper's table: titles, and one row an arm; failed ones with the reason."""
    evaluations = {arm.record.name: arm.evaluation for arm in found.arms if arm.evaluation is not None}
    titles, finished = model_rows(evaluations, found.scheme)
    by_name = {row.name: row for row in finished}
    rows = []
    for arm in found.arms:
        name, about = arm.record.name, arm.record.label
        if name not in by_name:
            rows.append(Row(name, about=about, failed="; ".join(_told_once(arm.failures)) or "no result"))
            continue
        if arm.failures:
            about += f". Failed: {'; '.join(_told_once(arm.failures))}"
        marked = found.reference is not None and name == found.reference.name
        rows.append(Row(name, _with_seeds(by_name[name].cells, arm, found.scheme), about, marked=marked))
    return titles, rows


def _with_seeds(cells: Sequence[Cell], arm: ArmFindings, scheme: LabelScheme) -> list[Cell]:
    """The cells with the least and greatest value among seeds, where there are several."""
    shown = []
    for key, cell in zip(columns_of(scheme), cells, strict=True):
        values = arm.seeds.get(key, ())
        spread = f"{len(values)} seeds: {min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""
        shown.append(replace(cell, seeds=spread))
    return shown


def _told_once(failures: Sequence[tuple[int, str]]) -> list[str]:
    """Each reason once, with the folds it befell."""
    folds: dict[str, list[str]] = {}
    for fold, reason in failures:
        folds.setdefault(reason, []).append(str(fold))
    return [
        f"fold{'s' if len(where) > 1 else ''} {', '.join(where)}: {reason}" for reason, where in folds.items()
    ]


def cost_rows(found: StudyFindings, front: Sequence[str]) -> list[Row]:
    """One row an arm with what it costs in use and in training, and what it refers."""
    rows = []
    for arm in found.finished:
        cost, cells = arm.cost, []
        if cost is None:
            cells = [Cell(NONE)] * 6
        else:
            read = Cell(NONE, "not told") if cost.mb_read is None else Cell(f"{cost.mb_read:.2f}")
            cells = [
                Cell(seconds(cost.seconds)),
                Cell(seconds(cost.cpu_seconds)),
                Cell(f"{cost.added_mb:.0f}", f"process {cost.peak_mb:.0f}"),
            ]
            cells += [read, Cell(f"{cost.mb_stored:.2f}"), Cell(f"{cost.training_minutes:.1f}")]
        assert arm.evaluation is not None  # finished arms only, which have all three
        assert arm.referred is not None
        assert arm.accuracy_kept is not None
        cells += [metric_cell(arm.evaluation.metrics["auc_macro"])]
        cells += [metric_cell(arm.referred), metric_cell(arm.accuracy_kept)]
        marked = arm.record.name in front
        rows.append(Row(arm.record.name, cells, "on the Pareto front" if marked else "", marked=marked))
    return rows


def fold_rows(results: StudyResults) -> list[tuple[int, int, int, list[str]]]:
    """(fold, test slides, test patients, failed arms) of every outer fold."""
    rows = []
    for fold in sorted(results.units["fold"].unique().to_list()):
        tested = results.predictions.filter(pl.col("fold") == fold)
        failed = results.units.filter((pl.col("fold") == fold) & (pl.col("state") == "failed"))
        rows.append((fold, tested["row"].n_unique(), tested["patient"].n_unique(), failed["arm"].to_list()))
    return rows


def shown_in_groups(found: StudyFindings) -> list[str]:
    """The reference, and of every other kind of arm the one with the highest macro AUC."""
    if found.reference is None:
        return []
    best: dict[str, ArmFindings] = {}
    for arm in found.finished:
        assert arm.evaluation is not None
        value = arm.evaluation.metrics["auc_macro"].value or 0.0
        leader = best.get(arm.record.paradigm)
        if leader is None or value > (_auc(leader) or 0.0):
            best[arm.record.paradigm] = arm
    first = found.arm(found.reference.name)
    best[first.record.paradigm] = first
    names = [arm.record.name for arm in best.values()]
    return sorted(names, key=lambda name: (name != first.record.name, names.index(name)))


def _auc(arm: ArmFindings) -> float | None:
    return None if arm.evaluation is None else arm.evaluation.metrics["auc_macro"].value


def group_rows(groups: pl.DataFrame, arms: Sequence[str]) -> list[tuple[str, list[Row]]]:
    """For site and scanner one row a group and arm shown; `about` says what could not be had."""
    tables = []
    for (by,), part in groups.group_by("by", maintain_order=True):
        rows = []
        for (group,), table in part.sort("group").group_by("group", maintain_order=True):
            of_arm = {row["arm"]: row for row in table.iter_rows(named=True)}
            shown = [arm for arm in arms if arm in of_arm]
            for place, arm in enumerate(shown):
                row = of_arm[arm]
                counts = {"slides": str(row["slides"]), "patients": str(row["patients"]), "arm": arm}
                counts["rows"] = str(len(shown)) if place == 0 else ""  # the group's name spans its arms
                cells = [_group_cell(row, name) for name in GROUP_METRICS]
                rows.append(Row(str(group), cells, about=row["note"] or "", extra=counts))
        tables.append((str(by), rows))
    return tables


def _group_cell(row: dict[str, Any], name: str) -> Cell:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return Cell(NONE, "undefined")
    counts = f" ({row['right']}/{row['slides']})" if name == "accuracy" else ""
    return Cell(f"{value:.2f}{counts}", "" if low is None else f"{low:.2f} to {high:.2f}")


def arm_table(found: StudyFindings, front: Sequence[str]) -> pl.DataFrame:
    """arms.csv: one row an arm; every metric as `<name>`, `<name>_low`, `<name>_high`; costs; state."""
    rows = []
    for arm in found.arms:
        record = arm.record
        row: dict[str, Any] = {
            "arm": record.name,
            "paradigm": record.paradigm,
            "mpp": record.mpp,
            "label": record.label,
            "state": record.state,
            "reason": "; ".join(_told_once(arm.failures)) or None,
            "reference": found.reference is not None and found.reference.name == record.name,
            "on_pareto_front": record.name in front,
            "slides": arm.evaluation.slides if arm.evaluation else 0,
            "patients": arm.evaluation.patients if arm.evaluation else 0,
        }
        if arm.cost is not None:
            row |= {
                "seconds_a_slide": arm.cost.seconds,
                "cpu_seconds_a_slide": arm.cost.cpu_seconds,
                "added_mb": arm.cost.added_mb,
                "peak_mb": arm.cost.peak_mb,
                "mb_read_a_slide": arm.cost.mb_read,
                "mb_stored_a_slide": arm.cost.mb_stored,
                "training_minutes": arm.cost.training_minutes,
            }
        if arm.evaluation is not None and arm.referred is not None and arm.accuracy_kept is not None:
            for name, value, low, high in (
                metric_table(arm.evaluation).select("metric", "value", "low", "high").iter_rows()
            ):
                row |= {name: value, f"{name}_low": low, f"{name}_high": high}
            for name, values in arm.seeds.items():
                if len(values) > 1:
                    spread = {"low": min(values), "high": max(values), "sd": statistics.stdev(values)}
                    row |= {"seeds": len(values)} | {f"{name}_seed_{k}": v for k, v in spread.items()}
            for name, metric in (("referred", arm.referred), ("accuracy_kept", arm.accuracy_kept)):
                row |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
        rows.append(row)
    # The widest row gives the columns: a failed arm has few.
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return pl.DataFrame([{key: row.get(key) for key in columns} for row in rows], infer_schema_length=None)
