"""The leakage audit: proof that no patient, content or block lies in two parts of a fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowpower.cohort._table import Cohort
from lowpower.cohort.folds._kept_together import row_keys

if TYPE_CHECKING:
    from lowpower.cohort.folds._folds import Folds

__all__ = ["Leak", "audit_leakage"]


@dataclass(frozen=True, slots=True)
class Leak:
    """Something in two parts of one fold.

    Attributes:
        fold: Name of the fold.
        kind: "slide", "patient", "content" (equal bytes) or "block".
        value: The row, patient, hash or block.
        parts: The parts it is in, for instance ("train", "test").
    """

    fold: str
    kind: str
    value: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        name = {"slide": "row", "content": "slide content"}.get(self.kind, self.kind)
        return f"{self.fold}: {name} {self.value!r} is in {' and '.join(self.parts)}"


def audit_leakage(
    cohort: Cohort,
    folds: Folds,
    *,
    content_hashes: Mapping[str, str] | None = None,
    shared_blocks: bool = False,
) -> list[Leak]:
    """Everything that lies in two parts of a fold; an empty list is the proof that nothing does.

    Patients are taken from the cohort, not from the folds file.

    Args:
        cohort: The cohort the folds were made for.
        folds: The folds.
        content_hashes: Content hash by absolute slide path; without it equal files are not looked for.
        shared_blocks: True where a block identifier is unique in the whole cohort; otherwise a block lies
            within its patient, and is kept whole with it.
    """
    leaks = []
    for fold in folds.folds:
        places: dict[tuple[str, Hashable], list[str]] = defaultdict(list)
        for part, rows in fold.parts().items():
            for row in rows:
                keys: dict[str, Hashable] = {"slide": row}
                keys |= row_keys(cohort, row, content_hashes, shared_blocks)
                for key in keys.items():
                    if part not in places[key]:
                        places[key].append(part)
        leaks += [
            Leak(fold.name, kind, str(value), tuple(held))
            for (kind, value), held in places.items()
            if len(held) > 1
        ]
    # A patient says more to a person than a row number.
    return sorted(leaks, key=lambda leak: ("patient", "content", "block", "slide").index(leak.kind))
