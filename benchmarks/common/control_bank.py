"""Simulated tissue that control slides are composed of: patients of several regions, a laboratory's controls.

What a slide honestly shows of two blocks. All tissue of one slide is stained together, so the colours of
stains and glass are the same in sample and control. A patient's pieces share nuclei, membrane staining and
clones, not architecture: two tumour regions (another share of tumour, other stroma, now and then another
way of growing) and a benign one lie in one block. A control is another patient's tumour, chosen for its
plenty of tumour cells; a laboratory cuts the same few blocks again and again. So pieces of one sample
differ too, often more than a control does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from benchmarks.common.control_layout import SCORES
from numpy.typing import NDArray

from lowpower.simulate import (
    SlideSpec,
    SlideTruth,
    draw_laboratory,
    draw_scanner,
    draw_slide,
    simulate_slide,
    truth_path,
)
from lowpower.slides import open_slide

__all__ = ["MPP", "SITES", "Bank", "tissue_bank"]

MPP = 8.0
SITES = 5
"""Laboratories of each half."""
_PER_SCORE = 2
_CONTROLS = ("0", "1+", "2+", "3+", "3+")
_HALVES = {False: 171, True: 172}
"""Seeds of the laboratories and patients of the development and of the held-out half."""
_GROWS = ("solid", "nests", "cords", "tubules", "glands", "ducts", "columnar")
_MARGIN = 0.12
Light = NDArray[np.float32]


@dataclass(frozen=True)
class Patient:
    """Transmission (h, w, 3) of tumour regions and of benign tissue."""

    tumour: tuple[Light, ...]
    benign: tuple[Light, ...]


@dataclass(frozen=True)
class Bank:
    """Tissue of one laboratory: patients and control blocks by score, and the glass's RGB."""

    patients: dict[str, tuple[Patient, ...]]
    controls: dict[str, tuple[Light, ...]]
    white: Light


def tissue_bank(folder: Path, *, held_out: bool) -> tuple[Bank, ...]:
    """The laboratories of one half; simulated where `folder` does not hold them (about six minutes)."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_laboratory(folder, _HALVES[held_out], site) for site in range(SITES))


def _laboratory(folder: Path, seed: int, site: int) -> Bank:
    patients: dict[str, list[Patient]] = {score: [] for score in SCORES}
    controls: dict[str, list[Light]] = {score: [] for score in SCORES}
    white = np.zeros(3, np.float32)
    for number in range(len(SCORES) * _PER_SCORE):
        score = SCORES[number % len(SCORES)]
        specs = _regions(seed, site, number, score)
        cut = [_fragment(folder / f"patient-{seed}-{site}-{number}-{i}.tif", s) for i, s in enumerate(specs)]
        patients[score].append(Patient(tuple(half for one in cut[:2] for half in one), cut[2]))
        white = np.array(specs[0].scanner.white, np.float32)
    for number, score in enumerate(_CONTROLS):
        rng = np.random.default_rng([seed, site, number, 3])
        spec = _drawn(seed, site, 50 + number, score)
        spec = spec.model_copy(update={"tumour": round(float(rng.uniform(0.35, 0.65)), 3)})
        controls[score] += _fragment(folder / f"block-{seed}-{site}-{number}.tif", spec)
    return Bank(
        {score: tuple(them) for score, them in patients.items()},
        {score: tuple(them) for score, them in controls.items()},
        white,
    )


def _drawn(seed: int, site: int, number: int, score: str) -> SlideSpec:
    scanner = draw_scanner(seed, site, (2.0, 2.0))
    own = 10_000 * seed + 1000 * site + 10 * number
    return draw_slide(own, score, draw_laboratory(seed, site), scanner, specimen="fragment")  # type: ignore[arg-type]


def _regions(seed: int, site: int, number: int, score: str) -> list[SlideSpec]:
    """Two tumour regions and a benign one of one patient."""
    rng = np.random.default_rng([seed, site, number, 2])
    first = _drawn(seed, site, number, score)
    other = {
        "seed": first.seed + 1,
        "tumour": round(float(np.clip(first.tumour + rng.normal(0, 0.15), 0.1, 0.7)), 3),
        "cellularity": round(float(np.clip(first.cellularity * np.exp(rng.normal(0, 0.35)), 0.2, 3.0)), 3),
        "looseness": round(float(np.clip(first.looseness + rng.normal(0, 0.2), 0.0, 1.0)), 3),
    }
    if rng.random() < 0.3:
        other["patterns"] = (str(rng.choice(_GROWS)),)
    benign = {
        "seed": first.seed + 2,
        "score": "0",
        "shares": (1.0, 0.0, 0.0, 0.0),
        "ish": None,
        "patterns": ("glands",),
        "tumour": round(float(rng.uniform(0.05, 0.15)), 3),
        "nucleus_um": min(first.nucleus_um, 7.5),
        "cellularity": round(float(first.cellularity * np.exp(rng.normal(-0.3, 0.3))), 3),
        "looseness": round(float(rng.uniform(0.3, 1.0)), 3),
    }
    return [first, *(SlideSpec.model_validate({**first.model_dump(), **new}) for new in (other, benign))]


def _fragment(path: Path, spec: SlideSpec) -> tuple[Light, ...]:
    """The inside of a simulated fragment, as its left and its right half."""
    if not truth_path(path).exists():
        simulate_slide(spec, path)
    truth = SlideTruth.read(truth_path(path))
    assert truth.spec == spec, f"{path} holds another slide; remove it"
    with open_slide(path) as slide:
        image = slide.overview(MPP)
    mask = cv2.imread(str(path.parent / truth.tissue_mask), cv2.IMREAD_GRAYSCALE)
    mask = cv2.resize(mask, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(mask > 127)
    (top, left), (height, width) = (rows.min(), columns.min()), (np.ptp(rows), np.ptp(columns))
    down, across = int(_MARGIN * height), int(_MARGIN * width)
    inner = image[top + down : top + height - down, left + across : left + width - across]
    light = inner.astype(np.float32) / np.array(spec.scanner.white, np.float32)
    middle = light.shape[1] // 2
    return light[:, :middle], light[:, middle:]
