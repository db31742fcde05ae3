"""A case on one page: decision, pictures, numbers, model and limits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from lowpower.errors import as_sentence
from lowpower.files import write_bytes
from lowpower.scoring.exchange._case import Case, cells_by, said_of
from lowpower.scoring.exchange._identity import Identity
from lowpower.scoring.records import share_name

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

__all__ = ["write_pdf"]

_WIDTH, _HEIGHT = 595.28, 841.89
_LEFT, _RIGHT = 40.0, 555.28
_ROOM = _RIGHT - _LEFT
_WIDEST = 1400
_BOTTOM, _LEAST, _TALLEST = 44.0, 60.0, 420.0
"""Points: left free at the foot, least height for a picture, and most."""
_MOST_SAID = 14
_LIMITS = (
    "Tumour-like is a look: normal epithelium is not told from tumour, and real tumour cells are left out. "
    "Intensity is DAB optical density, which is not protein. HER2 2+ needs in-situ hybridisation. "
    "A pathologist must look at the slide."
)


def write_pdf(path: Path, case: Case, identity: Identity) -> None:
    """Write the page. The same case and identity give the same bytes.

    Raises:
        OutputError: if it cannot be written.
    """
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=1)
    canvas.setTitle(f"{case.marker}, {case.slide.name}")
    canvas.setAuthor("lowpower")
    canvas.setSubject(case.record.notice)
    top = _heading(canvas, case, identity)
    top = _paragraphs(canvas, top, _said(case), 10)
    rows, small_print = _rows(case), _small_print(case)
    below = sum(_height(value, 8.5, _ROOM - 145) for _, value in rows)
    below += sum(_height(text, 7.5, _ROOM) for text in small_print)
    top = _pictures(canvas, top - 6, case, top - 6 - below - _BOTTOM)
    top = _table(canvas, top - 10, rows)
    _paragraphs(canvas, top - 8, small_print, 7.5)
    canvas.showPage()
    canvas.save()
    write_bytes(path, buffer.getvalue())


def _heading(canvas: Canvas, case: Case, identity: Identity) -> float:
    """The notice, the answer and what names the case; returns where to go on."""
    canvas.setFillColorRGB(1, 0.957, 0.839)
    canvas.rect(0, _HEIGHT - 26, _WIDTH, 26, stroke=0, fill=1)
    canvas.setFillColorRGB(0.12, 0.14, 0.19)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawCentredString(
        _WIDTH / 2, _HEIGHT - 17, f"{case.record.notice} Preliminary; not signed by a human."
    )
    scored, told = case.scored, case.measured
    if scored is not None:
        answer = scored.headline.replace("; refer", "; refer to a pathologist")
    elif told is not None and (told.score is not None or told.percent is not None):
        answer = f"{case.marker} measured {told.score or f'{told.percent:.1f} %'}"
    else:
        answer = f"{case.marker} not measured"
    canvas.setFont("Helvetica-Bold", 16)
    canvas.drawString(_LEFT, _HEIGHT - 54, answer)
    canvas.setFont("Helvetica", 8.5)
    when = identity.when.strftime("%Y-%m-%d %H:%M")
    given = [f"patient {identity.patient_id}"] if identity.patient_id else []
    given += [f"accession {identity.accession}"] if identity.accession else []
    who = ", ".join(given) or "no patient or accession given"
    canvas.drawString(
        _LEFT, _HEIGHT - 68, _fitted(canvas, f"Slide {case.slide.name}; {who}; exported {when}")
    )
    canvas.drawString(_LEFT, _HEIGHT - 79, _fitted(canvas, case.identifier))
    return _HEIGHT - 92


def _fitted(canvas: Canvas, text: str, size: float = 8.5) -> str:
    """The text, its end cut off with dots where the page ends."""
    if canvas.stringWidth(text, "Helvetica", size) <= _ROOM:
        return text
    while canvas.stringWidth(f"{text}...", "Helvetica", size) > _ROOM:
        text = text[:-1]
    return f"{text}..."


def _said(case: Case) -> list[str]:
    scored, told = case.scored, case.measured
    said = said_of(scored)[1:] if scored is not None else []
    if scored is not None and scored.agreement is not None:
        said.append(f"Network and measurement: {scored.agreement.level}. {scored.agreement.sentence}")
    if told is not None:
        said += [as_sentence(told.sentence)] if scored is None or scored.measured_sentence else []
        said += [note for note in told.notes if note not in said and note not in told.sentence]
    if len(said) > _MOST_SAID:
        said = [*said[:_MOST_SAID], f"... and {len(said) - _MOST_SAID} more in {case.path.name}."]
    return said


def _rows(case: Case) -> list[tuple[str, str]]:
    """Name and value of every number, in reading order."""
    scored, told, rows = case.scored, case.measured, []
    if scored is not None:
        shares = ", ".join(f"{name}: {share:.2f}" for name, share in (scored.probabilities or {}).items())
        rows.append(("network, probabilities", shares))
        if scored.answer is not None and scored.beside_network:
            both = ", ".join(f"{name}: {share:.2f}" for name, share in scored.answer.probabilities.items())
            rows.append((f"by {scored.answer.by}", both))
        if scored.prediction_set is not None:
            rows.append(("network, classes not excluded", ", ".join(scored.prediction_set) or "none"))
    if told is not None and told.shares is not None:
        named = ((share_name(told.marker, name), share) for name, share in told.shares.items())
        classes = ", ".join(f"{name} {share:.1%}" for name, share in named)
        rows.append((f"{told.tumour_cells} tumour-like cells", classes))
        rows.append(("stained; H-score", f"{told.percent:.1f} %; {told.h_score:.0f} of 300"))
    if told is not None and told.allred is not None:
        rows.append(("Allred", f"{told.allred[0]} + {told.allred[1]} = {sum(told.allred)}"))
    if told is not None and told.deciding is not None:
        near = told.deciding
        decides = f"{near.what} {near.share:.1%}, cut-off {near.cutoff:.0%}; {near.change}"
        rows.append(("decides", decides))
    if told is not None and told.squares:
        squares = ", ".join(f"{name} {share:.0%}" for name, share in told.squares.items())
        rows.append(("squares of 500 um by score", squares))
    record = case.record
    if record.qc is not None:
        rows.append(
            ("tissue", f"{record.qc.area_mm2:.2f} mm2, pieces: {record.qc.pieces}; {record.qc.stain}")
        )
    if record.mpp is not None:
        rows.append(("resolution", f"{record.mpp:.4g} um/px ({record.mpp_source})"))
    return rows


def _small_print(case: Case) -> list[str]:
    scored = case.scored
    model = []
    if scored is not None and scored.model is not None:
        name = f"{scored.model.name} {scored.model.version}"
        model = [
            f"Model {name}, weights SHA-256 {scored.model.sha256}. Trained on: {scored.model.trained_on}"
        ]
    cells = cells_by(case.measured) if case.measured is not None else ()
    return [*model, *cells, f"Software lowpower {case.record.software_version}. Limits: {_LIMITS}"]


def _pictures(canvas: Canvas, top: float, case: Case, room: float) -> float:
    """The network's overlay and the cells below it, as large as `room` allows; none in too little."""
    files = [case.folder / name for name in ("overlay.png", "cells.png") if (case.folder / name).exists()]
    if room < _LEAST * len(files):
        return top
    shares = (0.36, 0.64) if len(files) == 2 else (1.0,)
    for file, share in zip(files, shares, strict=False):
        most = min(room * share - 6, _TALLEST)
        with Image.open(file) as stored:
            image = stored.convert("RGB")
        if image.width > _WIDEST:
            image = image.resize(
                (_WIDEST, round(image.height * _WIDEST / image.width)), Image.Resampling.LANCZOS
            )
        scale = min(_ROOM / image.width, most / image.height)
        width, height = image.width * scale, image.height * scale
        canvas.drawImage(_reader(image), _LEFT + (_ROOM - width) / 2, top - height, width, height)
        top -= height + 6
    return top


def _reader(image: Image.Image) -> Any:
    from reportlab.lib.utils import ImageReader

    compressed = io.BytesIO()
    image.save(compressed, "JPEG", quality=88)
    compressed.seek(0)
    return ImageReader(compressed)


def _table(canvas: Canvas, top: float, rows: list[tuple[str, str]]) -> float:
    for name, value in rows:
        canvas.setFont("Helvetica-Bold", 8.5)
        canvas.drawString(_LEFT, top - 9, name)
        top = _lines(canvas, _LEFT + 145, top, value, 8.5, _ROOM - 145) - 2
    return top


def _paragraphs(canvas: Canvas, top: float, texts: list[str], size: float) -> float:
    for text in texts:
        top = _lines(canvas, _LEFT, top, text, size, _ROOM) - 2
    return top


def _height(text: str, size: float, room: float) -> float:
    """Points that `_lines` and its gap take."""
    from reportlab.lib.utils import simpleSplit

    return len(simpleSplit(text, "Helvetica", size, room)) * size * 1.2 + 2


def _lines(canvas: Canvas, x: float, top: float, text: str, size: float, room: float) -> float:
    from reportlab.lib.utils import simpleSplit

    canvas.setFont("Helvetica", size)
    for line in simpleSplit(text, "Helvetica", size, room):
        top -= size * 1.2
        canvas.drawString(x, top, line)
    return top
