"""Lightning's side: how to step, stop, resume, and on which device."""

from lowpower.training.loop._learn import check_trainer, learn
from lowpower.training.loop._learner import Epochs, Learner, LearningRun, LearningSummary
from lowpower.training.loop._precision import device_of, resolve_precision

__all__ = [
    "Epochs",
    "Learner",
    "LearningRun",
    "LearningSummary",
    "check_trainer",
    "device_of",
    "learn",
    "resolve_precision",
]
