"""Where training runs, and which numbers it computes in."""

from __future__ import annotations

from typing import Literal

import torch

from lowpower.errors import ConfigError

__all__ = ["Precision", "check_accelerator", "device_of", "resolve_precision"]

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def resolve_precision(
    wanted: Literal["auto"] | Precision, accelerator: str, *, convolves: bool = True
) -> Precision:
    """Turn "auto" into bf16 where the hardware computes it, else float32.

    A CPU without AMX emulates bf16: a convolutional step then takes about fifteen times as long.

    Args:
        wanted: What the configuration says.
        accelerator: Lightning's name: cpu, gpu, cuda, mps, auto, ...
        convolves: False for an aggregator of features: too little work for bf16 to be worth its digits.
    """
    if wanted != "auto":
        return wanted
    if not convolves:
        return "32-true"
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator == "mps" or (accelerator == "auto" and torch.backends.mps.is_available()):
        return "32-true"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if capabilities.get("amx_bf16") else "32-true"


def device_of(accelerator: str) -> torch.device:
    """Where a trained network predicts.

    Raises:
        ConfigError: a GPU is asked for where there is none.
    """
    present = torch.cuda.is_available()
    if accelerator in ("gpu", "cuda") and not present:
        raise ConfigError("accelerator gpu: this machine shows no CUDA device; use cpu or auto.")
    return torch.device("cuda" if present and accelerator != "cpu" else "cpu")


def check_accelerator(accelerator: str, devices: int | str | list[int]) -> None:
    """Say that this machine has no such accelerator, before any work.

    Raises:
        ConfigError: if it has none, or no device is asked for.
    """
    if devices in (0, "0", []):
        raise ConfigError("devices 0: nothing could be trained on no device; leave devices out, or give 1.")
    if (
        accelerator in ("gpu", "cuda")
        and not torch.cuda.is_available()
        and not torch.backends.mps.is_available()
    ):
        raise ConfigError(f"accelerator {accelerator}: this machine shows no GPU; use cpu or auto.")
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("accelerator mps: this machine has no Apple GPU; use cpu or auto.")
    if accelerator not in ("auto", "cpu", "gpu", "cuda", "mps"):
        raise ConfigError(f"accelerator {accelerator!r} is unknown; use cpu, gpu, mps or auto.")
