from __future__ import annotations

import numpy as np
import pytest

from lowpower.simulate import Laboratory, Scanner
from lowpower.simulate.scanner._camera import MARGIN, glass, picture
from lowpower.simulate.scanner._glass_faults import Flaws
from lowpower.simulate.stain._render import Stains

LAB = Laboratory(name="simulated-lab", hematoxylin=(0.67, 0.62, 0.41), dab=(0.38, 0.57, 0.73))
PLAIN = Scanner(
    name="simulated-scanner",
    white=(240.0, 235.0, 245.0),
    psf_um=0.0,
    sharpen=0.0,
    noise=0.0,
    shading=0.0,
    flare=0.0,
)


def _flat(hematoxylin: float, dab: float) -> Stains:
    side = 40 + 2 * MARGIN
    stains = Stains.none(side, side)
    stains.hematoxylin[:] = hematoxylin
    stains.dab[:] = dab
    return stains


def test_light_falls_by_beer_and_lambert() -> None:
    image = picture(_flat(0.3, 0.5), LAB, PLAIN, 0, 0)
    density = 0.3 * np.array(LAB.hematoxylin) + 0.5 * np.array(LAB.dab)
    expected = np.array(PLAIN.white) * 10**-density
    assert image.shape == (40, 40, 3)
    assert np.abs(image.mean(axis=(0, 1)) - expected).max() < 1.0


def test_glass_has_the_scanners_colour_and_noise() -> None:
    noisy = PLAIN.model_copy(update={"noise": 2.0})
    image = glass(LAB, noisy, 0, 0, 300, 300).astype(float)
    assert image.mean(axis=(0, 1)) == pytest.approx(PLAIN.white, abs=0.6)
    assert image.std(axis=(0, 1)) == pytest.approx(2.0, rel=0.1)


def test_sharpening_overshoots_and_point_spread_does_not() -> None:
    stains = _flat(0.0, 0.0)
    stains.dab[:, 32:] = 1.0
    soft = picture(stains, LAB, PLAIN.model_copy(update={"psf_um": 0.5}), 0, 0).astype(int)
    sharp = picture(stains, LAB, PLAIN.model_copy(update={"psf_um": 0.5, "sharpen": 1.0}), 0, 0).astype(int)
    assert soft.max() <= 246
    assert sharp[:, :20, 0].max() > soft[:, :20, 0].max()


def test_saturation_changes_colour_not_darkness() -> None:
    full = picture(_flat(0.4, 0.0), LAB, PLAIN, 0, 0).astype(float) / PLAIN.white
    pale = picture(_flat(0.4, 0.0), LAB, PLAIN.model_copy(update={"saturation": 0.5}), 0, 0) / np.array(
        PLAIN.white
    )
    assert np.log(pale).mean() == pytest.approx(np.log(full).mean(), abs=0.01)
    assert np.ptp(pale[20, 20]) < 0.6 * np.ptp(full[20, 20])


def test_ink_and_defocus() -> None:
    side = 40 + 2 * MARGIN
    ink = np.ones((side, side), np.float32)
    image = picture(_flat(0.0, 0.0), LAB, PLAIN, 0, 0, Flaws(None, ink, (0.9, 0.6, 0.1)))
    expected = np.array(PLAIN.white) * 10 ** -np.array([0.9, 0.6, 0.1])
    assert np.abs(image.mean(axis=(0, 1)) - expected).max() < 1.0
    stains = _flat(0.0, 0.0)
    stains.dab[:, ::4] = 1.0
    clear = picture(stains, LAB, PLAIN, 0, 0).astype(float)
    blurred = picture(stains, LAB, PLAIN, 0, 0, Flaws(ink, None, (0.0, 0.0, 0.0))).astype(float)
    assert blurred.std() < 0.3 * clear.std()


def test_a_hard_camera_keeps_glass_blows_out_pale_tissue_and_crushes_dark() -> None:
    hard = PLAIN.model_copy(update={"black": 0.1, "blown": 0.05, "contrast": 0.8})
    assert glass(LAB, hard, 0, 0, 20, 20).mean(axis=(0, 1)) == pytest.approx(PLAIN.white, abs=0.6)
    pale, dark = _flat(0.03, 0.0), _flat(0.0, 1.5)
    assert picture(pale, LAB, hard, 0, 0).mean() > picture(pale, LAB, PLAIN, 0, 0).mean() + 3
    assert picture(pale, LAB, hard, 0, 0).mean(axis=(0, 1)) == pytest.approx(PLAIN.white, abs=1)
    assert picture(dark, LAB, hard, 0, 0).max(axis=(0, 1))[2] == 0
    assert picture(dark, LAB, PLAIN, 0, 0).min() > 5


def test_haze_takes_contrast() -> None:
    stains = _flat(0.0, 0.0)
    stains.dab[:, 30:34] = 1.0
    clear = picture(stains, LAB, PLAIN, 0, 0).astype(float)
    hazy = picture(stains, LAB, PLAIN.model_copy(update={"halo": 0.5, "halo_um": 1.0}), 0, 0).astype(float)
    assert hazy.min() > clear.min() + 20
    assert hazy.mean() == pytest.approx(clear.mean(), abs=1)
