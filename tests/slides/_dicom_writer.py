"""A DICOM whole-slide series, written by hand: JPEG frames, TILED_FULL, one file a level."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def _item(**values: object) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def write_level(
    path: Path,
    image: NDArray[np.uint8],
    mpp: float,
    uids: dict[str, str],
    *,
    number: int = 1,
    kind: str = "VOLUME",
    tile: int = 64,
    encoded: bool = True,
) -> Path:
    """One instance; `uids` holds study, series and frame of reference."""
    height, width = image.shape[:2]
    across, down = -(-width // tile), -(-height // tile)
    padded = np.full((down * tile, across * tile, 3), 255, np.uint8)
    padded[:height, :width] = image
    frames = [
        np.ascontiguousarray(padded[y * tile : (y + 1) * tile, x * tile : (x + 1) * tile])
        for y in range(down)
        for x in range(across)
    ]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit if encoded else ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = WHOLE_SLIDE, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = uids["study"], uids["series"]
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = uids["frame"], "SLIDE_CORNER"
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "SM", "Maker", "Scanner 1"
    data.DeviceSerialNumber, data.SoftwareVersions = "1", "1"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "p", "p", "", ""
    data.StudyDate = data.StudyTime = data.AccessionNumber = data.ReferringPhysicianName = ""
    data.StudyID, data.SeriesNumber, data.InstanceNumber = "1", 1, number
    data.ContentDate, data.ContentTime, data.AcquisitionDateTime = "20250101", "000000", "20250101000000"
    data.ImageType = [
        "DERIVED" if number > 1 else "ORIGINAL",
        "PRIMARY",
        kind,
        "RESAMPLED" if number > 1 else "NONE",
    ]
    data.ContainerIdentifier, data.SpecimenLabelInImage, data.BurnedInAnnotation = "c", "NO", "NO"
    data.FocusMethod, data.ExtendedDepthOfField, data.VolumetricProperties = "AUTO", "NO", "VOLUME"
    data.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    data.TotalPixelMatrixOriginSequence = [
        _item(XOffsetInSlideCoordinateSystem=0, YOffsetInSlideCoordinateSystem=0)
    ]
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    data.ImagedVolumeDepth = 0.001
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes, data.NumberOfOpticalPaths = 1, 1
    data.Rows = data.Columns = tile
    data.NumberOfFrames, data.DimensionOrganizationType = len(frames), "TILED_FULL"
    data.SamplesPerPixel, data.PlanarConfiguration, data.PixelRepresentation = 3, 0, 0
    data.PhotometricInterpretation = "YBR_FULL_422" if encoded else "RGB"
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.LossyImageCompression = "01" if encoded else "00"
    measures = _item(PixelSpacing=[mpp / 1000, mpp / 1000], SliceThickness=0.001, SpacingBetweenSlices=0.001)
    frame_type = _item(FrameType=list(data.ImageType))
    data.SharedFunctionalGroupsSequence = [
        _item(PixelMeasuresSequence=[measures], WholeSlideMicroscopyImageFrameTypeSequence=[frame_type])
    ]
    data.OpticalPathSequence = [_item(OpticalPathIdentifier="1")]
    if encoded:
        data.PixelData = encapsulate([imagecodecs.jpeg8_encode(frame, level=92) for frame in frames])
        data["PixelData"].is_undefined_length = True
    else:
        data.PixelData = b"".join(frame.tobytes() for frame in frames)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def new_uids() -> dict[str, str]:
    """Identifiers of a fresh series."""
    return {name: generate_uid() for name in ("study", "series", "frame")}
