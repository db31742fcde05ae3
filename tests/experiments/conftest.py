"""One tiny study, run once for all tests that look at one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.experiments.tiny_study import config_of
from tests.training.toys import toy_cohort

from lowpower.experiments import StudyResults, run_study


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_cohort(tmp_path_factory.mktemp("toys"), per_class=6).path


@pytest.fixture(scope="session")
def study(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Tests that change it work on a copy of its folder."""
    return run_study(config_of(manifest, tmp_path_factory.mktemp("study")), workers=1)
