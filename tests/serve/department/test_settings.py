"""Settings: where they come from, which goes first, and what does not go together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lowpower.errors import ConfigError
from lowpower.serve.department import Settings, read_settings


def test_options_go_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text(f"data: {tmp_path / 'file'}\nport: 1\nworkers: 7\nname: of the file\n")
    told = read_settings(file, {"LOWPOWER_SERVE_PORT": "2", "LOWPOWER_SERVE_WORKERS": "3"}, port=4)
    assert (told.port, told.workers, told.name, told.data) == (4, 3, "of the file", tmp_path / "file")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"port": 99999}, "Setting port"),
        ({"colour": "red"}, "no such setting"),
        ({"tls_key": "key.pem"}, "needs both"),
        ({"roots": ["/no/such/folder"]}, "no such folder"),
        ({"database": "mysql://here/there"}, "must be postgresql"),
        ({"database": "nonsense"}, "is no address"),
        ({"effort": "half"}, "Setting effort"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_sentence(tmp_path, told, said):
    from lowpower.serve.department import Database

    with pytest.raises(ConfigError, match=said):
        Database(read_settings(None, {}, data=tmp_path, **told))


def test_fast_without_openvino_is_said_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match="needs OpenVINO"):
        read_settings(None, {}, data=tmp_path, precision="fast")


def test_without_a_folder_the_command_is_named():
    with pytest.raises(ConfigError, match="--data FOLDER"):
        read_settings(None, {})


def test_beyond_this_machine_with_a_proxy_that_speaks_tls(tmp_path):
    assert read_settings(None, {}, data=tmp_path, host="0.0.0.0", behind_proxy=True).is_secure


def test_every_setting_is_in_the_docs():
    page = (Path(__file__).parents[3] / "docs" / "serve.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in page] == []


def test_a_database_that_cannot_be_reached_is_said_at_the_start(tmp_path):
    from lowpower.serve.department import Department

    settings = read_settings(None, {}, data=tmp_path / "d", database="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(ConfigError, match="cannot be reached"):
        Department.open(settings)
