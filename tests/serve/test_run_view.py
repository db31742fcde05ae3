"""The server that `lowpower view` starts, and the command line around it."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

import lowpower.serve._page_files as page_files
from lowpower.errors import ConfigError
from lowpower.serve import ReviewBook, Verdict, ViewServer, reviewed_cohort

from .conftest import KEY


def test_the_address_is_loopback_with_a_token_of_its_own(shelf, one_line_page):
    servers = [ViewServer(shelf).start() for _ in range(2)]
    try:
        addresses = [urlsplit(server.address) for server in servers]
        assert {address.hostname for address in addresses} == {"127.0.0.1"}
        assert len({address.path for address in addresses}) == 2
        assert all(len(address.path) > 24 for address in addresses)
        with urllib.request.urlopen(servers[0].address) as answer:
            assert b"page" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://{addresses[0].netloc}/")
    finally:
        for server in servers:
            server.close()


def test_without_the_page_one_sentence_says_the_cure(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(page_files, "PAGE", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="pip install"):
        ViewServer(shelf)


def test_a_port_that_is_taken_is_said(shelf, one_line_page):
    server = ViewServer(shelf)
    try:
        with pytest.raises(ConfigError, match="cannot be used"):
            ViewServer(shelf, port=urlsplit(server.address).port)
    finally:
        server.close()


def test_the_exported_cohort_is_in_the_folder_by_default(results, shelf):
    ReviewBook(results).add(shelf.entries()[KEY], reader="A", verdict=Verdict.AGREE)
    assert reviewed_cohort(results).path == results / "cohort.csv"
