"""Running a study: arms x folds, collected. A killed study goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lowpower.engine import Needs, map_items
from lowpower.errors import ConfigError
from lowpower.experiments._ready import Ready, configured, make_ready, threads_kept
from lowpower.experiments.collect import StudyResults, collect, save_results
from lowpower.experiments.plan import Experiment, FusionArm
from lowpower.experiments.units import (
    Done,
    Unit,
    finished,
    learnt_anew,
    lost_unit,
    run_unit,
    unit_folder,
    unit_of,
)
from lowpower.stain import Laboratory

__all__ = ["run_study"]

Progress = Callable[[str, int, int], None]

_MEMORY_GB: Final = 3.0
"""At the height of learning, a fold's features or views in memory."""


def run_study(
    config: Experiment | str | Path,
    *,
    out: str | Path | None = None,
    laboratory: Laboratory | str | Path | None = None,
    fresh: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> StudyResults:
    """Run every arm on every fold, or what of it is not done yet, and collect the results.

    A unit (an arm on a fold) that fails is recorded with its reason and tried again by the next run; the
    others go on. Predictions do not depend on the number of workers.

    Args:
        config: The configuration, or its YAML file.
        out: Study folder, over what the configuration says.
        laboratory: Whose cut-offs measure the stain, likewise.
        fresh: Forget an earlier study in the same folder; views, features and patches stay.
        workers: Processes; by default as many as the processors allow.
        progress: Called with (stage, done, total).

    Raises:
        ConfigError: the configuration is wrong, or another study lies in the folder.
        CohortError: the manifest cannot be used, folds cannot be made of it, or they leak.
        OutputError: the folder cannot be written.
    """
    config = configured(config, out, laboratory)
    devices = config.trainer.devices
    if devices not in (1, "1") and not (isinstance(devices, list) and len(devices) == 1):
        raise ConfigError(
            f"trainer.devices {devices}: arms of a study run beside each other, each on one "
            "device; train an arm on several with lowpower train --arm."
        )
    ready = make_ready(config, fresh=fresh, workers=workers, progress=progress)
    anew = learnt_anew([unit_folder(config, arm, fold) for arm in config.arms for fold in ready.wanted])
    with threads_kept():
        done = _run_units(ready, progress or (lambda stage, done, total: None))
    warnings = (*ready.doubts, *anew)
    results = collect(config, ready.cohort, ready.folds, ready.wanted, ready.made, done, warnings)
    save_results(results)
    return results


def _run_units(ready: Ready, report: Progress) -> dict[tuple[str, int], Done]:
    """Every unit's record: those that were done, and those done now; fusions after what they fuse."""
    config = ready.config
    total = len(config.arms) * len(ready.wanted)
    done: dict[tuple[str, int], Done] = {}

    def count(unit: Unit, outcome: Done) -> None:
        done[config.arms[unit.arm].name, unit.fold] = outcome
        report("arms x folds", len(done), total)

    for fuses in (False, True):
        waiting = []
        # Fold by fold, so that a study stopped early has whole folds to compare arms on.
        for fold in ready.wanted:
            for index, arm in enumerate(config.arms):
                if isinstance(arm, FusionArm) != fuses:
                    continue
                unit = unit_of(config, ready.cohort, ready.folds, ready.made, arm=index, fold=fold)
                known = finished(unit)
                if known is None:
                    waiting.append(unit)
                else:
                    count(unit, known)
        map_items(
            run_unit,
            waiting,
            workers=ready.workers,
            needs=Needs(config.threads or 1, _MEMORY_GB),
            reads=lambda unit: [unit.config.cohort],
            writes=[config.folder, config.cache_folder],
            lost=lost_unit,
            on_done=count,
        )
    return done
