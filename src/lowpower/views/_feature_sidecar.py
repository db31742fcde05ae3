"""The sidecar of a feature file: what the features were made from, and whether they serve again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.errors import DamagedSlideError, address_of
from lowpower.files import sha256_of
from lowpower.views._patch_qc import PatchQC
from lowpower.views._patches import PatchRecipe

__all__ = ["FeatureSidecar", "features_path", "find_features", "read_sidecar"]

_REQUEST = (
    "recipe", "qc", "encoder", "content_hash", "option_mpp", "mask_sha256", "white_point", "software",
)  # fmt: skip


class FeatureSidecar(BaseModel):
    """What stands beside a feature file: what it was made from, and by what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    recipe: PatchRecipe
    qc: PatchQC | None
    encoder: str
    slide: str
    content_hash: str
    option_mpp: float | None
    mask_sha256: str
    white_point: tuple[float, float, float]
    software: str
    slide_mpp: float
    slide_mpp_source: str
    mpp: float
    patches: int
    dim: int
    planned: int
    candidates: int
    reasons: dict[str, int]
    damaged: tuple[str, ...] = ()
    """Tiles whose decoder warned; they were read as glass."""
    h5_sha256: str

    def request(self) -> dict[str, object]:
        """What decides whether the features can be used again, by name."""
        return {name: getattr(self, name) for name in _REQUEST}


def features_path(
    folder: str | Path, slide: Path, content_hash: str, recipe: PatchRecipe, encoder: str
) -> Path:
    """Where the features of a slide lie: named by the slide and by what decides their content."""
    request = json.dumps([address_of(slide) or str(slide.absolute()), content_hash, recipe.digest(), encoder])
    return Path(folder) / f"{slide.stem}-{hashlib.sha256(request.encode()).hexdigest()[:16]}.h5"


def read_sidecar(path: str | Path) -> FeatureSidecar:
    """The sidecar of a feature file.

    Raises:
        DamagedSlideError: if it is missing or of another schema, or the features are not what it describes.
    """
    path = Path(path)
    try:
        sidecar = FeatureSidecar.model_validate_json(path.with_suffix(".json").read_bytes())
        altered = sha256_of(path) != sidecar.h5_sha256
    except (OSError, ValidationError) as error:
        raise DamagedSlideError(path, "has no valid sidecar; make the features again.") from error
    if altered:
        raise DamagedSlideError(path, "was altered since it was made; make the features again.")
    return sidecar


def find_features(path: Path, request: dict[str, object]) -> FeatureSidecar | None:
    """The sidecar of features that are there, right, and what `request` asks for; None otherwise."""
    try:
        sidecar = read_sidecar(path)
    except DamagedSlideError:
        return None
    return sidecar if sidecar.request() == request else None
