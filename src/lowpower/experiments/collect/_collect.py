"""From finished units to one table of predictions, states, costs, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lowpower.cohort import Cohort, Folds
from lowpower.errors import ConfigError
from lowpower.evaluation import MIN_PATIENTS
from lowpower.experiments.artefacts import Artefact, Cost, together
from lowpower.experiments.collect._results import COSTS, LEFT_OUT, UNITS, ArmRecord, StudyResults
from lowpower.experiments.plan import Arm, Experiment, FusionArm, MilArm, PatchArm, SlideArm, needs_of
from lowpower.experiments.units import Done, unit_folder
from lowpower.models import encoder_card

__all__ = ["arm_label", "collect", "is_simulated"]

_PLACE = ("row", "slide", "patient", "label")
MEASURED_MPP = 0.5
"""What the stain measurement reads at, about."""


def collect(
    config: Experiment,
    cohort: Cohort,
    folds: Folds,
    wanted: Sequence[int],
    artefacts: Mapping[str, Mapping[int, Artefact]],
    done: Mapping[tuple[str, int], Done],
    warnings: Sequence[str] = (),
) -> StudyResults:
    """Gather a study's results; see `StudyResults`. What was warned of stands in its notes."""
    tables, validation, units, costs, left_out = [], [], [], [], []
    probabilities = _probabilities(config)
    for arm in config.arms:
        for fold in wanted:
            unit = done[arm.name, fold]
            units.append((arm.name, fold, unit.state, unit.reason))
            if unit.state != "ok":
                continue
            table = pl.read_parquet(unit_folder(config, arm, fold) / "test.parquet").sort("row")
            mark = {"arm": pl.lit(arm.name), "fold": pl.lit(fold, pl.Int64)}
            tables.append(table.with_columns(**mark))
            seen = pl.read_parquet(unit_folder(config, arm, fold) / "validation.parquet").sort("row")
            validation.append(seen.with_columns(**mark).select("arm", "fold", *_PLACE, *probabilities))
            costs += _costs(config, arm, fold, table["row"].to_list(), artefacts, done)
            left_out += [
                (arm.name, fold, row, cohort.table["slide_name"][row], reason)
                for row, reason in sorted(unit.left_out.items())
            ]
    missing = pl.DataFrame(left_out, schema=LEFT_OUT, orient="row")
    states = {arm.name: [done[arm.name, fold].state for fold in wanted] for arm in config.arms}
    return StudyResults(
        folder=config.folder,
        config=config,
        arms=tuple(_record(config, arm, states[arm.name]) for arm in config.arms),
        predictions=_predictions(config, cohort, tables),
        units=pl.DataFrame(units, schema=UNITS, orient="row"),
        costs=pl.DataFrame(costs, schema=COSTS, orient="row"),
        left_out=missing,
        notes=(*_notes(config, cohort, folds, wanted, artefacts, missing), *warnings),
        validation=pl.concat(validation) if validation else pl.DataFrame(),
    )


def _probabilities(config: Experiment) -> list[str]:
    return [f"p_{index}" for index in range(len(config.label_scheme.classes))]


def _predictions(config: Experiment, cohort: Cohort, tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    names = _probabilities(config)
    columns = ["arm", "fold", "row", "slide", "patient", "distinct", "site", "scanner", "label", *names]
    columns += ["set_size", "referred"]
    if not tables:
        kinds: dict[str, Any] = dict.fromkeys(columns, pl.Float64)
        kinds |= dict.fromkeys(("arm", "slide", "patient", "distinct", "site", "scanner"), pl.String)
        kinds |= dict.fromkeys(("fold", "row", "label", "set_size"), pl.Int64) | {"referred": pl.Boolean}
        return pl.DataFrame(schema=kinds)
    where = cohort.table.select("site", "scanner", "distinct").with_columns(
        row=pl.int_range(len(cohort), dtype=pl.Int64)
    )
    return pl.concat(tables).join(where, on="row", how="left", maintain_order="left").select(columns)


def _costs(
    config: Experiment,
    arm: Arm,
    fold: int,
    rows: Sequence[int],
    artefacts: Mapping[str, Mapping[int, Artefact]],
    done: Mapping[tuple[str, int], Done],
) -> list[tuple[Any, ...]]:
    """One row a stage; a fusion costs what its arms cost, what they share once."""
    made = [artefacts[need.key][row] for need in needs_of(arm, config) for row in rows]
    names = (*arm.of, arm.name) if isinstance(arm, FusionArm) else (arm.name,)
    units = [done[name, fold] for name in names]
    stages: list[tuple[str, int, list[Cost]]] = [
        ("read", len(rows), [artefact.read for artefact in made]),
        ("features", len(rows), [artefact.features for artefact in made]),
        ("train", max(unit.learnt_from for unit in units), [unit.train for unit in units]),
        ("predict", len(rows), [unit.predict for unit in units]),
    ]
    found = []
    for stage, slides, costs in stages:
        cost = together(costs)
        memory = (cost.added_mb, cost.peak_mb)
        spent = (cost.wall_s, cost.cpu_s, *memory, cost.bytes_read, cost.bytes_stored)
        if cost.wall_s > 0:
            found.append((arm.name, fold, stage, slides, *spent))
    return found


def _record(config: Experiment, arm: Arm, states: Sequence[str]) -> ArmRecord:
    good = states.count("ok")
    return ArmRecord(
        name=arm.name,
        paradigm=arm.paradigm,
        mpp=_finest(config, arm),
        label=arm_label(arm),
        settings=arm.model_dump(mode="json"),
        state="ok" if good == len(states) else "partial" if good else "failed",
    )


def _finest(config: Experiment, arm: Arm) -> float:
    if isinstance(arm, FusionArm):
        return min(_finest(config, other) for other in config.arms if other.name in arm.of)
    return getattr(arm, "mpp", MEASURED_MPP)


def arm_label(arm: Arm) -> str:
    """An arm in a few words."""
    if isinstance(arm, FusionArm):
        return f"late fusion of {' and '.join(arm.of)}"
    if isinstance(arm, SlideArm):
        return f"slide network, {arm.mpp:g} um/px"
    if isinstance(arm, MilArm):
        return f"{arm.aggregator} on {arm.encoder}, {arm.mpp:g} um/px"
    if isinstance(arm, PatchArm):
        return f"patch network, {arm.fusion} of patches, {arm.mpp:g} um/px"
    return "measured stain and a regression"


def is_simulated(cohort: Cohort) -> bool:
    """Whether a cohort's own words say that its slides are simulated."""
    names = cohort.table.select("site", "scanner", "patient").fill_null("")
    return any("simulated" in value.lower() for row in names.iter_rows() for value in row)


def _notes(
    config: Experiment,
    cohort: Cohort,
    folds: Folds,
    wanted: Sequence[int],
    artefacts: Mapping[str, Mapping[int, Artefact]],
    left_out: pl.DataFrame,
) -> tuple[str, ...]:
    notes = list(config.notes)
    if is_simulated(cohort):
        notes.append("The slides are simulated: nothing here was measured on patients' tissue.")
    if told := cohort.left_out(config.label_scheme):
        notes.append(f"{told[0].upper()}{told[1:]}")
    tested = {row for fold in wanted for row in folds.folds[fold].test}
    patients = len({slide.patient for slide in folds.slides if slide.row in tested})
    if patients < MIN_PATIENTS:
        few = f"{patients} patients are too few for intervals (at least {MIN_PATIENTS})"
        notes.append(f"{few}: none are given.")
    if len(wanted) < len(folds):
        notes.append(f"Only {len(wanted)} of {len(folds)} folds were run: not every slide was tested.")
    for arm in config.arms:
        if isinstance(arm, MilArm | PatchArm):
            notes += _cap_note(config, arm, artefacts)
        if isinstance(arm, MilArm):
            notes += _range_note(arm)
        gone = left_out.filter(pl.col("arm") == arm.name)
        if gone.height:
            notes.append(
                f"{arm.name}: test slides that could not be predicted and are in none of its numbers: "
                f"{gone.height} (first: {gone['reason'][0]})."
            )
    return tuple(notes)


def _range_note(arm: MilArm) -> list[str]:
    """An encoder made for another um/px is used all the same: asking that is what studies are for."""
    try:
        card = encoder_card(arm.encoder)
    except ConfigError:  # a timm network or a file, which states no range
        return []
    if card.suits(arm.mpp):
        return []
    low, high = card.mpp_range
    return [f"{arm.name}: {arm.encoder} was made for {low:g} to {high:g} um/px and reads {arm.mpp:g} here."]


def _cap_note(
    config: Experiment, arm: MilArm | PatchArm, artefacts: Mapping[str, Mapping[int, Artefact]]
) -> list[str]:
    need = needs_of(arm, config)[0]
    cap = need.patches.max_patches if need.patches is not None else None
    if cap is None:
        return []
    made = [artefact for artefact in artefacts[need.key].values() if artefact.state == "ok"]
    more = [artefact.patches[1] for artefact in made if artefact.patches[1] > cap]
    if not more:
        return []
    return [
        f"{arm.name}: at most {cap} patches a slide were read; {len(more)} of {len(made)} slides had more "
        f"(up to {max(more)})."
    ]
