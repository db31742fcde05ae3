"""One arm on one fold out of a configuration of several: what `train` trains."""

from __future__ import annotations

from pathlib import Path

from lowpower.errors import OptionError
from lowpower.experiments.plan._arms import FusionArm
from lowpower.experiments.plan._experiment import Experiment
from lowpower.experiments.plan._read import nearest_key

__all__ = ["one_arm"]


def one_arm(config: Experiment, arm: str | None, fold: int | None) -> Experiment:
    """The configuration with one arm and one fold; of several arms, each has a folder of its own.

    Args:
        config: With one arm or several.
        arm: Which, where there are several.
        fold: Which fold; else the one the configuration names, or the first.

    Raises:
        OptionError: there is no such arm or fold, or none is named of several; or the arm fuses others.
    """
    names = [one.name for one in config.arms]
    if arm is not None and arm not in names:
        raise OptionError(f"--arm {arm!r} is no arm of this configuration; {nearest_key(arm, names)}")
    if arm is None and len(names) > 1:
        raise OptionError(
            f"this configuration has {len(names)} arms ({', '.join(names)}); say which with --arm, or run "
            "all with lowpower study."
        )
    chosen = config.arms[0 if arm is None else names.index(arm)]
    if isinstance(chosen, FusionArm):
        raise OptionError(f"arm {chosen.name!r} fuses others; lowpower study trains them and weighs them.")
    drawn = config.folds.file is None and config.folds.leave_out is None
    if fold is not None and drawn and not 0 <= fold < config.folds.outer:
        raise OptionError(f"--fold {fold} is none of the folds 0 to {config.folds.outer - 1} (folds.outer).")
    if fold is None:
        fold = config.folds.only[0] if config.folds.only is not None else 0
    update: dict[str, object] = {
        "arms": (chosen,),
        "reference": None,
        "folds": config.folds.model_copy(update={"only": (fold,)}),
    }
    if len(names) > 1:  # what was made of slides is shared with the study
        update |= {"out": Path("runs") / chosen.name, "cache": config.cache_folder}
    return config.model_copy(update=update)
