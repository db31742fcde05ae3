"""`lp.view` in a notebook."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import urllib.request
from html import unescape

import pytest

import lowpower as lp
from lowpower.errors import ConfigError
from lowpower.scoring import Result

from .conftest import KEY


def asked(view: object, path: str) -> dict[str, object]:
    address = view.address.split("#")[0]  # type: ignore[attr-defined]
    with urllib.request.urlopen(address + path) as answer:
        assert "frame-ancestors http://127.0.0.1:*" in answer.headers["content-security-policy"]
        return json.load(answer)


def test_a_result_of_a_folder_opens_there(results, one_line_page):
    record = Result.model_validate_json((results / KEY / "result.json").read_text())
    shown = record.attach(type(record.attached())(folder=results / KEY))
    with contextlib.closing(lp.view(shown)) as view:
        frame = re.search(r'src="([^"]+)"', view._repr_html_())
        assert unescape(frame[1]) == view.address
        assert view.address.endswith(f"#{KEY}")
        told = asked(view, "v1/worklist")
        assert told["folder"] == results.name
        assert told["reviews"] is True


def test_a_fresh_result_is_shown_without_reviews(results, one_line_page):
    record = Result.model_validate_json((results / KEY / "result.json").read_text())
    with contextlib.closing(lp.view(record)) as view:
        told = asked(view, "v1/worklist")
        assert told["reviews"] is False
        assert [row["key"] for row in told["rows"]] == [KEY]
        assert asked(view, f"v1/slides/{KEY}")["image"] is not None


def test_a_folder_opens_as_from_the_command_line(results, one_line_page):
    with contextlib.closing(lp.view(results)) as view:
        assert asked(view, "v1/worklist")["rows"]
    shutil.rmtree(results / KEY)
    with pytest.raises(ConfigError, match="no results"):
        lp.view(results)
