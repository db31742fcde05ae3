"""A trained arm becomes a model bundle: a training's, or a study's winner."""

from lowpower.experiments.deployment._bundle_maker import Maker
from lowpower.experiments.deployment._card_notes import CARD_NOTES
from lowpower.experiments.deployment._deploy import Deployed, deploy

__all__ = [
    "CARD_NOTES",
    "Deployed",
    "Maker",
    "deploy",
]
