"""Which rows must stay together: one patient, one content, and (where asked) one block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort._table import Cohort

__all__ = ["group_rows", "row_keys"]


def row_keys(
    cohort: Cohort, row: int, content_hashes: Mapping[str, str] | None, shared_blocks: bool
) -> dict[str, Hashable]:
    """What a row is bound by: kind ("patient", "content", "block") to value; kinds it lacks are left out."""
    table = cohort.table
    keys: dict[str, Hashable] = {"patient": table["patient"][row]}
    content = (content_hashes or {}).get(table["slide"][row])
    if content is not None:
        keys["content"] = content
    block = table["block"][row]
    if shared_blocks and block is not None:
        keys["block"] = block
    return keys


def group_rows(
    cohort: Cohort,
    rows: NDArray[np.int64],
    content_hashes: Mapping[str, str] | None = None,
    shared_blocks: bool = False,
) -> NDArray[np.int64]:
    """Connected groups of rows that share a key, numbered in order of first appearance.

    Args:
        cohort: The cohort.
        rows: (N,) row indices.
        content_hashes: Content hash by absolute slide path.
        shared_blocks: True where a block identifier is unique in the whole cohort.

    Returns:
        (N,) group number of each of `rows`.
    """
    parent = list(range(rows.size))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    first: dict[tuple[str, Hashable], int] = {}
    for position, row in enumerate(rows.tolist()):
        for key in row_keys(cohort, row, content_hashes, shared_blocks).items():
            older, newer = sorted((root(first.setdefault(key, position)), root(position)))
            parent[newer] = older
    _, numbers = np.unique([root(position) for position in range(rows.size)], return_inverse=True)
    return numbers.astype(np.int64)
