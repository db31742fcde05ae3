"""An arm trained once more, on every slide of the cohort."""

from __future__ import annotations

from collections.abc import Callable

from lowpower.cohort import Cohort, Folds
from lowpower.errors import ConfigError
from lowpower.experiments._ready import threads_kept
from lowpower.experiments.artefacts import load_artefacts
from lowpower.experiments.plan import Arm, Experiment, FusionArm, needs_of
from lowpower.experiments.units import Done, finished, run_unit, unit_of

__all__ = ["refitted"]


def refitted(
    config: Experiment,
    cohort: Cohort,
    folds: Folds,
    arm: Arm,
    fold: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> Done:
    """Train an arm, and the arms that a fusion fuses, on a fold's training and test slides.

    Args:
        config: The study.
        cohort: Its cohort.
        folds: Its folds.
        arm: The arm.
        fold: Whose validation slides stop the training, and calibrate.
        progress: Called with (stage, done, total).

    Returns:
        The arm's unit; what was trained before is not trained again.

    Raises:
        ConfigError: it failed, or the study's cache is gone.
    """
    names = [one.name for one in config.arms]
    wanted = [*arm.of, arm.name] if isinstance(arm, FusionArm) else [arm.name]
    rows = [row for part in folds.folds[fold].parts().values() for row in part]
    for done, name in enumerate(wanted):
        if progress is not None:
            progress(f"training {name}", done, len(wanted))
        one = config.arms[names.index(name)]
        needs = needs_of(one, config)
        try:
            made = {need.key: load_artefacts(need, cohort, rows, config.cache_folder) for need in needs}
        except OSError as error:
            raise ConfigError(
                f"{config.cache_folder}: what was made of the slides is gone; run lowpower study again, then "
                "deploy with --refit."
            ) from error
        unit = unit_of(config, cohort, folds, made, arm=names.index(name), fold=fold, kind="refit")
        with threads_kept():
            state = finished(unit) or run_unit(unit)
        if state.state != "ok":
            raise ConfigError(f"{config.folder}: {name} could not be trained on every slide: {state.reason}")
    return state
