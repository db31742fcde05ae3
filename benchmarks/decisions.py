"""Are answers worth having? Fresh simulated slides of unseen laboratories, as `score` answers them.

    python benchmarks/decisions.py [--slides 300] [--seed 616161] [--model her2-sim] [--work FOLDER]

Discs of 1.3 mm without controls, a third with something wrong, nearly each of another laboratory and
scanner, from seeds used nowhere else. Truth is the score of the slide's own cells. Printed: scores issued and
of these wrong; for each cut-off the slides decided and of these wrong, with 95 % intervals; what network and
measurement do alone. Slides are simulated, scored and removed one by one; results stay in FOLDER, and a
killed run goes on there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowpower.errors import LowpowerError
from lowpower.evaluation import wilson
from lowpower.models import load_bundle
from lowpower.scoring import Result, score
from lowpower.simulate import CohortSpec, cohort_members, simulate_slide

SCORES = ("0", "1+", "2+", "3+")


@dataclass(frozen=True)
class Scored:
    """One slide: its true score and what was said of it."""

    truth: str
    result: Result


def scored(options: argparse.Namespace) -> Iterator[Scored]:
    """Every slide, from the folder where it is there."""
    spec = CohortSpec(
        name="decisions-simulated", seed=options.seed, patients=options.slides, second_slide=0,
        sites=options.slides, site_seed=options.seed + 1, scanners=min(options.slides, 100),
        scanner_seed=options.seed + 2, mpp=(0.25, 0.5), controls=0, artefacts=0.35,
    )  # fmt: skip
    bundle = load_bundle(options.model)
    options.work.mkdir(parents=True, exist_ok=True)
    for member in cohort_members(spec):
        kept = options.work / f"{member.file}.json"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / member.file
                truth = simulate_slide(member.spec, path)
                try:
                    result = score(path, bundle, measure=options.measure, pictures=False, workers=1)
                except LowpowerError as error:
                    print(f"{member.file}: {error}", flush=True)
                    continue
            kept.write_text(json.dumps({"truth": truth.score, "result": result.model_dump(mode="json")}))
        told = json.loads(kept.read_text())
        yield Scored(told["truth"], Result.model_validate(told["result"]))


def share(part: int, whole: int) -> str:
    """So many of so many, as a share with its 95 % interval (Wilson)."""
    if whole == 0:
        return "0 of 0"
    low, high = wilson(part, whole)
    return f"{part} of {whole}: {part / whole:.1%} ({low:.1%} to {high:.1%})"


def report(slides: list[Scored]) -> None:
    answers = [(SCORES.index(s.truth), s.result.answer) for s in slides if s.result.answer is not None]
    print(f"\n{len(slides)} slides scored")
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
    network = [(s.truth, max(s.result.probabilities, key=s.result.probabilities.__getitem__))
               for s in slides if s.result.probabilities]  # fmt: skip
    told = [(s.truth, s.result.measured.score) for s in slides if s.result.measured is not None]
    both = [(SCORES[truth], answer.likeliest) for truth, answer in answers]
    for title, pairs in (("network", network), ("measurement", told), ("together", both)):
        print(f"{title + ' right':<26}{share(sum(truth == s for truth, s in pairs), len(pairs))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=300)
    parser.add_argument("--seed", type=int, default=616161)
    parser.add_argument("--model", default="her2-sim")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "lowpower" / "decisions")
    parser.add_argument("--measure", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    slides = []
    for one in scored(options):
        slides.append(one)
        if len(slides) % 20 == 0:
            print(f"{len(slides)} slides", flush=True)
    report(slides)


if __name__ == "__main__":
    main()
