"""One meaning for masks of every kind; what could be meant in two ways is refused by what was seen."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from lowpower.errors import RegionsError
from lowpower.geometry import check_mask, mask_features, read_mask, write_geojson

SIZE = (800, 600)
MASK = np.zeros((60, 80), bool)
cv2.ellipse(MASK.view(np.uint8), (35, 30), (25, 18), 15, 0, 360, 1, -1)
LABELS = np.where(MASK, 1 + (np.arange(80)[None] >= 35), 0)


def tiff(image, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, image, **options)
    return stream.getvalue()


def picture(image, form="png", **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


def palette(indices, colours, **options):
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(np.array(colours, np.uint8).ravel().tolist())
    return picture(image, **options)


def rgba(colour, alpha):
    return picture(np.dstack([np.broadcast_to(colour, (*MASK.shape, 3)), alpha]).astype(np.uint8))


def coloured(*colours):
    return np.array(colours, np.uint8)[LABELS]


WHITE = np.where(MASK, 255, 0).astype(np.uint8)
SOFT = cv2.GaussianBlur(np.random.default_rng(0).random((60, 80)).astype(np.float32), (0, 0), 3)
SOFT = ((SOFT - SOFT.min()) / np.ptp(SOFT) * 254 + 1).astype(np.uint8)

MEANT = {
    "white": picture(WHITE),
    "ones": picture(MASK.astype(np.uint8)),
    "one bit": picture(Image.fromarray(MASK)),
    "labels": picture(LABELS.astype(np.uint8)),
    "16 bits": picture(np.where(MASK, 65535, 0).astype(np.uint16)),
    "colour": picture(np.repeat(WHITE[..., None], 3, 2)),
    "red": picture(coloured((0, 0, 0), (200, 0, 0), (200, 0, 0))),
    "coloured labels": picture(coloured((0, 0, 0), (200, 0, 0), (0, 90, 30))),
    "palette": palette(MASK, [(0, 0, 0), (128, 0, 0)]),
    "palette, grey": palette(MASK * 255, [(grey,) * 3 for grey in range(256)]),
    "palette, labels": palette(LABELS, [(0, 0, 0), (128, 0, 0), (0, 128, 0)]),
    "palette, transparent": palette(MASK, [(0, 0, 0), (128, 0, 0)], transparency=0),
    "transparent": rgba((200, 0, 0), WHITE),
    "transparent, black": picture(np.dstack([coloured((0, 0, 0), (9, 0, 0), (0, 9, 0)), WHITE])),
    "opaque": picture(np.dstack([np.repeat(WHITE[..., None], 3, 2), np.full(MASK.shape, 255, np.uint8)])),
    "grey and alpha": picture(np.dstack([WHITE, WHITE])),
    "bool tiff": tiff(MASK),
    "bool tiff, black": tiff(MASK, photometric="minisblack"),
    "tiff": tiff(WHITE, compression="zlib"),
    "16-bit tiff": tiff(LABELS.astype(np.uint16) * 300),
    "32-bit tiff": tiff(LABELS.astype(np.uint32) * 70_000),
    "signed tiff": tiff(LABELS.astype(np.int32)),
    "float tiff": tiff(LABELS.astype(np.float32)),
    "planes of one": tiff(WHITE[None, :, :, None], photometric="minisblack"),
    "colour tiff": tiff(np.repeat(WHITE[..., None], 3, 2), photometric="rgb"),
    "colour tiff in planes": tiff(np.repeat(WHITE[None], 3, 0), photometric="rgb", planarconfig="separate"),
    "gif": picture(Image.fromarray(WHITE), "gif"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MEANT)
def test_what_is_not_zero_black_or_transparent_is_marked(tmp_path, kind):
    (tmp_path / "mask").write_bytes(MEANT[kind])
    assert np.array_equal(read_mask(tmp_path / "mask", SIZE).mask, MASK)
    check_mask(tmp_path / "mask")


@pytest.mark.parametrize("colour", [False, True])
def test_lossy_black_and_white_is_cut_in_the_middle(tmp_path, colour):
    shown = np.repeat(np.repeat(WHITE, 4, 0), 4, 1)
    image = np.repeat(shown[..., None], 3, 2) if colour else shown
    (tmp_path / "mask.jpg").write_bytes(picture(image, "jpeg", quality=70))
    assert (read_mask(tmp_path / "mask.jpg", SIZE).mask != (shown > 0)).mean() < 0.001


REFUSED = {
    "no 0": (picture(np.where(MASK, 255, 1).astype(np.uint8)), "holds no 0.*values 1, 255"),
    "a map": (picture(SOFT), "probabilities.*different values"),
    "a map of 16 bits": (picture(SOFT.astype(np.uint16) * 200), "probabilities"),
    "a photograph": (picture(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)), "a picture"),
    "ignored": (picture(np.where(LABELS == 2, 255, LABELS).astype(np.uint8)), "values 0, 1, 255.*'ignore'"),
    "white glass": (picture(coloured((255, 255, 255), (200, 0, 0), (0, 200, 0))), "holds no 0"),
    "palette turned": (palette(MASK, [(255, 255, 255), (0, 0, 0)]), r"colour 0 is \(255, 255, 255\)"),
    "black opaque": (
        picture(np.dstack([np.repeat(255 - WHITE[..., None], 3, 2), WHITE])), "black where it is opaque"),
    "two places": (
        picture(np.dstack([np.repeat(np.roll(WHITE, 20, 1)[..., None], 3, 2), WHITE])), "transparency"),
    "clear": (rgba((200, 0, 0), np.zeros(MASK.shape)), "transparent all over"),
    "zeros white": (tiff(WHITE, photometric="miniswhite"), "MinIsWhite"),
    "bool, by others": (tiff(MASK, software="other"), "MinIsWhite"),
    "fractions": (tiff(MASK * np.float32(0.5)), "fractions from 0 to 0.5"),
    "no number": (tiff(np.where(MASK, 1, np.nan).astype(np.float32)), "NaN"),
    "below 0": (tiff(LABELS.astype(np.int16) - 1), "below 0"),
    "planes": (tiff(np.stack([WHITE] * 5), photometric="minisblack"), "more than one plane"),
    "nothing": (picture(np.zeros((60, 80), np.uint8)), "marks nothing"),
    "another shape": (picture(np.full((60, 60), 255, np.uint8)), "covers the whole slide"),
    "text": (b"text", "neither an image"),
    "cut short": (picture(WHITE)[:60], "neither an image"),
    "half a tiff": (tiff(WHITE)[:300], "neither an image"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_be_meant_in_two_ways_is_refused_by_what_was_seen(tmp_path, kind):
    data, words = REFUSED[kind]
    (tmp_path / "mask.png").write_bytes(data)
    with pytest.raises(RegionsError, match=words) as told:
        read_mask(tmp_path / "mask.png", SIZE)
    assert "\n" not in str(told.value)
    if kind != "another shape":
        with pytest.raises(RegionsError, match=words):
            check_mask(tmp_path / "mask.png")


def test_of_a_pyramid_the_finest_level_that_is_no_giant(tmp_path):
    path = tmp_path / "mask.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(np.repeat(np.repeat(WHITE, 2, 0), 2, 1), subifds=1)
        out.write(WHITE, subfiletype=1)
    assert read_mask(path, SIZE).mask.shape == (120, 160)


def test_geojson_goes_to_qupath_and_back(tmp_path):
    mask = MASK.copy()
    mask[25:30, 30:40] = False
    write_geojson(tmp_path / "t.geojson", mask_features(mask, SIZE, "Tissue", (1, 2, 3)))
    back = read_mask(tmp_path / "t.geojson", SIZE)
    assert np.array_equal(back.mask, np.kron(mask, np.ones((10, 10), bool)))
    assert back.about == "t.geojson: Tissue (1)"


def test_classes_of_a_mask(tmp_path):
    def areas(*names, meaning="tissue"):
        features = []
        for number, name in enumerate(names):
            one = np.zeros((6, 8), bool)
            one[0, number] = True
            features += mask_features(one, SIZE, name, (0, 0, 0))
        (tmp_path / "m.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return read_mask(tmp_path / "m.geojson", SIZE, meaning)

    assert areas("Tumor", "Stroma", "Background", "Ignore*").mask.sum() == 2 * 100**2
    own = areas("Tissue", "Control tissue", "Region")
    assert own.mask.sum() == 100**2
    assert own.about == "m.geojson: Tissue (1); left out: Control tissue (1), Region (1)"
    assert areas("Tissue", "Control tissue", meaning="control").mask[:100, 100:200].all()
    assert areas("Tissue", "Control tissue", meaning="control").mask.sum() == 100**2
