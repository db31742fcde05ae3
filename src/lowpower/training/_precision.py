"""Which numbers to compute in."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["Precision", "resolve_precision"]

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def resolve_precision(wanted: Literal["auto"] | Precision, accelerator: str) -> Precision:
    """Turn "auto" into bf16 where the hardware computes it, else float32.

    A CPU without AMX emulates bf16: a convolutional step then takes about fifteen times as long.

    Args:
        wanted: What the configuration says.
        accelerator: Lightning's name: cpu, gpu, cuda, mps, auto, ...
    """
    if wanted != "auto":
        return wanted
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator == "mps" or (accelerator == "auto" and torch.backends.mps.is_available()):
        return "32-true"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if capabilities.get("amx_bf16") else "32-true"
