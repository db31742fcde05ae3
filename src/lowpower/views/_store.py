"""Views on disk: one PNG (alpha is the tissue mask) and one JSON sidecar each.

A cached view is used only when its sidecar equals what would be made now (recipe, slide content, um/px,
user's mask, versions) and the picture is the one the sidecar describes; anything else is made again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from lowpower.errors import DamagedSlideError, OutputError, address_of, as_text
from lowpower.files import make_folder, sha256_of, write_bytes, write_json
from lowpower.made_by import made_by
from lowpower.slides import Slide, open_slide
from lowpower.tissue import Tissue, control_name, find_tissue, refuse_damaged
from lowpower.units import Box, Mpp
from lowpower.views._make import make_view
from lowpower.views._recipe import LowResRecipe, View

__all__ = ["ViewSidecar", "cached_view", "keep_open_view", "keep_view", "load_view", "view_flags"]


class ViewSidecar(BaseModel):
    """What stands beside a cached view: what it was made from, and by what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    recipe: LowResRecipe
    slide: str
    content_hash: str
    option_mpp: float | None
    tissue_mask_sha256: str | None
    control: str = "auto"
    software: str
    box: tuple[int, int, int, int]
    mpp: float
    slide_mpp: float
    slide_mpp_source: str
    white_point: tuple[float, float, float]
    white_point_source: str
    tissue_mm2: float
    qc_flags: tuple[str, ...]
    png_sha256: str

    def request(self) -> tuple[object, ...]:
        """What decides whether the view can be used again."""
        mask = self.tissue_mask_sha256
        return (
            self.recipe,
            self.content_hash,
            self.option_mpp,
            mask,
            self.control,
            self.software,
        )


def cached_view(
    slide_path: str | Path,
    mpp: float | None,
    recipe: LowResRecipe,
    cache_folder: str | Path,
    mask_path: str | Path | None = None,
    control: str = "auto",
) -> View:
    """The view of a slide, from the cache where it is there and right, else made and cached.

    Args:
        slide_path: The slide.
        mpp: um/px of the slide, overriding the file's; None to take the file's.
        recipe: How the view is made.
        cache_folder: Where views are kept; several recipes may share it.
        mask_path: A tissue mask drawn by the user (image of the whole slide, non-zero is tissue).
        control: On-slide control tissue, as `find_tissue` takes it.

    Raises:
        SlideError: the slide cannot be opened or read.
        RefusedError: no tissue.
        OutputError: the cache cannot be written.
    """
    return keep_view(slide_path, mpp, recipe, cache_folder, mask_path, control)[0]


def keep_view(
    slide_path: str | Path,
    mpp: float | None,
    recipe: LowResRecipe,
    cache_folder: str | Path,
    mask_path: str | Path | None = None,
    control: str = "auto",
) -> tuple[View, Path]:
    """What `cached_view` gives, and the picture's path in the cache, which `load_view` reads."""
    with open_slide(slide_path, mpp) as slide:
        return keep_open_view(slide, mpp, recipe, cache_folder, mask_path, control)


def keep_open_view(
    slide: Slide,
    mpp: float | None,
    recipe: LowResRecipe,
    cache_folder: str | Path,
    mask_path: str | Path | None = None,
    control: str = "auto",
    tissue: Tissue | None = None,
) -> tuple[View, Path]:
    """`keep_view` of a slide that is open.

    Args:
        slide: The slide.
        mpp: What it was opened with, None for its own um/px.
        recipe: How the view is made.
        cache_folder: Where views are kept.
        mask_path: The user's tissue mask.
        control: What was said of control tissue.
        tissue: The tissue as found by that mask and control, or without; None finds it.
    """
    mask_hash = _mask_hash(mask_path)
    content = slide.content_hash()
    said = control_name(control)
    picture = _picture_path(Path(cache_folder), slide.path, content, mpp, mask_hash, said, recipe)
    found = _find(picture, (recipe, content, mpp, mask_hash, said, made_by("view")))
    if found is not None:
        return found, picture
    if tissue is None:
        tissue = find_tissue(slide, mask=mask_path, control=control)
    view = make_view(slide, tissue, recipe)
    damaged = refuse_damaged(slide, tissue)
    data = _encode(view)
    sidecar = ViewSidecar(
        recipe=recipe,
        slide=as_text(slide.path),
        content_hash=content,
        option_mpp=mpp,
        tissue_mask_sha256=mask_hash,
        control=said,
        software=made_by("view"),
        box=(view.box.x, view.box.y, view.box.width, view.box.height),
        mpp=view.mpp,
        slide_mpp=slide.mpp,
        slide_mpp_source=slide.mpp_source,
        white_point=tuple(float(value) for value in view.white_point),
        white_point_source=tissue.white_point_source,
        tissue_mm2=tissue.area_mm2,
        qc_flags=tuple(flag.code for flag in (*tissue.qc.flags, *damaged)),
        png_sha256=hashlib.sha256(data).hexdigest(),
    )
    make_folder(cache_folder)
    # The picture first: a sidecar without its picture would never be written by a killed run.
    write_bytes(picture, data)
    write_json(picture.with_suffix(".json"), sidecar.model_dump(mode="json"))
    return view, picture


def load_view(picture: str | Path) -> tuple[View, ViewSidecar]:
    """Read a cached view and its sidecar.

    Raises:
        DamagedSlideError: if the picture or its sidecar is missing, damaged or of another schema.
    """
    picture = Path(picture)
    try:
        sidecar = ViewSidecar.model_validate_json(picture.with_suffix(".json").read_bytes())
        data = picture.read_bytes()
    except (OSError, ValidationError) as error:
        raise DamagedSlideError(picture, "is no cached view; run `lowpower prepare` again.") from error
    if hashlib.sha256(data).hexdigest() != sidecar.png_sha256:
        raise DamagedSlideError(picture, "was altered since it was cached; run `lowpower prepare` again.")
    rgba = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if rgba is None or rgba.ndim != 3 or rgba.shape[2] != 4:
        raise DamagedSlideError(picture, "is no RGBA picture; run `lowpower prepare` again.")
    image = np.ascontiguousarray(rgba[..., 2::-1], np.uint8)
    white = np.array(sidecar.white_point, np.float32)
    return View(image, rgba[..., 3] > 127, Box(*sidecar.box), Mpp(sidecar.mpp), white), sidecar


def view_flags(picture: Path) -> tuple[str, ...]:
    """Codes of the quality flags of the slide whose view was just kept."""
    return ViewSidecar.model_validate_json(picture.with_suffix(".json").read_bytes()).qc_flags


def _find(picture: Path, request: tuple[object, ...]) -> View | None:
    try:
        view, sidecar = load_view(picture)
    except DamagedSlideError:
        return None
    return view if sidecar.request() == request else None


def _picture_path(
    folder: Path, slide: Path, content: str, mpp: float | None, mask_hash: str | None, control: str,
    recipe: LowResRecipe,
) -> Path:  # fmt: skip
    """A name of its own for each slide and request, so that two never fight for one file."""
    request = json.dumps(
        [address_of(slide) or str(slide.absolute()), content, mpp, mask_hash, control, recipe.digest()]
    )
    return folder / f"{slide.stem}-{hashlib.sha256(request.encode()).hexdigest()[:16]}.png"


def _encode(view: View) -> bytes:
    rgba = np.dstack([view.image[..., ::-1], view.mask.astype(np.uint8) * 255])
    done, data = cv2.imencode(".png", rgba, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise OutputError(
            f"a view of {view.image.shape[1]} x {view.image.shape[0]} px could not be coded as PNG."
        )
    return bytes(data.tobytes())


def _mask_hash(mask_path: str | Path | None) -> str | None:
    if mask_path is None:
        return None
    if not Path(mask_path).is_file():
        raise DamagedSlideError(mask_path, "no such mask image; correct the manifest's column mask.")
    return sha256_of(mask_path)
