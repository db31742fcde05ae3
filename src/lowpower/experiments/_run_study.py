"""Running a study: plan, prepare slides once, run arms x folds, collect. A killed study goes on."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError

from lowpower.cohort import Cohort, Folds, audit_leakage, make_folds, near_copies, read_cohort
from lowpower.engine import Needs, default_workers, map_items, of_stage
from lowpower.errors import CohortError, ConfigError
from lowpower.experiments.artefacts import Artefact, make_artefacts
from lowpower.experiments.collect import StudyResults, collect, save_results
from lowpower.experiments.plan import (
    AUDIT,
    FOLDS,
    RESULTS,
    STUDY,
    FusionArm,
    Need,
    StudyConfig,
    needs_of,
    read_study_config,
    refuse_doubtful,
)
from lowpower.experiments.units import Done, Unit, fingerprint, finished, lost_unit, run_unit
from lowpower.files import make_folder, write_json
from lowpower.training import device_of

__all__ = ["contents_of", "run_study", "threads_kept"]

Progress = Callable[[str, int, int], None]

_MEMORY_GB: Final = 3.0
"""At the height of learning, a fold's features or views in memory."""


def run_study(
    config: StudyConfig | str | Path,
    *,
    out: str | Path | None = None,
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
        fresh: Forget an earlier study in the same folder; views, features and patches stay.
        workers: Processes; by default as many as the processors allow.
        progress: Called with (stage, done, total).

    Raises:
        ConfigError: the configuration is wrong, or another study lies in the folder.
        CohortError: the manifest cannot be used, folds cannot be made of it, or they leak.
        OutputError: the folder cannot be written.
    """
    if not isinstance(config, StudyConfig):
        config = read_study_config(config)
    if out is not None:
        config = config.model_copy(update={"out": Path(out)})
    config = config.model_copy(
        update={
            "cohort": config.cohort.resolve(),
            "out": config.folder.resolve(),
            "cache": config.cache_folder.resolve(),
        }
    )
    report = progress or (lambda stage, done, total: None)
    device_of(config.accelerator)  # refuses a GPU that is not there before any work
    workers = workers or max(1, default_workers() // config.threads)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    folds = _folds(config, cohort)
    wanted = _wanted_folds(config, folds)
    _open_folder(config, fresh=fresh)
    folds.save(config.folder / FOLDS)
    needs = tuple(dict.fromkeys(need for arm in config.arms for need in needs_of(arm, config)))
    with threads_kept():
        artefacts = make_artefacts(
            needs,
            cohort,
            [slide.row for slide in folds.slides],
            config.cache_folder,
            workers=workers,
            threads=config.threads,
            progress=of_stage(progress, "preparing slides"),
        )
        alike = near_copies(
            cohort,
            folds,
            wanted,
            workers=workers,
            progress=of_stage(progress, "looking for copies"),
        )
        _audit(config, cohort, folds, artefacts, alike)
        _refuse_doubtful(config, cohort, artefacts)
        done = _run_units(config, cohort, folds, wanted, artefacts, workers, report)
    results = collect(config, cohort, folds, wanted, artefacts, done, alike)
    save_results(results)
    return results


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Give the caller's process its number of threads back: with one worker, units run in it."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _folds(config: StudyConfig, cohort: Cohort) -> Folds:
    options = config.folds
    return make_folds(
        cohort,
        config.label_scheme,
        outer=options.outer,
        seed=options.seed,
        validation_share=options.validation_share,
        leave_out=options.leave_out,
    )


def _wanted_folds(config: StudyConfig, folds: Folds) -> tuple[int, ...]:
    wanted = config.folds.only if config.folds.only is not None else tuple(range(len(folds)))
    for fold in wanted:
        folds.split(fold)  # raises where there is no such fold
    return tuple(sorted(set(wanted)))


def _open_folder(config: StudyConfig, *, fresh: bool) -> None:
    """Make the folder this study's, or refuse: finished work must belong to the configuration beside it."""
    folder = make_folder(config.folder)
    record = folder / STUDY
    if fresh:
        if not record.is_file() and any(path != config.cache_folder for path in folder.iterdir()):
            raise ConfigError(f"{folder}: is not a study folder (no {STUDY}), so it is not removed.")
        for name in ("units", RESULTS, STUDY, FOLDS, AUDIT):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    elif record.is_file():
        try:
            earlier = StudyConfig.model_validate_json(record.read_bytes())
        except ValidationError as error:
            raise ConfigError(f"{record}: was altered; start anew with --fresh.") from error
        changed = _difference(earlier, config)
        if changed is not None:
            raise ConfigError(
                f"{folder}: since this study was begun {changed}; name another folder with --out, or start "
                "anew with --fresh (arms may be added, and folds run, without)."
            )
    write_json(record, config.model_dump(mode="json"))


def _difference(earlier: StudyConfig, now: StudyConfig) -> str | None:
    """What changed between two configurations in a way that finished work does not survive."""
    before, after = earlier.model_dump(mode="json"), now.model_dump(mode="json")
    for key in before:
        if key not in ("arms", "notes", "out", "cache", "folds", "reference") and before[key] != after[key]:
            return f"{key} changed"
    for key in before["folds"]:
        if key != "only" and before["folds"][key] != after["folds"][key]:
            return f"folds.{key} changed"
    arms = {arm["name"]: arm for arm in after["arms"]}
    for arm in before["arms"]:
        if arm["name"] not in arms:
            return f"arm {arm['name']} was removed"
        if arms[arm["name"]] != arm:
            return f"arm {arm['name']} changed"
    return None


def _audit(
    config: StudyConfig,
    cohort: Cohort,
    folds: Folds,
    artefacts: Mapping[str, Mapping[int, Artefact]],
    alike: Sequence[str],
) -> None:
    """Look for leaks again, now that the slides' contents are known, and write down the verdict."""
    hashes = {
        cohort.table["slide"][row]: artefact.content
        for made in artefacts.values()
        for row, artefact in made.items()
        if artefact.content is not None
    }
    leaks = audit_leakage(cohort, folds, content_hashes=hashes)
    write_json(
        config.folder / AUDIT,
        {
            "schema_version": 1,
            "verdict": "leaks" if leaks else "no leak",
            "checked": "patients, slides and slide contents, between the parts of every fold",
            "slides": len(folds.slides),
            "slides_with_known_content": len(hashes),
            "leaks": [str(leak) for leak in leaks],
            "near_duplicates": list(alike),
        },
    )
    if leaks:
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        raise CohortError(
            f"{cohort.path}: {leaks[0]}{more}; list a slide once, or give its copies one patient."
        )


def _refuse_doubtful(
    config: StudyConfig, cohort: Cohort, artefacts: Mapping[str, Mapping[int, Artefact]]
) -> None:
    """Every slide is learnt from in some fold: none may carry control tissue unnoticed."""
    made = [(row, artefact) for of in artefacts.values() for row, artefact in of.items()]
    flags = {row: artefact.flags for row, artefact in made if artefact.state == "ok"}
    refuse_doubtful(cohort, flags, config.doubtful_control)


def _run_units(
    config: StudyConfig,
    cohort: Cohort,
    folds: Folds,
    wanted: Sequence[int],
    artefacts: Mapping[str, Mapping[int, Artefact]],
    workers: int,
    report: Progress,
) -> dict[tuple[str, int], Done]:
    """Every unit's record: those that were done, and those done now; fusions after what they fuse."""
    total = len(config.arms) * len(wanted)
    done: dict[tuple[str, int], Done] = {}

    def count(unit: Unit, outcome: Done) -> None:
        done[config.arms[unit.arm].name, unit.fold] = outcome
        report("arms x folds", len(done), total)

    for fuses in (False, True):
        waiting = []
        # Fold by fold, so that a study stopped early has whole folds to compare arms on.
        for fold in wanted:
            parts = folds.folds[fold].parts()
            for index, arm in enumerate(config.arms):
                if isinstance(arm, FusionArm) != fuses:
                    continue
                contents = contents_of(needs_of(arm, config), artefacts)
                unit = Unit(config, index, fold, fingerprint(config, arm, cohort, parts, contents))
                known = finished(unit)
                if known is None:
                    waiting.append(unit)
                else:
                    count(unit, known)
        map_items(
            run_unit,
            waiting,
            workers=workers,
            needs=Needs(config.threads, _MEMORY_GB),
            reads=lambda unit: [unit.config.cohort],
            writes=[config.folder, config.cache_folder],
            lost=lost_unit,
            on_done=count,
        )
    return done


def contents_of(needs: Sequence[Need], artefacts: Mapping[str, Mapping[int, Artefact]]) -> list[str]:
    """What was made of each slide; another slide file or mask makes another unit."""
    return [
        artefact.request or artefact.state
        for need in needs
        for _, artefact in sorted(artefacts[need.key].items())
    ]
