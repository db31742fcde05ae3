"""What a slide network is made of."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lowpower.errors import ConfigError

__all__ = ["HeadName", "ModelSpec", "check_backbone"]

HeadName = Literal["softmax", "corn", "cumulative"]
"""softmax: classes without order; corn: conditional steps; cumulative: one scale, ordered thresholds."""


class ModelSpec(BaseModel):
    """Architecture of a slide network: everything needed to build it again, weights apart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field("convnext_atto", description="Any timm network with spatial features, by name.")
    backbone_options: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Passed to timm, for instance {drop_path_rate: 0.1}."
    )
    strides: tuple[int, ...] = Field(
        (8,),
        min_length=1,
        description="Feature maps used, by their stride in view pixels; the finest sets the grid.",
    )
    width: int = Field(128, ge=8, le=4096, description="Features per cell of the grid.")
    head: HeadName = Field("corn", description="softmax, or ordinal: corn, cumulative.")
    pooling: Literal["mean", "mean_top", "shares"] = Field(
        "mean_top",
        description="Over tissue cells: mean; mean and mean of the highest top_share, by feature; or shares "
        "of membrane classes, from the tumour cells of each class that the network counts in every square.",
    )
    top_share: float = Field(
        0.1,
        gt=0.0,
        le=1.0,
        description="Share of the tissue that mean_top looks at besides the mean (HER2: > 10 %).",
    )
    inputs: Literal["rgb", "od"] = Field(
        "od", description="What enters: RGB / white point, or its optical density (glass 0, stains add)."
    )
    stain_width: int = Field(
        16,
        ge=0,
        le=256,
        description="Features per cell from colour alone, pixel by pixel in optical density; 0 for none.",
    )
    hidden: int = Field(64, ge=0, le=4096, description="Hidden units between pooling and head; 0 for none.")
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="Dropout before the head, training only.")

    @field_validator("strides")
    @classmethod
    def _rising(cls, strides: tuple[int, ...]) -> tuple[int, ...]:
        if any(stride < 1 for stride in strides) or sorted(set(strides)) != list(strides):
            raise ValueError(f"strides must rise, for instance [8, 16], not {list(strides)}")
        return strides


def check_backbone(name: str) -> None:
    """Make sure that timm has a network of this name.

    Raises:
        ConfigError: with the nearest names.
    """
    import timm

    if timm.is_model(name.split(".")[0]):
        return
    near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise ConfigError(f"backbone {name!r} is not a timm network{hint}")
