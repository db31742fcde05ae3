"""Where the slides of a batch have their control tissue."""

from __future__ import annotations

from lowpower.scoring import MeasuredSlide, QualityFlag, QualityRecord, habit_of


def record(number: int, code: str, end: str | None, control: str = "auto") -> MeasuredSlide:
    flag = QualityFlag(code=code, message="...", effect="note", end=end)
    qc = QualityRecord(
        area_mm2=1.0,
        pieces=1,
        white_point=(240, 240, 240),
        white_point_source="glass",
        stain="...",
        flags=(flag,),
    )
    return MeasuredSlide(
        file=f"{number}.svs", state="ok", marker="HER2", qc=qc, control=control, software_version="0"
    )


def test_a_batch_learns_its_end_from_slides_that_nobody_spoke_for() -> None:
    records = [record(number, "control", "left") for number in range(6)]
    records += [record(6, "control_doubtful", "left"), record(7, "control_doubtful", None)]
    records += [record(8, "control", "right", control="right"), record(9, "pen", None)]
    records.append(MeasuredSlide(file="10.svs", state="failed", marker="HER2", software_version="0"))
    habit, doubtful = habit_of(records)
    assert (habit.end, habit.there, habit.found, habit.doubtful_there) == ("left", 6, 6, 1)
    assert doubtful == ("6.svs", "7.svs")
