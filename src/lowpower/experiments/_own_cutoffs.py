"""A laboratory's own cut-offs in an experiment: they must not know the scores of slides that are tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lowpower.cohort import Cohort
from lowpower.errors import CohortError
from lowpower.experiments.plan import Experiment
from lowpower.stain import laboratory_doubts

__all__ = ["cutoff_doubts", "refuse_fitted_here", "refuse_fitted_to"]

_SHOWN = 3


def refuse_fitted_here(config: Experiment, cohort: Cohort) -> None:
    """Refuse cut-offs that `lowpower calibrate` fitted to this cohort: they would know its test slides.

    Raises:
        CohortError: they were.
    """
    own = config.own_laboratory
    if own is not None and own.fitted.cohort == cohort.fingerprint:
        raise CohortError(
            f"{cohort.source}: the cut-offs of {own.name!r} were fitted to this very cohort, so they know "
            "the scores of its test slides; calibrate on slides of other patients, or leave --laboratory out."
        )


def refuse_fitted_to(
    config: Experiment, cohort: Cohort, tested: Iterable[int], contents: Mapping[int, str]
) -> None:
    """Refuse cut-offs that were fitted to slides which are tested, whatever those are called here.

    Args:
        config: The experiment.
        cohort: The cohort.
        tested: Rows of test slides.
        contents: Content hash by row, as far as it is known.

    Raises:
        CohortError: naming the slides.
    """
    known = _known(config, cohort, tested, contents)
    if known:
        assert config.own_laboratory is not None
        raise CohortError(
            f"{cohort.source}: the cut-offs of {config.own_laboratory.name!r} were fitted to slides that are "
            f"tested here ({_told(known)}), so they know their scores; calibrate on slides of other "
            "patients, or leave --laboratory out."
        )


def cutoff_doubts(
    config: Experiment, cohort: Cohort, validation: Iterable[int], contents: Mapping[int, str]
) -> tuple[str, ...]:
    """What a reader must know of cut-offs that are used all the same, a sentence each.

    Args:
        config: The experiment.
        cohort: The cohort.
        validation: Rows of validation slides.
        contents: Content hash by row, as far as it is known.
    """
    own = config.own_laboratory
    if own is None:
        return ()
    said = [f"{doubt[0].upper()}{doubt[1:]}" for doubt in laboratory_doubts(own)]
    if own.fitted.contents is None:
        said.append(
            f"The file of the cut-offs of {own.name!r} is of an earlier version and does not name its "
            "slides, so it could not be checked whether some of them are tested here."
        )
    known = _known(config, cohort, validation, contents)
    if known:
        said.append(
            f"The cut-offs of {own.name!r} were fitted to slides that serve for validation here "
            f"({_told(known)}), so rules fitted on these promise too much."
        )
    return tuple(said)


def _known(config: Experiment, cohort: Cohort, rows: Iterable[int], contents: Mapping[int, str]) -> list[str]:
    """Names of the slides among these that the cut-offs were fitted to."""
    own = config.own_laboratory
    fitted = frozenset() if own is None else frozenset(own.fitted.contents or ())
    return [str(cohort.table["slide_name"][row]) for row in sorted(set(rows)) if contents.get(row) in fitted]


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
