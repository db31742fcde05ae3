"""How long and how fast each kind of network learns."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BagFitting", "Fitting", "PatchFitting"]


class _Course(BaseModel):
    """What the optimiser asks of every learner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: float = Field(1e-3, gt=0, description="Peak of a one-cycle cosine schedule (AdamW).")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the rate rises.")
    clip: float = Field(1.0, gt=0, description="Largest gradient norm.")


class Fitting(_Course):
    """Course of a slide network."""

    epochs: int = Field(30, ge=1, description="At most this many passes.")
    patience: int = Field(
        8, ge=1, description="Stop after this many epochs without a better validation loss."
    )
    crops: int | None = Field(None, ge=1, description="Crops an epoch; by default one a training slide.")
    batch: int = Field(8, ge=1, description="Crops a step (a device).")
    crop: int = Field(
        320, ge=32, description="Longest side of a training crop, pixels; bounds time and memory."
    )
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="Backbone's learning rate as a share; below 1 for pretrained weights."
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay.")
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Weights judged and kept are a moving average that keeps this share a step; 0 for none.",
    )


class BagFitting(_Course):
    """Course of an aggregator that learns from bags of patch features."""

    epochs: int = Field(60, ge=1, description="At most this many passes over the training slides.")
    patience: int = Field(
        15, ge=1, description="Stop after this many epochs without a better validation loss."
    )
    batch: int = Field(4, ge=1, description="Bags a step.")
    instances: int | None = Field(
        None, ge=1, description="Patches drawn of a bag at each training step; by default all."
    )


class PatchFitting(_Course):
    """Course of a network that is fine-tuned on patches."""

    epochs: int = Field(6, ge=1, description="At most this many passes over the training slides.")
    patience: int = Field(
        3, ge=1, description="Stop after this many epochs without a better validation loss."
    )
    batch: int = Field(16, ge=1, description="Patches a step.")
    per_slide: int = Field(8, ge=1, description="Patches drawn of each training slide an epoch.")
    backbone_rate: float = Field(0.3, gt=0, le=1, description="Backbone's learning rate as a share of it.")
