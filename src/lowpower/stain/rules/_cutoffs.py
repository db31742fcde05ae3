"""From which value on a stain counts: what may differ between laboratories, and nothing else.

Defaults were set on simulated slides of many laboratories and looked at on real fields. A laboratory's own
come from slides whose score it knows (`lowpower calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from lowpower.stain.rules._score_rules import HER2_CUTOFF, Her2Score, Her2Shares, her2_score

__all__ = ["DEFAULT_CUTOFFS", "INTENSE_OD", "INVENTED", "Cutoffs", "Her2Cutoffs", "NuclearCutoffs", "her2_of"]


@dataclass(frozen=True, slots=True)
class Her2Cutoffs:
    """When a membrane is stained, complete, intense; and in how many cells that counts.

    Attributes:
        least_od: A ray crosses a stained membrane where the membrane map shows this much DAB OD.
        stained: Share of a cell's rays from which its membrane is stained at all.
        complete: Share of its rays from which it is complete.
        weak_od: DAB OD of a complete membrane below which it is barely perceptible.
        intense_od: DAB OD from which a complete membrane is intense.
        stained_share: Share of tumour cells to be exceeded by any staining (1+).
        complete_share: By complete staining (2+).
        intense_share: By intense complete staining (3+).

    Raises:
        ValueError: if a value is not above 0, a share reaches 1, or intense is not above weak.
    """

    least_od: float = 0.054
    stained: float = 0.12
    complete: float = 0.80
    weak_od: float = 0.10
    intense_od: float = 0.52
    stained_share: float = HER2_CUTOFF
    complete_share: float = HER2_CUTOFF
    intense_share: float = HER2_CUTOFF

    def __post_init__(self) -> None:
        if not 0 < self.weak_od < self.intense_od or not self.least_od > 0:
            raise ValueError(f"optical densities must rise from 0 over weak to intense: {self}")
        shares = (self.stained, self.complete, self.stained_share, self.complete_share, self.intense_share)
        if any(not 0 < share < 1 for share in shares):
            raise ValueError(f"shares lie between 0 and 1: {self}")

    def seen_through(self, rendering: float) -> Her2Cutoffs:
        """The same on a slide whose optics show this much of a membrane, over what the usual slide's show.

        The membrane map was taught what the membrane holds, whatever the optics: half of it (on the scale of
        logarithms) is left to mend there.
        """
        return replace(
            self,
            least_od=self.least_od * rendering**0.5,
            weak_od=self.weak_od * rendering,
            intense_od=self.intense_od * rendering,
        )


@dataclass(frozen=True, slots=True)
class NuclearCutoffs:
    """DAB OD from which a nucleus is weakly, moderately, strongly stained.

    Raises:
        ValueError: if they do not rise from 0.
    """

    weak_od: float = 0.10
    moderate_od: float = 0.28
    strong_od: float = 0.55

    def __post_init__(self) -> None:
        if not 0 < self.weak_od < self.moderate_od < self.strong_od:
            raise ValueError(f"optical densities must rise from 0 over weak to strong: {self}")


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Of one laboratory: HER2's membranes, and nuclei of the nuclear markers."""

    her2: Her2Cutoffs = field(default_factory=Her2Cutoffs)
    nuclear: NuclearCutoffs = field(default_factory=NuclearCutoffs)


DEFAULT_CUTOFFS: Final = Cutoffs()
INTENSE_OD: Final = DEFAULT_CUTOFFS.her2.intense_od
"""DAB OD from which a complete membrane is intense unless a laboratory says otherwise: laboratories and
scanners differ by more than twice."""


INVENTED: Final = 0.02
"""Share of cells up to which measuring invents staining, of intense complete staining too."""


def her2_of(shares: Her2Shares, cells: int, cutoffs: Her2Cutoffs) -> Her2Score:
    """The score of measured shares of so many tumour cells: the rule, and what measuring invents."""
    exceeded = (cutoffs.stained_share, cutoffs.complete_share, cutoffs.intense_share)
    return her2_score(shares, cells=cells, null_up_to=INVENTED, intense_from=INVENTED, cutoffs=exceeded)
