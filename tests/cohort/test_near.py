"""Slides of two patients that look alike, where a fold parts them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lowpower.cohort import make_folds, near_copies, read_cohort, write_manifest

SCORES = ("0", "1+", "2+", "3+")


def tissue(seed: int) -> np.ndarray:
    """A blob of tissue with a pattern of its own, on glass."""
    rng = np.random.default_rng(seed)
    pattern = cv2.GaussianBlur(rng.random((240, 320)).astype(np.float32), (0, 0), 5)
    pattern = (pattern - pattern.min()) / np.ptp(pattern)
    inside = np.zeros_like(pattern)
    cv2.ellipse(inside, (160, 120), (110, 80), 0, 0, 360, 1.0, -1)
    grey = 245 - 150 * inside * (0.3 + 0.7 * pattern)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Sixteen patients; the last slide is the first one again, darker."""
    rows = []
    for number in range(16):
        image = tissue(number)
        if number == 15:
            image = (255 * (tissue(0) / 255) ** 1.3).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        rows.append({"slide": f"{number}.png", "patient": f"Q{number}x", "marker": "HER2", "mpp": 8})
        rows[-1]["score"] = SCORES[number // 4]
    return write_manifest(tmp_path / "cohort.csv", rows)


def test_two_patients_slides_that_look_alike_are_named_with_their_parts(manifest: Path) -> None:
    cohort = read_cohort(manifest)
    folds = make_folds(cohort, "her2_four", outer=4)
    parted = [
        k for k, fold in enumerate(folds.folds) if any((0 in r) != (15 in r) for r in fold.parts().values())
    ]
    (told,) = near_copies(cohort, folds, range(4))
    assert told.startswith("15.png (patient 'Q15x', ")
    assert f"in fold {parted[0]}) looks like 0.png (patient 'Q0x', " in told
    together = [number for number in range(4) if number not in parted]
    assert near_copies(cohort, folds, together) == ()


def test_slides_of_one_patient_may_look_alike_and_unreadable_ones_are_passed_over(manifest: Path) -> None:
    (manifest.parent / "3.png").write_bytes(b"no image")
    text = manifest.read_text().replace("Q15x", "Q0x")
    manifest.write_text(text)
    cohort = read_cohort(manifest)
    done: list[tuple[int, int]] = []
    found = near_copies(
        cohort, make_folds(cohort, "her2_four", outer=3), range(3), progress=lambda *now: done.append(now)
    )
    assert found == ()
    assert done[-1] == (16, 16)
