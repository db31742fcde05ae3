"""A case as FHIR R4: a Bundle with a preliminary DiagnosticReport, its Observations and the Device."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from lowpower.errors import as_sentence
from lowpower.files import write_text
from lowpower.scoring.exchange._case import Case, cells_by, said_of
from lowpower.scoring.exchange._codes import (
    AGREEMENT,
    DECISION,
    H_SCORE,
    LEVELS,
    LIKELIEST,
    P_LIKELIEST,
    PATHOLOGY,
    PATHOLOGY_STUDY,
    PERCENT,
    PRESENCE,
    SHARES,
    STAINING,
    TUMOUR_CELLS,
    YES_NO,
    Term,
    probability_term,
    question_term,
    value_term,
)
from lowpower.scoring.exchange._identity import Identity

__all__ = ["write_fhir"]

_UCUM = "http://unitsofmeasure.org"


def write_fhir(path: Path, case: Case, identity: Identity) -> None:
    """Write the Bundle as JSON, after every resource has passed fhir.resources' R4B models.

    R4B and R4 define the same elements for the resources and fields used here.

    Raises:
        OutputError: if it cannot be written.
    """
    from fhir.resources.R4B.bundle import Bundle

    observations = [made for made in (_network(case, identity), _measurement(case, identity)) if made]
    entries = [_report(case, identity, observations), *observations, _device(case)]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(identity),
        "entry": [{"fullUrl": f"urn:uuid:{entry['id']}", "resource": entry} for entry in entries],
    }
    checked = Bundle.model_validate(bundle)
    write_text(path, checked.model_dump_json(indent=2, exclude_none=True) + "\n")


def _report(case: Case, identity: Identity, observations: list[dict[str, Any]]) -> dict[str, Any]:
    scored = case.scored
    said = [case.record.notice]
    if scored is not None:
        said += said_of(scored)
        said += [scored.agreement.sentence] if scored.agreement else []
    if case.measured is not None and (scored is None or scored.measured_sentence):
        said.append(as_sentence(case.measured.sentence))
    return {
        "resourceType": "DiagnosticReport",
        "id": _id(case, "report"),
        **_common(case, identity),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{_id(case, 'report')}"}]
        + (_accession(identity.accession) if identity.accession else []),
        "category": [_concept(PATHOLOGY)],
        "code": _concept(PATHOLOGY_STUDY, text=f"{case.marker} immunohistochemistry, image analysis"),
        "issued": _instant(identity),
        "result": [{"reference": f"urn:uuid:{one['id']}"} for one in observations],
        "conclusion": " ".join(said),
    }


def _network(case: Case, identity: Identity) -> dict[str, Any] | None:
    scored = case.scored
    if scored is None or scored.decision is None or scored.model is None:
        return None
    refers = scored.decision == "refer"
    components = [
        {
            "code": _concept(probability_term(name)),
            "valueQuantity": _quantity(share, "1"),
        }
        for name, share in (scored.probabilities or {}).items()
    ]
    if scored.answer is not None:
        likely = scored.answer
        value = _concept(value_term(case.marker, likely.likeliest), text=likely.likeliest)
        components.append({"code": _concept(LIKELIEST), "valueCodeableConcept": value})
        components.append(
            {"code": _concept(P_LIKELIEST), "valueQuantity": _quantity(likely.probability, "1")}
        )
        components += [
            {
                "code": _concept(question_term(cutoff.question), text=cutoff.cutoff),
                "valueCodeableConcept": _concept(YES_NO[cutoff.answer], text=cutoff.sentence),
            }
            for cutoff in likely.cutoffs
        ]
    if scored.agreement is not None:
        level = _concept(LEVELS[scored.agreement.level], text=scored.agreement.sentence)
        components.append({"code": _concept(AGREEMENT), "valueCodeableConcept": level})
    model = f"Model {scored.model.name} {scored.model.version}: {scored.model.trained_on}"
    answers = PRESENCE.get(case.marker, PERCENT[case.marker])
    return {
        **_observation(case, identity, "network", [DECISION, answers]),
        "valueCodeableConcept": _concept(value_term(case.marker, scored.decision), text=scored.decision),
        **({"interpretation": [_indeterminate()]} if refers else {}),
        "note": [{"text": text} for text in (scored.notice, model, *said_of(scored))],
        "component": components,
    }  # fmt: skip


def _measurement(case: Case, identity: Identity) -> dict[str, Any] | None:
    told = case.measured
    if told is None:
        return None
    numbers: list[tuple[Term, float, str]] = [(TUMOUR_CELLS, told.tumour_cells, "1")]
    if told.percent is not None:
        numbers.append((PERCENT[case.marker], told.percent, "%"))
    for name, share in (told.shares or {}).items():
        numbers.append((SHARES[name], 100 * share, "%"))
    if told.h_score is not None:
        numbers.append((H_SCORE, told.h_score, "1"))
    main = PRESENCE.get(case.marker, PERCENT[case.marker])
    value: dict[str, Any] = {"dataAbsentReason": _absent()}
    if told.score is not None:
        value = {"valueCodeableConcept": _concept(value_term(case.marker, told.score), text=told.score)}
    elif told.percent is not None:
        value = {"valueQuantity": _quantity(told.percent, "%")}
    return {
        **_observation(case, identity, "measurement", [main]),
        **value,
        "method": _concept(STAINING, text="cells measured on the stained slide, scored by rule"),
        "note": [
            {"text": text}
            for text in (case.record.notice, as_sentence(told.sentence), *told.notes, *cells_by(told))
        ],
        "component": [
            {"code": _concept(term), "valueQuantity": _quantity(number, unit)}
            for term, number, unit in numbers
        ],
    }


def _observation(case: Case, identity: Identity, name: str, terms: list[Term]) -> dict[str, Any]:
    category = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "laboratory",
        "display": "Laboratory",
    }
    return {
        "resourceType": "Observation",
        "id": _id(case, name),
        **_common(case, identity),
        "category": [{"coding": [category]}],
        "code": {"coding": [_coding(term) for term in terms], "text": f"{case.marker}, {name}"},
        "issued": _instant(identity),
        "device": {"reference": f"urn:uuid:{_id(case, 'device')}"},
    }


def _common(case: Case, identity: Identity) -> dict[str, Any]:
    """Status, and the subject as the user named it: a logical reference, no made-up Patient."""
    common: dict[str, Any] = {"status": "preliminary"}
    if identity.patient_id:
        common["subject"] = {"type": "Patient", "identifier": {"value": identity.patient_id}}
    return common


def _device(case: Case) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "id": _id(case, "device"),
        "deviceName": [{"name": "lowpower", "type": "model-name"}],
        "version": [{"value": case.record.software_version}],
        "note": [{"text": f"{case.record.notice} Slide {case.slide.name}, {case.identifier}."}],
    }


def _accession(value: str) -> list[dict[str, Any]]:
    kind = {
        "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
        "code": "ACSN",
        "display": "Accession ID",
    }
    return [{"type": {"coding": [kind]}, "value": value}]


def _coding(term: Term) -> dict[str, str]:
    return {"system": term.system, "code": term.code, "display": term.meaning}


def _concept(term: Term, text: str | None = None) -> dict[str, Any]:
    return {"coding": [_coding(term)], **({"text": text} if text else {})}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": round(float(value), 4), "unit": unit, "system": _UCUM, "code": unit}


def _indeterminate() -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    return {"coding": [{"system": system, "code": "IND", "display": "Indeterminate"}]}


def _absent() -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return {"coding": [{"system": system, "code": "not-performed", "display": "Not Performed"}]}


def _instant(identity: Identity) -> str:
    return identity.when.astimezone().isoformat(timespec="seconds")


def _id(case: Case, name: str) -> str:
    content = case.path.read_bytes().hex()
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lowpower fhir {name} {content}"))
