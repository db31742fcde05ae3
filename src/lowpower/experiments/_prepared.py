"""What arms need of slides, the cheap before the dear: what may be control tissue is told within minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lowpower.cohort import Cohort
from lowpower.engine import of_stage
from lowpower.experiments.artefacts import Artefact, make_artefacts
from lowpower.experiments.plan import Experiment, Need, needs_of, refuse_doubtful, says_nothing

__all__ = ["prepared"]


def prepared(
    config: Experiment,
    cohort: Cohort,
    rows: Sequence[int],
    *,
    workers: int,
    threads: int,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, dict[int, Artefact]]:
    """Make what a configuration's arms need of every row; see `make_artefacts`.

    Patches, features and measurements take a hundred times as long as finding a slide's tissue: where slides
    whose control tissue is doubtful are to be refused, that is found first, with the views if there are any.

    Raises:
        CohortError: on too many slides, tissue may be control.
        OutputError: the cache cannot be written.
    """
    needs = tuple(dict.fromkeys(need for arm in config.arms for need in needs_of(arm, config)))
    views = tuple(need for need in needs if need.kind == "view")
    dear = tuple(need for need in needs if need.kind != "view")

    def make(needs: Sequence[Need], of: Sequence[int], stage: str) -> dict[str, dict[int, Artefact]]:
        return make_artefacts(
            needs,
            cohort,
            of,
            config.cache_folder,
            workers=workers,
            threads=threads,
            progress=of_stage(progress, stage),
        )

    made: dict[str, dict[int, Artefact]] = {}
    if dear and config.doubtful_control < 1:
        if views:
            made = make(views, rows, "making views")
            _refuse(config, cohort, made, ())
        else:
            asked = [row for row in rows if says_nothing(cohort, row)]
            looked = make((Need(kind="tissue"),), asked, "looking for control tissue")
            _refuse(config, cohort, looked, [row for row in rows if row not in set(asked)])
        needs = dear
    made |= make(needs, rows, "preparing slides")
    _refuse(config, cohort, made, ())
    return made


def _refuse(
    config: Experiment, cohort: Cohort, made: Mapping[str, Mapping[int, Artefact]], stated: Sequence[int]
) -> None:
    """Refuse doubtful control tissue; `stated` are rows that say what theirs is, and were not looked at."""
    flags: dict[int, tuple[str, ...]] = dict.fromkeys(stated, ())
    flags |= {
        row: artefact.flags for of in made.values() for row, artefact in of.items() if artefact.state == "ok"
    }
    refuse_doubtful(cohort, flags, config.doubtful_control)
