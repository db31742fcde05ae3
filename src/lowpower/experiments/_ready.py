"""What every run begins with: its folder, its folds, what is needed of its slides, and a look for leaks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError

from lowpower.cohort import (
    Cohort,
    Folds,
    audit_leakage,
    content_hashes,
    near_copies,
    read_cohort,
    refuse_copies,
)
from lowpower.engine import default_workers, of_stage
from lowpower.errors import CohortError, ConfigError, OptionError, address_of, as_text
from lowpower.experiments._own_cutoffs import cutoff_doubts, refuse_fitted_here, refuse_fitted_to
from lowpower.experiments._prepared import prepared
from lowpower.experiments.artefacts import Artefact
from lowpower.experiments.plan import (
    AUDIT,
    BUNDLES,
    FOLDS,
    RESULTS,
    RUN,
    STUDY,
    TEST,
    Experiment,
    absolute,
    planned_folds,
    read_experiment,
    wanted_folds,
)
from lowpower.files import make_folder, write_json
from lowpower.stain import Laboratory, laboratory_for
from lowpower.training import check_trainer

__all__ = ["Ready", "configured", "make_ready", "threads_kept"]

Progress = Callable[[str, int, int], None]

_OLD_RUN: Final = (
    "bundle", "calibration.json", "checkpoints", "config.json", "cross", "history.csv", "logs",
    "predictions_folds.csv", "predictions_validation.csv", "run.json", "slides.csv", "tensorboard",
    "training.json",
)  # fmt: skip
"""What a run of an earlier version kept beside each other."""
_FREE: Final = ("arms", "notes", "out", "cache", "folds", "reference", "bundle", "doubtful_control")
"""Keys that may change, or are looked at more closely."""


@dataclass(frozen=True, eq=False)
class Ready:
    """An experiment before anything is learnt.

    Attributes:
        config: With every path made absolute.
        cohort: Its cohort.
        folds: Its folds.
        wanted: Numbers of the folds to run.
        made: What was made of each slide, by need and row.
        doubts: Slides of different patients that look alike, and what is to be known of a laboratory's own
            cut-offs, a sentence each.
        workers: Processes of this machine.
    """

    config: Experiment
    cohort: Cohort
    folds: Folds
    wanted: tuple[int, ...]
    made: Mapping[str, Mapping[int, Artefact]]
    doubts: Sequence[str]
    workers: int


def configured(
    config: Experiment | str | Path,
    out: str | Path | None = None,
    laboratory: Laboratory | str | Path | None = None,
) -> Experiment:
    """A configuration with absolute paths, from its file if it is one, and its laboratory's file read.

    Args:
        config: The configuration.
        out: Over what it says.
        laboratory: Likewise.

    Raises:
        ConfigError: either file cannot be used.
    """
    if not isinstance(config, Experiment):
        config = read_experiment(config)
    if out is not None:
        config = config.model_copy(update={"out": Path(out)})
    own = config.laboratory if laboratory is None else laboratory
    if own is not None:
        own = laboratory_for(own, config.label_scheme.marker)
        config = config.model_copy(update={"laboratory": own})
    places = {"cohort": config.cohort, "out": config.folder, "cache": config.cache_folder}
    for key in ("out", "cache"):
        if address_of(places[key]) is not None:
            raise ConfigError(
                f"{key}: {as_text(places[key])}: runs and what is made for them need a folder of this "
                "machine, or one that it has mounted; copy them afterwards (docs/storage.md)."
            )
    return config.model_copy(update={key: absolute(place) for key, place in places.items()})


def make_ready(
    config: Experiment,
    *,
    fresh: bool,
    tested: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Ready:
    """Open the folder, make folds and what arms need of slides, and refuse what leaks.

    Args:
        config: As `configured` gives it.
        fresh: Forget what was run in the folder before.
        tested: Whether test slides are prepared; if not, they are opened to look for copies alone.
        workers: Processes; by default as many as the processors allow.
        progress: Called with (stage, done, total).

    Raises:
        ConfigError: this machine lacks what is asked for, or the folder holds something else.
        CohortError: the manifest cannot be used, folds cannot be made of it, or they leak.
        OutputError: the folder cannot be written.
    """
    check_trainer(config.trainer)
    threads = config.threads or 1
    workers = workers or max(1, default_workers() // threads)
    cohort = read_cohort(config.cohort, ish_unknown=config.ish_unknown)
    refuse_fitted_here(config, cohort)
    refuse_copies(cohort, content_hashes(cohort))
    folds = planned_folds(config, cohort)
    wanted = wanted_folds(config, folds)
    _open_folder(config, fresh=fresh)
    folds.save(config.folder / FOLDS)
    parts = [folds.folds[fold].parts() for fold in wanted]
    rows = [slide.row for slide in folds.slides]
    if not tested:
        rows = sorted({row for part in parts for name in ("train", "validation") for row in part[name]})
    with threads_kept():
        made = prepared(config, cohort, rows, workers=workers, threads=threads, progress=progress)
        alike = near_copies(
            cohort, folds, wanted, workers=workers, progress=of_stage(progress, "looking for copies")
        )
    contents = {
        row: artefact.content
        for of in made.values()
        for row, artefact in of.items()
        if artefact.content is not None
    }
    _audit(config, cohort, folds, contents, alike)
    if tested:
        refuse_fitted_to(config, cohort, (row for part in parts for row in part["test"]), contents)
    validation = (row for part in parts for row in part["validation"])
    doubts = (*alike, *cutoff_doubts(config, cohort, validation, contents))
    return Ready(config, cohort, folds, wanted, made, doubts, workers)


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Give the caller's process its number of threads back: with one worker, units run in it."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _open_folder(config: Experiment, *, fresh: bool) -> None:
    """Make the folder this experiment's, or refuse: finished work belongs to the configuration beside it."""
    folder = make_folder(config.folder)
    record, old = folder / STUDY, folder / RUN
    if fresh:
        known = record.is_file() or old.is_file()
        if not known and any(path != config.cache_folder for path in folder.iterdir()):
            raise OptionError(
                f"{folder}: is no folder of a run or a study (no {STUDY}), so it is not removed."
            )
        names = ("units", BUNDLES, TEST, RESULTS, STUDY, FOLDS, AUDIT)
        for name in (*names, *_OLD_RUN) if old.is_file() else names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    elif record.is_file():
        try:
            earlier = Experiment.model_validate_json(record.read_bytes())
        except ValidationError as error:
            raise ConfigError(f"{record}: was altered; start anew with --fresh.") from error
        changed = _difference(earlier, config)
        if changed is not None:
            raise OptionError(
                f"{folder}: since it was begun {changed}; name another folder with --out, or start anew with "
                "--fresh (arms may be added, and folds run, without)."
            )
    elif old.is_file():
        raise OptionError(
            f"{folder}: holds a run of an earlier version, which lowpower evaluate still takes; name another "
            "folder with --out, or start anew with --fresh."
        )
    write_json(record, config.model_dump(mode="json"))


def _difference(earlier: Experiment, now: Experiment) -> str | None:
    """What changed between two configurations in a way that finished work does not survive."""
    before, after = earlier.model_dump(mode="json"), now.model_dump(mode="json")
    for key in before | after:
        if key not in _FREE and before.get(key) != after.get(key):
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
    config: Experiment,
    cohort: Cohort,
    folds: Folds,
    contents: Mapping[int, str],
    alike: Sequence[str],
) -> None:
    """Look for leaks again, now that the slides' contents are known, and write down the verdict."""
    hashes = {cohort.table["slide"][row]: content for row, content in contents.items()}
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
            f"{cohort.source}: {leaks[0]}{more}; list a slide once, or give its copies one patient."
        )
