"""fastslide alone in a process: run by path, imports nothing of lowpower, ends with its parent.

One JSON line a question on standard input; one JSON line an answer on standard output, then its pixels.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import fastslide
import numpy as np

__all__: list[str] = []


def _facts(slide: Any) -> dict[str, Any]:
    return {
        "sizes": [[int(width), int(height)] for width, height in slide.level_dimensions],
        "dtype": str(slide.dtype),
        "channels": int(slide.num_channels),
        "bounds": [float(value) for pair in slide.bounds for value in pair],
        "mpp": [float(value) for value in slide.mpp],
        "associated": sorted(slide.associated_images.keys()),
        "format": str(slide.format),
        "scanner": slide.properties.get("scanner_id") or slide.properties.get("scanner_model") or None,
        "icc": None if slide.icc_profile is None else bytes(slide.icc_profile).hex(),
    }


def _answer(slide: Any, question: list[Any]) -> np.ndarray[Any, Any]:
    if question[0] == "associated":
        image = slide.associated_images[question[1]]
    else:
        level, x, y, width, height = question[1:]
        image = slide.read_region((x, y), level, (width, height))
    return np.ascontiguousarray(image.numpy(), np.uint8)


def _listen(questions: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        questions.put(line)
    os._exit(0)  # the parent is gone, or wants no more; a native call may never return


def main() -> None:
    """Open the slide that the arguments name, say what it is, answer until the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()

    def say(about: dict[str, Any], pixels: bytes | memoryview = b"") -> None:
        out.write(json.dumps(about).encode() + b"\n")
        out.write(pixels)
        out.flush()

    try:
        slide = fastslide.FastSlide.from_file_path(Path(sys.argv[1]), cache=int(sys.argv[2]))
        say(_facts(slide))
    except (RuntimeError, ValueError) as error:
        say({"error": str(error)})
        return
    while True:
        try:
            pixels = _answer(slide, json.loads(questions.get()))
        except (RuntimeError, ValueError, KeyError) as error:
            say({"error": str(error)})
        else:
            say({"shape": pixels.shape}, pixels.data)


if __name__ == "__main__":
    main()
