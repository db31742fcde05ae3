"""How laboratories stain and scanners picture, as strict, YAML-able models.

The default of every number that came later than the first version leaves a slide as it was, so that older
specs give the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Laboratory", "NuclearStain", "Rgb", "Scanner", "SpecModel", "Traits", "Unit"]

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Rgb = tuple[float, float, float]


class SpecModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Laboratory(SpecModel):
    """How one laboratory stains.

    Attributes:
        name: Its name in the manifest's column `site`; says "simulated".
        hematoxylin: Optical density of haematoxylin, red, green, blue, unit length.
        dab: Optical density of DAB, unit length.
        counterstain: OD (length of the OD vector) of an ordinary tumour nucleus.
        cytoplasm: Haematoxylin OD of tumour cytoplasm.
        matrix: Haematoxylin OD of dense stroma.
        dab_strength: OD of an intense membrane.
        dab_background: DAB OD spread over all tissue.
        blush: Usual DAB OD of cytoplasm, whatever the score.
        sharpness: 0 = thick sections with smeared membranes, 1 = thin crisp ones.
        relief: Strength of refraction at the edges of tissue: dark lines with bright ones beside them.
        nuclear_dab: OD of the DAB in the strongest nuclei of a nuclear marker; None: follows `dab_strength`.
        through: DAB in the body of a cell whose membrane is as intense as can be, over that of the membrane.
        line_width: Width of membranes, 1 = thin lines of about 0.75 um (full width at half height).
        unevenness: How much the stain varies along a membrane, 1 = a third, 3 = lumps and gaps.
        granularity: How lumpy stained cytoplasm is, 1 = fine, 3 = coarse granules.
        veil: DAB OD that lies evenly over all tissue, nuclei too.
        soot: Grey OD that dense DAB adds, times the square of the DAB's own: dense DAB goes black.
    """

    name: str
    hematoxylin: Rgb = (0.67, 0.62, 0.41)
    dab: Rgb = (0.38, 0.57, 0.73)
    counterstain: float = Field(0.28, gt=0.0, le=2.0)
    cytoplasm: float = Field(0.06, ge=0.0, le=1.0)
    matrix: float = Field(0.05, ge=0.0, le=1.0)
    dab_strength: float = Field(0.9, gt=0.0, le=3.0)
    dab_background: float = Field(0.005, ge=0.0, le=0.5)
    blush: float = Field(0.03, ge=0.0, le=1.0)
    sharpness: Unit = 0.6
    relief: float = Field(0.8, ge=0.0, le=5.0)
    nuclear_dab: float | None = Field(None, gt=0.0, le=4.0)
    through: Unit = 0.2
    line_width: float = Field(1.0, ge=0.4, le=3.0)
    unevenness: float = Field(1.0, ge=0.0, le=4.0)
    granularity: float = Field(1.0, ge=0.0, le=4.0)
    veil: float = Field(0.0, ge=0.0, le=0.5)
    soot: float = Field(0.0, ge=0.0, le=1.0)


class Scanner(SpecModel):
    """How one scanner pictures a slide.

    Attributes:
        name: Its name in the manifest's column `scanner`.
        mpp: Microns per pixel of level 0.
        white: Grey value of bare glass, red, green, blue, 0..255.
        psf_um: Standard deviation of the point spread, microns.
        sharpen: Strength of its unsharp mask, 0 = none.
        sharpen_um: Radius (standard deviation) of that mask, microns.
        gamma: Exponent on relative intensity (1 = linear).
        flare: Share of white light that reaches the sensor whatever lies in between.
        saturation: Colour saturation, 1 = as is.
        noise: Standard deviation of sensor noise at white, grey values.
        shading: Relative fall of brightness across one camera field.
        jpeg_quality: 1..100.
        subsampling: Chroma subsampling.
        level_step: Each pyramid level is this much smaller than the one before.
        halo: Share of light that spreads over `halo_um` (haze, dirty optics).
        halo_um: Standard deviation of that spread, microns; a block's margin bounds it.
        black: Relative intensity (1 = glass) that is recorded as black.
        blown: What is darker than glass by less than this is recorded as glass.
        contrast: Strength of an S-shaped curve between black and glass, 0 = straight.
    """

    name: str
    mpp: float = Field(0.25, ge=0.1, le=2.0)
    white: Rgb = (236.0, 235.0, 244.0)
    psf_um: float = Field(0.25, ge=0.0, le=3.0)
    sharpen: float = Field(0.6, ge=0.0, le=3.0)
    sharpen_um: float = Field(0.4, gt=0.0, le=3.0)
    gamma: float = Field(1.0, gt=0.3, lt=3.0)
    flare: float = Field(0.02, ge=0.0, le=0.5)
    saturation: float = Field(1.0, ge=0.0, le=2.0)
    noise: float = Field(1.0, ge=0.0, le=20.0)
    shading: float = Field(0.005, ge=0.0, le=0.2)
    jpeg_quality: int = Field(85, ge=20, le=100)
    subsampling: Literal["444", "422", "420"] = "420"
    level_step: Literal[2, 4] = 4
    halo: Unit = 0.0
    halo_um: float = Field(2.0, gt=0.0, le=10.0)
    black: float = Field(0.0, ge=0.0, le=0.5)
    blown: float = Field(0.0, ge=0.0, le=0.5)
    contrast: Unit = 0.0


class NuclearStain(SpecModel):
    """What only a nuclear marker has.

    Attributes:
        normal: Share of nuclei of normal epithelium that are stained.
        leak: DAB in the cytoplasm of a cell over that in its nucleus.
    """

    normal: Unit = 0.3
    leak: float = Field(0.04, ge=0.0, le=0.5)


class Traits(SpecModel):
    """What makes tissue hard to read: each absent unless told.

    Attributes:
        wobble: How crooked borders between cells are, 1 = plainly, 0 = straight.
        gaps: How far cells have drawn apart: clear clefts along their borders.
        strong_partial: Share of class-1 cells whose membrane is incomplete but moderate to intense (beside
            `patchiness`), as in micropapillary growth.
        basolateral: How far incomplete membranes are U-shaped, open to one side.
        stroma_stain: DAB OD of dense stroma, muscle and vessel walls, in patches.
        necrosis_stain: DAB OD of necrosis and of debris in lumens.
        normal_stain: Share of normal epithelial cells with a stained membrane (HER2).
        in_situ: Share of smaller tumour nests that are carcinoma in situ: their cells count nowhere.
        in_situ_stain: Share of their cells with an intense complete membrane (HER2).
        crush: Microns from the tissue's edge in which tumour cells are crushed, in places.
    """

    wobble: float = Field(1.0, ge=0.0, le=2.0)
    gaps: Unit = 0.0
    strong_partial: Unit = 0.0
    basolateral: Unit = 0.0
    stroma_stain: float = Field(0.0, ge=0.0, le=1.0)
    necrosis_stain: float = Field(0.0, ge=0.0, le=1.0)
    normal_stain: Unit = 0.0
    in_situ: Unit = 0.0
    in_situ_stain: Unit = 0.0
    crush: float = Field(0.0, ge=0.0, le=500.0)
