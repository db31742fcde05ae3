"""Sends a report to a FHIR server, as one transaction."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, Final

import requests

from lowpower.errors import ConfigError, LowpowerError
from lowpower.serve.department._settings import Settings

__all__ = ["FhirError", "post_fhir"]

_TIMEOUT_S: Final = 30.0


class FhirError(LowpowerError):
    """The FHIR server cannot be reached, or said no."""

    code = "fhir"


def post_fhir(settings: Settings, report: Path) -> None:
    """Post the resources of a report; the server takes all of them or none.

    Raises:
        ConfigError: no server is set.
        FhirError: it cannot be reached, or says no.
    """
    if settings.fhir is None:
        raise ConfigError("No FHIR server is set; the setting fhir names one.")
    bundle: dict[str, Any] = json.loads(report.read_bytes())
    bundle["type"] = "transaction"
    # Servers put their own addresses in place of these, wherever they stand; the report's identifier stays.
    stand_in = {entry["fullUrl"]: f"urn:uuid:{uuid.uuid4()}" for entry in bundle["entry"]}
    bundle["entry"] = _relinked(bundle["entry"], stand_in)
    for entry in bundle["entry"]:
        entry["request"] = {"method": "POST", "url": entry["resource"]["resourceType"]}
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    if settings.fhir_token:
        headers["Authorization"] = f"Bearer {settings.fhir_token}"
    try:
        answer = requests.post(settings.fhir, data=json.dumps(bundle), headers=headers, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        raise FhirError(
            "The FHIR server cannot be reached; try again, or correct the setting fhir."
        ) from error
    if answer.status_code >= 300:
        raise FhirError(f"The FHIR server answered {answer.status_code}.")


def _relinked(told: Any, links: dict[str, str]) -> Any:
    """The same with other addresses of the bundle's resources, in its entries and in what refers to them."""
    if isinstance(told, list):
        return [_relinked(one, links) for one in told]
    if not isinstance(told, dict):
        return told
    return {
        name: links.get(value, value)
        if name in ("fullUrl", "reference") and isinstance(value, str)
        else _relinked(value, links)
        for name, value in told.items()
    }
