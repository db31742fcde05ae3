from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowpower.cohort import Cohort, read_cohort, write_manifest
from lowpower.errors import CohortError
from lowpower.experiments import parse_experiment
from lowpower.experiments.artefacts._costs import NOTHING, Cost, together, watch
from lowpower.experiments.artefacts._makers import Artefact
from lowpower.experiments.plan._needs import needs_of
from lowpower.experiments.units._late_fusion import fit_weights, fused
from lowpower.experiments.units._learners import LEARNERS, Material
from lowpower.experiments.units._learnt import predictor_of


def test_fusion_weights_maximise_the_balanced_likelihood() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    arms = [rng.dirichlet(np.ones(3) + 3 * strength * np.eye(3)[label]) for strength in (1, 0.3, 0)
            for label in labels]  # fmt: skip
    one, two, blind = np.array(arms).reshape(3, 60, 3)
    weights = fit_weights([one, two, blind], labels)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] > weights[2] - 0.05

    def likelihood(wanted: np.ndarray) -> float:
        found = fused([one, two, blind], wanted)[np.arange(60), labels]
        return float(np.mean([np.log(found[labels == label]).mean() for label in range(3)]))

    best = likelihood(weights)
    for other in rng.dirichlet(np.ones(3), 200):
        assert likelihood(other) <= best + 1e-4
    assert fused([one, two, blind], weights).sum(1) == pytest.approx(1)


def test_a_watch_sees_bytes_time_and_memory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(5_000_000))
    with watch() as held:
        data = file.read_bytes()
    assert len(data) == 5_000_000
    assert held.cost.wall_s > 0
    assert held.cost.peak_mb > 20
    assert held.cost.bytes_read is None or 5_000_000 <= held.cost.bytes_read < 6_000_000


def test_memory_is_the_blocks_own_whatever_came_before(tmp_path: Path) -> None:
    def need(megabytes: int) -> Cost:
        with watch() as held:
            np.ones(megabytes * 125_000)
        return held.cost

    before = [need(200), need(40)]
    assert 190 < before[0].added_mb < 260
    assert 35 < before[1].added_mb < 90, "the peak of the block before"
    assert before[1].peak_mb > 100


def test_costs_add_up_but_memory_does_not() -> None:
    one = Cost(wall_s=1, cpu_s=2, added_mb=80, peak_mb=300, bytes_read=10, bytes_stored=1)
    two = Cost(wall_s=2, cpu_s=1, added_mb=90, peak_mb=200, bytes_read=5, bytes_stored=2)
    assert together([one, two]) == Cost(
        wall_s=3, cpu_s=3, added_mb=90, peak_mb=300, bytes_read=15, bytes_stored=3
    )
    assert together([one, Cost(bytes_read=None)]).bytes_read is None
    assert together([]) == NOTHING


def material(tmp_path: Path) -> Material:
    rng = np.random.default_rng(1)
    rows = [
        {
            "slide": f"{row}.png",
            "patient": str(row),
            "marker": "HER2",
            "score": ("0", "1+", "2+", "3+")[row % 4],
        }
        for row in range(40)
    ]
    cohort: Cohort = read_cohort(write_manifest(tmp_path / "cohort.csv", rows))
    config = parse_experiment({"cohort": str(cohort.path), "arms": [{"paradigm": "measured"}]})
    artefacts = {}
    for row in range(40):
        shares = rng.dirichlet(1 + 12 * np.eye(4)[row % 4])
        values = (*shares.tolist(), float(shares @ np.arange(4) / 3), 0.1, 0.1, 0.1)
        artefacts[row] = Artefact(row=row, state="ok", values=values)
    labels = {row: row % 4 for row in range(36)}
    return Material(config, cohort, labels, range(32), range(32, 36), artefacts, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("scheme", "marker"),
    [("her2_three", "HER2"), ("er_status", "ER"), ("pr_status", "PR"), ("ki67_three", "Ki-67")],
)
def test_the_scheme_says_what_is_measured(scheme: str, marker: str) -> None:
    config = parse_experiment({"cohort": "c.csv", "scheme": scheme, "arms": [{"paradigm": "measured"}]})
    assert [need.marker for need in needs_of(config.arms[0], config)] == [marker]


def test_the_measurement_becomes_probabilities(tmp_path: Path) -> None:
    given = material(tmp_path)
    arm = given.config.arms[0]
    learnt = LEARNERS["measured"](arm, given)
    predictor = predictor_of(arm, given.config, learnt, given.artefacts)
    found = np.stack([predictor(row) for row in range(32, 40)])
    assert found.sum(1) == pytest.approx(1)
    assert (found.argmax(1) == np.arange(32, 40) % 4).mean() >= 0.75
    assert needs_of(arm, given.config)[0].marker == "HER2"
    alone = Material(given.config, given.cohort, given.labels, [0, 4], [1], given.artefacts, *[tmp_path] * 2)
    with pytest.raises(CohortError, match="two classes"):
        LEARNERS["measured"](arm, alone)
