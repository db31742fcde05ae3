"""What a learner makes of an arm, and how that predicts a slide it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import nn

from lowpower.experiments.artefacts import Artefact
from lowpower.experiments.plan import Arm, Experiment, MilArm, PatchArm, SlideArm
from lowpower.models import BagNetwork, HistogramFusion, MeasuredModel, SlideNetwork, fuse_patches, predict
from lowpower.training import BagExample, PatchExample, device_of, predict_bags, predict_patches
from lowpower.views import load_view

__all__ = ["Fitted", "Learnt", "file_of", "patches_of", "predictor_of"]

Predictor = Callable[[int], NDArray[np.float64]]
"""Row of the cohort's table to class probabilities (K,), uncalibrated."""


class Fitted(BaseModel):
    """fitted.json of a unit: what it takes beside weights to use what was learnt.

    Attributes:
        histogram: Fusion of patches, where it is fitted.
        measured: The measured arm's model.
        encoder: Name and weights (`Encoder.identity`) of what made the features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    histogram: HistogramFusion | None = None
    measured: MeasuredModel | None = None
    encoder: str | None = None


@dataclass(frozen=True, eq=False)
class Learnt:
    """What a learner makes.

    Attributes:
        module: What has weights; None of a measured arm.
        fitted: What goes with them.
        held_out: (validation slides, K) where something was fitted on the validation slides: each slide's
            probabilities by a fit without its patient. None where the model has not seen them.
    """

    module: nn.Module | None = None
    fitted: Fitted = field(default_factory=Fitted)
    held_out: NDArray[np.float64] | None = None


def predictor_of(
    arm: Arm, config: Experiment, learnt: Learnt, artefacts: Mapping[int, Artefact]
) -> Predictor:
    """How a trained arm predicts a slide, from what was made of it.

    Args:
        arm: The arm; not a fusion.
        config: The experiment.
        learnt: What it learnt.
        artefacts: What was made of each slide for the arm, by row.
    """
    device, module, fitted = device_of(config.trainer.accelerator), learnt.module, learnt.fitted
    if isinstance(arm, SlideArm):
        assert isinstance(module, SlideNetwork)
        network = module

        def of_view(row: int) -> NDArray[np.float64]:
            return predict(network, [load_view(file_of(artefacts, row))[0]], str(device))[0].probabilities

        return of_view
    if isinstance(arm, MilArm):
        assert isinstance(module, BagNetwork)
        bags = module
        return lambda row: predict_bags(bags, [BagExample(file_of(artefacts, row), -1)], device)[0]
    if isinstance(arm, PatchArm):
        assert isinstance(module, SlideNetwork)
        histogram, method = fitted.histogram, arm.fusion
        patches = module

        def of_patches(row: int) -> NDArray[np.float64]:
            found = np.asarray(predict_patches(patches, patches_of(artefacts, row), device), np.float64)
            if method == "histogram":
                assert histogram is not None
                return histogram.fuse(found)
            return fuse_patches(found, method, top=arm.top)

        return of_patches
    assert fitted.measured is not None
    regression = fitted.measured.regression
    return lambda row: regression.probabilities(artefacts[row].values)


def file_of(artefacts: Mapping[int, Artefact], row: int) -> str:
    """The file made of a slide."""
    file = artefacts[row].file
    assert file is not None
    return file


def patches_of(artefacts: Mapping[int, Artefact], row: int, label: int = -1) -> PatchExample:
    """A slide's patches, with what it takes to read them."""
    made = artefacts[row]
    return PatchExample(file_of(artefacts, row), label, made.white_point, made.mpp)
