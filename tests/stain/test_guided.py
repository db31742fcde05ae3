"""Guided reading: intervals hold what they promise, draws repeat, and reading stops for the right reasons."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.stain.guided import Design, Estimate, estimate, strata_of


def slide(seed: int, fields: int = 900) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N, 4) cells by class of a slide whose fields differ, and (N,) strata by a noisy look at low power."""
    rng = np.random.default_rng(seed)
    brown = np.clip(np.repeat(rng.beta(0.6, 2.0, fields // 9), 9) + rng.normal(0, 0.05, fields), 0, 1)
    cells = rng.poisson(rng.gamma(1.5, 40, fields))
    shares = np.stack([1 - brown, 0.5 * brown, 0.3 * brown, 0.2 * brown], axis=1)
    counts = np.stack([rng.multinomial(n, s) for n, s in zip(cells, shares, strict=True)]).astype(float)
    look = brown * np.exp(rng.normal(0, 0.3, fields))
    return counts, strata_of(look, look * np.exp(rng.normal(0, 0.2, fields)), cells.astype(float))


def read(design: Design, counts: NDArray[np.float64], batches: int) -> tuple[NDArray[np.int64], Estimate]:
    numbers = design.first()
    for _ in range(batches):
        known = estimate(design.stratum[numbers], counts[numbers], design.sizes)
        numbers = np.concatenate([numbers, design.next(known, 1)])
    return numbers, estimate(design.stratum[numbers], counts[numbers], design.sizes)


def test_intervals_hold_the_truth_as_often_as_they_promise():
    held = []
    for number in range(60):
        counts, stratum = slide(number)
        shares = counts.sum(0) / counts.sum()
        for seed in range(6):
            known = read(Design(stratum, seed), counts, seed % 3)[1]
            for least in (1, 2, 3):
                low, high = known.share(least)[1:]
                held.append(low <= shares[least:].sum() <= high)
            low, high = known.h_score()[1:]
            held.append(low <= 100 * shares @ np.arange(4) <= high)
    assert 0.93 <= np.mean(held) <= 0.98


def test_the_same_seed_reads_the_same_fields_and_another_others():
    counts, stratum = slide(1)
    first, again, other = (read(Design(stratum, seed), counts, 2)[0].tolist() for seed in (5, 5, 6))
    assert first == again != other


def test_the_brownest_fields_are_always_read_and_no_stratum_is_empty():
    _, stratum = slide(2)
    assert np.bincount(stratum).min() > 0
    assert np.count_nonzero(stratum == 0) == 18
    assert set(np.flatnonzero(stratum == 0)) <= set(Design(stratum, 0).first())
    for few in range(1, 12):  # of a small piece every field may be a stratum of its own
        looks = np.arange(few, dtype=float)
        labels = strata_of(looks, looks, looks)
        assert np.bincount(labels).min() > 0
        assert len(Design(labels, 0).first()) == few


def test_once_all_is_read_nothing_is_open():
    counts, stratum = slide(3, fields=90)
    design = Design(stratum, 0)
    numbers = design.first()
    while True:
        known = estimate(stratum[numbers], counts[numbers], design.sizes)
        more = design.next(known, 3)
        if len(more) == 0:
            break
        numbers = np.concatenate([numbers, more])
    assert sorted(numbers.tolist()) == list(range(90))
    assert known.whole
    value, low, high = known.share(1)
    assert low == high == value == pytest.approx(counts[:, 1:].sum() / counts.sum())
    assert known.chance_of_change(lambda shares: str(shares), 0) == 0.0


def test_a_class_that_no_field_shows_may_still_be_there():
    counts = np.tile([80.0, 20.0, 0.0, 0.0], (400, 1))
    looks = np.arange(400.0)
    design = Design(strata_of(looks, looks, looks), 0)
    known = read(design, counts, 0)[1]
    value, low, high = known.share(3)
    assert (value, low) == pytest.approx((0.0, 0.0))
    assert 0.002 < high < 0.05


def test_the_chance_of_another_score_is_larger_near_a_cut_off():
    counts, stratum = slide(4)
    known = read(Design(stratum, 0), counts, 0)[1]
    stained = float(known.shares[1:].sum())
    chances = [
        known.chance_of_change(lambda s, cut=cut: str(s[1:].sum() > cut), 0)
        for cut in (stained + 0.002, stained + 0.2)
    ]
    assert chances[0] > 0.2
    assert chances[1] < 0.02


def test_before_every_stratum_was_read_twice_nothing_is_said():
    counts, stratum = slide(5)
    design = Design(stratum, 0)
    numbers = design.first()
    assert not estimate(stratum[numbers[:10]], counts[numbers[:10]], design.sizes).enough
    assert estimate(stratum[numbers], counts[numbers], design.sizes).enough
