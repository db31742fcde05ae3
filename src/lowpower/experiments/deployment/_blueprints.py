"""What an arm's trained model is, in a bundle's words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lowpower.errors import ConfigError
from lowpower.experiments.plan import Arm, Experiment, MilArm, PatchArm, SlideArm, needs_of
from lowpower.experiments.units import Fitted
from lowpower.models import Blueprint, Bundle, EncoderRef, LateFusion, MilModel, PatchModel

__all__ = ["blueprint_of", "kept", "mean_of"]


def blueprint_of(config: Experiment, arm: Arm, fitted: Fitted, unit: Path) -> Blueprint:
    """What an arm's trained model is.

    Raises:
        ConfigError: the encoder's weights are others than those of the study's features.
        WeightsError: they are not here.
    """
    need = needs_of(arm, config)[0]
    if isinstance(arm, SlideArm):
        return Blueprint(kind="slide_network", architecture=arm.model, recipe=need.view)
    if isinstance(arm, MilArm):
        assert need.patches is not None
        encoder = EncoderRef.of(arm.encoder, arm.weights)
        if fitted.encoder is not None and not fitted.encoder.endswith(f"@{encoder.sha256[:12]}"):
            raise ConfigError(
                f"{unit}: learnt from features of {fitted.encoder}, and the weights of {arm.encoder} here "
                f"have the SHA-256 {encoder.sha256[:12]}...; put the former back, or run the study again."
            )
        model = MilModel(
            encoder=encoder,
            aggregator=arm.aggregator,
            options=arm.options,
            head=arm.head,
            patches=need.patches,
            qc=need.qc,
        )
        return Blueprint(kind="mil", mil=model)
    if isinstance(arm, PatchArm):
        assert need.patches is not None
        fusion = PatchModel(
            patches=need.patches, qc=need.qc, fusion=arm.fusion, top=arm.top, histogram=fitted.histogram
        )
        return Blueprint(kind="patch_fusion", architecture=arm.model, patch_fusion=fusion)
    return Blueprint(kind="measured", measured=fitted.measured)


def mean_of(of: Literal["arms", "folds"], made: Sequence[Bundle], weights: Sequence[float]) -> Blueprint:
    """The weighted mean of bundles that lie beside each other."""
    fusion = LateFusion(
        of=of,
        members=tuple(member.folder.name for member in made),
        weights=tuple(weights),
        sha256=tuple(member.spec.weights_sha256 for member in made),
    )
    return Blueprint(kind="late_fusion", late_fusion=fusion)


def kept(file: Path) -> bytes:
    """A file that a finished unit keeps.

    Raises:
        ConfigError: it does not.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{file}: is missing, so this arm cannot be deployed: studies of earlier versions kept no "
            "weights. Run lowpower study again with --fresh."
        ) from error
