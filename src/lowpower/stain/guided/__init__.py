"""Guided measurement: low power cuts the tissue into strata, fields drawn in them are read until it is sure.

Pure numbers, no pixels: which field comes next, and what is known so far. The estimator and its source:
docs/adr/0061-guided.md.
"""

from lowpower.stain.guided._design import Design, strata_of
from lowpower.stain.guided._estimate import Estimate, Interval, estimate
from lowpower.stain.guided._reading import Reading, Stopped

__all__ = ["Design", "Estimate", "Interval", "Reading", "Stopped", "estimate", "strata_of"]
