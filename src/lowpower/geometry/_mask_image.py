"""What an image marks, whatever program wrote it; what can be meant in two ways is refused, saying why."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lowpower.errors import RegionsError

__all__ = ["read_marks"]

Flags = NDArray[np.bool_]
_TIFF: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MOST_PIXELS: Final = 64_000_000
_LOW, _HIGH = 15, 240
"""Grey values up to and from which lossy coding may have made of black and of white."""
_SOFT = 0.25
"""Pixels between, per pixel of white, up to which they are soft edges."""
_UNEVEN = 0.2
"""Share of neighbours that differ, above which values are no labels of areas."""
_NEARLY_GREY = 12


class _AmbiguousError(Exception):
    """What was seen, for the sentence."""


@dataclass(frozen=True, eq=False)
class _Stored:
    """An image as it is stored.

    Attributes:
        values: (H, W) or (H, W, 3), any dtype.
        alpha: (H, W), None where there is none.
        palette: (N, 3) uint8 that `values` are indices into, likewise.
    """

    values: NDArray[Any]
    alpha: NDArray[Any] | None = None
    palette: NDArray[np.uint8] | None = None


def read_marks(path: Path, data: bytes) -> Flags:
    """What an image file marks: all that is not 0 or black, or all that is not transparent.

    Read are black and white, grey, palette and colour images, labels of 8 to 32 bits, whole numbers as
    float, and transparency. Lossy black and white is cut in the middle.

    Args:
        path: The file, for messages.
        data: Its content.

    Returns:
        (H, W) bool; of a pyramid the finest level of at most 64 million pixels.

    Raises:
        RegionsError: if it is no image, is damaged, or what it marks can be meant in two ways.
    """
    try:
        return _marks(_tiff(data) if data[:4] in _TIFF else _plain(data))
    except _AmbiguousError as error:
        problem = f"{error}; save it as a black and white PNG, white where tissue is."
        raise RegionsError(path, problem) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        problem = "has more pixels than a mask needs; save it at a sixteenth of the slide's scale."
        raise RegionsError(path, problem) from error
    except (OSError, ValueError, SyntaxError, IndexError, KeyError, tifffile.TiffFileError) as error:
        problem = "is neither an image that can be read nor GeoJSON; give a PNG, white where tissue is."
        raise RegionsError(path, problem) from error


def _plain(data: bytes) -> _Stored:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data))
    if image.mode in ("1", "L", "F", "RGB") or image.mode.startswith("I"):
        return _Stored(np.asarray(image))
    if image.mode == "P" and "transparency" not in image.info:
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return _Stored(np.asarray(image), palette=palette)
    clear = np.asarray(image.convert("RGBA"))
    return _Stored(clear[..., :3], clear[..., 3])


def _tiff(data: bytes) -> _Stored:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        levels = [level for level in tiff.series[0].levels if _pixels(level) <= _MOST_PIXELS]
        level = levels[0] if levels else tiff.series[0].levels[-1]
        if _pixels(level) > 8 * _MOST_PIXELS:
            raise MemoryError
        axes, image, page = level.axes, level.asarray(), level.keyframe
    while image.ndim > 2 and 1 in image.shape:
        axis = image.shape.index(1)
        axes, image = axes[:axis] + axes[axis + 1 :], image.squeeze(axis)
    if sorted(axes) == ["S", "X", "Y"]:
        image = np.moveaxis(image, axes.index("S"), -1)
    elif image.ndim != 2:
        raise _AmbiguousError(f"holds more than one plane ({' x '.join(map(str, image.shape))})")
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not _by_tifffile(page):
        raise _AmbiguousError("is a TIFF whose zeros show white (MinIsWhite), which programs mean both ways")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        return _Stored(image, palette=(page.colormap.T >> 8).astype(np.uint8))
    if image.ndim == 3 and image.shape[2] in (2, 4):
        return _Stored(image[..., :-1].squeeze(), image[..., -1])
    return _Stored(image)


def _by_tifffile(page: Any) -> bool:
    """Tifffile stores True as 1 and calls it MinIsWhite all the same: there the stored value counts."""
    return bool(page.dtype == np.bool_) and str(page.software).startswith("tifffile")


def _pixels(level: Any) -> int:
    return int(np.prod([size for axis, size in zip(level.axes, level.shape, strict=True) if axis != "S"]))


def _marks(stored: _Stored) -> Flags:
    alpha = stored.alpha
    if alpha is not None and int(alpha.min()) != int(alpha.max()):
        return _opaque(stored.values, alpha)
    if alpha is not None and int(alpha.max()) == 0:
        raise _AmbiguousError("is transparent all over")
    if stored.palette is not None:
        return _indexed(stored.values, stored.palette)
    return _coloured(stored.values) if stored.values.ndim == 3 else _grey(stored.values)


def _opaque(colour: NDArray[Any], alpha: NDArray[Any]) -> Flags:
    """Where it is not transparent, unless the colours say another thing."""
    opaque = _grey(alpha)
    pixels = colour.reshape(*opaque.shape, -1)
    even = (pixels == pixels[np.unravel_index(int(opaque.argmax()), opaque.shape)]).all(axis=-1)
    if not even[opaque].all() and not np.array_equal(pixels.any(axis=-1), opaque):
        raise _AmbiguousError("marks one place by its colours and another by its transparency")
    if not pixels[opaque].any() and pixels[~opaque].any():
        raise _AmbiguousError("is black where it is opaque and coloured where it is transparent")
    return opaque


def _indexed(indices: NDArray[Any], palette: NDArray[np.uint8]) -> Flags:
    """Where the index is not 0, unless colour 0 is not the black one."""
    if int(indices.max()) >= len(palette):
        raise ValueError("an index beyond the palette")
    colours = palette[indices]
    if not np.array_equal(colours.any(axis=-1), indices > 0):
        red, green, blue = palette[0].tolist()
        raise _AmbiguousError(
            f"has a palette whose colour 0 is ({red}, {green}, {blue}), so that index and colour disagree on "
            "what is marked"
        )
    return _coloured(colours) if _is_grey(colours) else _labels(indices)


def _is_grey(colours: NDArray[Any]) -> bool:
    return colours.dtype == np.uint8 and int(np.ptp(colours, axis=-1).max()) <= _NEARLY_GREY


def _coloured(colours: NDArray[Any]) -> Flags:
    if colours.shape[2] != 3:
        raise _AmbiguousError(f"has {colours.shape[2]} channels")
    if np.array_equal(colours[..., 0], colours[..., 1]) and np.array_equal(colours[..., 0], colours[..., 2]):
        return _grey(colours[..., 0])
    if _is_grey(colours):
        return _grey(np.rint(colours.mean(axis=-1)).astype(np.uint8))
    if not np.issubdtype(colours.dtype, np.integer):
        raise _AmbiguousError(f"holds colours as {colours.dtype}")
    wide = colours.astype(np.int64)
    return _labels((wide[..., 0] << 32) | (wide[..., 1] << 16) | wide[..., 2])


def _grey(values: NDArray[Any]) -> Flags:
    if values.dtype == np.bool_:
        return values
    if np.issubdtype(values.dtype, np.floating):
        values = _whole(values)
    if values.dtype == np.uint8:
        if _is_lossy(values):
            return np.asarray(values >= 128)
        uneven = _unevenness(values, values > 0) > _UNEVEN
        if values.min() == 0 and values.max() == 255 and len(np.unique(values)) > 2 and not uneven:
            seen = _seen(values)
            raise _AmbiguousError(f"holds {seen}: labels and a 255, which may mean tissue or 'ignore'")
    return _labels(values)


def _is_lossy(values: NDArray[np.uint8]) -> bool:
    """Whether it is black and white after lossy coding (JPEG), or with softened edges."""
    used = np.bincount(values.ravel(), minlength=256)
    low, middle, high = used[: _LOW + 1], used[_LOW + 1 : _HIGH], used[_HIGH:]
    if not low.any() or middle.sum() > _SOFT * high.sum():
        return False
    if np.count_nonzero(low) > 1 and np.count_nonzero(high) > 1:
        return True
    return bool(high[-1] and _unevenness(values, (values > 0) & (values < 255)) > _UNEVEN)


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    if not np.isfinite(values).all():
        raise _AmbiguousError("holds values that are no numbers (NaN)")
    if (values != np.rint(values)).any():
        low, high = float(values.min()), float(values.max())
        raise _AmbiguousError(f"holds fractions from {low:.3g} to {high:.3g}, as of probabilities")
    return values.astype(np.int64)


def _labels(values: NDArray[Any]) -> Flags:
    """Where a label is not 0."""
    if values.min() < 0:
        raise _AmbiguousError(f"holds values below 0 ({_seen(values)})")
    marked = np.asarray(values > 0)
    if _unevenness(values, marked) > _UNEVEN:
        raise _AmbiguousError(f"looks like a picture or a map of probabilities ({_seen(values)})")
    if marked.all() and values.min() != values.max():
        raise _AmbiguousError(f"holds no 0 that would say where no tissue is ({_seen(values)})")
    return marked


def _unevenness(values: NDArray[Any], of: Flags) -> float:
    """Share of neighbours, both in `of`, whose values differ."""
    pairs = differing = 0
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = of[one] & of[other]
        pairs += int(np.count_nonzero(both))
        differing += int(np.count_nonzero((values[one] != values[other]) & both))
    return differing / max(1, pairs)


def _seen(values: NDArray[Any]) -> str:
    used = np.unique(values)
    if len(used) > 6:
        return f"{len(used)} different values"
    if used.max() >= 1 << 32:  # red, green and blue packed into one number
        colours = [f"({value >> 32}, {value >> 16 & 0xFFFF}, {value & 0xFFFF})" for value in used.tolist()]
        return f"the colours {', '.join(colours)}"
    return f"the values {', '.join(str(value) for value in used.tolist())}"
