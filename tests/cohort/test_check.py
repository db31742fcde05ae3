from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lowpower.cohort import CohortCheck, Problem, check_cohort, write_manifest


def tissue(seed: int, height: int = 300, width: int = 400, brown: float = 0.5) -> NDArray[np.uint8]:
    """A piece of textured tissue on tinted glass, RGB: blurred noise inside an ellipse."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.random((height, width)).astype(np.float32), (0, 0), 6)
    texture = (texture - texture.min()) / np.ptp(texture)
    y, x = np.mgrid[:height, :width]
    inside = ((x / width - 0.5) / 0.42) ** 2 + ((y / height - 0.5) / 0.4) ** 2 < 1
    amount = np.where(inside, 0.1 + 0.5 * texture, 0)[..., None]
    stain = (1 - brown) * np.array([0.65, 0.70, 0.29]) + brown * np.array([0.27, 0.57, 0.78])
    noise = rng.normal(0, 1.5, (height, width, 3))
    return np.clip(np.array([235, 234, 244]) * 10 ** (-amount * stain) + noise, 0, 255).astype(np.uint8)


def save(path: Path, image: NDArray[np.uint8]) -> None:
    assert cv2.imwrite(str(path), image[..., ::-1])


Check = Callable[..., CohortCheck]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check rows written as a manifest; mpp and marker are filled in where a row leaves them out."""

    def run(rows: Sequence[Mapping[str, object]], **options: object) -> CohortCheck:
        full = [{"marker": "HER2", "score": "0", "mpp": "8"} | dict(row) for row in rows]
        return check_cohort(write_manifest(tmp_path / "cohort.csv", full), **options)

    return run


def kinds(found: CohortCheck) -> list[tuple[int | None, str]]:
    return [(problem.row, problem.kind) for problem in found.problems]


def test_a_sound_cohort_has_no_problem(tmp_path: Path, check: Check) -> None:
    for number in range(6):
        save(tmp_path / f"{number}.png", tissue(number))
    seen: list[tuple[int, int]] = []

    found = check(
        [{"slide": f"{number}.png", "patient": f"P{number // 2}"} for number in range(6)],
        progress=lambda done, total: seen.append((done, total)),
    )

    assert (found.slides, found.patients, found.problems) == (6, 3, ())
    assert seen == [(done, 6) for done in range(7)]


def test_everything_is_found_at_once(tmp_path: Path, check: Check) -> None:
    for number in range(5):
        save(tmp_path / f"{number}.png", tissue(number))
    shutil.copy(tmp_path / "0.png", tmp_path / "copy.png")
    save(tmp_path / "again.png", tissue(1, brown=0.5)[5:, :-7])
    (tmp_path / "text.svs").write_text("not a slide")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:5000])
    (tmp_path / "mask.png").write_text("not an image")

    found = check(
        [
            {"slide": "0.png", "patient": "A", "score": "0"},
            {"slide": "1.png", "patient": "B", "score": "3+"},
            {"slide": "2.png", "patient": "C", "mpp": None, "control": "lft"},
            {"slide": "3.png", "patient": "D", "mask": "none.png"},
            {"slide": "4.png", "patient": "D", "score": "1+", "mask": "mask.png"},
            {"slide": "copy.png", "patient": "E"},
            {"slide": "again.png", "patient": "F"},
            {"slide": "text.svs", "patient": "G"},
            {"slide": "cut.png", "patient": "H"},
            {"slide": "gone.png", "patient": "I"},
            {"slide": "0.png", "patient": "J", "score": "4+"},
        ]
    )

    unreadable = [(row, kind) for row, kind in kinds(found) if kind in ("not_a_slide", "damaged")]
    assert [row for row, _ in unreadable] == [9, 10]
    assert [entry for entry in kinds(found) if entry not in unreadable] == [
        (2, "repeated_slide"),
        (4, "missing_control"),
        (4, "missing_mpp"),
        (5, "missing_mask"),
        (5, "two_labels"),
        (6, "unreadable_mask"),
        (7, "duplicate"),
        (8, "near_duplicate"),
        (11, "missing_slide"),
        (12, "unknown_score"),
    ]
    by_row = {(problem.row, problem.kind): problem.message for problem in found.problems}
    assert "row 2 (0.png), of patient 'A', and would leak between parts as 'E'" in by_row[7, "duplicate"]
    assert "row 3 (1.png)" in by_row[8, "near_duplicate"]
    assert "0 in row 5; 1+ in row 6" in by_row[5, "two_labels"]
    assert (found.slides, found.patients) == (11, 10)


@pytest.mark.parametrize(
    "wrong", [{"patient": None}, {"score": "4+"}, {"marker": "HER9"}, {"ish": "maybe"}, {"mpp": "0.25 um"}]
)
def test_a_damaged_slide_is_named_whatever_else_is_wrong_in_its_row(
    tmp_path: Path, check: Check, wrong: dict[str, str | None]
) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    found = check([{"slide": "cut.png", "patient": "A"} | wrong])
    assert {"damaged", "not_a_slide"} & {kind for _, kind in kinds(found)}
    assert len(found.problems) > 1


def test_slides_are_looked_at_though_a_column_is_missing(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    (tmp_path / "cohort.csv").write_text("slide,patient\ncut.png,A\n")
    found = check_cohort(tmp_path / "cohort.csv")
    assert "missing_column" in [kind for _, kind in kinds(found)]
    assert any("cut.png" in str(problem) for problem in found.problems)


def test_a_misspelt_header_is_told_once_and_hides_nothing_below_it(tmp_path: Path) -> None:
    save(tmp_path / "0.png", tissue(0))
    (tmp_path / "cohort.csv").write_text(
        "slide,patient,marker,scores,mpp\n0.png,A,HER2,5+,8\n1.png,,HER2,2+,8\n"
    )
    found = check_cohort(tmp_path / "cohort.csv")
    assert kinds(found) == [
        (None, "unknown_column"),
        (2, "unknown_score"),
        (3, "empty_cell"),
        (3, "missing_slide"),
    ]
    assert str(found.problems[0]) == "unknown column 'scores'; did you mean 'score'? Rename it."
    assert not [note for note in found.notes if "scores" in note]

    # Without a column that could be meant the table is not whole, and yet its cells are looked at.
    (tmp_path / "cohort.csv").write_text("slide,patient,marker,verdict,mpp\n0.png,A,HRE2,5+,8\n")
    found = check_cohort(tmp_path / "cohort.csv")
    assert kinds(found) == [(None, "missing_column"), (2, "unknown_marker")]


def test_rows_that_are_told_together_count_each(tmp_path: Path, check: Check) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", tissue(number))
    found = check([{"slide": f"{n}.png", "patient": f"P{n}", "score": None} for n in range(3)])
    (problem,) = found.problems
    assert (problem.rows, str(problem)) == (3, "row 2, 0.png: score is empty, as in rows 3 to 4.")


def test_the_summary_says_who_is_missing_for_folds() -> None:
    scores = (("HER2", "0", 5, 4), ("HER2", "2+", 1, 1), ("HER2", "3+", 3, 2))
    (told,) = CohortCheck(9, 7, (), classes=scores).summary()
    assert told == (
        "HER2: 0 on 5 slides, 2+ on 1, 3+ on 3; not yet enough for folds, which need 3 patients of each "
        "score: 2+ has 1, 3+ has 2."
    )
    (told,) = CohortCheck(9, 7, (), classes=(*scores[:1], ("HER2", "3+", 4, 3))).summary()
    assert told == "HER2: 0 on 5 slides, 3+ on 4; up to 3 folds."


@pytest.mark.parametrize(
    ("marker", "scores", "told"),
    [
        (
            "ER", ["0", "<1", "negative", "5", "10", "80", "90", "100", ">10"],
            "ER: negative on 3 slides, low positive on 2, positive on 4; not yet enough for folds, which "
            "need 3 patients of each score: low positive has 2.",
        ),
        ("PR", ["0", "0.5", "negative", "1", "50", "positive"],
         "PR: negative on 3 slides, positive on 3; up to 3 folds."),
        ("Ki-67", ["3", "19", "low", "20", "70", "high"],
         "Ki-67: low on 3 slides, high on 3; up to 3 folds."),
    ],
)  # fmt: skip
def test_percentages_are_summed_by_the_classes_that_folds_are_made_of(
    tmp_path: Path, marker: str, scores: list[str], told: str
) -> None:
    rows = [f"{n}.png,P{n},{marker},{score}" for n, score in enumerate([*scores, "much"])]
    (tmp_path / "cohort.csv").write_text("\n".join(["slide,patient,marker,score", *rows, ""]))
    assert check_cohort(tmp_path / "cohort.csv").summary() == [told]


@pytest.mark.parametrize("change", ["jpeg", "half", "tint", "restain", "turned", "shifted", "darker"])
def test_a_near_duplicate_is_found_however_it_was_made(tmp_path: Path, check: Check, change: str) -> None:
    original = tissue(1)
    changed = {
        "jpeg": lambda: cv2.imdecode(cv2.imencode(".jpg", original, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1),
        "half": lambda: cv2.resize(original, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "tint": lambda: (original * np.array([0.9, 1.0, 0.85])).astype(np.uint8),
        "restain": lambda: tissue(1, brown=0.0),
        "turned": lambda: original[::-1, ::-1],
        "shifted": lambda: np.pad(original, ((40, 0), (0, 60), (0, 0)), mode="edge"),
        "darker": lambda: (255 * (original / 255) ** 1.4).astype(np.uint8),
    }[change]()
    save(tmp_path / "a.png", original)
    save(tmp_path / "b.png", changed)
    save(tmp_path / "c.png", tissue(2))

    found = check([{"slide": f"{name}.png", "patient": name} for name in "abc"])

    assert kinds(found) == [(3, "near_duplicate")]


def test_other_tissue_of_the_same_shape_is_no_duplicate(tmp_path: Path, check: Check) -> None:
    for number in range(40):
        save(tmp_path / f"{number}.png", tissue(number, 150, 300))

    assert check([{"slide": f"{n}.png", "patient": f"P{n}"} for n in range(40)]).problems == ()


def test_serial_sections_of_one_patient_may_look_alike(tmp_path: Path, check: Check) -> None:
    save(tmp_path / "her2.png", tissue(1))
    save(tmp_path / "er.png", tissue(1, brown=0.2))
    rows = [{"slide": "her2.png", "patient": "A"}, {"slide": "er.png", "patient": "A", "marker": "ER"}]

    assert check(rows).problems == ()
    assert kinds(check([rows[0], rows[1] | {"patient": "B"}])) == [(3, "near_duplicate")]


def test_a_copy_under_the_same_patient_would_count_twice(tmp_path: Path, check: Check) -> None:
    save(tmp_path / "a.png", tissue(1))
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")

    found = check([{"slide": "a.png", "patient": "A"}, {"slide": "b.png", "patient": "A"}])

    assert kinds(found) == [(3, "duplicate")]
    assert "of the same patient, and would count twice" in found.problems[0].message


def test_two_labels_are_allowed_on_two_blocks_and_markers(tmp_path: Path, check: Check) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", tissue(number))
    same = {"patient": "A", "marker": "HER2"}

    blocks = check(
        [
            {"slide": "0.png", "score": "0", "block": "1"} | same,
            {"slide": "1.png", "score": "3+", "block": "2"} | same,
            {"slide": "2.png", "patient": "A", "marker": "ER", "score": "90"},
        ]
    )

    assert blocks.problems == ()


@pytest.mark.parametrize(("score", "expected"), [("2+", ["two_labels"]), ("3+", [])])
def test_ish_makes_two_labels_only_where_it_decides(
    tmp_path: Path, check: Check, score: str, expected: list[str]
) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.png", tissue(number))
    rows = [
        {"slide": f"{n}.png", "patient": "A", "score": score, "ish": ish}
        for n, ish in enumerate(("pos", "neg"))
    ]

    assert [problem.kind for problem in check(rows).problems] == expected


def test_two_spellings_of_one_patient_are_told(tmp_path: Path, check: Check) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.png", tissue(number))

    found = check([{"slide": "0.png", "patient": "P-01"}, {"slide": "1.png", "patient": "p01"}])

    assert kinds(found) == [(3, "two_spellings")]
    assert "'P-01' (row 2) and 'p01' (row 3)" in found.problems[0].message


def test_slides_without_tissue_are_no_duplicates_of_each_other(tmp_path: Path, check: Check) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        save(tmp_path / f"{number}.png", rng.normal(240, 2, (200, 300, 3)).astype(np.uint8))
    save(tmp_path / "flat.png", np.full((200, 300, 3), 240, np.uint8))

    rows = [{"slide": f"{name}.png", "patient": f"P{name}"} for name in (0, 1, 2, "flat")]

    assert check(rows).problems == ()


def test_a_manifest_that_cannot_serve_is_one_problem(tmp_path: Path) -> None:
    found = check_cohort(tmp_path / "none.csv")

    assert kinds(found) == [(None, "unreadable_manifest")]
    assert found.problems[0].message.startswith("no such file")


def test_workers_change_nothing(tmp_path: Path, check: Check) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", tissue(number % 2))
    rows = [{"slide": f"{number}.png", "patient": f"P{number}"} for number in range(3)]

    assert check(rows, workers=2) == check(rows)


def test_a_problem_reads_as_a_sentence() -> None:
    assert str(Problem(3, "a.svs", "k", "is wrong.")) == "row 3, a.svs: is wrong."
    assert str(Problem(None, None, "k", "is wrong.")) == "is wrong."


def test_real_cores_are_told_apart(real_cores: Path, tmp_path: Path, check: Check) -> None:
    cores = sorted(real_cores.glob("*.jp*g"))[:2]
    again = cv2.imread(str(cores[0]))
    cv2.imwrite(str(tmp_path / "again.jpg"), cv2.resize(again, None, fx=0.3, fy=0.3), [1, 60])
    rows = [{"slide": str(core), "patient": f"P{n}"} for n, core in enumerate(cores)]

    found = check([*rows, {"slide": "again.jpg", "patient": "P9"}])

    assert kinds(found) == [(4, "near_duplicate")]


def test_where_control_tissue_usually_lies_is_said_if_asked(tmp_path: Path, check: Check) -> None:
    rows = []
    for number in range(6):
        image = np.full((600, 1700, 3), (235, 234, 244), np.uint8)
        image[100:500, 1000:1600] = tissue(number, 400, 600, brown=0.0)
        if number < 5:
            image[150:450, 50:350] = tissue(9 + number, 300, 300, brown=1.0)
        else:  # not round, and the rest might as well be the control
            image[150:450, 50:450] = tissue(20, 300, 400, brown=0.4)
        save(tmp_path / f"{number}.png", image)
        rows.append({"slide": f"{number}.png", "patient": f"P{number}"})

    found = check(rows, find_control=True)

    assert found.control is not None
    assert (found.control.end, found.control.there, found.control.found) == ("left", 5, 5)
    assert found.doubtful == ("5.png",)
    assert "--control left" in found.control.sentence()
    told = check([row | {"control": "left"} for row in rows[:1]], find_control=True)
    assert told.control is not None
    assert told.control.found == 0


def test_in_situ_hybridisation_that_contradicts_the_score_is_named(tmp_path: Path, check: Check) -> None:
    save(tmp_path / "0.png", tissue(0))

    found = check([{"slide": "0.png", "patient": "A", "score": "1+", "ish": "amplified"}])

    assert kinds(found) == [(2, "ish_discordant")]
