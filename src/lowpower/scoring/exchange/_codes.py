"""Every code that leaves in DICOM SR or FHIR, with where it was found; docs/exchange.md lists them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

__all__ = [
    "AGREEMENT",
    "DECISION",
    "DIAMETER",
    "H_SCORE",
    "LEVELS",
    "LIKELIEST",
    "MEASURED",
    "MICROSCOPY",
    "NUCLEUS",
    "PATHOLOGY",
    "PATHOLOGY_STUDY",
    "PERCENT",
    "PRESENCE",
    "PRIVATE",
    "PRIVATE_URI",
    "P_LIKELIEST",
    "SHARES",
    "STAINING",
    "STRUCTURE",
    "TUMOUR_CELLS",
    "YES_NO",
    "Term",
    "probability_term",
    "question_term",
    "terms",
    "value_term",
]

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
PRIVATE: Final = "99LOWPOWER"
"""Coding scheme designator of private codes: they begin with 99 in DICOM (PS3.16, section 8.2)."""
PRIVATE_URI: Final = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'lowpower private codes 1')}"
"""The same for FHIR, which wants a URI."""

_MOST: Final = 64
_IG: Final = "HL7 FHIR Breast Cancer Data IG 0.2.0"
_MII: Final = "MII pathology module 2026.0.0"
_CPG: Final = "HL7 cancer guideline example on mCODE"
_DICOM: Final = "DICOM PS3.16, as pydicom's code dictionary"


@dataclass(frozen=True, slots=True)
class Term:
    """One code.

    Attributes:
        code: The value.
        scheme: DICOM's designator: LN, SCT, DCM, or 99LOWPOWER where no standard code was found.
        meaning: As its owner words it.
        source: Where it was found.
    """

    code: str
    scheme: str
    meaning: str
    source: str = "this software"

    @property
    def short(self) -> str:
        """The meaning in the 64 characters that DICOM has for it."""
        wordy = {
            "Breast cancer specimen": "breast ca",
            "Estrogen receptor": "ER",
            "Progesterone receptor": "PR",
            "progesterone receptor": "PR",
        }
        meaning = self.meaning
        for long, brief in wordy.items():
            meaning = meaning.replace(long, brief) if len(meaning) > _MOST else meaning
        return meaning

    @property
    def system(self) -> str:
        """FHIR's URI of the scheme."""
        return {"LN": LOINC, "SCT": SNOMED, PRIVATE: PRIVATE_URI}[self.scheme]


PRESENCE: Final = {
    "HER2": Term("85319-2", "LN", "HER2 [Presence] in Breast cancer specimen by Immune stain", _IG),
    "ER": Term(
        "85337-4", "LN", "Estrogen receptor Ag [Presence] in Breast cancer specimen by Immune stain", _CPG
    ),
    "PR": Term(
        "85339-0", "LN", "Progesterone receptor Ag [Presence] in Breast cancer specimen by Immune stain", _CPG
    ),
}
"""What a score or a status answers."""
PERCENT: Final = {
    "HER2": Term("percent-stained", PRIVATE, "Percent of tumour-like cells with any membrane staining"),
    "ER": Term(
        "85329-1", "LN", "Cells.estrogen receptor/100 cells in Breast cancer specimen by Immune stain", _MII
    ),
    "PR": Term(
        "85325-9",
        "LN",
        "Cells.progesterone receptor/100 cells in Breast cancer specimen by Immune stain",
        _MII,
    ),
    "Ki-67": Term(
        "85330-9", "LN", "Cells.Ki-67 nuclear Ag/100 cells in Breast cancer specimen by Immune stain", _MII
    ),
}
SCORE_ANSWERS: Final = {
    "0": Term("LA6111-4", "LN", "0", _IG),
    "1+": Term("LA11841-6", "LN", "1+", _IG),
    "2+": Term("LA11842-4", "LN", "2+", _IG),
    "3+": Term("LA11843-2", "LN", "3+", _IG),
}
"""LOINC answer list LL4396-9."""
STATUS: Final = {
    "negative": Term("260385009", "SCT", "Negative", _DICOM),
    "positive": Term("10828004", "SCT", "Positive", _DICOM),
    "low positive": Term("low-positive", PRIVATE, "Low positive, 1 to 10 % of tumour nuclei"),
    "Low": Term("her2-low", PRIVATE, "HER2-low: 1+, or 2+ without amplification"),
    "High": Term("her2-high", PRIVATE, "HER2-high: 3+, or 2+ with amplification"),
    "low": Term("ki67-low", PRIVATE, "Ki-67 low by the cut-off of the scheme"),
    "intermediate": Term("ki67-between", PRIVATE, "Ki-67 neither low nor high"),
    "high": Term("ki67-high", PRIVATE, "Ki-67 high by the cut-off of the scheme"),
    "null": Term("her2-null", PRIVATE, "HER2 0 without any stained tumour cell"),
    "ultralow": Term("her2-ultralow", PRIVATE, "HER2 0 with stained tumour cells, in 10 % or fewer"),
    "refer": Term("refer", PRIVATE, "No decision: refer to a pathologist"),
}

PATHOLOGY_STUDY: Final = Term("11526-1", "LN", "Pathology study", "LOINC, as CDA reports use it")
PATHOLOGY: Final = Term("LP7839-6", "LN", "Pathology", "US Core DiagnosticReport category value set")
MICROSCOPY: Final = Term("104157003", "SCT", "Light microscopy", _DICOM)
STAINING: Final = Term("117617002", "SCT", "Immunohistochemistry procedure", _DICOM)

STRUCTURE: Final = Term("91723000", "SCT", "Anatomical Structure", _DICOM)
NUCLEUS: Final = Term("84640000", "SCT", "Nucleus", _DICOM)
DIAMETER: Final = Term("81827009", "SCT", "Diameter", _DICOM)

DECISION: Final = Term("decision", PRIVATE, "Class issued, or referral")
LIKELIEST: Final = Term("likeliest", PRIVATE, "Likeliest class, issued or not")
P_LIKELIEST: Final = Term("p-likeliest", PRIVATE, "Probability of the likeliest class")
YES_NO: Final = {
    "yes": Term("373066001", "SCT", "Yes", _DICOM),
    "no": Term("373067005", "SCT", "No", _DICOM),
    "undetermined": Term("undetermined", PRIVATE, "Undetermined at the stated error rate"),
}
MEASURED: Final = Term("measured-score", PRIVATE, "Score measured from stained cells by rule")
AGREEMENT: Final = Term("agreement", PRIVATE, "Agreement of network and measurement")
LEVELS: Final = {
    level: Term(f"agr-{level.split()[0]}", PRIVATE, level.capitalize())
    for level in ("agree", "adjacent", "disagree", "not measured")
}
H_SCORE: Final = Term("h-score", PRIVATE, "H-score, 0 to 300")
TUMOUR_CELLS: Final = Term("tumour-cells", PRIVATE, "Tumour-like cells counted")
SHARES: Final = {
    "none": Term("share-none", PRIVATE, "Percent of tumour-like cells without staining"),
    "faint_incomplete": Term("share-faint", PRIVATE, "Percent of tumour-like cells, faint or incomplete"),
    "moderate_complete": Term("share-complete", PRIVATE, "Percent, weak to moderate complete"),
    "intense_complete": Term("share-intense", PRIVATE, "Percent, intense complete"),
    "weak": Term("share-weak", PRIVATE, "Percent of tumour-like nuclei stained weakly"),
    "moderate": Term("share-moderate", PRIVATE, "Percent of tumour-like nuclei stained moderately"),
    "strong": Term("share-strong", PRIVATE, "Percent of tumour-like nuclei stained strongly"),
}


_QUESTIONS: Final = {
    question: Term(f"q-{code}", PRIVATE, f"Cut-off: {question}?")
    for question, code in (
        ("at least 1+", "1+"),
        ("at least 2+", "2+"),
        ("3+", "3+"),
        ("at least Low", "her2-low"),
        ("High", "her2-high"),
        ("positive", "positive"),
        ("at least low positive", "low-positive"),
        ("high", "ki67-high"),
        ("at least intermediate", "ki67-between"),
        ("ultralow, not null", "ultralow"),
        ("at least ultralow", "any-staining"),
    )
}
"""By the question of a scheme's cut-off."""


def value_term(marker: str, value: str) -> Term:
    """The code of a score, class or status; private where no standard one was found."""
    if marker == "HER2" and value in SCORE_ANSWERS:
        return SCORE_ANSWERS[value]
    return STATUS[value]


def probability_term(name: str) -> Term:
    """The code of one class's probability."""
    return Term(f"p-{name.replace(' ', '-')}", PRIVATE, f"Probability of {name} according to the network")


def question_term(question: str) -> Term:
    """The code of a treatment cut-off as a yes or no."""
    return _QUESTIONS[question]


def terms() -> tuple[Term, ...]:
    """Every code, for the page that documents them."""
    tables = (PRESENCE, PERCENT, SCORE_ANSWERS, STATUS, YES_NO, LEVELS, SHARES, _QUESTIONS)
    single = (
        PATHOLOGY_STUDY, PATHOLOGY, MICROSCOPY, STAINING, STRUCTURE, NUCLEUS, DIAMETER, DECISION, LIKELIEST,
        P_LIKELIEST, MEASURED, AGREEMENT, H_SCORE, TUMOUR_CELLS,
    )  # fmt: skip
    named = (term for table in tables for term in table.values())
    classes = [*SCORE_ANSWERS, *(name for name in STATUS if name != "refer")]
    return (*named, *single, *(probability_term(name) for name in classes))
