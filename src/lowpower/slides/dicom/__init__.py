"""DICOM whole-slide series: files, levels, frames."""

from lowpower.slides.dicom._dicom_frames import FrameReader, describe
from lowpower.slides.dicom._dicom_levels import arrange
from lowpower.slides.dicom._dicom_series import is_dicom, read_series
from lowpower.slides.dicom._wsidicom import WsiDicomReader

__all__ = [
    "FrameReader",
    "WsiDicomReader",
    "arrange",
    "describe",
    "is_dicom",
    "read_series",
]
