"""Distances between two sets of features, and how sets of equal size are compared.

Frechet: squared Frechet distance between Gaussians fitted to the sets (Heusel et al. 2017), on the leading
principal components, because a covariance in 1280 dimensions cannot be had from a hundred patches.
KID: unbiased squared maximum mean discrepancy with a cubic kernel in all dimensions (Binkowski et al. 2018).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Comparison", "compare", "frechet", "kernel_distance", "nearest", "principal_axes"]

Array = NDArray[np.float64]
COMPONENTS = 64


def principal_axes(features: Array, components: int = COMPONENTS) -> tuple[Array, Array]:
    """Mean (D,) and leading principal axes (D, components) of `features` (N, D)."""
    mean = features.mean(axis=0)
    _, _, axes = np.linalg.svd(features - mean, full_matrices=False)
    return mean, axes[:components].T


def frechet(a: Array, b: Array) -> float:
    """Squared Frechet distance between Gaussians fitted to `a` (N, D) and `b` (M, D)."""
    gap = a.mean(axis=0) - b.mean(axis=0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # Tr sqrt(AB) = Tr sqrt(sqrt(A) B sqrt(A)): symmetric, so that no complex square root is needed.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared)


def kernel_distance(a: Array, b: Array) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / D + 1)^3."""

    def kernel(x: Array, y: Array) -> Array:
        return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)

    aa, bb = kernel(a, a), kernel(b, b)
    n, m = len(a), len(b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * kernel(a, b).mean())


def nearest(queries: Array, others: Array) -> tuple[Array, NDArray[np.int64]]:
    """Euclidean distance from each query to the nearest of `others`, and which that is."""
    squares = (queries**2).sum(1)[:, None] + (others**2).sum(1) - 2 * queries @ others.T
    index = squares.argmin(axis=1)
    return np.sqrt(np.maximum(squares[np.arange(len(queries)), index], 0)), index


@dataclass(frozen=True)
class Comparison:
    """Simulated against real, in units of real against real; mean and spread over halvings.

    Attributes:
        frechet: Frechet(simulated, real) / mean Frechet(half of the cores, other half).
        frechet_low: 10th percentile over draws.
        frechet_high: 90th percentile.
        frechet_halves: The denominator.
        kid: The same ratio for the kernel distance.
        kid_halves: Its denominator.
        near: Median over real patches of (distance to the nearest simulated patch) / (to the nearest patch
            of another real core), as many candidates on both sides; 1 = as near as real ones.
        patches: Patches on either side of every distance.
    """

    frechet: float
    frechet_low: float
    frechet_high: float
    frechet_halves: float
    kid: float
    kid_halves: float
    near: float
    patches: int


def compare(
    real: Array, core: NDArray[np.int64], simulated: Array, rounds: int = 35, seed: int = 0
) -> Comparison:
    """Compare features of patches.

    Args:
        real: (N, D) features of real patches.
        core: (N,) which core each comes from.
        simulated: (M, D).
        rounds: How many halvings of the cores, each with one draw of patches; 7 cores have 35.
        seed: Draws patches, and halvings where there are more than `rounds`.
    """
    rng = np.random.default_rng(seed)
    cores = np.unique(core)
    halvings = list(itertools.combinations(cores, len(cores) // 2))
    if len(halvings) > rounds:
        halvings = [halvings[i] for i in rng.choice(len(halvings), rounds, replace=False)]
    size = min(len(simulated), *(int(np.isin(core, half).sum()) for half in halvings))
    size = min(size, *(int((~np.isin(core, half)).sum()) for half in halvings))

    def draw(features: Array, count: int = size) -> Array:
        return features[rng.permutation(len(features))[:count]]

    # Both sides have the same say in the axes, so that what only one of them shows is seen too.
    equal = min(len(real), len(simulated))
    mean, axes = principal_axes(np.concatenate([draw(real, equal), draw(simulated, equal)]))
    table: list[tuple[float, float, float, float]] = []
    for half in halvings:
        inside = np.isin(core, half)
        pairs = (draw(real[inside]), draw(real[~inside])), (draw(simulated), draw(real))
        (a, b), (s, r) = pairs
        table.append(
            (
                frechet((a - mean) @ axes, (b - mean) @ axes),
                frechet((s - mean) @ axes, (r - mean) @ axes),
                kernel_distance(a, b),
                kernel_distance(s, r),
            )
        )
    halves, ours, kernel_halves, kernel_ours = np.asarray(table).T
    return Comparison(
        frechet=float(ours.mean() / halves.mean()),
        frechet_low=float(np.quantile(ours, 0.1) / halves.mean()),
        frechet_high=float(np.quantile(ours, 0.9) / halves.mean()),
        frechet_halves=float(halves.mean()),
        kid=float(kernel_ours.mean() / kernel_halves.mean()),
        kid_halves=float(kernel_halves.mean()),
        near=_nearness(real, core, simulated, rng),
        patches=size,
    )


def _nearness(real: Array, core: NDArray[np.int64], simulated: Array, rng: np.random.Generator) -> float:
    ratios: list[Array] = []
    for one in np.unique(core):
        mine, others = real[core == one], real[core != one]
        size = min(len(others), len(simulated))
        to_real, _ = nearest(mine, others[rng.permutation(len(others))[:size]])
        to_simulated, _ = nearest(mine, simulated[rng.permutation(len(simulated))[:size]])
        ratios.append(to_simulated / to_real)
    return float(np.median(np.concatenate(ratios)))
