"""What is asked of every training, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from lowpower.errors import CohortError
from lowpower.training._sections import CPU, TrainerOptions
from lowpower.training.loop import Epochs, Learner, LearningRun, learn

__all__ = ["TrainRequest"]


class _Labelled(Protocol):
    @property
    def label(self) -> int:
        """The slide's class."""


Seen = TypeVar("Seen", bound=_Labelled)
Course = TypeVar("Course", bound=Epochs)


@dataclass(frozen=True, eq=False)
class TrainRequest(Generic[Seen, Course]):
    """Slides, course and place of a training.

    Attributes:
        train: Slides to learn from.
        validation: Slides for early stopping.
        fitting: The course.
        seed: Of weights, draws, augmentation and dropout.
        folder: What is kept of the training, to go on from; see `learn`. None keeps nothing.
        trainer: Where it runs.
        progress: Called with (steps done, steps in all).
    """

    train: Sequence[Seen]
    validation: Sequence[Seen]
    fitting: Course
    seed: int = 0
    folder: Path | None = None
    trainer: TrainerOptions = CPU
    progress: Callable[[int, int], None] | None = None

    def check(self, learner: str, slides: str) -> None:
        """Refuse what cannot be learnt from.

        Raises:
            CohortError: no training or validation slide, or one class alone.
        """
        if not self.train or not self.validation or len({example.label for example in self.train}) < 2:
            raise CohortError(
                f"{learner} needs training {slides} of more than one class and validation {slides}."
            )

    def learn(self, learner: Learner) -> LearningRun:
        """Train a learner as asked."""
        return learn(
            learner,
            self.fitting,
            seed=self.seed,
            trainer=self.trainer,
            folder=self.folder,
            progress=self.progress,
        )
