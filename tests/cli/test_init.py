from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lowpower.training import parse_config, read_config, template


def test_init_writes_a_manifest_and_a_configuration_and_nothing_over_them(lowpower, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    Image.fromarray(np.full((8, 8, 3), 240, np.uint8)).save(tmp_path / "slides" / "7_ER.png")
    finished = lowpower("init", "slides")
    assert finished.code == 0
    assert "1 slide, 1 patient" in finished.out
    assert (tmp_path / "cohort.csv").read_text().splitlines()[1].startswith("slides/7_ER.png,7,ER,")
    assert read_config(tmp_path / "training.yaml").scheme == "er_status"
    again = lowpower("init", "slides")
    assert again.code == 1
    assert "there already" in again.err
    check = lowpower("check", "cohort.csv")
    assert check.code == 1
    assert "score" in check.out + check.err


@pytest.mark.parametrize("marker", ["HER2", "ER", "PR", "Ki-67"])
def test_every_template_is_a_configuration(marker):
    import yaml

    assert parse_config(yaml.safe_load(template(marker))).folds.outer == 5
