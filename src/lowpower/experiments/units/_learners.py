"""How each paradigm learns from a fold's training and validation slides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort import Cohort
from lowpower.engine import of_stage
from lowpower.errors import CohortError
from lowpower.evaluation import patient_folds
from lowpower.experiments.artefacts import Artefact
from lowpower.experiments.plan import Arm, Experiment, MeasuredArm, MilArm, PatchArm, SlideArm
from lowpower.experiments.units._learnt import Fitted, Learnt, file_of, patches_of
from lowpower.models import (
    MeasuredModel,
    create_aggregator,
    fit_histogram_fusion,
    fit_share_regression,
)
from lowpower.stain import cell_network_identity
from lowpower.training import (
    BagExample,
    BagFitting,
    Example,
    Fitting,
    PatchExample,
    PatchFitting,
    TrainRequest,
    cells_of,
    device_of,
    predict_patches,
    train_bags,
    train_patches,
    train_views,
)
from lowpower.views import read_bag

__all__ = ["LEARNERS", "Material", "cross_histogram"]

Seen = TypeVar("Seen", Example, BagExample, PatchExample)
Fits = TypeVar("Fits", Fitting, BagFitting, PatchFitting)


@dataclass(frozen=True, eq=False)
class Material:
    """What a unit may learn from; the test rows are not in it.

    Attributes:
        config: The experiment.
        cohort: The cohort.
        labels: Class by row, of training and validation slides.
        train: Rows that can be used to learn from.
        validation: Rows for early stopping and whatever is fitted after training.
        artefacts: What was made of each slide, by row: the arm's one need.
        folder: Where the training is kept.
        cells: Where a teacher keeps the cells it tells of.
        workers: Processes that a teacher may measure with.
        progress: Called with (stage, done, total).
    """

    config: Experiment
    cohort: Cohort
    labels: Mapping[int, int]
    train: Sequence[int]
    validation: Sequence[int]
    artefacts: Mapping[int, Artefact]
    folder: Path
    cells: Path
    workers: int = 1
    progress: Callable[[str, int, int], None] | None = None

    @property
    def classes(self) -> int:
        """K."""
        return len(self.config.label_scheme.classes)

    def file(self, row: int) -> str:
        """The file made of a slide."""
        return file_of(self.artefacts, row)

    def request(
        self, arm: Arm, examples: Callable[[Sequence[int]], Sequence[Seen]], fitting: Fits
    ) -> TrainRequest[Seen, Fits]:
        """What is asked of an arm's training; `examples` makes them of rows."""
        return TrainRequest(
            examples(self.train),
            examples(self.validation),
            fitting,
            seed=self.config.seed_of(arm),
            folder=self.folder,
            trainer=self.config.trainer,
            progress=of_stage(self.progress, "training"),
        )


def _slide(arm: SlideArm, material: Material) -> Learnt:
    cells = cells_of(
        arm.teacher,
        material.cohort,
        material.train,
        material.config.label_scheme,
        material.cells,
        laboratory=material.config.own_laboratory,
        workers=material.workers,
        progress=of_stage(material.progress, "measuring"),
    )
    table = material.cohort.table

    def views(rows: Sequence[int]) -> list[Example]:
        names = ((row, table["slide_name"][row], table["patient"][row]) for row in rows)
        return [
            Example(row, slide, patient, material.labels[row], material.file(row), cells.get(row))
            for row, slide, patient in names
        ]

    network, _ = train_views(
        arm.model,
        material.classes,
        arm.pretrained,
        arm.augmentation,
        material.request(arm, views, arm.fitting),
    )
    return Learnt(network)


def _mil(arm: MilArm, material: Material) -> Learnt:
    def bags(rows: Sequence[int]) -> list[BagExample]:
        return [BagExample(material.file(row), material.labels[row]) for row in rows]

    network, _ = train_bags(
        lambda dim: create_aggregator(arm.aggregator, dim, material.classes, arm.head, **arm.options),
        arm.mpp,
        material.request(arm, bags, arm.fitting),
    )
    made_by = read_bag(material.file(material.train[0]), np.array([0])).encoder
    return Learnt(network, Fitted(encoder=made_by))


def _patch(arm: PatchArm, material: Material) -> Learnt:
    def patches(rows: Sequence[int]) -> list[PatchExample]:
        return [patches_of(material.artefacts, row, material.labels[row]) for row in rows]

    request = material.request(arm, patches, arm.fitting)
    network, _ = train_patches(arm.model, material.classes, arm.pretrained, arm.augmentation, request)
    if arm.fusion != "histogram":
        return Learnt(network)
    device = device_of(material.config.trainer.accelerator)
    seen = [
        np.asarray(predict_patches(network, example, device), np.float64) for example in request.validation
    ]
    labels = np.array([material.labels[row] for row in material.validation])
    patients = material.cohort.table["patient"][list(material.validation)].to_numpy()
    try:
        held_out = cross_histogram(seen, labels, patients, material.classes)
        fused = fit_histogram_fusion(seen, labels, material.classes)
    except ValueError as error:
        raise CohortError(
            f"its validation slides are too few for a fitted fusion of patches ({error}); use fusion: mean."
        ) from error
    return Learnt(network, Fitted(histogram=fused), held_out)


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
    return Learnt(fitted=Fitted(measured=model))


LEARNERS: dict[str, Callable[..., Learnt]] = {
    "slide": _slide,
    "mil": _mil,
    "patch": _patch,
    "measured": _measured,
}
"""By paradigm: (arm, material) to what was learnt."""
