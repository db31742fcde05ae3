"""Callbacks: checkpoints that survive a kill, the share of time spent waiting for data, progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from safetensors.torch import save

from lowpower.files import atomic_path, write_bytes
from lowpower.training.loop._module import LearnerData, LearnerModule

__all__ = ["BEST", "LAST", "DataWait", "Progress", "RunCheckpoint"]

LAST = "last.ckpt"
"""Lightning checkpoint of the latest epoch, for going on."""
BEST = "best.safetensors"
"""The network's weights at the lowest validation loss."""


class RunCheckpoint(Checkpoint):
    """Keep the best weights and the latest state, each replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best_loss = float("inf")
        self.best_epoch = -1

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the best weights where this epoch is the best."""
        if trainer.sanity_checking:
            return
        loss = float(trainer.callback_metrics["val_loss"])
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch
            assert isinstance(pl_module, LearnerModule)
            state = {
                name: value.detach().cpu().contiguous()
                for name, value in pl_module.judged.state_dict().items()
            }
            if trainer.is_global_zero:
                write_bytes(self.folder / BEST, save(state))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the state to go on from; after validation, so that it is part of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if trainer.world_size > 1:
            trainer.save_checkpoint(self.folder / LAST)  # every rank must take part
            return
        with atomic_path(self.folder / LAST) as temporary:
            trainer.save_checkpoint(temporary)

    def state_dict(self) -> dict[str, Any]:
        """Best so far."""
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what an earlier run had found."""
        self.best_loss, self.best_epoch = state_dict["best_loss"], state_dict["best_epoch"]


class DataWait(Callback):
    """Log the share of an epoch's step time that the loop waited for batches (`data_wait`)."""

    def __init__(self, data: LearnerData) -> None:
        self.data = data
        self.shares: list[float] = []
        self._started = 0.0
        self._spent = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._spent, self._started = 0.0, 0.0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """A step begins."""
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A step ends."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._spent += time.perf_counter() - self._started

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the epoch's share."""
        waited = self.data.latest.wait_seconds if self.data.latest is not None else 0.0
        share = waited / max(1e-9, waited + self._spent)
        self.shares.append(share)
        pl_module.log("data_wait", share)


class Progress(Callback):
    """Report steps done of all to whoever shows them."""

    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.report = report

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One more step."""
        self.report(trainer.global_step, int(trainer.estimated_stepping_batches))
