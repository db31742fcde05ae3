from __future__ import annotations


def test_a_folder_that_is_no_study_is_told_in_a_sentence(lowpower, tmp_path):
    finished = lowpower("deploy", str(tmp_path))
    assert finished.code == 2  # looked at before any work
    assert "is no study's folder" in finished.err
    assert "Traceback" not in finished.err


def test_a_fold_is_a_number_or_all(lowpower, tmp_path):
    finished = lowpower("deploy", str(tmp_path), "--fold", "best")
    assert finished.code == 2  # wrong usage
    assert "takes a number from 0 on, or all, not 'best'" in finished.err
