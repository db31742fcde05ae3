"""The way to a picture archive (DICOMweb): slides come from it, structured reports go back to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydantic import Field

from lowpower.errors import ConfigError, LowpowerError, StructureError
from lowpower.files import make_folder
from lowpower.scoring import Record
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import AboutSlide, SlideRoom
from lowpower.serve.department.access import Who
from lowpower.serve.department.exchange._pseudonymise import keep_instance
from lowpower.serve.department.records import Slide

__all__ = ["Pacs", "PacsError", "SeriesFound"]

_TIMEOUT_S: Final = 60.0
_MOST: Final = 200
_GIVEN_BACK: Final = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate", "StudyTime",
    "StudyID", "ReferringPhysicianName",
)  # fmt: skip


class PacsError(LowpowerError):
    """The archive cannot be reached, or said no."""

    code = "pacs"


class SeriesFound(Record):
    """A whole-slide series of the archive; nothing about the patient."""

    study: str
    series: str
    instances: int | None = Field(None, description="How many files it has, where the archive says.")
    date: str = ""


class Pacs:
    """One DICOMweb server.

    Raises:
        ConfigError: none is set.
    """

    def __init__(self, settings: Settings, slides: SlideRoom) -> None:
        self._settings, self._slides = settings, slides
        if settings.dicomweb is None:
            raise ConfigError("No picture archive is set; the setting dicomweb names one.")
        session = requests.Session()
        if settings.dicomweb_user is not None:
            session.auth = (settings.dicomweb_user, settings.dicomweb_password or "")
        session.request = _with_timeout(session.request)  # type: ignore[method-assign]
        self._client = DICOMwebClient(settings.dicomweb, session=session)
        self._client.set_http_retry_params(retry=False)  # a person waits for the answer, and may ask again

    def search(self, *, accession: str = "", patient: str = "", study: str = "") -> list[SeriesFound]:
        """Whole-slide series of an accession, a patient or a study.

        Raises:
            PacsError: the archive cannot be reached.
        """
        filters = {
            "Modality": "SM",
            "AccessionNumber": accession,
            "PatientID": patient,
            "StudyInstanceUID": study,
        }
        told = _asked(
            lambda: self._client.search_for_series(
                search_filters={name: value for name, value in filters.items() if value},
                fields=["NumberOfSeriesRelatedInstances", "StudyDate"],
                limit=_MOST,
            )
        )
        return [
            SeriesFound(
                study=_value(one, "0020000D"),
                series=_value(one, "0020000E"),
                instances=int(_value(one, "00201209")) if _value(one, "00201209") else None,
                date=_value(one, "00080020"),
            )
            for one in told
        ]

    def fetch(self, study: str, series: str, about: AboutSlide, who: Who) -> Slide:
        """Bring a series here: pseudonymised, without pictures of its label.

        Raises:
            PacsError: the archive cannot be reached, or has no such series.
            StructureError: it is no whole slide, or came in half.
            SlideError: it cannot be read.
            DuplicateSlideError: it is here already.
        """
        expected = next((one.instances for one in self.search(study=study) if one.series == series), None)
        if expected is None and not any(one.series == series for one in self.search(study=study)):
            raise PacsError("The archive has no whole-slide series of that number.")
        staging = make_folder(self._settings.data / "staging") / f"pacs-{series[-40:]}"
        shutil.rmtree(staging, ignore_errors=True)
        make_folder(staging)
        try:
            came = 0
            for dataset in self._instances(study, series):
                came += 1
                keep_instance(dataset, staging / f"{came}.dcm", about.case or "")
            if expected is not None and came < expected:
                raise StructureError(
                    staging,
                    f"came in half: {came} of {expected} files; fetch it again when the archive has it all.",
                )
            if not any(staging.iterdir()):
                raise StructureError(staging, "holds no level of a whole slide.")
            return self._slides.take_folder(staging, about, who, f"{study}/{series}")
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def store(self, slide: Slide, files: Sequence[Path]) -> list[str]:
        """Send DICOM objects made of a slide, under the patient that the archive has; their instance UIDs.

        Raises:
            ConfigError: the slide did not come from an archive.
            PacsError: the archive cannot be reached, or says no.
        """
        if slide.origin != "dicomweb":
            raise ConfigError(
                f"{slide.id}: did not come from the archive, so it is not known whose it is there."
            )
        study, _ = slide.source.split("/")
        held = _asked(
            lambda: self._client.search_for_studies(
                search_filters={"StudyInstanceUID": study}, fields=list(_GIVEN_BACK), limit=1
            )
        )
        if not held:
            raise PacsError("The archive no longer has this slide's study.")
        whose = pydicom.Dataset.from_json(held[0])
        datasets = [pydicom.dcmread(file) for file in files]
        for dataset in datasets:
            for name in _GIVEN_BACK:
                if name in whose and whose[name].value not in (None, ""):
                    setattr(dataset, name, whose[name].value)
            dataset.StudyInstanceUID = study
        told = _asked(lambda: self._client.store_instances(datasets))
        if getattr(told, "FailedSOPSequence", None):
            raise PacsError("The archive did not take the report.")
        return [str(dataset.SOPInstanceUID) for dataset in datasets]

    def _instances(self, study: str, series: str) -> Iterator[pydicom.Dataset]:
        """One after the other: a slide does not fit into memory twice."""
        found = _asked(lambda: self._client.search_for_instances(study, series, limit=10_000))
        for one in found:
            number = _value(one, "00080018")
            yield _asked(lambda number=number: self._client.retrieve_instance(study, series, number))  # type: ignore[misc]


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "?"
        raise PacsError(f"The archive answered {status}.") from error
    except requests.RequestException as error:
        raise PacsError(
            "The archive cannot be reached; try again, or correct the setting dicomweb."
        ) from error


def _value(told: dict[str, Any], tag: str) -> str:
    values = told.get(tag, {}).get("Value", [])
    return str(values[0]) if values else ""


def _with_timeout(request: Callable[..., Any]) -> Callable[..., Any]:
    def send(*arguments: Any, **options: Any) -> Any:
        options.setdefault("timeout", _TIMEOUT_S)
        return request(*arguments, **options)

    return send
