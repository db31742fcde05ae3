from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from lowpower.errors import WeightsError
from lowpower.models import EncoderRef
from lowpower.models.encoders import _encoder_ref as referring


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "there" / "mine.safetensors"
    path.parent.mkdir()
    save_file(timm.create_model("test_convnext", num_classes=0).state_dict(), path)
    return path


def test_weights_are_taken_from_the_bundle_where_their_first_place_is_gone(
    weights: Path, tmp_path: Path
) -> None:
    ref = EncoderRef.of("test_convnext", str(weights))
    assert (ref.file, len(ref.sha256)) == ("mine.safetensors", 64)
    bundle = tmp_path / "bundle"
    (bundle / "encoder").mkdir(parents=True)
    assert referring.encoder_of(ref, bundle).fingerprint == ref.sha256
    moved = Path(shutil.move(weights, tmp_path / "copy"))
    referring._loaded.cache_clear()
    with pytest.raises(WeightsError, match=r"which is not here; put it at .*encoder/mine\.safetensors"):
        referring.encoder_of(ref, bundle)
    shutil.copy(moved, bundle / "encoder" / "mine.safetensors")
    assert referring.encoder_of(ref, bundle).fingerprint == ref.sha256


def test_other_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    ref = EncoderRef.of("test_convnext", str(weights))
    with pytest.raises(WeightsError, match="the weights here are others"):
        referring.encoder_of(ref.model_copy(update={"sha256": "0" * 64}), tmp_path)
