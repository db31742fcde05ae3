"""`--on ray` where there is no Ray, or no cluster."""

import sys

import pytest

from lowpower.engine import run_on
from lowpower.errors import EngineError


def test_without_ray_the_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"needs Ray; .*pip install '\.\[ray\]'"), run_on("ray"):
        pass


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with (
        pytest.raises(EngineError, match=r"^the Ray cluster at 127\.0\.0\.1:1 \(RAY_ADDRESS\)"),
        run_on("ray"),
    ):
        pass
