"""How each paradigm learns from a fold's training and validation slides, and predicts one slide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import nn

from lowpower.cohort import Cohort
from lowpower.errors import CohortError
from lowpower.evaluation import patient_folds
from lowpower.experiments.artefacts import Artefact
from lowpower.experiments.plan import MeasuredArm, MilArm, PatchArm, SlideArm, StudyConfig, needs_of
from lowpower.models import (
    HistogramFusion,
    MeasuredModel,
    create_aggregator,
    fit_histogram_fusion,
    fit_share_regression,
    fuse_patches,
    predict,
)
from lowpower.stain import cell_network_identity
from lowpower.training import (
    BagExample,
    PatchExample,
    TrainConfig,
    TrainerOptions,
    device_of,
    predict_bags,
    predict_patches,
    train,
    train_bags,
    train_patches,
)
from lowpower.views import PreparedView, load_view, read_bag

__all__ = ["LEARNERS", "Fitted", "Learnt", "Material", "Predictor", "cross_histogram"]

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
        predict: For slides it has not seen.
        module: What has weights; None of a measured arm.
        fitted: What goes with them.
        held_out: (validation slides, K) where something was fitted on the validation slides: each slide's
            probabilities by a fit without its patient. None where `predict` has not seen them.
    """

    predict: Predictor
    module: nn.Module | None = None
    fitted: Fitted = field(default_factory=Fitted)
    held_out: NDArray[np.float64] | None = None

    def of_validation(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """(validation slides, K) probabilities that may be calibrated."""
        return np.stack([self.predict(row) for row in rows]) if self.held_out is None else self.held_out


@dataclass(frozen=True, eq=False)
class Material:
    """What a unit may learn from; the test rows are not in it.

    Attributes:
        config: The study.
        cohort: The cohort.
        labels: Class by row, of training and validation slides.
        train: Rows that can be used to learn from.
        validation: Rows for early stopping and whatever is fitted after training.
        artefacts: What was made of each slide, by row: the arm's one need.
        folder: The unit's folder.
    """

    config: StudyConfig
    cohort: Cohort
    labels: Mapping[int, int]
    train: Sequence[int]
    validation: Sequence[int]
    artefacts: Mapping[int, Artefact]
    folder: Path

    @property
    def classes(self) -> int:
        """K."""
        return len(self.config.label_scheme.classes)

    def file(self, row: int) -> str:
        """The file made of a slide."""
        file = self.artefacts[row].file
        assert file is not None
        return file


def _slide(arm: SlideArm, material: Material) -> Learnt:
    config = material.config
    view = needs_of(arm, config)[0].view
    assert view is not None
    device = device_of(config.accelerator)
    run = train(
        TrainConfig(
            cohort=config.cohort,
            scheme=config.scheme,
            out=material.folder / "training",
            seed=config.seed_of(arm),
            pretrained=arm.pretrained,
            view=view,
            model=arm.model,
            augmentation=arm.augmentation,
            fitting=arm.fitting,
            trainer=_trainer(config),
        ),
        material.cohort,
        train_rows=material.train,
        validation_rows=material.validation,
        prepared=[_prepared(material, row) for row in (*material.train, *material.validation)],
    )

    def predictor(row: int) -> NDArray[np.float64]:
        return predict(run.network, [load_view(material.file(row))[0]], str(device))[0].probabilities

    return Learnt(predictor, run.network)


def _trainer(config: StudyConfig) -> TrainerOptions:
    """One device an arm."""
    cuda = device_of(config.accelerator).type == "cuda"
    return TrainerOptions(accelerator="gpu" if cuda else "cpu", devices=1)


def _prepared(material: Material, row: int) -> PreparedView:
    slide = material.cohort.table["slide"][row]
    return PreparedView(row, slide, "ok", None, None, material.file(row), (0, 0), 0.0)


def _mil(arm: MilArm, material: Material) -> Learnt:
    def bags(rows: Sequence[int]) -> list[BagExample]:
        return [BagExample(material.file(row), material.labels.get(row, -1)) for row in rows]

    config = material.config
    network, _ = train_bags(
        lambda dim: create_aggregator(arm.aggregator, dim, material.classes, arm.head, **arm.options),
        bags(material.train),
        bags(material.validation),
        arm.fitting,
        mpp=arm.mpp,
        seed=config.seed_of(arm),
        folder=material.folder / "training",
        trainer=_trainer(config),
    )
    device = device_of(config.accelerator)
    made_by = read_bag(material.file(material.train[0]), np.array([0])).encoder
    return Learnt(lambda row: predict_bags(network, bags([row]), device)[0], network, Fitted(encoder=made_by))


def _patch(arm: PatchArm, material: Material) -> Learnt:
    def patches(row: int) -> PatchExample:
        made = material.artefacts[row]
        return PatchExample(material.file(row), material.labels.get(row, -1), made.white_point, made.mpp)

    config = material.config
    network, _ = train_patches(
        arm.model,
        material.classes,
        arm.pretrained,
        [patches(row) for row in material.train],
        [patches(row) for row in material.validation],
        arm.fitting,
        arm.augmentation,
        seed=config.seed_of(arm),
        folder=material.folder / "training",
        trainer=_trainer(config),
    )
    device = device_of(config.accelerator)

    def predicted(row: int) -> NDArray[np.float64]:
        return np.asarray(predict_patches(network, patches(row), device), np.float64)

    if arm.fusion != "histogram":
        method = arm.fusion
        return Learnt(lambda row: fuse_patches(predicted(row), method, top=arm.top), network)
    seen = [predicted(row) for row in material.validation]
    labels = np.array([material.labels[row] for row in material.validation])
    patients = material.cohort.table["patient"][list(material.validation)].to_numpy()
    try:
        held_out = cross_histogram(seen, labels, patients, material.classes)
        fused = fit_histogram_fusion(seen, labels, material.classes)
    except ValueError as error:
        raise CohortError(
            f"its validation slides are too few for a fitted fusion of patches ({error}); use fusion: mean."
        ) from error
    return Learnt(lambda row: fused.fuse(predicted(row)), network, Fitted(histogram=fused), held_out)


def cross_histogram(
    slides: Sequence[NDArray[np.float64]], labels: NDArray[np.int64], patients: NDArray[Any], classes: int
) -> NDArray[np.float64]:
    """Fused probabilities (N, K) of validation slides, each by a fusion fitted without its patient.

    Args:
        slides: (N_i, K) patch probabilities of each slide.
        labels: (N,) class index.
        patients: (N,)
        classes: K.

    Raises:
        ValueError: if there is one patient alone, or a fit is left with slides of one class.
    """
    found = np.empty((len(slides), classes))
    for fit, rest in patient_folds(labels, patients):
        fusion = fit_histogram_fusion([slides[row] for row in fit], labels[fit], classes)
        found[rest] = [fusion.fuse(slides[row]) for row in rest]
    return found


def _measured(arm: MeasuredArm, material: Material) -> Learnt:
    labels = np.array([material.labels[row] for row in material.train])
    if len(np.unique(labels)) < 2:
        raise CohortError("a regression needs training slides of two classes.")
    inputs = [material.artefacts[row].values for row in material.train]
    regression = fit_share_regression(inputs, labels, material.classes, strength=arm.strength)
    model = MeasuredModel(regression=regression, cell_network=cell_network_identity().sha256)
    return Learnt(
        lambda row: regression.probabilities(material.artefacts[row].values), fitted=Fitted(measured=model)
    )


LEARNERS: dict[str, Callable[..., Learnt]] = {
    "slide": _slide,
    "mil": _mil,
    "patch": _patch,
    "measured": _measured,
}
"""By paradigm: (arm, material) to what was learnt."""
