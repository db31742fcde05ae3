"""The child process that scores: ended where it takes too long, too much, or is not wanted any more."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from lowpower.serve.child import Scorer, ScoringError, _scorer


def score(scorer: Scorer, slide, tmp_path, wanted=lambda: True):
    return scorer.score(slide, tmp_path / "out", {"measure": False}, progress=lambda _: None, wanted=wanted)


@pytest.fixture
def scorer():
    made = Scorer(seconds=60.0, memory=8e9)
    yield made
    made.end()


def test_too_much_memory_ends_it(slide_file, tmp_path):
    small = Scorer(seconds=60.0, memory=1e6)
    with pytest.raises(ScoringError, match="memory that it may") as ended:
        score(small, slide_file, tmp_path)
    assert ended.value.code == "memory"
    assert small._child is None


def test_too_much_time_ends_it(slide_file, tmp_path, monkeypatch):
    monkeypatch.setattr(_scorer, "_START_S", 0.0)
    slow = Scorer(seconds=0.1, memory=8e9)
    with pytest.raises(ScoringError, match="minutes that it may") as ended:
        score(slow, slide_file, tmp_path)
    assert ended.value.code == "time"


@pytest.mark.timeout(120)
def test_a_child_that_never_stops_telling_its_progress_is_ended_too(scorer, slide_file, tmp_path):
    scorer.start()
    scorer._ready, scorer._seconds = True, 0.5

    def again(share: float) -> None:
        scorer._answers.put({"progress": share})

    again(0.1)
    with pytest.raises(ScoringError, match="minutes that it may"):
        scorer.score(slide_file, tmp_path / "out", {"measure": False}, progress=again, wanted=lambda: True)


def test_what_nobody_wants_any_more_is_ended(scorer, slide_file, tmp_path):
    with pytest.raises(ScoringError) as ended:
        score(scorer, slide_file, tmp_path, wanted=lambda: False)
    assert ended.value.code == "cancelled"


def test_a_child_that_dies_is_told_and_the_next_slide_gets_another(scorer, slide_file, tmp_path):
    scorer.start()
    first = scorer._child.pid
    os.kill(first, signal.SIGSTOP)  # alive when it is given the slide, or another would be started at once

    def dies() -> bool:
        os.kill(first, signal.SIGKILL)
        return True

    with pytest.raises(ScoringError, match="without a word") as ended:
        score(scorer, slide_file, tmp_path, wanted=dies)  # which is asked once the slide was given
    assert ended.value.code == "crash"
    # The next one answers (test_worker has it score); what lowpower itself says no to is said in its words.
    with pytest.raises(ScoringError, match="no model 'gone'") as refused:
        scorer.score(
            slide_file, tmp_path / "out", {"model": "gone"}, progress=lambda _: None, wanted=lambda: True
        )
    assert refused.value.code == "bundle"
    assert scorer._child.pid != first
    assert psutil.pid_exists(scorer._child.pid)  # after a no it lives on
    # When whoever asked is gone, so is the child.
    scorer._child.stdin.close()
    deadline = time.monotonic() + 60
    while scorer._child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
