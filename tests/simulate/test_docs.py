"""docs/simulator.md documents every key of the specs: what it takes, its default, what it means."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lowpower.simulate import CohortSpec, Laboratory, NuclearStain, Scanner, SlideSpec
from lowpower.simulate._appearance import Traits

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"
MODELS = (CohortSpec, SlideSpec, Laboratory, Scanner, NuclearStain, Traits)
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
WORDS = {float: "number", int: "whole number", str: "text", bool: "true or false", type(None): "none"}


def table(model: type[BaseModel]) -> list[str]:
    """The Markdown rows of a model's keys."""
    meanings = attributes(model)
    assert set(meanings) == set(model.model_fields), model.__name__
    return [
        f"| `{name}` | {takes(field)} | {default(field)} | {meanings[name]} |"
        for name, field in model.model_fields.items()
    ]


def attributes(model: type[BaseModel]) -> dict[str, str]:
    """The Attributes of a docstring, each on one line."""
    text = (model.__doc__ or "").split("Attributes:\n", 1)[1]
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", text, flags=re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def takes(field: FieldInfo) -> str:
    limits = {
        sign: getattr(one, key) for one in field.metadata for key, sign in SIGNS.items() if hasattr(one, key)
    }
    return kind(field.annotation) + "".join(f", {sign} {value:g}" for sign, value in limits.items())


def kind(annotation: object) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(str(one) for one in inner)
    if origin is typing.Annotated:
        limits = {
            s: getattr(m, k)
            for one in inner[1:]
            for m in one.metadata
            for k, s in SIGNS.items()
            if hasattr(m, k)
        }
        return kind(inner[0]) + "".join(f" {sign} {value:g}" for sign, value in limits.items())
    if origin is tuple and inner[-1:] == (Ellipsis,):
        return f"list of {kind(inner[0])}"
    if origin is tuple:
        return f"list of {len(inner)}: {kind(inner[0])}"
    if origin is dict:
        return f"{kind(inner[1])} for each of {kind(inner[0])}"
    if len(inner) > 1:  # X | None
        return " or ".join(kind(one) for one in inner)
    return WORDS.get(annotation) or f"keys of {annotation.__name__}"


def default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "theirs"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {number:g}" for key, number in value.items()) or "empty"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "empty"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_documented_as_it_is(model: type[BaseModel]) -> None:
    rows = table(model)
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert lines.count(f"### {model.__name__}") == 1
    start = lines.index(f"### {model.__name__}")
    found = []
    for line in lines[start + 1 :]:
        if line.startswith("#"):
            break
        if line.startswith("| `"):
            found.append(line)
    assert found == rows, "docs/simulator.md must hold:\n" + "\n".join(rows)
