"""A study's winner put to work: a trained arm becomes a model bundle. No test slide decides anything."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import ValidationError

from lowpower.cohort import Cohort, load_folds, read_cohort
from lowpower.errors import CohortError, ConfigError, as_text
from lowpower.experiments.collect import mean_auc
from lowpower.experiments.deployment._bundle_maker import Maker
from lowpower.experiments.deployment._refit import refitted
from lowpower.experiments.plan import FOLDS, STUDY, Arm, Experiment, FusionArm
from lowpower.experiments.units import Done, unit_folder
from lowpower.models import Bundle
from lowpower.storage import is_there, place

__all__ = ["Deployed", "deploy"]

Which = int | Literal["all"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Deployed:
    """A bundle made of a study.

    Attributes:
        bundle: The bundle.
        arm: The arm's name.
        why: Why this arm, one sentence.
        notes: What a user should know of it: arms left out, folds that are missing.
    """

    bundle: Bundle
    arm: str
    why: str
    notes: tuple[str, ...]


def deploy(
    study: str | Path,
    *,
    arm: str | None = None,
    fold: Which = 0,
    refit: bool = False,
    cohort: str | Path | None = None,
    progress: Progress | None = None,
) -> Deployed:
    """Make a model bundle of a study's arm: `<study>/bundles/<arm>/`, replacing an earlier one.

    The model is the one that the study trained on a fold, the mean of all folds' models, or one trained again
    on every slide; its temperature, conformal rule and decision are those of validation slides.

    Args:
        study: The study's folder.
        arm: Which arm; None for the one with the highest mean validation AUC, macro, over the folds.
        fold: Whose model, counted from 0, or "all": the mean of the probabilities of every fold's model.
        refit: Train once more, on the fold's training and test slides, its validation slides stopping it: a
            model of every slide of the cohort, which no slide is left to test. A killed refit goes on.
        cohort: The manifest, where it was moved since; proved the same by its fingerprint.
        progress: Called with (stage, done, total).

    Raises:
        ConfigError: `study` is no study's folder, is not finished, or has no such arm or fold; no arm
            finished; or the arm keeps no weights.
        CohortError: the cohort cannot be read, or changed since.
        WeightsError: the encoder of a MIL arm is not here.
        OutputError: the bundle cannot be written.
    """
    folder = Path(study)
    config = _config(folder)
    known = _cohort(folder, config, cohort)
    config = config.model_copy(update={"cohort": known.path})
    folds = load_folds(folder / FOLDS, known)
    wanted = config.folds.only if config.folds.only is not None else tuple(range(len(folds)))
    states = {
        (one.name, number): _state(unit_folder(config, one, number))
        for one in config.arms
        for number in wanted
    }
    if fold != "all" and fold not in wanted:
        raise ConfigError(
            f"{folder}: has no fold {fold}; it ran the folds {', '.join(map(str, wanted))}, counted from 0."
        )
    chosen, why, notes = _chosen(folder, config, wanted, states, arm)
    needed = tuple(wanted) if fold == "all" else (fold,)
    _all_there(folder, config, chosen, needed, states)
    again = None
    if refit:
        if fold == "all":
            raise ConfigError("a refit is one model of all slides; leave out --fold all or --refit.")
        again = refitted(config, known, folds, chosen, fold, progress)
    maker = Maker(
        config, known, folds, chosen, _finished(chosen, wanted, states), why, again, progress=progress
    )
    return Deployed(maker.replace(fold), chosen.name, why, (*notes, *maker.notes))


def _config(folder: Path) -> Experiment:
    try:
        config = Experiment.model_validate_json((folder / STUDY).read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{folder}: is no study's folder ({STUDY} is missing); make a study with lowpower study."
        ) from error
    except ValidationError as error:
        raise ConfigError(f"{folder / STUDY}: was altered; run the study again.") from error
    return config.at(folder)


def _cohort(folder: Path, config: Experiment, moved: str | Path | None) -> Cohort:
    path = place(config.cohort if moved is None else moved)
    if moved is None and not is_there(path):
        raise CohortError(
            f"{as_text(path)}: no such file; if the cohort was moved: "
            f"lowpower deploy {folder} --cohort NEW.csv."
        )
    return read_cohort(path, ish_unknown=config.ish_unknown)


def _state(unit: Path) -> Done | None:
    """What became of a unit; None where it was not run to its end."""
    try:
        return Done.model_validate_json((unit / "done.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _chosen(
    folder: Path,
    config: Experiment,
    wanted: Sequence[int],
    states: Mapping[tuple[str, int], Done | None],
    name: str | None,
) -> tuple[Arm, str, list[str]]:
    """The arm, why it, and what else is to be said."""
    names = [arm.name for arm in config.arms]
    if name is not None:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"its arms: {', '.join(names)}."
            raise ConfigError(f"{folder}: has no arm {name!r}; {hint}")
        return config.arms[names.index(name)], "named by its user.", []
    missing = [key for key, state in states.items() if state is None]
    if missing:
        raise ConfigError(
            f"{folder}: is not finished, so no winner can be named; missing: {_told(missing)}. Go on with "
            f"lowpower study, or name a finished arm with --arm."
        )
    failed = [key for key, state in states.items() if state is not None and state.state != "ok"]
    broken = {key[0] for key in failed}
    whole = [arm for arm in config.arms if arm.name not in broken]
    if not whole:
        first = states[failed[0]]
        reason = first.reason if first is not None else ""
        raise ConfigError(
            f"{folder}: no arm finished on every fold; failed: {_told(failed)} (first: {reason}) Cure that "
            "and run lowpower study again, or name an arm and fold with --arm and --fold."
        )
    scores = {
        arm.name: mean_auc(
            [pl.read_parquet(unit_folder(config, arm, fold) / "validation.parquet") for fold in wanted]
        )
        for arm in whole
    }
    known = {arm: score for arm, score in scores.items() if score is not None}
    if not known:
        raise ConfigError(
            f"{folder}: no fold's validation slides hold every class, so no winner can be named; name an arm "
            "with --arm."
        )
    best = max(known, key=lambda arm: known[arm])
    others = ", ".join(f"{arm} {score:.3f}" for arm, score in sorted(known.items(), key=lambda one: -one[1]))
    over = f"mean over {len(wanted)} folds" if len(wanted) > 1 else f"on fold {wanted[0]}"
    why = f"the highest validation AUC, macro, {over} ({others})."
    notes = [f"failed and therefore left out: {_told(failed)}."] if failed else []
    return config.arms[names.index(best)], why, notes


def _all_there(
    folder: Path,
    config: Experiment,
    arm: Arm,
    needed: Sequence[int],
    states: Mapping[tuple[str, int], Done | None],
) -> None:
    """Refuse where a unit that is to be deployed did not end well."""
    parts = (arm.name, *arm.of) if isinstance(arm, FusionArm) else (arm.name,)
    gone = [(part, fold) for part in parts for fold in needed if _bad(states[part, fold])]
    if not gone:
        return
    first = states[gone[0]]
    why = f" (first: {first.reason})" if first is not None and first.reason else ""
    raise ConfigError(
        f"{folder}: {arm.name} cannot be deployed, for this is missing: {_told(gone)}{why}. Run lowpower "
        "study again (it goes on where it stopped), or name another --fold or --arm."
    )


def _bad(state: Done | None) -> bool:
    return state is None or state.state != "ok"


def _finished(
    arm: Arm, wanted: Sequence[int], states: Mapping[tuple[str, int], Done | None]
) -> dict[int, Done]:
    """The arm's finished folds."""
    return {
        fold: state
        for fold in wanted
        if (state := states[arm.name, fold]) is not None and state.state == "ok"
    }


def _told(units: Sequence[tuple[str, int]]) -> str:
    """Arms with their folds."""
    folds: dict[str, list[int]] = {}
    for arm, fold in units:
        folds.setdefault(arm, []).append(fold)
    return "; ".join(
        f"{arm} on fold{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
        for arm, numbers in folds.items()
    )
