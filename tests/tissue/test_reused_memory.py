"""Looking for tissue keeps its memory while it works and gives it back; what it computes does not change."""

from collections.abc import Callable

import numpy as np
import pytest

from lowpower.tissue import _reused_memory
from lowpower.tissue._grid import length
from lowpower.tissue._reused_memory import reused_memory


def _told(said: list[tuple[str, int]]) -> tuple[Callable[[int, int], int], Callable[[int], int]]:
    def setting(name: int, value: int) -> int:
        said.append((f"set {name}", value))
        return 1

    def trim(left: int) -> int:
        said.append(("trim", left))
        return 1

    return setting, trim


def _fail_within(asked: dict[str, int], said: list[tuple[str, int]]) -> None:
    with reused_memory():
        asked.update(said)
        raise RuntimeError("no tissue")


def test_what_was_asked_of_the_c_library_is_taken_back_even_after_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[tuple[str, int]] = []
    monkeypatch.setattr(_reused_memory, "_glibc", lambda: _told(said))
    asked: dict[str, int] = {}
    with pytest.raises(RuntimeError, match="no tissue"):
        _fail_within(asked, said)
    assert asked
    assert dict(said)["trim"] == 0
    for name, value in asked.items():
        assert dict(said)[name] < value


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reused_memory, "_glibc", lambda: None)
    with reused_memory():
        pass


def test_lengths_are_numpys_own_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    across, down = (rng.standard_normal((77, 501)).astype(np.float32) * 0.2 for _ in range(2))
    across[0, :5] = 0.0
    assert np.array_equal(length(across, down), np.hypot(across, down))
