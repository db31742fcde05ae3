import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lowpower.errors import ConfigError, DamagedSlideError, NoTissueError
from lowpower.slides import Slide, open_slide
from lowpower.tissue import MaskNumbers, Tissue, TissueQC
from lowpower.units import Box, Mpp
from lowpower.views._bags import check_bag, read_bag
from lowpower.views._feature_sidecar import read_sidecar
from lowpower.views._features import make_features
from lowpower.views._patch_qc import PatchQC
from lowpower.views._patches import PatchRecipe, plan_patches

RECIPE = PatchRecipe(mpp=0.5, size=64, min_tissue=0.5)
WHITE = 240


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    draw = np.random.default_rng(0)
    image = cv2.resize(
        draw.integers(60, 200, (300, 400, 3), np.uint8), (1200, 900), interpolation=cv2.INTER_CUBIC
    )
    image[:, :300] = WHITE  # inside the mask, but nothing there
    path = tmp_path_factory.mktemp("slide") / "case-1.tif"
    tifffile.imwrite(
        path, image, tile=(256, 256), photometric="rgb", resolution=(4e4, 4e4), resolutionunit="CENTIMETER"
    )
    with open_slide(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def tissue(slide: Slide) -> Tissue:
    numbers = MaskNumbers(0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.2)
    white = np.full(3, WHITE, np.float32)
    mask = np.ones((90, 120), bool)
    return Tissue(
        mask,
        Mpp(2.5),
        1.0,
        (),
        white,
        "glass",
        TissueQC(numbers, ()),
        Box(0, 0, *slide.size),
        ~mask,
        mask.astype(np.uint8),
    )


def encode(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1, 3).mean(axis=1).astype(np.float32)


def test_features_are_those_of_the_patches_at_their_places(
    tmp_path: Path, slide: Slide, tissue: Tissue
) -> None:
    told: list[tuple[int, int]] = []
    run = make_features(
        slide, tissue, RECIPE, encode, tmp_path, encoder="mean", batch=10, progress=lambda *a: told.append(a)
    )
    grid = plan_patches(slide, tissue, RECIPE)
    bag = read_bag(run.path)
    assert (len(bag), bag.dim, bag.maker, bag.mpp, bag.encoder) == (len(grid), 3, "lowpower", 0.5, "mean")
    assert bag.features.dtype == np.float16
    assert np.array_equal(bag.coords, grid.coords)
    for row in range(0, len(bag), 7):
        x, y = bag.coords[row].astype(int).tolist()
        wanted = encode(slide.read(Box(x, y, 128, 128), 0.5)[None])[0]
        assert bag.features[row] == pytest.approx(wanted, rel=1e-3)
    assert told[-1] == (len(grid), len(grid))
    assert not run.reused
    assert run.times.total >= run.times.encoding > 0
    some = read_bag(run.path, np.array([1, 5]))
    assert np.array_equal(some.features, bag.features[[1, 5]])


def test_inspection_leaves_out_and_counts(tmp_path: Path, slide: Slide, tissue: Tissue) -> None:
    run = make_features(slide, tissue, RECIPE, encode, tmp_path, encoder="mean", qc=PatchQC(blur_ratio=0.0))
    assert run.sidecar.reasons["empty"] > 0
    assert (
        run.sidecar.patches == run.sidecar.reasons["ok"] == run.sidecar.planned - run.sidecar.reasons["empty"]
    )
    assert read_bag(run.path).coords[:, 0].min() >= 300 - 128


def test_same_bytes_and_reuse_only_when_equal(tmp_path: Path, slide: Slide, tissue: Tissue) -> None:
    first = make_features(slide, tissue, RECIPE, encode, tmp_path / "a", encoder="mean")
    second = make_features(slide, tissue, RECIPE, encode, tmp_path / "b", encoder="mean")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert make_features(slide, tissue, RECIPE, encode, tmp_path / "a", encoder="mean").reused
    for other in (
        {"encoder": "mean-2"},
        {"encoder": "mean", "qc": PatchQC()},
        {"encoder": "mean", "option_mpp": 0.25},
    ):
        assert not make_features(slide, tissue, RECIPE, encode, tmp_path / "a", **other).reused  # type: ignore[arg-type]
    second.path.write_bytes(second.path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedSlideError, match="was altered"):
        read_sidecar(second.path)
    assert not make_features(slide, tissue, RECIPE, encode, tmp_path / "b", encoder="mean").reused


def test_a_failing_encoder_leaves_nothing_behind(tmp_path: Path, slide: Slide, tissue: Tissue) -> None:
    calls = 0

    def fails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("out of luck")
        return encode(images)

    with pytest.raises(RuntimeError, match="out of luck"):
        make_features(slide, tissue, RECIPE, fails, tmp_path, encoder="mean", batch=8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [(lambda n: np.full((n, 2), 1e6), "float16"), (lambda n: np.zeros((n + 1, 2)), "not \\(")],
)
def test_encoders_that_lie_are_caught(
    tmp_path: Path, slide: Slide, tissue: Tissue, values, sentence: str
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=sentence):
        make_features(slide, tissue, RECIPE, lambda images: values(len(images)), tmp_path, encoder="x")


def test_no_patch_passing_is_told(tmp_path: Path, slide: Slide, tissue: Tissue) -> None:
    with pytest.raises(NoTissueError, match="passed the inspection"):
        make_features(slide, tissue, RECIPE, encode, tmp_path, encoder="mean", qc=PatchQC(empty_od=5.0))


def _write(path: Path, name: str, features: object, coords: object, **attributes: object) -> Path:
    with h5py.File(path, "w") as file:
        file[name] = features
        file["coords"] = coords
        for key, value in attributes.items():
            (file["coords"] if key.startswith("patch") or key.startswith("level0") else file).attrs[key] = (
                value
            )
    return path


def test_bags_of_trident_clam_and_stamp(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    coords = np.arange(10).reshape(5, 2) * 256
    trident = read_bag(
        _write(tmp_path / "t.h5", "features", features, coords, patch_size=256, patch_size_level0=512)
    )
    old = read_bag(_write(tmp_path / "o.h5", "features", features[None], coords[None]), np.array([0, 3]))
    clam = read_bag(_write(tmp_path / "c.h5", "features", features, coords))
    stamp = read_bag(
        _write(
            tmp_path / "s.h5", "feats", features.astype(np.float16), coords * 0.25,
            unit="um", tile_size_um=256.0, tile_size_px=224, extractor="ctranspath",
        )
    )  # fmt: skip
    assert [bag.maker for bag in (trident, clam, stamp)] == ["trident", "clam", "stamp"]
    assert np.array_equal(trident.features, features)
    assert np.array_equal(old.features, features[[0, 3]])
    assert np.array_equal(old.coords, coords[[0, 3]])
    assert [bag.coords_unit for bag in (trident, clam, stamp)] == ["base_pixels", "base_pixels", "microns"]
    assert stamp.mpp == pytest.approx(256 / 224)
    assert stamp.encoder == "ctranspath"
    assert trident.mpp is None


@pytest.mark.parametrize(
    ("features", "coords", "error", "sentence"),
    [
        (np.zeros((0, 4)), np.zeros((0, 2)), NoTissueError, "holds no patches"),
        (np.zeros((3, 4)), np.zeros((2, 2)), DamagedSlideError, "a bag has N x D"),
        (np.zeros(3), np.zeros((3, 2)), DamagedSlideError, "a bag has N x D"),
    ],
)
def test_bags_that_are_none(
    tmp_path: Path, features: object, coords: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        read_bag(_write(tmp_path / "b.h5", "features", features, coords))


def test_files_that_are_no_bags(tmp_path: Path) -> None:
    with pytest.raises(DamagedSlideError, match="no such feature file"):
        read_bag(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DamagedSlideError, match="no readable HDF5"):
        read_bag(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(DamagedSlideError, match="holds images, a bag holds"):
        read_bag(tmp_path / "other.h5")


def test_a_bag_must_fit_the_model(tmp_path: Path, slide: Slide, tissue: Tissue) -> None:
    bag = read_bag(make_features(slide, tissue, RECIPE, encode, tmp_path, encoder="mean").path)
    check_bag(bag, dim=3, mpp=0.5)
    with pytest.raises(ConfigError, match=r"length 3 \(made by mean\), the model takes 1280"):
        check_bag(bag, dim=1280)
    with pytest.raises(ConfigError, match=r"at 0.5 um/px, the model takes 0.25"):
        check_bag(bag, dim=3, mpp=0.25)
    assert json.loads(bag.path.with_suffix(".json").read_text())["encoder"] == "mean"
