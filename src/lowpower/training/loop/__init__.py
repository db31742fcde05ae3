"""Lightning's side: how to step, stop, resume, and on which device."""

from lowpower.training.loop._callbacks import BEST, LAST, DataWait, Progress, RunCheckpoint
from lowpower.training.loop._learner import Accelerator, LearningRun, device_of, learn
from lowpower.training.loop._module import CropData, SlideModule
from lowpower.training.loop._precision import check_accelerator, resolve_precision
from lowpower.training.loop._quiet import quiet_lightning

__all__ = [
    "BEST",
    "LAST",
    "Accelerator",
    "CropData",
    "DataWait",
    "LearningRun",
    "Progress",
    "RunCheckpoint",
    "SlideModule",
    "check_accelerator",
    "device_of",
    "learn",
    "quiet_lightning",
    "resolve_precision",
]
