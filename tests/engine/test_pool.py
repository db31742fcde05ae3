import math

import pytest

from lowpower.engine import default_workers, map_items


@pytest.mark.parametrize("workers", [1, 2])
def test_outcomes_keep_the_order_of_the_items(workers):
    seen = []
    outcomes = map_items(
        math.sqrt, [16, 9, 4, 1], workers=workers, on_done=lambda item, out: seen.append((item, out))
    )
    assert outcomes == [4, 3, 2, 1]
    assert sorted(seen) == [(1, 1), (4, 2), (9, 3), (16, 4)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller(workers):
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        map_items(math.sqrt, [4, -1, 9], workers=workers)


def test_default_workers_is_at_least_one():
    assert default_workers() >= 1
