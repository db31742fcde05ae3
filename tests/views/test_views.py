from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.toys import GLASS, tissue_image, toy_cohort

import lowpower.views._store as store
from lowpower.cohort import read_cohort, write_manifest
from lowpower.errors import ConfigError, DamagedSlideError, NotASlideError, RegionsError
from lowpower.slides import open_slide
from lowpower.tissue import find_tissue
from lowpower.views import LowResRecipe, cached_view, load_view, make_view, open_prepared, prepare_views

RECIPE = LowResRecipe(mpp=8.0)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("field") / "field.png"
    cv2.imwrite(str(path), tissue_image(2, 5, 480, 720)[..., ::-1])
    return path


def test_view_keeps_physical_scale_and_aspect(field: Path) -> None:
    with open_slide(field, 2.0) as slide:
        tissue = find_tissue(slide)
        fine = make_view(slide, tissue, LowResRecipe(mpp=4.0))
        coarse = make_view(slide, tissue, LowResRecipe(mpp=8.0))
    assert fine.mpp == pytest.approx(4.0, rel=0.02)
    assert coarse.mpp == pytest.approx(8.0, rel=0.02)
    assert fine.image.shape[0] == pytest.approx(2 * coarse.image.shape[0], abs=1)
    assert fine.image.shape[1] == pytest.approx(2 * coarse.image.shape[1], abs=1)
    assert fine.image.shape[:2] == fine.mask.shape
    # The disc is 0.8 of a 720 x 480 field: wider than high, whatever the scale.
    assert 1.3 < fine.image.shape[1] / fine.image.shape[0] < 1.7


def test_outside_of_the_mask_is_the_slides_own_glass(field: Path) -> None:
    with open_slide(field, 2.0) as slide:
        tissue = find_tissue(slide)
        filled = make_view(slide, tissue, LowResRecipe(mpp=4.0, grow_mask_um=0.0, margin_um=100.0))
        scanned = make_view(slide, tissue, LowResRecipe(mpp=4.0, glass="as scanned", margin_um=100.0))
    assert np.array_equal(filled.white_point, np.rint(tissue.white_point))
    assert np.abs(filled.white_point - GLASS).max() < 3
    assert (filled.image[~filled.mask] == np.rint(tissue.white_point)).all()
    assert np.array_equal(filled.image[filled.mask], scanned.image[scanned.mask])
    assert scanned.image[~scanned.mask].std() > 0


def test_margin_is_clipped_to_the_slide(field: Path) -> None:
    with open_slide(field, 2.0) as slide:
        view = make_view(slide, find_tissue(slide), LowResRecipe(mpp=8.0, margin_um=5000.0))
        assert (view.box.x, view.box.y, view.box.width, view.box.height) == (0, 0, *slide.size)


def test_mask_lies_over_the_tissue(field: Path) -> None:
    with open_slide(field, 2.0) as slide:
        view = make_view(slide, find_tissue(slide), LowResRecipe(mpp=4.0))
    dark = (view.white_point - view.image).mean(-1) > 12
    agree = (dark & view.mask).sum() / (dark | view.mask).sum()
    assert agree > 0.9


def test_a_view_too_large_is_refused(field: Path) -> None:
    with open_slide(field, 2.0) as slide, pytest.raises(ConfigError, match="max_megapixels"):
        make_view(slide, find_tissue(slide), LowResRecipe(mpp=2.0, max_megapixels=0.01))


@settings(deadline=None, max_examples=25)
@given(mpp=st.floats(0.1, 64.0), margin=st.floats(0.0, 5000.0))
def test_recipe_digest_is_stable_and_tells_recipes_apart(mpp: float, margin: float) -> None:
    recipe = LowResRecipe(mpp=mpp, margin_um=margin)
    again = LowResRecipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert again.digest() == recipe.digest()
    assert LowResRecipe(mpp=mpp, margin_um=margin, grow_mask_um=1.5).digest() != recipe.digest()


def test_cached_view_is_the_made_view(field: Path, tmp_path: Path) -> None:
    made = cached_view(field, 2.0, RECIPE, tmp_path)
    (picture,) = tmp_path.glob("*.png")
    loaded, sidecar = load_view(picture)
    for view in (loaded, cached_view(field, 2.0, RECIPE, tmp_path)):
        assert np.array_equal(view.image, made.image)
        assert np.array_equal(view.mask, made.mask)
        assert np.array_equal(view.white_point, made.white_point)
        assert (view.box, view.mpp) == (made.box, made.mpp)
    assert sidecar.recipe == RECIPE
    assert sidecar.slide_mpp_source == "option"


def test_cache_is_used_only_when_everything_is_equal(
    field: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_software: Callable[[], None]
) -> None:
    made: list[LowResRecipe] = []
    original = store.make_view

    def counted(slide: object, tissue: object, recipe: LowResRecipe) -> object:
        made.append(recipe)
        return original(slide, tissue, recipe)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "make_view", counted)
    slide = tmp_path / "slide.png"
    slide.write_bytes(field.read_bytes())
    cache = tmp_path / "cache"
    cached_view(slide, 2.0, RECIPE, cache)
    cached_view(slide, 2.0, RECIPE, cache)
    assert len(made) == 1
    cached_view(slide, 2.0, LowResRecipe(mpp=8.0, margin_um=65.0), cache)
    assert len(made) == 2
    cached_view(slide, 2.5, RECIPE, cache)
    assert len(made) == 3
    cv2.imwrite(str(slide), tissue_image(1, 6, 480, 720)[..., ::-1])
    cached_view(slide, 2.0, RECIPE, cache)
    assert len(made) == 4
    other_software()
    cached_view(slide, 2.0, RECIPE, cache)
    assert len(made) == 5


@pytest.mark.parametrize(
    "damage", ["truncated", "altered", "no sidecar", "sidecar of another schema", "empty"]
)
def test_damaged_cache_entries_are_made_again(field: Path, tmp_path: Path, damage: str) -> None:
    made = cached_view(field, 2.0, RECIPE, tmp_path)
    (picture,) = tmp_path.glob("*.png")
    sidecar = picture.with_suffix(".json")
    if damage == "truncated":
        picture.write_bytes(picture.read_bytes()[:200])
    elif damage == "altered":
        cv2.imwrite(str(picture), np.zeros((9, 9, 4), np.uint8))
    elif damage == "empty":
        picture.write_bytes(b"")
    elif damage == "no sidecar":
        sidecar.unlink()
    else:
        content = json.loads(sidecar.read_text())
        sidecar.write_text(json.dumps(content | {"surprise": 1}))
    with pytest.raises(DamagedSlideError, match="prepare"):
        load_view(picture)
    again = cached_view(field, 2.0, RECIPE, tmp_path)
    assert np.array_equal(again.image, made.image)
    assert np.array_equal(load_view(picture)[0].image, made.image)


def test_the_users_mask_is_taken_and_is_part_of_the_cache(field: Path, tmp_path: Path) -> None:
    drawn = np.zeros((48, 72), np.uint8)
    drawn[12:36, 12:36] = 255
    mask = tmp_path / "mask.png"
    cv2.imwrite(str(mask), drawn)
    cache = tmp_path / "cache"
    whole = cached_view(field, 2.0, RECIPE, cache)
    part = cached_view(field, 2.0, RECIPE, cache, mask)
    assert part.box.width < whole.box.width
    assert len(list(cache.glob("*.png"))) == 2
    left = cached_view(field, 2.0, RECIPE, cache, control="0,0,200,480")
    assert left.box.x >= 200 - 2 * RECIPE.margin_um
    assert len(list(cache.glob("*.png"))) == 3
    with pytest.raises(DamagedSlideError, match="mask"):
        cached_view(field, 2.0, RECIPE, cache, tmp_path / "absent.png")
    mask.write_text("no image")
    with pytest.raises(RegionsError, match="neither an image"):
        cached_view(field, 2.0, RECIPE, cache, mask)


def test_a_cohort_goes_on_past_bad_slides(tmp_path: Path) -> None:
    cohort = toy_cohort(tmp_path / "cohort", per_class=1)
    rows = [
        {"slide": name, "patient": name, "marker": "HER2", "score": "0", "mpp": 2.0}
        for name in ("0-0.png", "absent.png", "glass.png", "3-0.png")
    ]
    blank = np.full((400, 480, 3), 240, np.uint8)
    cv2.imwrite(str(cohort.path.parent / "glass.png"), blank)
    mixed = read_cohort(write_manifest(cohort.path.parent / "mixed.csv", rows))
    seen: list[tuple[int, int]] = []
    records = prepare_views(
        mixed, RECIPE, tmp_path / "views", progress=lambda done, total: seen.append((done, total))
    )
    assert [record.state for record in records] == ["ok", "refused", "refused", "ok"]
    assert [record.code for record in records] == [None, "not_a_slide", "no_tissue", None]
    assert all(record.reason and Path(record.slide).name in record.reason for record in records[1:3])
    assert seen == [(done, 4) for done in range(5)]
    assert records[0].picture is not None
    view = open_prepared(mixed, 3, RECIPE, tmp_path / "views")
    assert view.image.shape[1::-1] == records[3].size
    with pytest.raises(NotASlideError):
        open_prepared(mixed, 1, RECIPE, tmp_path / "views")


def test_only_the_rows_asked_for_are_prepared(tmp_path: Path) -> None:
    cohort = toy_cohort(tmp_path / "cohort", per_class=1)
    records = prepare_views(cohort, RECIPE, tmp_path / "views", rows=[3, 1])
    assert [record.row for record in records] == [3, 1]
    assert len(list((tmp_path / "views").glob("*.png"))) == 2


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    cohort = toy_cohort(tmp_path / "cohort", per_class=1)
    prepare_views(cohort, RECIPE, tmp_path / "one")
    prepare_views(cohort, RECIPE, tmp_path / "two", workers=2)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_real_core_at_the_default_recipe(real_cores: Path, tmp_path: Path) -> None:
    (core,) = real_cores.glob("2_0123a214*")
    view = cached_view(core, 0.25, LowResRecipe(), tmp_path)
    assert 100 < max(view.image.shape[:2]) < 180
    assert 0.5 < view.mask.mean() < 0.95
