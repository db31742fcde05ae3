"""The folds that a configuration asks for of its cohort."""

from __future__ import annotations

from lowpower.cohort import Cohort, Folds, load_folds, make_folds
from lowpower.errors import CohortError
from lowpower.experiments.plan._experiment import Experiment

__all__ = ["planned_folds", "wanted_folds"]


def planned_folds(config: Experiment, cohort: Cohort) -> Folds:
    """The folds of a file, or drawn anew.

    Raises:
        CohortError: they cannot be made of this cohort, or are not of this scheme.
    """
    options = config.folds
    if options.file is not None:
        folds = load_folds(options.file, cohort)
        if folds.scheme != config.scheme:
            raise CohortError(
                f"{options.file}: these folds are stratified for {folds.scheme}, not {config.scheme}; "
                "make new folds."
            )
        return folds
    return make_folds(
        cohort,
        config.label_scheme,
        outer=options.outer,
        seed=options.seed,
        validation_share=options.validation_share,
        leave_out=options.leave_out,
    )


def wanted_folds(config: Experiment, folds: Folds) -> tuple[int, ...]:
    """Numbers of the folds to run.

    Raises:
        CohortError: there is no such fold.
    """
    wanted = config.folds.only if config.folds.only is not None else tuple(range(len(folds)))
    for fold in wanted:
        folds.split(fold)  # raises where there is no such fold
    return tuple(sorted(set(wanted)))
