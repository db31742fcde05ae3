"""Networks run exactly or fast: how far apart the two are, what is said of it, and what it never does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import cv2
import numpy as np
import polars as pl
import pytest
from tests.scoring.test_measure_files import sheet

from lowpower.cli.verbs import _doctor
from lowpower.errors import OptionError
from lowpower.graphs import _fast_graph as fast_graph
from lowpower.graphs import check_precision, compiled, runtime_name
from lowpower.scoring import ScoreRequest, measure_files, score
from lowpower.stain import measure

HAS_OPENVINO = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None,
    reason="the extra openvino is not installed",
)


@pytest.fixture
def no_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    caches = (fast_graph.openvino_core, fast_graph._openvino)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def field(tmp_path):
    path = tmp_path / "field.png"
    cv2.imwrite(str(path), np.ascontiguousarray(sheet(0.9)[..., ::-1]))
    return path


def cell_network() -> bytes:
    return (resources.files("lowpower.stain") / "cell_network.onnx").read_bytes()


def stains(number: int, side: int = 96) -> np.ndarray:
    return np.random.default_rng(number).uniform(-1, 4, (1, 3, side, side + 32)).astype(np.float32)


def test_without_openvino_fast_says_how_to_install_it_before_any_slide_is_opened(
    no_openvino, field, lowpower
):
    with pytest.raises(OptionError, match=r"needs OpenVINO; .* pip install '\.\[openvino\]'"):
        check_precision("fast")
    for verb in ("measure", "score"):
        finished = lowpower(verb, field, "--mpp", "0.5", "--precision", "fast")
        assert finished.code == 2
        assert "--precision fast needs OpenVINO" in finished.err
        assert not list(field.parent.glob("lowpower-*"))
    with pytest.raises(OptionError, match="OpenVINO"):
        measure(field, mpp=0.5, precision="fast")
    assert _doctor._fast().startswith("not here: ")


def test_a_precision_that_is_none_is_refused(field):
    with pytest.raises(OptionError, match="precision= is one of exact, fast, not 'half'"):
        ScoreRequest(precision="half").check()  # type: ignore[arg-type]


@HAS_OPENVINO
def test_fast_says_nearly_what_exact_says_whichever_thread_runs_it():
    exact, fast = (compiled(cell_network(), name, side_by_side=True) for name in ("exact", "fast"))
    given = [stains(number, 96 + 32 * (number % 2)) for number in range(6)]
    alone = [fast.run(stains=one)[0] for one in given]
    for one, maps in zip(given, alone, strict=True):
        assert np.abs(maps - exact.run(stains=one)[0]).max() < 0.05
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda one: fast.run(stains=one)[0], given))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    fast.rest()
    assert np.array_equal(fast.run(stains=given[0])[0], alone[0])


@HAS_OPENVINO
def test_a_processor_without_bfloat16_computes_in_32_bits_and_says_so(monkeypatch):
    monkeypatch.setattr(fast_graph, "_has_bfloat16", lambda: False)
    assert "32 bits, for this processor has no bfloat16" in runtime_name("fast")
    exact, fast = (compiled(cell_network(), name, side_by_side=True) for name in ("exact", "fast"))
    assert np.abs(fast.run(stains=stains(0))[0] - exact.run(stains=stains(0))[0]).max() < 1e-4


@HAS_OPENVINO
def test_openvino_reports_nothing_of_its_use(tmp_path):
    code = (
        "import sys\n"
        "def hook(event, given):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto'): print(event, given)\n"
        "sys.addaudithook(hook)\n"
        "from lowpower.graphs import runtime_name; print(runtime_name('fast'))\n"
        "print([name for name in sys.modules if 'telemetry' in name and 'stub' not in name and "
        "not name.startswith('openvino.tools')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout.splitlines()[1:] == ["[]"]
    assert list(tmp_path.iterdir()) == []


@HAS_OPENVINO
def test_records_and_tables_say_what_ran_the_networks(field, tmp_path):
    def measured(**options):
        request = ScoreRequest(mpp=0.5, pictures=False, **options)
        return measure_files([field], request, out=tmp_path / "out")[0]

    exact, fast = measured(), measured(precision="fast")
    assert exact.runtime == runtime_name("exact")
    assert exact.runtime.startswith("ONNX Runtime ")
    assert fast.runtime == runtime_name("fast")
    assert fast.runtime.startswith("OpenVINO ")
    assert (exact.asked.precision, fast.asked.precision) == ("exact", "fast")
    assert fast.measured.score == exact.measured.score
    assert not fast.reused
    assert measured(precision="fast").reused
    table = pl.read_csv(tmp_path / "out" / "measurements.csv")
    assert table["runtime"].to_list() == [fast.runtime]


@HAS_OPENVINO
def test_the_slide_network_answers_nearly_alike(field):
    exact, fast = (
        score(field, mpp=0.5, measure=False, pictures=False, precision=name) for name in ("exact", "fast")
    )
    assert fast.runtime.startswith("OpenVINO ")
    assert exact.runtime.startswith("ONNX Runtime ")
    assert list(fast.probabilities.values()) == pytest.approx(list(exact.probabilities.values()), abs=0.03)
    assert fast.probabilities != exact.probabilities
