"""Agreement and drift: the numbers of the charts against those of other libraries and of the construction."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import select

import lowpower as lp
from lowpower.bundles import bundled_models
from lowpower.scoring import Result
from lowpower.serve.department import verify_audit
from lowpower.serve.department.charts import _drift_chart, agreement_of, drift_of, note_drift
from lowpower.serve.department.records import Job, ScoredResult, Slide, schema

from .conftest import program_of, upload

SCORES = ["0", "1+", "2+", "3+"]
FIRST = ["0", "0", "1+", "1+", "2+", "3+", "3+", "null", "ultralow", "2+"]
SECOND = ["0", "1+", "1+", "2+", "2+", "3+", "2+", "0", "1+", "3+"]
LABORATORIES = [None, "South", "South", *["North"] * 7]
MODEL = ["0", "0", "1+", "2+", "2+", "3+", "3+", "0", "0", "1+"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request) -> str:
    return request.param


def add_slide(session, number: int, month: str, **record) -> None:
    told = {
        "file": "slide.tif", "slide_sha256": str(number), "marker": "HER2", "state": "ok",
        "decision": "1+", "software_version": lp.__version__, **record,
    }  # fmt: skip
    key, when = f"S-{number:04}", f"{month}-01T00:00:00.000Z"
    session.add(
        Slide(id=key, origin="upload", source="", path="", sha256=key, size=1, added_by="a", added=when)
    )
    session.flush()
    session.add(Job(id=key, slide_id=key, asked={}, state="done", by="a", created=when))
    session.flush()
    session.add(
        ScoredResult(
            id=key, job_id=key, slide_id=key, folder="", record=Result.model_validate(told).model_dump_json(),
            sha256="", outcome="issued", created=when, written=1,
        )
    )  # fmt: skip
    session.flush()


def add_review(
    session, number: int, reader: str, score: str, answered: str, *, blind: bool = False, model: str = ""
) -> None:
    key, time = f"S-{number:04}", f"2026-0{1 + number % 2}-02T00:00:00.000Z"
    told = {
        "time": time, "reader": reader, "slide": key, "verdict": "other score", "score": score,
        "marker": "HER2", "answered": answered, "blind": blind, "model": model,
    }  # fmt: skip
    session.add(
        schema.Review(id=f"{key} {reader}", slide_id=key, result_id=key, reader=reader, time=time, told=told)
    )


@pytest.fixture
def reviewed(department):
    with department.database.write() as session:
        for number, (first, second, model) in enumerate(zip(FIRST, SECOND, MODEL, strict=True)):
            add_slide(session, number, "2026-01")
            slide = session.get_one(Slide, f"S-{number:04}")
            slide.scanner, slide.laboratory = ("Maker X1" if number < 3 else None), LABORATORIES[number]
            add_review(session, number, "Dr. A", first, model, blind=number < 4)
            add_review(session, number, "Dr. B", second, model)
    return department


def plain(scores: list[str]) -> list[int]:
    return [SCORES.index({"null": "0", "ultralow": "0"}.get(score, score)) for score in scores]


def test_kappa_is_that_of_scikit_learn(reviewed):
    told = agreement_of(reviewed.database)
    everyone, first, second = told.readers_model
    assert [everyone.first, first.first, second.first] == ["all readers", "Dr. A", "Dr. B"]
    for pair, mine in ((first, FIRST), (second, SECOND)):
        expected = cohen_kappa_score(plain(mine), plain(MODEL), weights="quadratic", labels=range(4))
        assert pair.kappa == pytest.approx(expected)
        assert pair.slides == 10
    (between,) = told.readers
    expected = cohen_kappa_score(plain(FIRST), plain(SECOND), weights="quadratic", labels=range(4))
    assert between.kappa == pytest.approx(expected)
    assert [pair.slides for pair in told.by_month] == [10, 10]
    assert [(pair.first, pair.slides) for pair in told.by_scanner] == [
        ("Maker X1", 6),
        ("scanner not known", 14),
    ]
    assert [(pair.first, pair.slides) for pair in told.by_laboratory] == [
        ("North", 14),
        ("South", 4),
        ("laboratory not said", 2),
    ]
    north = [
        (score, model) for who in (FIRST, SECOND) for score, model in zip(who[3:], MODEL[3:], strict=True)
    ]
    readers, models = (plain(list(part)) for part in zip(*north, strict=True))
    expected = cohen_kappa_score(readers, models, weights="quadratic", labels=range(4))
    assert told.by_laboratory[0].kappa == pytest.approx(expected)


def test_agreement_at_a_cutoff_is_counted_with_the_reader_as_reference(reviewed):
    pair = agreement_of(reviewed.database).readers_model[1]
    strong = pair.cutoffs[2]
    assert strong.cutoff == "3+"
    assert (strong.positive.value, strong.positive.of) == (1.0, 2)  # both 3+ of Dr. A
    assert (strong.negative.value, strong.negative.of) == (1.0, 8)
    assert strong.negative.low < 0.7
    assert sum(map(sum, pair.confusion)) == 10


def test_blind_reviews_alone(reviewed):
    told = agreement_of(reviewed.database, blind_only=True)
    assert [(pair.first, pair.slides) for pair in told.readers_model] == [("Dr. A", 4)]
    assert told.readers == ()


def test_a_measurement_is_not_the_models_word(reviewed):
    with reviewed.database.write() as session:
        add_slide(session, 50, "2026-01")
        add_review(session, 50, "Dr. A", "1+", "2+", model="measured")
        add_review(session, 50, "Dr. B", "1+", "2+", model="measured")
    told = agreement_of(reviewed.database)
    assert [pair.slides for pair in told.readers_model] == [20, 10, 10]
    assert [pair.slides for pair in told.readers] == [11]  # but the readers' words on it count


def test_a_month_that_is_unlike_the_first_results_is_outside_its_limits(department):
    white = {"area_mm2": 1.0, "pieces": 1, "white_point_source": "glass", "stain": "HER2"}
    with department.database.write() as session:
        for number in range(120):
            late = number >= 100
            level = 235.0 + number % 3 if not late else 200.0
            add_slide(
                session, number, f"2026-0{1 + number // 50}",
                decision="refer" if late or number % 4 == 0 else "1+",
                qc={**white, "white_point": (level, level, level)},
            )  # fmt: skip
    charts = {chart.name: chart for chart in drift_of(department.database, department.settings).charts}
    for name in ("referred", "white point, mean of red, green and blue"):
        assert [point.outside for point in charts[name].points] == [False, False, True], name
    assert not any(point.outside for point in charts["tissue, mm2"].points)
    # Each is a row of the audit log, once.
    assert note_drift(department.database, department.settings) == 2
    assert note_drift(department.database, department.settings) == 0
    with department.database.read() as session:
        rows = session.scalars(select(schema.Audit).where(schema.Audit.action == "drift.outside")).all()
    assert {row.subject for row in rows} == {"referred", "white point, mean of red, green and blue"}
    assert {json.loads(row.detail)["month"] for row in rows} == {"2026-03"}
    assert verify_audit(department.database).problem is None
    metrics = program_of(department).get("/v1/metrics").text
    assert "lowpower_drift_alerts 2" in metrics


def measured(dab: tuple[float, float, float], edge: float) -> dict[str, object]:
    """A measurement as results keep it, for its colours and its sharpness."""
    stains = {"hematoxylin": (0.65, 0.7, 0.29), "dab": dab, "source": "measured"}
    return {
        "marker": "HER2", "score": "1+", "sentence": "1+", "tumour_cells": 1000, "cells": {"tumour": 1000},
        "stains": stains, "edge_um": edge,
    }  # fmt: skip


def test_stains_that_turn_and_focus_that_softens_are_outside_their_limits(department):
    with department.database.write() as session:
        for number in range(120):
            late = number >= 100
            dab = (0.27, 0.57, 0.78 + 0.01 * (number % 3)) if not late else (0.5, 0.6, 0.6)
            edge = 0.8 + 0.05 * (number % 4) if not late else 1.6
            add_slide(session, number, f"2026-0{1 + number // 50}", measured=measured(dab, edge))
    charts = {chart.name: chart for chart in drift_of(department.database, department.settings).charts}
    for name in ("DAB colour, degrees from the first results", "focus: width of nuclear edges, um"):
        assert [point.outside for point in charts[name].points] == [False, False, True], name
    turned = charts["DAB colour, degrees from the first results"].points[-1].value
    assert turned == pytest.approx(17.2, abs=0.5)  # between (.27, .57, .79) and (.5, .6, .6)
    assert not any(
        point.outside for point in charts["haematoxylin colour, degrees from the first results"].points
    )


def test_a_department_unlike_the_models_fit_is_outside_from_the_first_month(department):
    bundle = json.loads((bundled_models()["her2-sim"] / "bundle.json").read_bytes())
    kept = np.array(bundle["decision"]["joint"]["familiar"]["appearances"])
    model = {
        "name": "her2-sim", "version": "1", "sha256": bundle["weights_sha256"], "trained_on": "simulated"
    }  # fmt: skip
    stains = {"hematoxylin": (0.65, 0.7, 0.29), "dab": (0.27, 0.57, 0.78), "source": "measured"}
    with department.database.write() as session:
        for number in range(12):
            # Glass as blue as none of the fit's, all the time: steady, so no drift of its own.
            told = measured((0.27, 0.57, 0.78), 0.8)
            told["stains"] = {**stains, "glass": (200.0, 200.0, 250.0)}
            by = model if number < 6 else {**model, "sha256": "another model's"}
            add_slide(session, number, "2026-01", measured=told, model=by)
    told = drift_of(department.database, department.settings)
    charts = {chart.name: chart for chart in told.charts}
    glass = charts["against the fit: glass, blue less green"]
    (point,) = glass.points
    assert (glass.limits, point.outside, point.of) == ("fit", True, 6)
    assert point.value == pytest.approx(50 / 255, abs=1e-3)
    assert (point.low, point.high) == pytest.approx(tuple(np.percentile(kept[:, 5], (0.5, 99.5))))
    assert not charts["against the fit: DAB colour, red"].points[0].outside
    assert charts["DAB colour, degrees from the first results"].limits == "first results"
    assert note_drift(department.database, department.settings) == 1
    # Of a model that keeps no such slides there are none of these charts.
    other = department.settings.model_copy(update={"model": "gone"})
    told = drift_of(department.database, other)
    assert (told.fit, told.without_fit) == (
        None, ("gone: its bundle cannot be read here, so what it was fitted on is not known.",),
    )  # fmt: skip
    assert {chart.limits for chart in told.charts} == {"first results"}


def test_of_very_many_results_the_latest_are_looked_at(department, monkeypatch):
    monkeypatch.setattr(_drift_chart, "_LATEST", 20)
    monkeypatch.setattr(_drift_chart, "_BASE", 10)
    with department.database.write() as session:
        for number in range(60):
            add_slide(
                session, number, f"2026-0{1 + number // 20}", decision="refer" if number >= 40 else "1+"
            )
    (chart,) = [
        one for one in drift_of(department.database, department.settings).charts if one.name == "referred"
    ]
    assert [(point.month, point.of, point.outside) for point in chart.points] == [
        ("2026-01", 10, False),
        ("2026-03", 20, True),
    ]


def test_nothing_yet_is_no_error(admin):
    assert admin.get("/v1/agreement").json()["readers_model"] == []
    assert admin.get("/v1/drift").json() == {
        "charts": [], "base": 0, "fit": "her2-sim, 399 slides", "without_fit": [],
    }  # fmt: skip


def test_every_model_of_the_service_has_its_fits_charts_or_a_sentence_why_not(department, tmp_path):
    bundle = json.loads((bundled_models()["her2-sim"] / "bundle.json").read_bytes())
    joint = bundle["decision"]["joint"]
    decisions = {
        "own": {"joint": joint},
        "few": {"joint": {**joint, "familiar": None}},
        "network": {"joint": None, "notes": ["the measurement takes no part: none was given."]},
        "older": None,
    }
    for name, decision in decisions.items():
        (tmp_path / name).mkdir()
        about = {"name": name, "weights_sha256": name, "decision": decision}
        (tmp_path / name / "bundle.json").write_text(json.dumps(about))
    stains = {"hematoxylin": (0.65, 0.7, 0.29), "dab": (0.27, 0.57, 0.78), "source": "measured"}
    told = measured((0.27, 0.57, 0.78), 0.8) | {"stains": {**stains, "glass": (235.0, 235.0, 235.0)}}
    with department.database.write() as session:
        model = {"name": "own", "version": "1", "sha256": "own", "trained_on": "simulated"}
        add_slide(session, 0, "2026-01", measured=told, model=model)
    settings = department.settings.model_copy(update={"models": tuple(str(tmp_path / n) for n in decisions)})
    found = drift_of(department.database, settings)
    assert found.fit == "her2-sim, 399 slides; own, 399 slides"
    fit = [chart for chart in found.charts if chart.limits == "fit"]
    assert [chart.name.startswith("against the fit of own: ") for chart in fit] == [True] * 7
    assert [why.split(":")[0] for why in found.without_fit] == ["few", "network", "older"]
    assert "fewer than 20 validation patients" in found.without_fit[0]
    assert "the measurement takes no part: none was given." in found.without_fit[1]


def test_the_model_card_is_shown_and_nothing_else(admin):
    card = admin.get("/v1/models/her2-sim/card")
    assert card.headers["content-type"].startswith("text/markdown")
    assert "imulated" in card.text
    for name in ("nobody", "..", "%2e%2e%2f", "/etc"):
        assert admin.get(f"/v1/models/{name}/card").status_code == 404


def test_the_scanner_comes_from_the_file(department, admin, tmp_path):
    told = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER", "tile": (128, 128)}
    tags = [(271, "s", 0, "Maker", True), (272, "s", 0, "X1\u0000", True)]
    pixels = np.full((256, 256, 3), 210, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=tags, **told)
    key = upload(admin, tmp_path / "a.tif")
    with department.database.read() as session:
        assert session.get_one(Slide, key).scanner.split()[-1] == "X1"
