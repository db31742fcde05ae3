"""AdamW with one cosine cycle, the same for every learner."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Course", "one_cycle"]


class Course(Protocol):
    """The part of a fitting section that concerns the optimiser."""

    @property
    def learning_rate(self) -> float:
        """Peak rate."""

    @property
    def weight_decay(self) -> float:
        """Of matrices and kernels."""

    @property
    def warmup(self) -> float:
        """Share of the steps in which the rate rises."""


def one_cycle(
    network: nn.Module, course: Course, steps: int, backbone: nn.Module | None = None, rate: float = 1.0
) -> dict[str, Any]:
    """What Lightning's `configure_optimizers` returns; no decay on biases, norms and other vectors.

    Args:
        network: Every parameter of it learns.
        course: Rate, decay and warm-up.
        steps: Optimiser steps in all.
        backbone: Part of `network` that learns at `rate` times the learning rate.
        rate: See `backbone`.
    """
    slow = {id(parameter) for parameter in backbone.parameters()} if backbone is not None else set()
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for parameter in network.parameters():
        groups.setdefault((id(parameter) in slow, parameter.ndim > 1), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": course.learning_rate * (rate if in_backbone else 1.0),
                "weight_decay": course.weight_decay if decays else 0.0,
            }
            for (in_backbone, decays), parameters in groups.items()
        ]
    )
    total = max(1, steps)
    warmup = max(1, round(course.warmup * total))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup)))) + 1e-3

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
