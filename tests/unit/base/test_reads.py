"""What is read is taken down, by whomever, with the stamp from before."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildsys.base.digest import RACY_NANOSECONDS, stat_stamp
from buildsys.base.reads import ReadRecorder


@pytest.fixture
def recorder() -> Iterator[ReadRecorder]:
    recorder = ReadRecorder()
    yield recorder
    recorder.end()


def make_old(path: Path, text: str = "text") -> Path:
    path.write_text(text)
    time.sleep(RACY_NANOSECONDS * 2e-9)
    return path


def test_files_and_listings_are_taken_down_with_the_directory_beside(
    tmp_path: Path, recorder: ReadRecorder
) -> None:
    path = make_old(tmp_path / "file")
    (tmp_path / "deep").mkdir()
    recorder.begin()
    path.read_text()
    os.close(os.open(path, os.O_RDONLY))
    list((tmp_path / "deep").rglob("*"))
    with pytest.raises(FileNotFoundError):
        (tmp_path / "deep" / "none").read_bytes()
    recorder.end()
    assert recorder.stamps[str(path)] == stat_stamp(path)
    assert recorder.stamps[str(tmp_path)] == stat_stamp(tmp_path)
    assert recorder.stamps[str(tmp_path / "deep")] == stat_stamp(tmp_path / "deep")
    assert recorder.stamps[str(tmp_path / "deep" / "none")] is None


def test_what_is_written_or_read_outside_is_not(tmp_path: Path, recorder: ReadRecorder) -> None:
    path = make_old(tmp_path / "file")
    path.read_text()
    recorder.begin()
    (tmp_path / "other").write_text("x")
    recorder.end()
    path.read_text()
    assert not {str(path), str(tmp_path / "other")} & recorder.stamps.keys()


def test_the_stamp_is_the_one_from_before_the_read(tmp_path: Path, recorder: ReadRecorder) -> None:
    path = make_old(tmp_path / "file")
    before = stat_stamp(path)
    recorder.begin()
    with path.open():
        path.write_text("other text")
    path.read_text()
    assert recorder.stamps[str(path)] == before != stat_stamp(path)
    assert recorder.is_settled


def test_what_is_as_young_as_a_later_edit_is_not_settled(
    tmp_path: Path, recorder: ReadRecorder
) -> None:
    (tmp_path / "file").write_text("x")
    recorder.begin()
    (tmp_path / "file").read_text()
    assert not recorder.is_settled


def test_a_relative_or_odd_name_is_taken_down_whole(
    tmp_path: Path, recorder: ReadRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"odd\n\xff")
    make_old(tmp_path / name)
    recorder.begin()
    Path(name).read_text()
    os.listdir()
    assert {str(tmp_path), str(tmp_path / name)} <= recorder.stamps.keys()
