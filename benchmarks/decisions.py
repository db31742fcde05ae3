"""Are answers worth having? Fresh simulated slides of unseen laboratories, as `score` answers them.

    python benchmarks/decisions.py [--cohort SPEC] [--model her2-sim] [--workers 2] [--work FOLDER]

The cohort's specification tells what is simulated; by default the slides of laboratories and scanners used
nowhere else (recipes/her2-sim-fresh-cohort.yaml). Truth is the score of the slide's own cells. Printed:
scores issued and of these wrong; for each cut-off the slides decided and of these wrong, with 95 % intervals;
what network and measurement do alone, with and without border cases. Slides are simulated, scored and
removed one by one; results stay in FOLDER, and a killed run goes on there.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import cohen_kappa_score

from lowpower.engine import default_workers, map_items
from lowpower.errors import LowpowerError
from lowpower.evaluation import evaluate_predictions, wilson
from lowpower.files import atomic_path
from lowpower.models import load_bundle
from lowpower.scoring import Result, score
from lowpower.simulate import CohortSpec, SlideSpec, cohort_members, is_border, simulate_slide

SCORES = ("0", "1+", "2+", "3+")
COHORT = Path(__file__).parents[1] / "recipes" / "her2-sim-fresh-cohort.yaml"


class Scored(BaseModel):
    """One slide: its true score, whether that is a matter of few cells, and what was said of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slide: str
    truth: str
    border: bool
    result: Result | None
    refused: str | None = None


@dataclass(frozen=True)
class Task:
    """Where a slide's answer is kept, and how it is made."""

    folder: Path
    model: str
    measure: bool


def answered(slide: tuple[str, SlideSpec], task: Task) -> Scored:
    """One slide's answer, from the folder where it is there."""
    name, spec = slide
    kept = task.folder / f"{name}.json"
    if kept.exists():
        return Scored.model_validate_json(kept.read_text())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        truth = simulate_slide(spec, path)
        result, refused = None, None
        try:
            result = score(path, load_bundle(task.model), measure=task.measure, pictures=False, workers=1)
        except LowpowerError as error:
            refused = str(error)
    one = Scored(
        slide=name, truth=truth.score, border=is_border(truth.shares), result=result, refused=refused
    )
    with atomic_path(kept) as temporary:
        temporary.write_text(one.model_dump_json())
    return one


def share(part: int, whole: int) -> str:
    """So many of so many, as a share with its 95 % interval (Wilson)."""
    if whole == 0:
        return "0 of 0"
    low, high = wilson(part, whole)
    return f"{part} of {whole}: {part / whole:.1%} ({low:.1%} to {high:.1%})"


def report(slides: list[Scored]) -> None:
    known = [(s, s.result, SCORES.index(s.truth)) for s in slides if s.result is not None]
    answers = [(truth, result.answer) for _, result, truth in known if result.answer is not None]
    border = sum(s.border for s in slides)
    print(f"\n{len(slides)} slides, {border} of them border cases; {len(slides) - len(known)} refused")
    for title, wanted in (("issued", True), ("referred", False)):
        those = [(truth, answer) for truth, answer in answers if answer.issued is wanted]
        wrong = sum(answer.likeliest != SCORES[truth] for truth, answer in those)
        print(f"{title:<26}{share(len(those), len(answers))}")
        print(f"{'  likeliest score wrong':<26}{share(wrong, len(those))}")
    for number, at in enumerate((1, 2, 3)):
        cutoffs = [(truth >= at, answer.cutoffs[number]) for truth, answer in answers]
        said = [(true, one.answer == "yes") for true, one in cutoffs if one.answer != "undetermined"]
        print(f"{cutoffs[0][1].cutoff + ' decided':<26}{share(len(said), len(cutoffs))}")
        print(f"{'  wrong':<26}{share(sum(true != told for true, told in said), len(said))}")
        for side in (True, False):
            those_said = [true for true, told in said if told is side]
            missed = sum(true is not side for true in those_said)
            print(f"{'    of ' + ('yes' if side else 'no'):<26}{share(missed, len(those_said))}")
    confusion = np.zeros((4, 5), int)
    for truth, answer in answers:
        confusion[truth, SCORES.index(answer.likeliest) if answer.issued else 4] += 1
    print(f"\ntrue (rows), issued 0, 1+, 2+, 3+, referred\n{confusion}\n")
    network = [(s.truth, result.probabilities, s.border) for s, result, _ in known if result.probabilities]
    both = [(SCORES[truth], answer.probabilities, False) for truth, answer in answers]
    for title, given in (("network", network), ("together", both)):
        if not given:
            continue
        table = pl.DataFrame(
            [
                {"slide": str(number), "patient": str(number), "label": truth}
                | {f"p_{index}": probabilities[name] for index, name in enumerate(SCORES)}
                for number, (truth, probabilities, _) in enumerate(given)
            ]
        )
        metrics = evaluate_predictions(table, "her2_four").metrics
        told = [
            f"{name} {one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
            for name, one in metrics.items()
            if one.value is not None and one.low is not None and one.high is not None
        ]
        print(f"{title:<12}{', '.join(told)}")
    measured = [(s.truth, result.measured.score, s.border) for s, result, _ in known
                if result.measured is not None and result.measured.score in SCORES]  # fmt: skip
    for title, those in (("", measured), (" without border cases", [one for one in measured if not one[2]])):
        true, found = ([SCORES.index(one[part]) for one in those] for part in (0, 1))
        kappa = cohen_kappa_score(true, found, weights="quadratic")
        right = share(sum(t == f for t, f in zip(true, found, strict=True)), len(true))
        print(f"measurement{title}: quadratic kappa {kappa:.3f}, right {right}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohort", type=Path, default=COHORT, help="specification of the simulated slides")
    parser.add_argument("--model", default="her2-sim")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "lowpower" / "decisions")
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--measure", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    spec = CohortSpec.from_yaml(options.cohort)
    members = [(member.file, member.spec) for member in cohort_members(spec)]

    def show(done: int, total: int) -> None:
        if done % 20 == 0:
            print(f"{done} of {total} slides", flush=True)

    task = Task(options.work, options.model, options.measure)
    report(map_items(partial(answered, task=task), members, workers=options.workers, progress=show))


if __name__ == "__main__":
    main()
