"""Making the next batch while the last one is learnt from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """`items` in order, the next one being made in a thread while the last one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="lowpower-batches") as pool:
        future = pool.submit(lambda: next(items, None))
        while (item := future.result()) is not None:
            future = pool.submit(lambda: next(items, None))
            yield item
