from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.data import immunohistochemistry
from tests.tissue.tissue_truth import CORES, core_file, core_image, core_truth, imprint, jpeg, stain_squares

from lowpower.tissue import tissue_mask, working_mpp

GLASS = np.array([235.0, 234.0, 244.0])


def bare(height: int, width: int, seed: int = 0) -> NDArray[np.float64]:
    return GLASS + np.random.default_rng(seed).normal(0, 1.5, (height, width, 3))


def coded(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def stroma(height: int, width: int, seed: int = 1) -> NDArray[np.float64]:
    """Transmission of pale tissue with nuclei, for 4 um/px."""
    rng = np.random.default_rng(seed)
    nuclei = cv2.GaussianBlur((rng.random((height, width)) < 0.1).astype(np.float32), (0, 0), 0.7)
    return 10.0 ** -((0.03 + 0.5 * nuclei)[..., None] * np.array([0.65, 0.70, 0.29]))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("mpp", "quality"), [(2.0, 95), (4.0, 75)])
def test_real_cores_are_kept_and_their_glass_is_not(
    real_cores: Path, core: str, mpp: float, quality: int
) -> None:
    image = jpeg(core_image(real_cores, core, mpp), quality)
    found = tissue_mask(image, mpp)
    tissue, glass = core_truth(core, found.mask.shape, found.mpp)
    assert found.mask[tissue].mean() >= 0.95
    assert found.mask[glass].mean() <= 0.02
    assert found.white_point_source == "glass"
    np.testing.assert_allclose(found.white_point, [234, 233, 241], atol=3)


@pytest.mark.parametrize(
    ("core", "share", "least"),
    [("0_9b0f64d1", 0.7, 0.95), ("2_726fa489", 0.35, 0.95), ("2_da5928b4", 0.5, 0.95)],
)
def test_a_core_stained_ever_more_faintly_is_kept(
    real_cores: Path, core: str, share: float, least: float
) -> None:
    glass = np.array([234.0, 233.0, 241.0])
    image = core_image(real_cores, core, 2.0)
    noise = np.random.default_rng(0).normal(0, 0.7, image.shape)
    faint = jpeg(coded(glass * (np.maximum(image, 1) / glass) ** share + noise), 90)
    found = tissue_mask(faint, 2.0)
    tissue, bare_glass = core_truth(core, found.mask.shape, found.mpp)
    assert found.mask[tissue].mean() >= least
    assert found.mask[bare_glass].mean() <= 0.02


@pytest.mark.parametrize("mpp", [1.0, 2.0, 4.0, 8.0])
def test_the_print_of_a_lost_core_is_not_tissue(real_cores: Path, mpp: float) -> None:
    assert not tissue_mask(core_image(real_cores, "blank", mpp), mpp).mask.any()


@pytest.mark.parametrize("glass", [(244, 244, 244), (235, 234, 244), (250, 246, 248), (248, 244, 235)])
@pytest.mark.parametrize(("mpp", "noise", "quality"), [(1.0, 2, 90), (2.0, 2, 85), (4.0, 3, 95)])
def test_squares_from_faint_counterstain_to_dark_dab(
    glass: tuple[int, int, int], mpp: float, noise: float, quality: int
) -> None:
    image, labels = stain_squares(
        glass, mpp, side_um=120 * mpp, gap_um=80 * mpp, noise=noise, quality=quality
    )
    found = tissue_mask(image, mpp)
    mask = imprint(found.mask, labels.shape)
    kept = [mask[labels == square].mean() for square in range(1, 13)]
    assert min(kept) >= 0.95
    assert mask[labels == 0].mean() <= 0.01
    np.testing.assert_allclose(found.white_point, glass, atol=2)


def test_a_field_of_view_without_glass_is_all_tissue() -> None:
    for mpp in (0.25, 0.5):
        found = tissue_mask(immunohistochemistry(), mpp)
        assert found.mask.mean() > 0.97
        assert found.white_point.min() > 215
        assert np.ptp(found.white_point) < 15


@pytest.mark.parametrize(
    ("core", "corner"),
    [("0_9b0f64d1", (2400, 2400)), ("0_9b0f64d1", (1600, 1200)), ("0_ccb66c10", (2600, 2600)),
     ("2_0123a214", (1000, 2600)), ("2_726fa489", (2600, 2600))],
)  # fmt: skip
def test_a_crop_from_inside_a_core_is_all_tissue(
    real_cores: Path, core: str, corner: tuple[int, int]
) -> None:
    x, y = corner
    whole = cv2.imread(str(core_file(real_cores, core)))[..., ::-1]
    near = np.ascontiguousarray(whole[y : y + 512, x : x + 512])
    wide = cv2.resize(whole[y : y + 1024, x : x + 1024], (512, 512), interpolation=cv2.INTER_AREA)
    for image, mpp in ((near, 0.25), (wide, 0.5)):
        found = tissue_mask(image, mpp)
        assert found.mask.mean() > 0.97
        np.testing.assert_allclose(found.white_point, [234, 233, 241], atol=9)


def test_bare_glass_and_blank_images_hold_no_tissue() -> None:
    assert not tissue_mask(coded(bare(300, 400)), 4.0).mask.any()
    for value in (255, 240, 0):
        assert not tissue_mask(np.full((200, 300, 3), value, np.uint8), 4.0).mask.any()


def test_uneven_light_is_not_tissue() -> None:
    image = bare(500, 700)
    image[150:350, 200:500] *= stroma(200, 300)
    y, x = np.mgrid[-1:1:500j, -1:1:700j]
    image *= (1 - 0.10 * (x * x + y * y) / 2)[..., None]
    found = tissue_mask(coded(image), 4.0)
    truth = np.zeros((500, 700), bool)
    truth[150:350, 200:500] = True
    assert found.mask[truth].mean() > 0.95
    assert found.mask[~truth].mean() < 0.02
    assert found.numbers.illumination_range > 0.02


@pytest.mark.parametrize(
    "ink", [(20, 120, 60), (30, 60, 190), (190, 30, 40), (178, 50, 66), (25, 25, 28), (96, 96, 102)]
)
def test_pen_is_left_out_and_counted(ink: tuple[int, int, int]) -> None:
    image = bare(500, 700)
    image[100:300, 100:400] *= stroma(200, 300)
    image[400:440, 50:650] = np.array(ink) + np.random.default_rng(2).normal(0, 4, (40, 600, 3))
    found = tissue_mask(jpeg(coded(image), 85), 4.0)
    assert found.pen[405:435, 60:640].mean() > 0.95
    assert not found.mask[380:460].any()
    assert found.mask[100:300, 100:400].mean() > 0.95
    assert found.numbers.pen_share == pytest.approx(40 * 600 / 350000, rel=0.5)


@pytest.mark.parametrize("thin", [(160, 220, 180), (150, 215, 160)])
def test_green_ink_that_goes_on_thin_and_over_tissue_is_left_out_where_it_is_sure_somewhere(
    thin: tuple[int, int, int],
) -> None:
    image = bare(500, 700)
    image[150:450, 300:600] *= stroma(300, 300)
    rng = np.random.default_rng(2)
    image[280:320, 60:640] *= (np.array(thin) + rng.normal(0, 4, (40, 580, 3))) / 240
    image[280:320, 60:160] = np.array((20, 120, 60)) + rng.normal(0, 4, (40, 100, 3))
    found = tissue_mask(jpeg(coded(image), 85), 4.0)
    assert found.pen[285:315, 65:635].mean() > 0.95
    assert not found.mask[280:320].any()
    unmarked = np.zeros(found.mask.shape, bool)
    unmarked[150:260, 300:600] = unmarked[340:450, 300:600] = True
    assert found.mask[unmarked].mean() > 0.98


def test_green_tissue_is_not_taken_for_ink_that_goes_on() -> None:
    image = bare(500, 700)
    image[100:400, 200:600] *= stroma(300, 400) * (np.array((180, 215, 185)) / 240)  # a green counterstain
    image[230:270, 60:220] = np.array((20, 120, 60)) + np.random.default_rng(2).normal(0, 4, (40, 160, 3))
    found = tissue_mask(jpeg(coded(image), 85), 4.0)
    assert found.pen[235:265, 65:180].mean() > 0.95
    assert found.mask[100:400, 240:600].mean() > 0.98


def test_a_real_green_stroke_is_found_where_it_is_pale(real_data: Path) -> None:
    image, marked = (cv2.imread(str(real_data / "pen" / f"pen_green{end}.png")) for end in ("", "_mask"))
    found = tissue_mask(np.ascontiguousarray(image[..., ::-1]), 8.0)
    stroke = cv2.resize(marked[..., 0], found.mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert found.pen[stroke].mean() > 0.95  # 0.53 of it is dark
    assert found.pen[~stroke].mean() < 0.02
    assert found.mask[stroke].mean() < 0.03


def test_dark_dab_is_not_pen(real_cores: Path) -> None:
    assert not tissue_mask(core_image(real_cores, "2_0123a214", 4.0), 4.0).pen.any()


@pytest.mark.parametrize("value", [0, 255])
def test_padding_is_neither_tissue_nor_glass(value: int) -> None:
    image = coded(bare(500, 700))
    image[:, 450:] = value
    image[100:300, 100:300] = coded(bare(200, 200, 3) * stroma(200, 200))
    found = tissue_mask(image, 4.0)
    assert not found.mask[:, 445:].any()
    assert found.mask[100:300, 100:300].mean() > 0.95
    assert found.numbers.padding_share == pytest.approx(250 / 700, abs=0.02)
    np.testing.assert_allclose(found.white_point, GLASS, atol=2)


def test_blur_is_told_from_focus(real_cores: Path) -> None:
    sharp = core_image(real_cores, "0_ccb66c10", 1.0)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 5)
    assert tissue_mask(sharp, 1.0).numbers.blurred_share < 0.05
    assert tissue_mask(blurred, 1.0).numbers.blurred_share > 0.9


def test_specks_of_dust_are_dropped() -> None:
    image = bare(400, 400)
    for x in range(40, 400, 60):
        cv2.circle(image, (x, 200), 4, (90, 90, 100), -1)
    assert not tissue_mask(coded(image), 4.0).mask.any()


@given(
    mpp=st.floats(0.5, 8.0),
    left=st.integers(20, 120),
    top=st.integers(20, 120),
    width=st.integers(60, 140),
    height=st.integers(60, 140),
)
@settings(max_examples=25, deadline=None)
def test_a_rectangle_of_tissue_is_found_where_it_is(
    mpp: float, left: int, top: int, width: int, height: int
) -> None:
    image = bare(300, 320)
    image[top : top + height, left : left + width] *= 10.0 ** -np.array([0.28, 0.51, 0.61])
    found = tissue_mask(coded(image), mpp)
    truth = np.zeros((300, 320), bool)
    truth[top : top + height, left : left + width] = True
    mask = imprint(found.mask, truth.shape)
    assert mask[truth].mean() > 0.95  # a pixel of 60 along two edges
    assert mask[~truth].mean() < 0.02


@given(width=st.integers(1, 200_000), height=st.integers(1, 200_000), mpp=st.floats(0.05, 50.0))
def test_working_mpp_is_never_finer_than_the_slide_nor_coarser_than_it_must(
    width: int, height: int, mpp: float
) -> None:
    working = working_mpp(width, height, mpp)
    assert working >= mpp
    assert working <= max(mpp, 4.0)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (40, 7, 3)])
def test_tiny_images_do_not_fail(shape: tuple[int, int, int]) -> None:
    tissue_mask(np.full(shape, 230, np.uint8), 4.0)


def test_a_strip_of_glass_is_glass() -> None:
    assert not tissue_mask(coded(bare(6, 4000)), 4.0).mask.any()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        tissue_mask(np.zeros((4, 4), np.uint8), 1.0)
    with pytest.raises(ValueError, match="um/px"):
        tissue_mask(np.zeros((4, 4, 3), np.uint8), 0.0)


@pytest.mark.parametrize("wall_um", [24, 36])
def test_a_thin_wall_of_stained_epithelium_is_kept(wall_um: int) -> None:
    """A gland of one row of cells in clear fat: a spur by its width, and all of the slide's stain."""
    image = bare(900, 900)
    wall = np.zeros((900, 900), np.uint8)
    cv2.circle(wall, (450, 450), 260, 1, wall_um)
    image[wall > 0] = (176, 128, 92)
    found = tissue_mask(coded(image), 1.0)
    ring = cv2.resize(wall, found.mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert found.mask[ring].mean() > 0.95
    assert not found.mask[450, 450]


def test_a_pale_fibre_on_the_glass_is_not_kept() -> None:
    image = bare(900, 900)
    cv2.line(image, (100, 300), (800, 520), (222, 221, 232), 20)
    assert not tissue_mask(coded(image), 1.0).mask.any()
