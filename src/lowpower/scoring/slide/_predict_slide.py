"""What a bundle of any kind says of an open slide: probabilities, and a map of what it saw where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import BundleError, PoorQualityError
from lowpower.models import Bundle, fuse_patches, measured_inputs, predict
from lowpower.scoring.pictures import Explanation, cell_map, joined_map, patch_map
from lowpower.scoring.slide._sight import Sight
from lowpower.stain import cell_network_identity

__all__ = ["SlidePrediction", "predict_slide"]


@dataclass(frozen=True, eq=False)
class SlidePrediction:
    """What a model says of a slide.

    Attributes:
        probabilities: (K,) float64, after the bundle's temperature.
        explanation: What it saw where: local scores of a slide network, each patch's expected score (and
            attention), the grades of cells; of a late fusion the mean of its models'.
        mpp: The finest um/px it looked at.
        measures: Whether it answers from the stain as measured, alone or among others.
    """

    probabilities: NDArray[np.float64]
    explanation: Explanation | None
    mpp: float
    measures: bool = False


def predict_slide(bundle: Bundle, sight: Sight) -> SlidePrediction:
    """Predict one open slide.

    Args:
        bundle: A model of any kind.
        sight: The slide.

    Raises:
        MppOutOfRangeError: the slide stores nothing as fine as the model needs.
        NoTissueError: no patch could be looked at.
        PoorQualityError: a measured model, and the stain could not be measured.
        BundleError: a measured model that was fitted with another cell network.
    """
    raw = _KINDS[bundle.spec.kind](bundle, sight)
    if bundle.temperature == 1.0 or bundle.spec.kind == "slide_network":  # whose network tempers by itself
        return raw
    import torch  # seconds, which the usual model does without

    from lowpower.models import temper

    tempered = temper(torch.from_numpy(raw.probabilities)[None], bundle.temperature)[0].numpy()
    return SlidePrediction(tempered, raw.explanation, raw.mpp, raw.measures)


def _slide_network(bundle: Bundle, sight: Sight) -> SlidePrediction:
    view = sight.view(bundle.recipe)
    found = predict(bundle, [view], precision=sight.precision)[0]
    explanation = Explanation(found.local_scores, view.mask, view.box, bundle.scheme.classes)
    return SlidePrediction(found.probabilities, explanation, float(view.mpp))


def _mil(bundle: Bundle, sight: Sight) -> SlidePrediction:
    from lowpower.models import BagNetwork

    network, model, encoder = bundle.module, bundle.spec.mil, bundle.encoder
    assert isinstance(network, BagNetwork)
    assert model is not None
    assert encoder is not None
    bag = sight.bag(model, encoder)
    found = network.predict(bag.features, bag.coords)
    explanation = patch_map(
        sight.ground, bag.coords, bag.grid.side, found.scores, bundle.scheme.classes, found.attention
    )
    return SlidePrediction(found.probabilities, explanation, float(bag.grid.mpp))


def _patch_fusion(bundle: Bundle, sight: Sight) -> SlidePrediction:
    from lowpower.models import patch_probabilities

    model = bundle.spec.patch_fusion
    assert model is not None
    grid, stream = sight.patches(model)
    said, index = [], []
    for images, places in stream:
        said.append(patch_probabilities(bundle.network, images, sight.tissue.white_point))
        index.append(places)
    patches = np.concatenate(said)
    if model.histogram is not None:
        fused = model.histogram.fuse(patches)
    else:
        assert model.fusion != "histogram"
        fused = fuse_patches(patches, model.fusion, top=model.top)
    scores = patches @ np.arange(patches.shape[1])
    coords = grid.coords[np.concatenate(index)]
    explanation = patch_map(sight.ground, coords, grid.side, scores, bundle.scheme.classes)
    return SlidePrediction(fused, explanation, float(grid.mpp))


def _measured(bundle: Bundle, sight: Sight) -> SlidePrediction:
    model = bundle.spec.measured
    assert model is not None
    if model.cell_network != cell_network_identity().sha256:
        raise BundleError(
            f"{bundle.folder}: was fitted on cells that another cell network found; run the study again and "
            "deploy it with this version."
        )
    measured, made = sight.measured(as_learnt=True)
    if measured.shares is None or measured.h_score is None or measured.areas is None:
        why = " ".join(measured.notes) or "the stain could not be measured."
        raise PoorQualityError(
            sight.slide.path, f"{why.rstrip('.')}; this model answers from the measurement."
        )
    areas = (measured.areas.weak, measured.areas.moderate, measured.areas.strong)
    inputs = measured_inputs(tuple(measured.shares.values()), measured.h_score, areas)
    explanation = None if made.cells is None else cell_map(sight.ground, made.cells)
    return SlidePrediction(
        model.regression.probabilities(inputs), explanation, measured.mpp or float(sight.slide.mpp), True
    )


def _late_fusion(bundle: Bundle, sight: Sight) -> SlidePrediction:
    fusion = bundle.spec.late_fusion
    assert fusion is not None
    said = [predict_slide(member, sight) for member in bundle.members]
    probabilities = np.tensordot(fusion.weights, [one.probabilities for one in said], 1)
    shown = [
        (one.explanation, weight)
        for one, weight in zip(said, fusion.weights, strict=True)
        if one.explanation is not None and one.explanation.classes == bundle.scheme.classes
    ]
    explanation = joined_map(sight.ground, [one for one, _ in shown], [weight for _, weight in shown])
    return SlidePrediction(
        np.asarray(probabilities, np.float64),
        explanation or said[0].explanation,
        min(one.mpp for one in said),
        any(one.measures for one in said),
    )


_KINDS = {
    "slide_network": _slide_network,
    "mil": _mil,
    "patch_fusion": _patch_fusion,
    "measured": _measured,
    "late_fusion": _late_fusion,
}
