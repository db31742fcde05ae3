"""A case's cells as DICOM Microscopy Bulk Simple Annotations: a group a class, a point a cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lowpower.errors import one_line
from lowpower.scoring.exchange._case import Case
from lowpower.scoring.exchange._codes import DIAMETER, NUCLEUS, STRUCTURE
from lowpower.scoring.exchange._dicom_common import coded, made_by, slide_instances, uid_of, write_document
from lowpower.scoring.exchange._identity import Identity
from lowpower.scoring.records import CELL_COLOURS, class_names

if TYPE_CHECKING:
    import polars as pl

__all__ = ["no_cell_map", "write_cell_map"]

_LABEL = 64
"""Letters that DICOM has for a group's name."""


def no_cell_map(case: Case) -> str | None:
    """Why a case's cells cannot be written as DICOM, in a sentence; None where they can."""
    name = one_line(case.slide.name)
    if not (case.folder / "cells.parquet").exists():
        return f"{case.path}: no cells were measured on {name}, so there is no cell map."
    if not slide_instances(case.slide):
        return (
            f"{case.path}: {name} is no DICOM slide, or no longer there; its cells belong to no DICOM image."
        )
    return None


def write_cell_map(path: Path, case: Case, identity: Identity) -> None:
    """Write the cells of a DICOM slide; they join its study and lie in its full-resolution image.

    Raises:
        OutputError: if it cannot be written.
    """
    write_document(path, lambda: _document(case, identity), identity.when)


def _document(case: Case, identity: Identity) -> Any:
    import highdicom as hd
    import polars as pl

    cells = pl.read_parquet(case.folder / "cells.parquet", columns=["x", "y", "diameter", "class"])
    found = zip(class_names(case.marker), CELL_COLOURS, strict=True)
    groups: list[Any] = []
    for name, colour in found:
        of_class = cells.filter(pl.col("class") == name)
        if len(of_class):
            groups.append(_group(case, len(groups) + 1, name, colour, of_class))
    return hd.ann.MicroscopyBulkSimpleAnnotations(
        source_images=slide_instances(case.slide),
        annotation_coordinate_type=hd.ann.AnnotationCoordinateTypeValues.SCOORD,
        annotation_groups=groups,
        series_instance_uid=uid_of("cells series", case, identity),
        series_number=2,
        sop_instance_uid=uid_of("cells instance", case, identity),
        instance_number=1,
        content_description=f"{case.marker} cells by class",
        **made_by(case),
    )


def _group(case: Case, number: int, name: str, colour: tuple[int, int, int], cells: pl.DataFrame) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    points = cells.select("x", "y").to_numpy().astype(np.float32)
    diameters = cells["diameter"].to_numpy().astype(np.float32)
    return hd.ann.AnnotationGroup(
        number=number,
        uid=uid_of(f"cells {name}", case),
        label=name[:_LABEL],
        annotated_property_category=coded(STRUCTURE),
        annotated_property_type=coded(NUCLEUS),
        graphic_type=hd.ann.GraphicTypeValues.POINT,
        graphic_data=list(points[:, None, :]),
        algorithm_type=hd.ann.AnnotationGroupGenerationTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="lowpower measure",
            version=case.record.software_version,
            family=codes.DCM.ArtificialIntelligence,
        ),
        measurements=[hd.ann.Measurements(coded(DIAMETER), diameters, codes.UCUM.Micrometer)],
        description=f"{case.marker} cells: {name}. Research use only: not a medical device.",
        display_color=hd.color.CIELabColor.from_rgb(*colour),
    )
