"""What a model answers of real labelled HER2 fields and cores: likeliest score, issued scores, cut-offs.

    LOWPOWER_REAL=FOLDER python benchmarks/real_answers.py [--model her2-sim]

The fields are those of `real_fields.py`, um/px told. Each is scored as `lowpower score` does; an answer is
wrong where it is not what the label says.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lowpower.cohort import scheme_of
from lowpower.errors import LowpowerError
from lowpower.models import Bundle, load_bundle
from lowpower.scoring import score
from lowpower.scoring.records import Answer
from real_fields import Field, cores, fields_of


def answers(fields: list[Field], bundle: Bundle) -> list[tuple[str, Answer]]:
    """Label and answer of each field that could be scored."""
    found = []
    for field in fields:
        try:
            result = score(field.path, model=bundle, mpp=field.mpp, pictures=False)
        except LowpowerError as error:
            print(f"  {field.path.name}: refused: {error}")
            continue
        answer = result.answer
        if answer is None:
            print(f"  {field.path.name}: {result.state}: {result.reason}")
            continue
        said = "issued" if answer.issued else f"referred: {answer.why}"
        print(
            f"  {field.path.name[:12]}: label {field.label}, likely {answer.likeliest} "
            f"({answer.probability:.2f}), {said}"
        )
        found.append((field.label, answer))
    return found


def count(found: list[tuple[str, Answer]], bundle: Bundle) -> None:
    """Print how many answers were given, and how many of them are wrong."""
    scheme = scheme_of(bundle.scheme)
    classes = list(scheme.classes)
    right = sum(answer.likeliest == label for label, answer in found)
    issued = [(label, answer.likeliest) for label, answer in found if answer.issued]
    print(f"  likeliest right on {right} of {len(found)}")
    print(f"  issued {len(issued)}, {sum(label != said for label, said in issued)} wrong")
    for cutoff in scheme.cutoffs:
        told = [
            (classes.index(label) >= cutoff.at, one.answer == "yes")
            for label, answer in found
            for one in answer.cutoffs
            if one.cutoff == cutoff.name and one.answer != "undetermined"
        ]
        print(f"  {cutoff.name}: {len(told)} answered, {sum(a != b for a, b in told)} wrong")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="her2-sim", help="name or folder of a bundle for HER2")
    options = parser.parse_args()
    bundle = load_bundle(options.model)
    root = os.environ.get("LOWPOWER_REAL")
    sources = [fields_of(path.parent) for path in sorted(Path(root).glob("*/labels.csv"))] if root else []
    for fields in (*(source for source in sources if source[0].marker == "HER2"), cores()):
        if not fields:
            print("no labelled HER2 fields: LOWPOWER_REAL or LOWPOWER_DATA names no folder of them")
            continue
        print(f"{fields[0].source}: {len(fields)} at {fields[0].mpp:g} um/px, {bundle.spec.name}")
        count(answers(fields, bundle), bundle)


if __name__ == "__main__":
    main()
