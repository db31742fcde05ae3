"""Tensors out of a weight file, none of its code executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lowpower.bundles import bundled_models
from lowpower.errors import WeightsError

__all__ = ["read_state"]


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, or of a .pt/.pth file read without executing pickled code.

    Raises:
        WeightsError: if the file is missing, of another kind, or holds anything but tensors.
    """
    if not path.is_file():
        bundled = ", ".join(bundled_models())
        raise WeightsError(
            f"{path}: no such weight file; name a .safetensors, .pt or .pth file, a bundle's folder, or a "
            f"bundled model ({bundled})."
        )
    if path.suffix not in (".safetensors", ".pt", ".pth", ".bin"):
        raise WeightsError(f"{path}: weights must be .safetensors, .pt or .pth, not {path.suffix!r}.")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise WeightsError(f"{path}: is damaged ({error}); get it again.") from error
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); get it again.") from error
    except (
        Exception
    ) as error:  # torch.load raises pickle.UnpicklingError and more for what it will not execute
        raise WeightsError(f"{path}: holds more than tensors; convert it to .safetensors.") from error
    for key in ("state_dict", "model"):
        if isinstance(stored, dict) and isinstance(stored.get(key), dict):
            stored = stored[key]
    if not isinstance(stored, dict) or not all(isinstance(value, Tensor) for value in stored.values()):
        raise WeightsError(f"{path}: holds more than tensors; convert it to .safetensors.")
    return stored
