"""A case as a DICOM Comprehensive 3D SR, TID 1500: measurements with codes, the slide referenced or named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowpower.errors import as_sentence
from lowpower.scoring.exchange._case import Case, cells_by, said_of
from lowpower.scoring.exchange._codes import (
    AGREEMENT,
    DECISION,
    H_SCORE,
    LEVELS,
    LIKELIEST,
    MEASURED,
    MICROSCOPY,
    P_LIKELIEST,
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
from lowpower.scoring.exchange._dicom_common import (
    INHERITED,
    MANUFACTURER,
    coded,
    made_by,
    slide_instances,
    uid_of,
    write_document,
)
from lowpower.scoring.exchange._identity import Identity

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["write_sr"]


def write_sr(path: Path, case: Case, identity: Identity) -> None:
    """Write the report; PRELIMINARY and UNVERIFIED, since no human has looked.

    Patient and study are those of the slide where it is DICOM, else what `identity` gives, else empty: then
    the slide is named by its SHA-256 alone.

    Raises:
        OutputError: if it cannot be written.
    """
    write_document(path, lambda: _document(case, identity), identity.when)


def _document(case: Case, identity: Identity) -> Dataset:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    sources = slide_instances(case.slide)
    evidence = sources or [_stand_in(case, identity)]
    context = hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=uid_of("device", case.record.software_version),
                name="lowpower",
                manufacturer_name=MANUFACTURER,
                model_name=f"lowpower {case.record.software_version}",
            ),
        )
    )
    report = hd.sr.MeasurementReport(
        observation_context=context,
        procedure_reported=coded(MICROSCOPY),
        imaging_measurements=_groups(case, sources),
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=sources or None,
    )
    document = hd.sr.Comprehensive3DSR(
        evidence=evidence,
        content=report[0],
        series_instance_uid=uid_of("series", case, identity),
        series_number=1,
        sop_instance_uid=uid_of("instance", case, identity),
        instance_number=1,
        is_complete=True,
        is_final=False,
        is_verified=False,
        record_evidence=bool(sources),
        **made_by(case),
    )
    if not sources:
        # highdicom takes the study from an image; a slide that is no DICOM object is not cited as one.
        del document.CurrentRequestedProcedureEvidenceSequence
    return document


def _groups(case: Case, sources: list[Dataset]) -> list[Any]:
    """The network's group and the measurement's, each with who made it."""
    groups = []
    scored, measured = case.scored, case.measured
    answer = scored.answer if scored is not None else None
    if scored is not None and scored.model is not None:
        groups.append(
            _group(
                case,
                sources,
                "network",
                (scored.model.name, scored.model.version),
                [
                    _measurement(probability_term(name), share, "no_units")
                    for name, share in (scored.probabilities or {}).items()
                ]
                + ([_measurement(P_LIKELIEST, answer.probability, "no_units")] if answer else []),
                [(DECISION, value_term(case.marker, scored.decision or "refer"))]
                + ([(LIKELIEST, value_term(case.marker, answer.likeliest))] if answer else [])
                + [(question_term(c.question), YES_NO[c.answer]) for c in (answer.cutoffs if answer else ())]
                + ([(AGREEMENT, LEVELS[scored.agreement.level])] if scored.agreement else []),
                [*said_of(scored), *([scored.agreement.sentence] if scored.agreement else [])],
            )
        )
    if measured is not None:
        numbers = [_measurement(TUMOUR_CELLS, measured.tumour_cells, "no_units")]
        for name, share in (measured.shares or {}).items():
            if (case.marker == "HER2") or name != "none":
                numbers.append(_measurement(SHARES[name], 100 * share, "percent"))
        if measured.percent is not None:
            numbers.append(_measurement(PERCENT[case.marker], measured.percent, "percent"))
        if measured.h_score is not None:
            numbers.append(_measurement(H_SCORE, measured.h_score, "no_units"))
        answers = []
        if measured.score is not None and case.marker in PRESENCE:
            answers = [
                (MEASURED, value_term(case.marker, measured.score)),
                (PRESENCE[case.marker], value_term(case.marker, measured.score)),
            ]
        version = case.record.software_version
        groups.append(
            _group(
                case, sources, "measurement", ("lowpower measure", version), numbers, answers,
                [as_sentence(measured.sentence), *measured.notes, *cells_by(measured)],
            )
        )  # fmt: skip
    return groups


def _group(
    case: Case,
    sources: list[Dataset],
    name: str,
    algorithm: tuple[str, str],
    numbers: list[Any],
    answers: list[tuple[Term, Term]],
    comments: list[str],
) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=uid_of(name, case), identifier=f"{case.marker} {name}, slide {case.identifier}"
        ),
        method=coded(STAINING),
        algorithm_id=hd.sr.AlgorithmIdentification(name=algorithm[0], version=algorithm[1]),
        measurements=numbers,
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(coded(question), coded(answer)) for question, answer in answers
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(sources[0])]
        if sources
        else None,
    )
    # TID 1501 is extensible: what a person must read goes in as text.
    for comment in [f"{case.record.notice} Slide: {case.slide.name}, {case.identifier}.", *comments]:
        group[0].ContentSequence.append(
            hd.sr.TextContentItem(
                codes.DCM.Comment, comment, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
            )
        )
    return group


def _measurement(term: Term, value: float, unit: str) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    units = {"percent": codes.UCUM.Percent, "no_units": codes.UCUM.NoUnits}[unit]
    return hd.sr.Measurement(coded(term), round(float(value), 4), units)


def _stand_in(case: Case, identity: Identity) -> Dataset:
    """Patient and study for a slide that is not DICOM: as given, otherwise empty."""
    from pydicom.dataset import Dataset

    stand_in = Dataset()
    for keyword in INHERITED:
        setattr(stand_in, keyword, "")
    stand_in.PatientID = identity.patient_id or ""
    stand_in.AccessionNumber = identity.accession or ""
    stand_in.StudyInstanceUID = uid_of(
        "study", case.record.slide_sha256, identity.patient_id, identity.accession
    )
    stand_in.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    stand_in.SOPInstanceUID = uid_of("slide", case.record.slide_sha256)
    stand_in.SeriesInstanceUID = uid_of("slides", case.record.slide_sha256)
    stand_in.SpecificCharacterSet = "ISO_IR 192"
    return stand_in
