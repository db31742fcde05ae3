"""A study's winner put to work: a trained arm becomes a model bundle."""

from lowpower.experiments.deployment._deploy import Deployed, deploy

__all__ = [
    "Deployed",
    "deploy",
]
