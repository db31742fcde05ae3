"""Parts of a configuration that every learner shares: variation of what it sees, and where it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["CPU", "Augmentation", "Pretrained", "Section", "TrainerOptions"]

Pretrained = Annotated[str | None, BeforeValidator(lambda given: None if given == "none" else given)]
"""Where weights come from; YAML's null and the word `none` both mean nowhere."""


class Section(BaseModel):
    """A part of a configuration: no unknown key, no change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(Section):
    """How much a training crop is varied; every amount is the largest change drawn, 0 switches it off."""

    scale: float = Field(0.1, ge=0, lt=0.5, description="um/px, as a share.")
    rotate: bool = Field(
        True, description="Free rotation in half of the crops; quarter turns and flips in all."
    )
    hematoxylin: float = Field(0.6, ge=0, description="Amount of haematoxylin: factor 1/(1+x) to 1+x.")
    dab: float = Field(
        0.25, ge=0, description="Amount of DAB, apart from haematoxylin: factor 1/(1+x) to 1+x."
    )
    residual: float = Field(0.5, ge=0, description="What neither stain explains: factor 1/(1+x) to 1+x.")
    vectors: float = Field(0.06, ge=0, description="Standard deviation of the stain vectors' components.")
    tint: float = Field(
        0.02, ge=0, description="Optical density added to a channel over tissue (wrong white point)."
    )
    haze: float = Field(0.04, ge=0, description="DAB optical density added evenly over tissue (background).")
    edge: float = Field(0.6, ge=0, description="DAB optical density added along part of the tissue's edge.")
    edge_chance: float = Field(0.25, ge=0, le=1, description="Share of crops with edge staining.")
    blur: float = Field(1.0, ge=0, description="Gaussian blur, standard deviation in pixels.")
    noise: float = Field(0.02, ge=0, description="Gaussian noise, share of the white point.")
    jpeg: int = Field(40, ge=5, le=100, description="Lowest JPEG quality; 100 switches it off.")


class TrainerOptions(Section):
    """Passed to Lightning's Trainer as they are, and where data is kept."""

    accelerator: str = Field("auto", description="cpu, gpu, mps, auto.")
    devices: int | list[int] | str = Field(
        1, description="Number of devices, their indices, or auto for all there are."
    )
    num_nodes: int = Field(1, ge=1, description="Machines.")
    strategy: str = Field("auto", description="ddp for several devices, or auto.")
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto", description="auto: bf16-mixed on a GPU with bf16 or a CPU with AMX, else 32-true."
    )
    threads: int = Field(1, ge=1, description="Threads that make crops while the network computes.")
    ram_megabytes: int = Field(
        4000, ge=1, description="Decoded views kept in memory; the rest is read again."
    )


CPU = TrainerOptions(accelerator="cpu")
"""This machine's processors."""
