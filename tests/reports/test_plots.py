from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from lowpower.errors import OutputError
from lowpower.evaluation import Evaluation, evaluate_predictions, fit_calibration
from lowpower.reports._plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc

Table = Callable[..., pl.DataFrame]
PLOTS = [plot_confusion, plot_reliability, plot_risk_coverage, plot_roc]


@pytest.fixture
def evaluation(predictions: Table) -> Evaluation:
    calibration = fit_calibration(predictions(200, seed=1), "her2_four")
    return evaluate_predictions(predictions(), "her2_four", calibration=calibration, resamples=50)


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_plots_write_a_picture_and_its_numbers(
    evaluation: Evaluation, tmp_path: Path, plot: Callable[..., Path], ending: str
) -> None:
    path = plot(evaluation, tmp_path / f"figure{ending}")

    assert path == tmp_path / f"figure{ending}"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([f"figure{ending}", "figure.csv"])
    if ending == ".png":
        with Image.open(path) as picture:
            assert min(picture.size) > 400
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
    else:
        assert path.read_text().startswith("<?xml")
    first = path.read_bytes()
    assert plot(evaluation, path).read_bytes() == first


def test_the_numbers_are_the_evaluation_s(evaluation: Evaluation, tmp_path: Path) -> None:
    for plot in PLOTS:
        plot(evaluation, tmp_path / f"{plot.__name__}.png")

    confusion = pl.read_csv(tmp_path / "plot_confusion.csv")
    assert confusion["count"].to_list() == [count for row in evaluation.confusion for count in row]
    assert pl.read_csv(tmp_path / "plot_reliability.csv")["n"].sum() == evaluation.slides
    risk = pl.read_csv(tmp_path / "plot_risk_coverage.csv")
    assert risk["risk"][-1] == pytest.approx(1 - evaluation.metrics["accuracy"].value)
    roc = pl.read_csv(tmp_path / "plot_roc.csv", schema_overrides={"class": pl.String})
    assert roc["class"].unique().sort().to_list() == evaluation.classes
    first = roc.filter(pl.col("class") == "0")
    steps = first["false_positive_rate"].diff().fill_null(0)
    means = (first["true_positive_rate"] + first["true_positive_rate"].shift(1)).fill_null(0) / 2
    assert (steps * means).sum() == pytest.approx(evaluation.per_class["0"]["auc"].value)


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_survive_what_is_undefined(
    predictions: Table, tmp_path: Path, plot: Callable[..., Path]
) -> None:
    one_class = predictions(5).with_columns(pl.lit(2).alias("label"))

    path = plot(evaluate_predictions(one_class, "her2_four"), tmp_path / "figure.png")

    assert path.stat().st_size > 1000


def test_a_binary_scheme_and_an_unknown_ending(predictions: Table, tmp_path: Path) -> None:
    binary = evaluate_predictions(predictions(50, 2), "her2_status", resamples=20)

    assert plot_roc(binary, tmp_path / "roc.png").is_file()
    with pytest.raises(OutputError, match=r"endings \.png"):
        plot_roc(binary, tmp_path / "roc.gif")
