"""Whether times tell writes apart: tried out, and believed only where they did."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from buildsys.base import granularity
from buildsys.base.granularity import FineTimes, find_fine_device


class _Status:
    st_dev = 7

    def __init__(self, ctime_ns: int) -> None:
        self.st_ctime_ns = self.st_mtime_ns = ctime_ns


def show(monkeypatch: pytest.MonkeyPatch, *times: int, seconds: float = 0.0) -> None:
    """Have the file show these times, one after the other, in so many seconds."""
    left, clock = list(times), [0, int(seconds * 1e9)]
    monkeypatch.setattr(granularity.os, "fstat", lambda _: _Status(left.pop(0)))
    monkeypatch.setattr(granularity.time, "monotonic_ns", lambda: clock.pop(0))


def test_nothing_is_left_behind_and_the_device_is_the_directorys(tmp_path: Path) -> None:
    assert find_fine_device(tmp_path) in (None, tmp_path.stat().st_dev)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("times", "seconds", "found"),
    [
        (range(8), 0.0001, 7),
        ((1, 1, 1, 1, 1, 1, 2, 2), 0.0001, None),  # they stand still
        ((1, 2, 3, 4, 5, 6, 7, 7), 0.0001, None),
        (range(8), 0.002, None),  # in that time the timer may have gone on
    ],
)
def test_times_are_fine_when_all_differ_in_a_short_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: Sequence[int],
    seconds: float,
    found: int | None,
) -> None:
    with monkeypatch.context() as context:
        show(context, *times, seconds=seconds)
        answer = find_fine_device(tmp_path)
    assert answer == found


def test_where_nothing_can_be_written_nothing_is_known(tmp_path: Path) -> None:
    times = FineTimes(tmp_path / "absent")
    assert not times.has(str(tmp_path))
    assert not times.has(str(tmp_path / "absent"))
