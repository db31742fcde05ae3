from __future__ import annotations

from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from pydantic import BaseModel

from lowpower.errors import ConfigError
from lowpower.experiments import (
    ArmRecord,
    Experiment,
    StudyResults,
    load_study,
    parse_experiment,
    read_experiment,
)
from lowpower.experiments.collect._results import COSTS, LEFT_OUT, UNITS, save_results
from lowpower.experiments.plan._read import ARM_KINDS
from lowpower.models import ModelSpec
from lowpower.stain import Laboratory
from lowpower.training import Augmentation, Fitting
from lowpower.views import LowResRecipe

LEAVES = (ModelSpec, Augmentation, Fitting, LowResRecipe, Laboratory)


def content(*arms: dict[str, object], **more: object) -> dict[str, object]:
    return {"cohort": "cohort.csv", "arms": list(arms) or [{"paradigm": "slide"}], **more}


def test_a_list_of_resolutions_becomes_arms() -> None:
    config = parse_experiment(
        content(
            {"paradigm": "slide", "mpp": [16, 8.0, 4, 2]},
            {"name": "stain", "paradigm": "mil", "encoder": "stain", "mpp": [1, 0.5]},
            {"paradigm": "mil"},
            {"paradigm": "patch"},
            {"paradigm": "measured"},
            {"paradigm": "fusion", "of": ["slide@8", "stain@0.5"]},
        )
    )
    assert [arm.name for arm in config.arms] == [
        "slide@16", "slide@8", "slide@4", "slide@2", "stain@1", "stain@0.5",
        "efficientnet-lite0-abmil@0.5", "patch@0.5", "measured", "slide@8+stain@0.5",
    ]  # fmt: skip
    assert parse_experiment(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (content(sceme="her2_four"), "unknown key sceme; did you mean scheme?"),
        (content({"paradigm": "slid"}), "arms.0: paradigm 'slid' is unknown; did you mean slide?"),
        (content({"name": "x"}), "arms.0: says no paradigm"),
        (content({"paradigm": "slide", "mp": 8}), "unknown key arms.0.slide.mp; did you mean mpp?"),
        (
            content({"paradigm": "slide", "fitting": {"epoch": 3}}),
            "unknown key arms.0.slide.fitting.epoch; did you mean epochs?",
        ),
        (content({"paradigm": "mil", "encoder": "uni2h"}), "encoder 'uni2h' is unknown; did you mean uni2-h"),
        (content({"paradigm": "mil", "aggregator": "abmi"}), "'abmi' is unknown; did you mean abmil"),
        (
            content({"paradigm": "slide", "model": {"backbone": "resnet8"}}),
            "backbone 'resnet8' is not a timm network; did you mean resnet",
        ),
        (
            content({"paradigm": "slide"}, {"paradigm": "fusion", "of": ["slide@8", "slide@88"]}),
            "fuses 'slide@88', which is no arm of this study; did you mean slide@8?",
        ),
        (content({"paradigm": "slide"}, {"paradigm": "slide"}), "two arms are called 'slide@8'"),
        (content(scheme="her2_for"), "did you mean 'her2_four'?"),
        (content({"paradigm": "slide", "name": "a/b"}), "arm name 'a/b' may hold letters"),
    ],
)  # fmt: skip
def test_wrong_words_are_named_with_the_nearest(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_experiment(wrong, source="s.yaml")
    assert str(caught.value).startswith("s.yaml: ")
    assert said in str(caught.value)


def test_none_means_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "cohort: c.csv\narms: [{paradigm: slide, pretrained: none}, {paradigm: patch, pretrained: null}]\n"
    )
    assert [arm.pretrained for arm in read_experiment(path).arms] == [None, None]  # type: ignore[union-attr]


def test_paths_are_taken_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("cohort: cohort.csv\nout: run\narms: [{paradigm: slide, pretrained: w.safetensors}]\n")
    config = read_experiment(path)
    assert config.cohort == tmp_path / "cohort.csv"
    assert config.cache_folder == tmp_path / "run" / "cache"
    assert config.arms[0].pretrained == str(tmp_path / "w.safetensors")  # type: ignore[union-attr]
    for text, said in (
        ("a: [", "is not YAML (line"),
        ("- 1", "must hold keys"),
        ("arms: []", "cohort is missing"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
            read_experiment(path)


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    config = parse_experiment(content({"paradigm": "measured"}))
    arm = ArmRecord(
        name="measured", paradigm="measured", mpp=0.5, label="measured stain", settings={}, state="ok"
    )
    predictions = pl.DataFrame({"arm": ["measured"], "fold": [0], "row": [3], "p_0": [1 / 3]})
    results = StudyResults(
        tmp_path,
        config,
        (arm,),
        predictions,
        pl.DataFrame([("measured", 0, "ok", None)], schema=UNITS, orient="row"),
        pl.DataFrame(
            [("measured", 0, "read", 1, 0.5, 0.4, 80.0, 300.0, None, 10)], schema=COSTS, orient="row"
        ),
        pl.DataFrame(schema=LEFT_OUT),
        ("Simulated slides.",),
    )
    save_results(results)
    with pytest.raises(ConfigError, match="holds no study results"):
        load_study(tmp_path)
    (tmp_path / "study.json").write_text(config.model_dump_json())
    back = load_study(tmp_path)
    assert (back.config, back.arms, back.notes) == (config, (arm,), ("Simulated slides.",))
    for name in ("predictions", "units", "costs", "left_out"):
        assert getattr(back, name).equals(getattr(results, name)), name
    assert back.of_arm("measured").equals(predictions)
    (tmp_path / "results" / "arms.json").write_text("{")
    with pytest.raises(ConfigError, match="were altered"):
        load_study(tmp_path)


def test_every_key_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")

    def rows(section: type[BaseModel], place: str = "") -> list[str]:
        names = []
        for name, field in section.model_fields.items():
            kinds = [
                kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)
            ]
            nested = [kind for kind in kinds if issubclass(kind, BaseModel) and kind not in LEAVES]
            if nested:
                names += rows(nested[0], f"{place}{name}.")
            elif name not in ("schema_version", "arms", "paradigm"):
                names.append(f"| `{place}{name}` | ")
                assert field.description in page, field.description
        return names

    page, *parts = page.split("### `paradigm: ")
    assert [row for row in rows(Experiment) if row not in page] == []
    assert [part.split("`")[0] for part in parts] == list(ARM_KINDS)
    for part, kind in zip(parts, ARM_KINDS.values(), strict=True):
        page = part
        assert [row for row in rows(kind) if row not in part] == []


def test_seeds_make_one_arm_each_and_the_first_keeps_the_name() -> None:
    config = parse_experiment(
        content({"paradigm": "slide", "mpp": [8, 4], "seeds": [3, 1]}, {"paradigm": "mil"}, seed=7)
    )
    names = ["slide@8", "slide@8-seed1", "slide@4", "slide@4-seed1", "efficientnet-lite0-abmil@0.5"]
    assert [arm.name for arm in config.arms] == names
    assert [config.seed_of(arm) for arm in config.arms] == [3, 1, 3, 1, 7]
    with pytest.raises(ConfigError, match="seeds"):
        parse_experiment(content({"paradigm": "slide", "seeds": 3}))
    with pytest.raises(ConfigError, match="two arms are called"):
        parse_experiment(content({"paradigm": "slide", "seeds": [0, 1, 1]}))
    with pytest.raises(ConfigError, match="seeds"):
        parse_experiment(content({"paradigm": "measured", "seeds": [0, 1]}))


def test_the_worked_study_reads() -> None:
    config = read_experiment(Path(__file__).parents[2] / "examples" / "study.yaml")
    assert len(config.arms) >= 10
    assert len({arm.paradigm for arm in config.arms}) == 5
