"""A run that is ended from outside, and names and places that the system is odd about."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

GLASS = np.full((64, 64, 3), 240, np.uint8)


@pytest.fixture
def glass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(name: str | bytes, shade: int = 240) -> Path:
        path = Path(os.fsdecode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 64, 3), shade, np.uint8)).save(path, "PNG")
        return path

    return make


ENDED = """
import os, signal, sys
import lowpower.scoring.batch._run_batch as batch
number = getattr(signal, sys.argv.pop())
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # though the tests may be run by nohup,
signal.signal(signal.SIGINT, signal.default_int_handler)  # or in the background
made = batch._made
def once(slide, place, work):
    if slide.path.name == "b.png":
        os.kill(os.getpid(), number)
    return made(slide, place, work)
batch._made = once
from lowpower.cli import main
main()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_run_as_ctrl_c_does(glass, name):
    for shade, file in ((240, "a.png"), (241, "b.png")):
        glass(file, shade)
    run = ["measure", "a.png", "b.png", "--mpp", "1", "--out", "out", name]
    finished = subprocess.run(
        [sys.executable, "-c", ENDED, *run], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 130
    assert "stopped; 1 of 2 slides are done and in out." in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "a.png" in Path("out/measurements.csv").read_text()


def test_nohup_is_left_alone():
    code = """
import signal
from lowpower.cli._signals import ended_gently
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with ended_gently():
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_name_that_is_no_text_is_refused_and_the_others_go_on(glass, lowpower):
    try:
        glass(b"bytes\xff.png", 241)
    except OSError as error:
        pytest.skip(f"this file system takes no such name ({error})")
    glass("b.png")
    finished = lowpower("measure", ".", "--mpp", "1", "--out", "out")
    assert finished.code == 1
    assert "bytes\\xff.png: has a name that is no text in UTF-8; rename it." in finished.out
    assert "no tissue" in finished.out  # of the other slide
    assert Path("out/measurements.csv").read_text().count("refused") == 2
    assert "bytes" in lowpower("doctor", ".", "--mpp", "1").out
    assert lowpower("check", ".", "--mpp", "1", "--no-find-control", "--out", "found.csv").code in (0, 1)


def test_a_terminal_that_cannot_show_a_name_ends_nothing(glass):
    glass("é😀.png")
    run = [sys.executable, "-m", "lowpower", "doctor", "é😀.png", "--mpp", "1"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    finished = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    assert finished.returncode == 0
    assert "\\xe9" in finished.stdout


@pytest.mark.parametrize(
    ("name", "folder"),
    [("\u202egpj.png", "_gpj"), ("CON.png", "_CON"), ("a:b?.png", "a_b_"), ("x" * 240 + ".png", "x" * 150)],
)
def test_a_folder_of_results_has_a_name_that_every_system_takes(glass, lowpower, name, folder):
    glass(name)
    lowpower("measure", "--mpp", "1", "--out", "out", ".")
    assert folder in os.listdir("out")


def test_what_takes_another_slides_path_is_said(glass, lowpower):
    glass("a.png")
    lowpower("measure", "a.png", "--mpp", "1", "--out", "out")
    glass("a.png", 241)
    finished = lowpower("measure", "a.png", "--mpp", "1", "--out", "out")
    assert (
        f"a.png: is another slide than in an earlier run, whose result stays in {Path('out/a')}."
        in finished.out
    )
    assert len([path for path in Path("out").iterdir() if path.name.startswith("a")]) == 2
    assert "another slide" not in lowpower("measure", "a.png", "--mpp", "1", "--out", "out").out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read a folder")
def test_a_folder_that_may_not_be_read_is_named(glass, monkeypatch):
    open_to_all = Path(tempfile.mkdtemp())  # pytest's own folders are root's alone
    monkeypatch.chdir(open_to_all)
    open_to_all.chmod(0o755)
    glass("slides/a.png")
    glass("slides/shut/b.png", 241)
    Path("slides/shut").chmod(0o700)
    code = """
import os, sys
from lowpower.cohort import slide_inputs
import lowpower.slides.dicom
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print([(slide.path.name, slide.absent) for slide in slide_inputs(["slides"])])
try:
    slide_inputs(["slides/shut"])
except Exception as error:
    print(type(error).__name__, error)
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    shutil.rmtree(open_to_all)
    assert finished.stderr == ""
    assert "('a.png', None), ('shut', 'may not be read; ask for permission to read it.')" in finished.stdout
    assert "OptionError slides/shut: may not be read" in finished.stdout


def test_links_in_circles_and_to_nothing_are_told(glass, lowpower):
    glass("slides/a.png")
    os.symlink("b.png", "slides/c.png")
    os.symlink("c.png", "slides/b.png")
    os.symlink("/nowhere/x.png", "slides/d.png")
    os.symlink(".", "slides/self")
    finished = lowpower("measure", "slides", "--mpp", "1", "--out", "out")
    assert finished.code == 1
    assert finished.out.count("symbolic links") == 2
    assert "d.png: is a link to what does not exist" in finished.out
    assert "4 refused" in finished.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_no_slide_and_is_not_waited_for(glass, lowpower):
    os.mkfifo("pipe.svs")
    glass("a.png")
    for verb in ("doctor", "measure", "check"):
        finished = lowpower(verb, ".", "--mpp", "1", *(["--out", "out"] if verb == "measure" else []))
        assert finished.code == 1
        assert "pipe.svs" in finished.out + finished.err
        assert "is a pipe or a device" in finished.out + finished.err
