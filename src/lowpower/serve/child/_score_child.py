"""The process that scores: one question a line on standard input, answers on standard output.

Its own process, so that a slide which hangs or takes all memory ends this and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from lowpower.errors import LowpowerError, spoken_as_options

__all__ = ["main"]


def main() -> None:
    """Answer until the other end is gone."""
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    questions: list[str] = []
    arrived = threading.Condition()
    threading.Thread(target=_listen, args=(questions, arrived), daemon=True).start()
    import lowpower.scoring  # noqa: F401  # before the first question: it takes seconds

    _tell(answers, ready=True)
    with spoken_as_options():
        while True:
            with arrived:
                while not questions:
                    arrived.wait()
                question = json.loads(questions.pop(0))
            _answer(question, answers)


def _listen(questions: list[str], arrived: threading.Condition) -> None:
    """When whoever asks is gone, so are we, in the middle of whatever it is."""
    for line in sys.stdin:
        with arrived:
            questions.append(line)
            arrived.notify()
    os._exit(1)


def _answer(question: dict[str, Any], answers: IO[str]) -> None:
    from lowpower.scoring import ScoreRequest, measure_files, score_files

    def progress(done: int, total: int) -> None:
        _tell(answers, progress=done / max(1, total))

    try:
        if question["verb"] == "study":
            _tell(answers, folder=str(_studied(question, progress)))
            return
        request = ScoreRequest(**question["request"])
        make: Any = measure_files if question["verb"] == "measure" else score_files
        (record,) = make(
            [question["slide"]],
            request=request,
            out=question["out"],
            keep_earlier=question["keep_earlier"],
            progress=progress,
        )
        folder = record.attached().folder
        if folder is None:  # an earlier result does not give way to none
            _tell(answers, error=record.reason, code=record.reason_code or "refused")
        else:
            _tell(answers, folder=str(folder))
    except LowpowerError as error:
        _tell(answers, error=str(error), code=error.code)
    except Exception as error:  # the boundary of this process: its parent keeps the sentence
        _tell(answers, error=f"stopped by an unforeseen {type(error).__name__}.", code="unforeseen")


def _studied(question: dict[str, Any], progress: Callable[[int, int], None]) -> Path:
    """The folder of a study that was run to its end, its report written."""
    from lowpower.experiments import run_study
    from lowpower.reports import write_study_report

    def stage(name: str, done: int, total: int) -> None:
        progress(done if name == "arms x folds" else 0, total)

    results = run_study(
        question["slide"], out=question["out"], workers=1, progress=stage, **question["request"]
    )
    write_study_report(results)
    return results.folder


def _tell(answers: IO[str], **told: Any) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
