"""An encoder by reference: named, with the hash of its weights, never copied into a bundle."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from lowpower.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from lowpower.models.encoders._encoders import Encoder

__all__ = ["EncoderRef", "encoder_of"]

_HERE = "encoder"


class EncoderRef(BaseModel):
    """Which encoder made the features.

    Attributes:
        name: A registered name, a timm name, or a TorchScript file's path.
        weights: A local weight file, `random`, or none for the encoder's own.
        sha256: Of its weights; `none` where it has none, `random` where they were drawn.
        dim: Length of a feature.
        licence: Of the weights.
        file: Name of its weight file.
        hub: The Hugging Face repository that gives them, if one does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    weights: str | None = None
    sha256: str = Field(pattern=r"^([0-9a-f]{64}|none|random)$")
    dim: int
    licence: str = "unknown"
    file: str = ""
    hub: str | None = None

    @classmethod
    def of(cls, name: str, weights: str | None) -> EncoderRef:
        """A reference to the encoder that `create_encoder` gives.

        Raises:
            ConfigError: as `create_encoder`.
            WeightsError: likewise.
        """
        encoder = _loaded(name, weights)
        card = encoder.card
        given = name if Path(name).is_file() else weights
        file = card.file if given is None or given == "random" else Path(given).name
        return cls(
            name=name,
            weights=weights,
            sha256=encoder.fingerprint,
            dim=card.dim,
            licence=card.licence,
            file=file,
            hub=card.hub,
        )


def encoder_of(ref: EncoderRef, folder: Path) -> Encoder:
    """The encoder of a bundle: its weights from the bundle's folder `encoder/`, or from where they were.

    Args:
        ref: Which.
        folder: The bundle's.

    Raises:
        WeightsError: its weights are not here, or are others; the sentence says which file goes where.
    """
    own = folder / _HERE / ref.file
    name, weights = ref.name, ref.weights
    if ref.file and own.is_file():
        script = Path(name).suffix == own.suffix and Path(name).name == ref.file
        name, weights = (str(own), None) if script else (name, str(own))
    where = f"put it at {own}"
    try:
        encoder = _loaded(name, weights)
    except (WeightsError, ConfigError) as error:
        raise WeightsError(
            f"{folder}: needs the encoder {ref.name}, {_told(ref)}, which is not here; {where}. ({error})"
        ) from error
    if encoder.fingerprint != ref.sha256:
        raise WeightsError(
            f"{folder}: was trained on features of the encoder {ref.name}, {_told(ref)}, and the weights "
            f"here are others (SHA-256 {encoder.fingerprint[:12]}...); get the right file and {where}."
        )
    return encoder


def _told(ref: EncoderRef) -> str:
    source = f" of {ref.hub}" if ref.hub else ""
    return f"file {ref.file}{source} (SHA-256 {ref.sha256[:12]}..., licence {ref.licence})"


@functools.lru_cache(maxsize=2)
def _loaded(name: str, weights: str | None) -> Encoder:
    """Loaded once a process, for all bundles that share it."""
    from lowpower.models.encoders._encoders import create_encoder  # PyTorch: seconds

    return create_encoder(name, weights=weights)
