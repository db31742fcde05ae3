"""`map_items` in this process, in processes of this machine, and on Ray: the same whatever takes the work."""

import math
import os
import pickle
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.engine import work

import lowpower
from lowpower.engine import Needs, default_workers, map_items, run_on
from lowpower.engine._ray_task import Driver, run_item
from lowpower.errors import EngineError, MissingMppError

PLACES = ["here", "processes", "ray"]
OTHERS = PLACES[1:]


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    with run_on("ray"):
        yield
    assert not ray.is_initialized()


@pytest.fixture
def workers(request) -> Iterator[int]:
    """Where: by the parameter."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
        with run_on("ray"):
            yield 1
    else:
        yield {"here": 1, "processes": 2}[request.param]


@pytest.mark.parametrize("workers", PLACES, indirect=True)
def test_outcomes_keep_the_order_of_the_items(workers):
    seen, told = [], []
    outcomes = map_items(
        math.sqrt, [16, 9, 4, 1], workers=workers, on_done=lambda item, out: seen.append((item, out)),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert outcomes == [4, 3, 2, 1]
    assert sorted(seen) == [(1, 1), (4, 2), (9, 3), (16, 4)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("workers", PLACES, indirect=True)
def test_no_items_are_no_work(workers):
    assert map_items(math.sqrt, [], workers=workers) == []


@pytest.mark.parametrize("workers", PLACES, indirect=True)
def test_an_error_reaches_the_caller_as_it_was_raised(workers):
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        map_items(math.sqrt, [4, -1, 9], workers=workers)
    with pytest.raises(MissingMppError, match=r"^b\.svs: has no microns per pixel \(looked for") as caught:
        map_items(work.refuse, ["a.svs", "b.svs"], workers=workers)
    assert caught.value.path.name == "b.svs"


@pytest.mark.parametrize("workers", OTHERS, indirect=True)
def test_items_of_a_worker_that_dies_run_again(workers, tmp_path):
    items = [str(tmp_path / name) for name in ("a", "once1", "b", "c", "once2", "d")]
    told = []
    outcomes = map_items(
        work.die_once, items, workers=workers, progress=lambda done, total: told.append(done)
    )
    assert outcomes == ["a", "once1", "b", "c", "once2", "d"]
    assert told == list(range(7))


@pytest.mark.parametrize("workers", OTHERS, indirect=True)
def test_an_item_that_kills_every_worker_is_told_and_the_others_go_on(workers):
    outcomes = map_items(
        work.die, ["a", "deadly", "b", "c"], workers=workers, lost=lambda item, why: f"{item}: {why}"
    )
    assert outcomes[::2] == ["A", "B"]
    assert outcomes[3] == "C"
    assert outcomes[1].startswith("deadly: the process that worked on it died 3 times")


@pytest.mark.parametrize("workers", OTHERS, indirect=True)
def test_where_nothing_stands_for_a_lost_item_a_sentence_ends_the_run(workers):
    with pytest.raises(EngineError, match=r"^deadly: the process that worked on it died 3 times"):
        map_items(work.die, ["a", "deadly"], workers=workers)


def test_default_workers_is_at_least_one():
    assert default_workers() >= 1


def test_a_task_on_ray_starts_where_the_run_does_and_uses_what_it_was_given(
    ray_cluster, monkeypatch, tmp_path
):
    monkeypatch.setenv("LOWPOWER_TEST", "said")
    monkeypatch.chdir(tmp_path)
    with run_on("ray"):
        assert map_items(work.surroundings, ["x"], needs=Needs(threads=1)) == [(str(tmp_path), 1, "said")]
        # More than any machine has would wait for ever.
        assert map_items(work.surroundings, ["x"], needs=Needs(10_000, 1e6))[0][1] == default_workers()
        assert os.getpid() not in map_items(work.process, [1, 2, 3])


def test_a_slide_missing_here_is_left_to_the_work_to_tell(ray_cluster, tmp_path):
    with run_on("ray"):
        gone = str(tmp_path / "gone.svs")
        assert map_items(work.refuse, [gone], reads=lambda item: [item], writes=[tmp_path]) == [gone]
    assert list(tmp_path.iterdir()) == []


def driver(tmp_path, **changes):
    told = {
        "python": ".".join(platform.python_version_tuple()[:2]), "lowpower": lowpower.__version__,
        "folder": str(tmp_path), "writes": (), "variables": (), "threads": 1,
    }  # fmt: skip
    return Driver(**(told | changes)), pickle.dumps(math.sqrt), pickle.dumps(4)


@pytest.mark.parametrize(
    ("changes", "reads", "said"),
    [
        ({"python": "2.7"}, [], "has Python 3.* and 2.7 is needed"),
        ({"lowpower": "0.0.1"}, [], "has lowpower .* and 0.0.1 is needed"),
        ({}, ["/mnt/of/another/machine/a.svs"], "does not see /mnt/of/another/machine/a.svs"),
        ({"writes": ("/mnt/shared/.mark",)}, [], "does not see /mnt/shared, "),
        ({"folder": "/mnt/home"}, [], "does not see /mnt/home"),
    ],
)
def test_a_machine_unlike_the_others_is_named(tmp_path, changes, reads, said):
    state, sentence = run_item(*driver(tmp_path, **changes), reads)
    assert state == "unfit"
    assert re.match(f"node {socket.gethostname()}: {said}", sentence)


SCRIPT = """
from pathlib import Path
from lowpower.simulate import CohortSpec, simulate_cohort

with Path("begun").open("a") as log:
    log.write("x")
spec = CohortSpec(patients=2, specimens={"disc": 1.0}, mpp=(2.0, 2.0))
print(simulate_cohort(spec, "out", workers=2))
"""


def test_a_script_without_a_guard_is_not_begun_again_by_every_worker(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "bootstrapping" not in ended.stderr
    assert (tmp_path / "begun").read_text() == "x"
    assert len(list((tmp_path / "out" / "slides").glob("*.tif"))) == 2
