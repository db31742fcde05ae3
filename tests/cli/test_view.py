from __future__ import annotations


def test_a_folder_that_holds_no_results_is_said_in_a_sentence(lowpower, tmp_path):
    finished = lowpower("view", tmp_path, "--no-browser")
    assert finished.code == 1
    assert "lowpower score" in finished.err
    finished = lowpower("view", tmp_path / "nowhere")
    assert "no such folder" in finished.err


def test_reviews_are_exported_folder_by_folder(lowpower, tmp_path):
    finished = lowpower("export", "reviews", tmp_path, tmp_path)
    assert finished.code == 1
    assert "folder by folder" in finished.err
    finished = lowpower("export", "reviews", tmp_path)
    assert finished.code == 1
    assert "holds no results" in finished.err
