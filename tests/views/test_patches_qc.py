from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.views._patch_qc import PATCH_REASONS, PatchQC, inspect_patches, reason_counts

WHITE = (240, 238, 242)


def _tissue(seed: int = 0, strength: float = 1.0) -> NDArray[np.uint8]:
    """Blobs of haematoxylin and DAB with fine detail and camera noise."""
    draw = np.random.default_rng(seed)
    od = np.zeros((256, 256, 3))
    for colour, sigma, amount in (
        ((0.65, 0.70, 0.29), 6, 0.25),
        ((0.27, 0.57, 0.78), 1.2, 0.2),
        ((0.6, 0.7, 0.4), 1.0, 0.1),
    ):
        field = cv2.GaussianBlur(draw.normal(size=(256, 256)), (0, 0), sigma)
        od += (np.abs(field) / field.std() * amount * strength)[..., None] * colour
    return np.clip(np.rint(np.array(WHITE) * 10**-od + draw.normal(0, 1.0, od.shape)), 0, 255).astype(
        np.uint8
    )


def _reason(image: NDArray[np.uint8], mpp: float = 0.5, qc: PatchQC | None = None) -> str:
    return PATCH_REASONS[int(inspect_patches(image[None], WHITE, mpp, qc)[0])]


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_tissue_faint_and_dark_serves(strength: float) -> None:
    assert _reason(_tissue(1, strength)) == "ok"


def test_glass_is_empty() -> None:
    noise = np.random.default_rng(0).normal(0, 1.5, (256, 256, 3))
    assert _reason(np.clip(np.array(WHITE) + noise, 0, 255).astype(np.uint8)) == "empty"


@pytest.mark.parametrize("ink", [(20, 120, 40), (30, 50, 160), (180, 20, 30), (8, 8, 10)])
def test_ink_is_pen(ink: tuple[int, int, int]) -> None:
    image = _tissue(2)
    image[:, 100:] = ink
    assert _reason(image) == "pen"


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_blur_is_found_where_it_matters(strength: float) -> None:
    blurred = cv2.GaussianBlur(_tissue(3, strength), (0, 0), 5.0)
    assert _reason(blurred) == "blur"
    assert _reason(blurred, mpp=2.0) == "ok"
    assert _reason(blurred, qc=PatchQC(blur_ratio=0)) == "ok"


def test_reasons_are_counted() -> None:
    assert reason_counts(np.array([0, 0, 3], np.uint8)) == {"ok": 2, "empty": 0, "pen": 0, "blur": 1}


def test_real_cores_pass_and_their_blur_does_not(real_cores: Path) -> None:
    for path in sorted(real_cores.glob("[012]_*.jpg")):
        core = cv2.imread(str(path))[2400:3168, 2400:3168, ::-1]
        patches = [core[y : y + 256, x : x + 256] for y in (0, 256, 512) for x in (0, 256, 512)]
        white = np.percentile(core.reshape(-1, 3), 99.5, axis=0)
        assert set(inspect_patches(np.stack(patches), white, 0.25)) <= {0, 1}
        soft = [cv2.GaussianBlur(patch, (0, 0), 8.0) for patch in patches]
        reasons = inspect_patches(np.stack(soft), white, 0.25)
        assert set(reasons) & {3} or set(reasons) == {1}
