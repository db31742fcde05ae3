import errno
import json
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lowpower.errors import ConfigError, OutputError
from lowpower.files import (
    atomic_path,
    locked,
    make_folder,
    output_errors,
    read_yaml,
    sha256_of,
    sweep_parts,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    write_text(target, "old")

    def write_half():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_written_files_have_the_mode_of_an_ordinary_write(tmp_path):
    write_text(tmp_path / "ours.txt", "a")
    (tmp_path / "plain.txt").write_text("a")
    ours, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours.txt", "plain.txt"))
    assert ours == plain


def test_json_refuses_not_a_number(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auc": float("nan")})
    assert os.listdir(tmp_path) == []
    write_json(tmp_path / "a.json", {"µ": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"µ": 1}


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EIO, "could not be written")],
)
def test_an_operating_system_error_becomes_one_sentence(number, word):
    with pytest.raises(OutputError, match=word) as caught, output_errors("out/result.json"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith("out/result.json: ")
    assert "\n" not in str(caught.value)


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        make_folder(tmp_path / "file" / "below")


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a").startswith("ba7816bf")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("a: [1", "is not YAML (line"),
        ("- a list", "must hold keys and values"),
        ("", "must hold keys and values"),
    ],
)
def test_what_is_no_configuration_is_told_in_a_sentence(tmp_path, content, words):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


KILLED = """
import os, signal, sys
from lowpower.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_and_a_living_one_keeps_its_own(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "result.json"], check=False)
    (left,) = os.listdir(tmp_path)
    (tmp_path / ".notes.part1").touch()  # not ours
    with atomic_path(tmp_path / "mine.json") as temporary:
        assert sweep_parts([tmp_path]) == [tmp_path / left]
        assert temporary.exists()
    assert sorted(os.listdir(tmp_path)) == [".notes.part1", "mine.json"]


def test_of_another_host_only_what_is_a_day_old_is_swept(tmp_path):
    part = tmp_path / ".result.elsewhere-1.abc.part.json"
    part.touch()
    assert sweep_parts([tmp_path]) == []
    os.utime(part, (1, 1))
    assert sweep_parts([tmp_path]) == [part]


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    lock, order = tmp_path / "books" / "a.lock", []

    def other():
        with locked(lock):
            order.append("other")

    with locked(lock):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


LIMITED = """
import resource, sys
import polars as pl
from lowpower.cli import main
from lowpower.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""


def test_a_table_that_a_full_disk_cuts_is_one_sentence_and_leaves_nothing(tmp_path):
    # /dev/full takes nothing: what polars says of it carries the operating system's number.
    with (
        pytest.raises(OutputError, match=r"cells\.parquet: the disk is full"),
        output_errors("cells.parquet"),
    ):
        pl.DataFrame({"x": list(range(100_000))}).write_parquet("/dev/full")
    with pytest.raises(ValueError, match="another"), output_errors("cells.parquet"):
        raise ValueError("another matter")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    ("verb", "bytes_left"),
    [
        *(("simulate spec.yaml --out out --workers 1", size) for size in (0, 3_000, 20_000)),
        *(("measure field.png --mpp 1 --out out -q", size) for size in (0, 3_000)),
        ("score field.png --mpp 1 --no-measure --out out -q", 3_000),
    ],
)
def test_where_files_cannot_grow_a_verb_ends_with_one_sentence(tmp_path, verb, bytes_left):
    (tmp_path / "spec.yaml").write_text("patients: 1\nspecimens: {disc: 1.0}\nmpp: [2.0, 2.0]\n")
    rng = np.random.default_rng(0)
    field = np.full((400, 400, 3), 240, np.uint8)
    field[80:320, 80:320] = rng.integers((130, 80, 60), (170, 120, 100), (240, 240, 3))
    Image.fromarray(field).save(tmp_path / "field.png")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(bytes_left), *verb.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("lowpower: ")
    assert "could not be written" in ended.stderr
    assert not [path for path in (tmp_path / "out").rglob("*.part*")]
