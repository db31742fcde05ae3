from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lowpower.errors import ConfigError
from lowpower.simulate import CohortSpec, SlideSpec, cohort_members, draw_laboratory, draw_scanner

from .conftest import small_spec


def test_shares_that_contradict_the_score_are_refused() -> None:
    with pytest.raises(ValidationError, match="mean score 3"):
        small_spec(shares=(0.0, 0.0, 0.0, 1.0))


def test_ish_belongs_to_2_plus() -> None:
    assert small_spec(ish="negative").ish == "negative"
    with pytest.raises(ValidationError, match="2\\+ only"):
        small_spec(score="0", ish="negative")


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        SlideSpec.model_validate({**small_spec().model_dump(), "colour": 1})


def test_slide_spec_survives_json() -> None:
    spec = small_spec(artefacts=("pen", "fold"))
    assert SlideSpec.model_validate_json(spec.model_dump_json()) == spec


def test_cohort_spec_survives_yaml(tmp_path: Path) -> None:
    spec = CohortSpec(patients=5, sites=3, specimens={"biopsy": 1.0, "disc": 3.0}, mpp=(0.25, 0.4))
    spec.to_yaml(tmp_path / "cohort.yaml")
    assert CohortSpec.from_yaml(tmp_path / "cohort.yaml") == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patients: -1", r"patients must be 1 or more, not -1\."),
        ("patients: many", r"patients takes a whole number, not 'many'\."),
        ("artefacts: '0,3'", r"write 0\.3, with a point\."),
        ("patient: 3", r"unknown key patient; did you mean patients\?"),
        ("zzz: 3", "unknown key zzz; known: schema_version, name"),
        ("name: real", r"name: 'real' must hold the word simulated.* for instance er-simulated\."),
        ("name: simulated/../x", "letters, digits, - and _ only"),
        ("marker: HER9", r"marker is one of 'HER2', 'ER', 'PR', 'Ki-67', not 'HER9'\."),
        ("scores: {4+: 1}", r"scores\.4\+ is one of '0', '1\+', '2\+', '3\+', not '4\+'\."),
        ("mpp: [0.5, 0.25]", "lowest first"),
        ("[", "not YAML"),
        ("just words", "keys and values"),
        ("", "keys and values"),
    ],
)
def test_bad_cohort_yaml_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cohort.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as raised:
        CohortSpec.from_yaml(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_missing_cohort_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        CohortSpec.from_yaml(tmp_path / "none.yaml")


def test_members_follow_the_spec() -> None:
    spec = CohortSpec(patients=200, second_slide=0.3, scores={"0": 2.0, "3+": 1.0}, controls=0.5, seed=4)
    members = cohort_members(spec)
    patients = {member.patient for member in members}
    assert len(patients) == 200
    assert 40 <= len(members) - 200 <= 80
    of = {member.patient: member.spec.score for member in members}
    assert all(of[member.patient] == member.spec.score for member in members)
    assert list(of.values()).count("0") == 133
    assert 0.4 < sum(member.spec.control for member in members) / len(members) < 0.6
    assert all("simulated" in member.file for member in members)
    assert len({member.spec.seed for member in members}) == len(members)


def test_ish_only_for_2_plus_patients() -> None:
    members = cohort_members(CohortSpec(patients=80, ish_positive=0.5, seed=1))
    for member in members:
        assert (member.spec.ish is not None) == (member.spec.score == "2+")
    assert {member.spec.ish for member in members} == {None, "positive", "negative"}


def test_other_seeds_other_laboratories() -> None:
    ours = {member.spec.laboratory.name for member in cohort_members(CohortSpec(site_seed=1))}
    theirs = {member.spec.laboratory.name for member in cohort_members(CohortSpec(site_seed=2))}
    assert ours.isdisjoint(theirs)


def test_laboratories_and_scanners_are_what_their_seed_says() -> None:
    assert draw_laboratory(3, 1) == draw_laboratory(3, 1)
    assert draw_laboratory(3, 1) != draw_laboratory(3, 2)
    drawn = [draw_scanner(3, index, (0.25, 0.5)) for index in range(40)]
    assert all(0.25 <= scanner.mpp <= 0.5 for scanner in drawn)
