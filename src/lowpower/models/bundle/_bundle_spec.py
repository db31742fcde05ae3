"""bundle.json: everything about a model that is not a weight."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lowpower.cohort import SCHEMES
from lowpower.models.bundle._blueprint import Blueprint
from lowpower.models.bundle._decision import ConformalLimits, Decision
from lowpower.stain import Laboratory

__all__ = ["BundleMetric", "BundleSpec", "software_versions"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleMetric(_Part):
    """One measured number with its 95 % interval."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = Field(None, description="Slides it was measured on.")


class BundleSpec(Blueprint):
    """What a model bundle says of itself. Version 1 has no `decision`, and its kind is the slide network."""

    schema_version: Literal[1, 2] = 2
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")
    version: str = "1"
    description: str = ""
    trained_on: str = Field(description="One line on the training cohort; says so where it was simulated.")
    licence: str = "Apache-2.0"
    scheme: str
    marker: str
    classes: tuple[str, ...] = Field(min_length=2)
    slide_mpp_range: tuple[float, float] = Field(
        description="um/px of level 0 of slides that the model was made for; others are refused."
    )
    normalisation: Literal["intensity / white point"] = "intensity / white point"
    temperature: float = Field(1.0, gt=0)
    abstention: ConformalLimits | None = None
    decision: Decision | None = Field(
        None, description="When an answer is issued, and how the measurement joins in."
    )
    laboratory: Laboratory | None = Field(
        None,
        exclude_if=lambda laboratory: laboratory is None,
        description="Whose cut-offs the stain was measured by, where it took part in what was learnt.",
    )
    cohort_fingerprint: str = Field(
        description="SHA-256 over the training cohort's slides, patients and labels."
    )
    metrics: dict[str, BundleMetric] = Field(
        default_factory=dict, description="On test slides, with 95 % intervals."
    )
    seed: int = 0
    software: dict[str, str] = Field(default_factory=dict)
    weights_file: Literal["model.safetensors"] = Field(
        "model.safetensors", description="Absent where the kind has no weights."
    )
    weights_dtype: Literal["float16", "float32"] = "float16"
    weights_sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Of the weights; of a measured model's or a fusion's numbers where there are none.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        scheme = SCHEMES.get(self.scheme)
        if scheme is None:
            raise ValueError(f"scheme {self.scheme!r} is not one of {', '.join(SCHEMES)}")
        if scheme.classes != self.classes or scheme.marker != self.marker:
            raise ValueError(f"classes or marker are not those of the scheme {self.scheme}")
        if self.abstention is not None and len(self.abstention.min_probability) != len(self.classes):
            raise ValueError("abstention needs one min_probability a class")
        if self.decision is not None and not self.decision.fits(scheme):
            raise ValueError(f"decision does not fit the classes and cut-offs of {self.scheme}")
        low, high = self.slide_mpp_range
        if not 0 < low <= high:
            raise ValueError(f"slide_mpp_range must be two rising um/px, not {low:g} to {high:g}")
        return self

    def fingerprint(self) -> str:
        """SHA-256 over everything that decides a result; two bundles that agree here answer alike."""
        names = {"architecture", "scheme", "recipe", "temperature", "abstention", "decision", "laboratory"}
        if self.kind != "slide_network":
            names |= {"kind", "mil", "patch_fusion", "measured", "late_fusion"}
        decisive = self.model_dump_json(include=names)
        return hashlib.sha256(f"{decisive}{self.weights_sha256}".encode()).hexdigest()


def software_versions() -> dict[str, str]:
    """Versions of what a model's numbers depend on."""
    names = ("lowpower", "torch", "timm", "lightning", "numpy", "opencv-python-headless")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
