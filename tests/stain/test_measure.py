from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lowpower.errors import NoTissueError, as_sentence
from lowpower.slides import open_slide
from lowpower.stain import RUIFROK_DAB, RUIFROK_E, RUIFROK_H, Cutoffs, Her2Cutoffs, join_fields, to_rgb
from lowpower.stain._measure import measure
from lowpower.stain._measurement import Measurement
from lowpower.stain.cells import _measure_stream
from lowpower.stain.cells._measure_stream import (
    SHORT_HALO_UM,
    FieldReader,
    cells_of,
    in_reading_order,
    scale_of,
    working_factor,
)
from lowpower.stain.rules._nuclear import nuclear_grades, nuclear_score
from lowpower.tissue import find_tissue

from ._drawn_cells import MPP, WHITE, draw_cells


def _saved(folder: Path, image: NDArray[np.uint8], name: str = "field.png") -> Path:
    path = folder / name
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def _measured(folder: Path, image: NDArray[np.uint8], mpp: float = MPP, **options: Any) -> Measurement:
    with open_slide(_saved(folder, image), mpp=mpp) as slide:
        return measure(slide, **options)


@pytest.mark.parametrize(
    ("look", "score"),
    [
        ({}, "0"),
        ({"membrane": 0.25, "share": 0.25, "spacing_um": 18.0}, "1+"),
        ({"membrane": 0.3}, "2+"),
        ({"membrane": 1.0}, "3+"),
    ],
)
def test_her2_by_the_drawing(tmp_path: Path, look: dict[str, float], score: str) -> None:
    result = _measured(tmp_path, draw_cells(**look).image)  # type: ignore[arg-type]
    assert result.her2 is not None
    assert result.her2.score == score
    assert result.tumour_cells > 120
    assert result.mpp == pytest.approx(0.5)
    usual = ("of the tissue", "mm2 of tissue", "basolateral")
    assert all(any(word in note for word in usual) for note in result.notes)
    assert result.sentence().startswith(f"measured {score}")


def test_brown_in_the_wrong_place_asks_which_marker_it_is(tmp_path: Path) -> None:
    membranes, nuclei = draw_cells(membrane=0.8, nucleus_um=8.0).image, draw_cells(nuclear=0.5).image
    for image, right, wrong in ((membranes, "HER2", "ER"), (nuclei, "ER", "HER2")):
        assert not any("stained for" in note for note in _measured(tmp_path, image, marker=right).notes)
        (note,) = (n for n in _measured(tmp_path, image, marker=wrong).notes if "stained for" in n)
        assert note.endswith(f"is this slide stained for {wrong}?")


def test_a_laboratory_says_how_dark_its_intense_membranes_are(tmp_path: Path) -> None:
    known = _measured(tmp_path, draw_cells(membrane=0.3).image)
    assert known.her2 is not None
    assert known.membrane_od is not None
    assert known.her2.score == "2+"  # a pale laboratory's 3+
    told = _measured(
        tmp_path,
        draw_cells(membrane=0.3).image,
        cutoffs=Cutoffs(Her2Cutoffs(intense_od=0.8 * known.membrane_od)),
    )
    assert told.her2 is not None
    assert told.her2.score == "3+"
    assert told.membrane_od == known.membrane_od
    assert told.intense_od == pytest.approx(0.8 * known.membrane_od)
    assert _measured(tmp_path, draw_cells().image).membrane_od is None
    with pytest.raises(ValueError, match="optical densities"):
        Her2Cutoffs(intense_od=0.0)


def test_shares_follow_the_share_of_stained_cells(tmp_path: Path) -> None:
    # Stained cells far enough apart not to lend each other a membrane.
    result = _measured(tmp_path, draw_cells(membrane=1.0, stained_every=3, spacing_um=17.0).image)
    assert result.shares is not None
    assert result.h_score == pytest.approx(result.shares.h_score)
    assert result.shares.intense_complete == pytest.approx(1 / 3, abs=0.07)
    assert result.cells is not None
    table = result.cells.table()
    assert table.height == len(result.cells)
    assert set(table["kind"].unique()) <= {"tumour", "lymphoid", "stromal"}
    assert result.heterogeneity is not None
    assert sum(result.heterogeneity.shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("marker", ["ER", "PR", "Ki-67"])
def test_nuclear_markers(tmp_path: Path, marker: Any) -> None:
    result = _measured(tmp_path, draw_cells(nuclear=0.8, stained_every=4).image, marker=marker)
    assert result.her2 is None
    assert result.nuclear is not None
    assert result.nuclear.percent == pytest.approx(25.0, abs=4.0)
    assert result.nuclear.bins[3] == pytest.approx(0.25, abs=0.05)
    assert result.nuclear.status == (None if marker == "Ki-67" else "positive")
    assert marker in result.sentence()


@pytest.mark.parametrize("nuclear", [0.3, 0.5, 0.9])
def test_a_tumour_without_a_blue_nucleus_is_positive(tmp_path: Path, nuclear: float) -> None:
    result = _measured(tmp_path, draw_cells(nuclear=nuclear).image, marker="ER")
    assert result.nuclear is not None
    assert result.nuclear.percent > 95.0


def test_brown_cytoplasm_does_not_make_a_nucleus_positive(tmp_path: Path) -> None:
    pale = draw_cells(nuclear=0.18, blush=0.3, stained_every=1).image
    pale[:, : pale.shape[1] // 2] = draw_cells().image[:, : pale.shape[1] // 2]  # blue nuclei to go by
    result = _measured(tmp_path, pale, marker="ER")
    assert result.nuclear is not None
    assert result.nuclear.percent < 5.0


def test_fields_do_not_show_in_the_cells(tmp_path: Path) -> None:
    image = draw_cells(rows=16, columns=16, membrane=0.5, share=0.7, stained_every=2).image
    with open_slide(_saved(tmp_path, image), mpp=MPP) as slide:
        tissue = find_tissue(slide)
        scale = scale_of(slide, tissue)
        one, _ = cells_of(slide, tissue, scale, "HER2", tile=1536)
        many, _ = cells_of(slide, tissue, scale, "HER2", tile=128, workers=2)
    assert len(one.xy) == len(many.xy)
    assert np.abs(one.xy - many.xy).max() < 0.01
    assert np.abs(one.seen - many.seen).max() < 0.01


def test_a_field_is_read_no_further_than_its_tissue(tmp_path: Path) -> None:
    image = draw_cells(rows=16, columns=16, membrane=0.5, share=0.7, stained_every=2).image
    with open_slide(_saved(tmp_path, image), mpp=MPP) as slide:
        tissue = find_tissue(slide)
        rows, columns = np.ogrid[: tissue.mask.shape[0], : tissue.mask.shape[1]]
        corner = rows / tissue.mask.shape[0] + columns / tissue.mask.shape[1] < 0.7
        tissue = replace(tissue, mask=tissue.mask & corner)
        scale = scale_of(slide, tissue)
        reader = FieldReader(slide, tissue, scale, "HER2")
        whole, trimmed = reader.fields(256), reader.fields(256, trimmed=True)
        assert len(whole) == len(trimmed)
        assert [reader.trimmed(field, 256) for field in whole] == trimmed
        before, after = (sum(f.core.width * f.core.height for f in some) for some in (whole, trimmed))
        assert after < 0.9 * before
        every, _ = cells_of(slide, tissue, scale, "HER2", tile=256)
        untrimmed = join_fields(list(reader.read(whole, 1)))
    assert len(every.xy) > 20
    assert np.array_equal(every.seed, untrimmed.seed[in_reading_order(untrimmed)])


def test_half_as_far_around_a_field_the_cells_hardly_differ(tmp_path: Path) -> None:
    image = draw_cells(rows=24, columns=24, membrane=0.5, share=0.7, stained_every=2).image
    with open_slide(_saved(tmp_path, image), mpp=MPP) as slide:
        tissue = find_tissue(slide)
        scale = scale_of(slide, tissue)
        whole = FieldReader(slide, tissue, scale, "HER2")
        short = FieldReader(slide, tissue, scale, "HER2", halo_um=SHORT_HALO_UM)
        far, near = whole.fields(128), short.fields(128)
        assert [field.core for field in far] == [field.core for field in near]
        assert sum(f.box.width * f.box.height for f in near) < 0.7 * sum(
            f.box.width * f.box.height for f in far
        )
        one, other = (
            join_fields(list(reader.read(some, 1))) for reader, some in ((whole, far), (short, near))
        )
    apart, nearest = cKDTree(one.xy).query(other.xy)
    assert (apart < 0.5).mean() > 0.99
    same = apart < 0.5
    assert np.abs(one.tumour[nearest[same]] - other.tumour[same]).mean() < 0.02


@pytest.mark.parametrize("effort", ["full", "guided"])
def test_what_fields_took_is_given_back_once_all_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effort: Any
) -> None:
    told: list[str] = []
    monkeypatch.setattr(_measure_stream, "give_back", told.append)
    measured = measure(_saved(tmp_path, draw_cells(membrane=0.5).image), mpp=MPP, effort=effort)
    assert measured.cells is not None
    assert told == ["exact"]


def test_same_whatever_the_workers(tmp_path: Path) -> None:
    image = draw_cells(membrane=0.5).image
    one, two = (_measured(tmp_path, image, workers=workers) for workers in (1, 2))
    assert one.cells is not None
    assert two.cells is not None
    assert one.cells.table().equals(two.cells.table())


def test_working_resolution_is_a_whole_factor() -> None:
    assert [working_factor(mpp) for mpp in (0.12, 0.2199, 0.25, 0.2738, 0.35, 0.5, 0.9)] == [
        5,
        2,
        2,
        2,
        1,
        1,
        1,
    ]


def test_too_coarse_for_cells(tmp_path: Path) -> None:
    result = _measured(tmp_path, draw_cells(membrane=0.8).image, mpp=2.0)
    assert result.cells is None
    assert result.her2 is None
    assert result.areas is not None
    assert result.areas.weak + result.areas.moderate + result.areas.strong > 0.1
    assert "too coarse" in result.notes[0]


def test_h_and_e_is_told(tmp_path: Path) -> None:
    drawn = draw_cells()
    od = np.zeros((*drawn.image.shape[:2], 3), np.float32)
    od[100:-100, 100:-100] = 0.3 * RUIFROK_E
    od[100:-100:24, 100:-100] += 0.3 * RUIFROK_H
    result = _measured(tmp_path, to_rgb(od, WHITE))
    assert result.cells is None
    assert "does not look like haematoxylin and DAB" in result.notes[0]
    assert result.sentence() == as_sentence(result.notes[0])


def test_greyscale_is_told(tmp_path: Path) -> None:
    grey = cv2.cvtColor(draw_cells().image, cv2.COLOR_RGB2GRAY)
    result = _measured(tmp_path, np.repeat(grey[..., None], 3, axis=2))
    assert "greyscale" in result.notes[0]


def test_too_few_tumour_cells(tmp_path: Path) -> None:
    result = _measured(tmp_path, draw_cells(rows=6, columns=6).image)
    assert result.her2 is None
    assert "at least 50 are needed" in result.notes[-1]


def test_what_the_table_refuses_is_not_measured(tmp_path: Path) -> None:
    result = _measured(tmp_path, draw_cells(rows=4, columns=4).image)
    assert result.cells is None
    (note,) = result.notes
    assert note.endswith("mm2 of tissue; nothing was measured.")


def test_glass_alone_has_no_tissue(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (300, 300, 3))
    with pytest.raises(NoTissueError):
        _measured(tmp_path, np.clip(WHITE + noise, 0, 255).astype(np.uint8))


def test_unknown_marker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CD3"):
        _measured(tmp_path, draw_cells(rows=2, columns=2).image, marker="CD3")


def _square(low: float, high: float) -> list[list[float]]:
    return [[low, low], [high, low], [high, high], [low, high], [low, low]]


def test_regions_count_only_inside(tmp_path: Path) -> None:
    image = draw_cells(rows=16, columns=16, membrane=0.8).image
    whole = _measured(tmp_path, image)
    half = image.shape[1] / 2
    geometry = {"type": "Polygon", "coordinates": [_square(0, half)]}
    file = tmp_path / "tumour.geojson"
    file.write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry}]})
    )
    part = _measured(tmp_path, image, regions=file)
    assert part.tumour_cells == pytest.approx(whole.tumour_cells / 4, abs=12)


def test_regions_elsewhere_are_told(tmp_path: Path) -> None:
    geometry = {"type": "Polygon", "coordinates": [_square(90_000, 90_100)]}
    result = _measured(tmp_path, draw_cells().image, regions=geometry)
    assert "no cell on this slide's tissue" in result.notes[0]


def test_nuclear_grades_rise_with_background() -> None:
    dab = np.array([0.0, 0.15, 0.3, 0.7], np.float32)
    assert nuclear_grades(dab, 0.0).tolist() == [0, 1, 2, 3]
    assert nuclear_grades(dab, 0.2).tolist() == [0, 0, 2, 3]
    with pytest.raises(ValueError, match="nuclei"):
        nuclear_score(np.zeros(0, np.uint8), "ER")


def test_stained_tissue_without_a_nucleus_is_said_and_left_out_of_the_areas(tmp_path: Path) -> None:
    image = draw_cells().image
    sound = _measured(tmp_path, image)
    assert sound.areas is not None
    assert not any("from any nucleus" in note for note in sound.notes)
    rng = np.random.default_rng(0)
    od = 0.1 * RUIFROK_H + np.full((image.shape[0], 500, 1), 0.3) * RUIFROK_DAB
    flat = to_rgb(od, WHITE).astype(np.float32) + rng.normal(0, 1.0, od.shape)
    mucus = np.clip(np.rint(flat), 0, 255).astype(np.uint8)[150:-150]
    image[150:-150, -140:] = mucus[:, :140]  # one piece with the cells
    wide = np.pad(image, ((0, 0), (0, 500), (0, 0)), "edge")
    wide[150:-150, -500:] = mucus
    joined = _measured(tmp_path, wide)
    assert joined.areas is not None
    (note,) = (note for note in joined.notes if "from any nucleus" in note)
    assert "mm2" in note
    assert joined.areas.moderate < 0.25  # of over one half
    assert joined.tumour_cells == pytest.approx(sound.tumour_cells, rel=0.15)
