"""Bags of patch features read back: our own, and those made by TRIDENT, CLAM and STAMP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lowpower.errors import ConfigError, DamagedSlideError, NoTissueError

if TYPE_CHECKING:
    import h5py

__all__ = ["Bag", "BagMaker", "check_bag", "read_bag"]

BagMaker = Literal["lowpower", "trident", "clam", "stamp"]
"""Who made a bag, told by what it holds."""


@dataclass(frozen=True, eq=False)
class Bag:
    """A slide's patches as features.

    Attributes:
        path: The file.
        features: (N, D), as stored (float16 or float32).
        coords: (N, 2) float64 upper left corners, in `coords_unit`.
        coords_unit: "base_pixels", or "microns" (STAMP).
        maker: Who made it.
        mpp: um/px of the patches, None where the file does not say.
        encoder: Name of the encoder, None where the file does not say.
    """

    path: Path
    features: NDArray[np.floating]
    coords: NDArray[np.float64]
    coords_unit: Literal["base_pixels", "microns"]
    maker: BagMaker
    mpp: float | None
    encoder: str | None

    @property
    def dim(self) -> int:
        """D, the length of a feature."""
        return int(self.features.shape[1])

    def __len__(self) -> int:
        return len(self.features)


def read_bag(path: str | Path, rows: NDArray[np.int64] | None = None) -> Bag:
    """Read a bag.

    Args:
        path: An HDF5 file with `features` (TRIDENT, CLAM, lowpower) or `feats` (STAMP), and `coords`.
        rows: Rows wanted, rising and without repetition; None for all.

    Raises:
        DamagedSlideError: if the file is missing, not HDF5, or not laid out as any of the four.
        NoTissueError: if the bag holds no patches.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise DamagedSlideError(path, "no such feature file; make the features, or correct the path.")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, rows)
    except OSError as error:
        raise DamagedSlideError(
            path, f"is no readable HDF5 file ({error}); make the features again."
        ) from error


def check_bag(bag: Bag, *, dim: int, mpp: float | None = None, tolerance: float = 0.05) -> None:
    """Make sure that a bag fits a model.

    Args:
        bag: The bag.
        dim: Length of a feature the model takes.
        mpp: um/px the model was made for; None not to ask. A bag that does not say its um/px passes.
        tolerance: Largest relative difference of um/px.

    Raises:
        ConfigError: if the feature's length or the um/px is another.
    """
    if bag.dim != dim:
        made = f" (made by {bag.encoder})" if bag.encoder else ""
        raise ConfigError(
            f"{bag.path}: has features of length {bag.dim}{made}, the model takes {dim}; use the encoder "
            "that the model was trained with."
        )
    if mpp is not None and bag.mpp is not None and abs(bag.mpp / mpp - 1) > tolerance:
        raise ConfigError(
            f"{bag.path}: holds patches at {bag.mpp:.4g} um/px, the model takes {mpp:.4g}; make the "
            f"features at {mpp:.4g} um/px."
        )


def _read(path: Path, file: h5py.File, rows: NDArray[np.int64] | None) -> Bag:
    name = "features" if "features" in file else "feats"
    if name not in file or "coords" not in file:
        kept = ", ".join(sorted(file)) or "nothing"
        raise DamagedSlideError(path, f"holds {kept}, a bag holds features (or feats) and coords.")
    features, coords = file[name], file["coords"]
    # Older TRIDENT and CLAM files carry a leading axis of one slide.
    squeezed = features.ndim == 3 and features.shape[0] == 1
    shape = features.shape[1:] if squeezed else features.shape
    places = coords.shape[1:] if coords.ndim == 3 and coords.shape[0] == 1 else coords.shape
    if len(shape) != 2 or len(places) != 2 or places[1] < 2 or places[0] != shape[0]:
        raise DamagedSlideError(
            path,
            f"has {name} of shape {features.shape} and coords of shape {coords.shape}; "
            "a bag has N x D and N x 2.",
        )
    if shape[0] == 0:
        raise NoTissueError(path, "holds no patches; look at the slide's tissue mask and min_tissue.")
    wanted: Any = slice(None) if rows is None else rows
    values = features[0, wanted] if squeezed else features[wanted]
    corners = coords[0, wanted] if coords.ndim == 3 else coords[wanted]
    maker, mpp, encoder = _origin(file, name)
    return Bag(
        path,
        values,
        np.asarray(corners, np.float64)[:, :2],
        "microns" if maker == "stamp" and _text(file.attrs.get("unit", "um")) == "um" else "base_pixels",
        maker,
        mpp,
        encoder,
    )


def _origin(file: h5py.File, name: str) -> tuple[BagMaker, float | None, str | None]:
    """Maker, um/px and encoder, as far as the file says them."""
    attributes, places = file.attrs, file["coords"].attrs
    if str(_text(attributes.get("format", ""))).startswith("lowpower."):
        return "lowpower", float(attributes["mpp"]), _text(attributes.get("encoder"))
    if name == "feats":
        microns = attributes.get("tile_size_um", attributes.get("tile_size"))
        pixels = attributes.get("tile_size_px")
        mpp = float(microns) / float(pixels) if microns and pixels else None
        return "stamp", mpp, _text(attributes.get("extractor"))
    if "patch_size_level0" in places:
        encoder = _text(file[name].attrs.get("encoder") or file[name].attrs.get("name"))
        level0 = places.get("level0_mpp")
        side, base = float(places.get("patch_size", 0)), float(places["patch_size_level0"])
        return "trident", float(level0) * base / side if level0 and side else None, encoder
    return "clam", None, None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)
