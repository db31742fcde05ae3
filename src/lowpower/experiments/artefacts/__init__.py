"""What arms need of slides, made once with its cost and used by every arm and fold."""

from lowpower.experiments.artefacts._costs import NOTHING, Cost, together, watch
from lowpower.experiments.artefacts._make_artefacts import load_artefacts, make_artefacts
from lowpower.experiments.artefacts._makers import Artefact
from lowpower.experiments.artefacts._measured_rows import with_measured

__all__ = [
    "NOTHING",
    "Artefact",
    "Cost",
    "load_artefacts",
    "make_artefacts",
    "together",
    "watch",
    "with_measured",
]
