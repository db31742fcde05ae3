"""The process that scores, and how its parent holds it to its limits."""

from lowpower.serve.child._scorer import Scorer, ScoringError

__all__ = ["Scorer", "ScoringError"]
