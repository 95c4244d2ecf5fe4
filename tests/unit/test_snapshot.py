"""The quick answer: true only while every file is as it was; anything odd is no answer."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildsys.base.digest import stat_stamp
from buildsys.config import SETTINGS
from buildsys.snapshot import (
    guess_objdir,
    read_unchanged,
    request_key,
    snapshot_path,
)
from buildsys.snapshotfile import render_snapshot

KEY = request_key(("install",), {"MACHINE": "amd64"}, "/here")


def save(tmp_path: Path, *names: str, message: str = "Nothing to do.\n") -> str:
    stamps = []
    for name in names:
        stamp = stat_stamp(tmp_path / name)
        numbers = stamp and (stamp.ctime_ns, stamp.mtime_ns, stamp.size, stamp.inode)
        stamps.append((str(tmp_path / name), numbers))
    path = tmp_path / "snapshot"
    path.write_bytes(render_snapshot(KEY, message, stamps))
    return str(path)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("content")
    (tmp_path / "directory").mkdir()
    return save(tmp_path, "file", "directory", "absent")


def test_every_variable_of_a_setting_is_part_of_the_request() -> None:
    for setting in SETTINGS:
        for name in setting.environment:
            assert request_key(("check",), {name: "x"}, "/") != request_key(("check",), {}, "/")


def test_unchanged_files_give_the_message(saved: str) -> None:
    assert read_unchanged(saved, KEY) == "Nothing to do.\n"


def edit(directory: Path) -> None:
    (directory / "file").write_text("CONTENT")


def edit_keeping_size_and_mtime(directory: Path) -> None:
    status = (directory / "file").stat()
    edit(directory)
    os.utime(directory / "file", ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(directory: Path) -> None:
    os.utime(directory / "file", (1, 1))


def remove(directory: Path) -> None:
    (directory / "file").unlink()


def replace(directory: Path) -> None:
    (directory / "new").write_text("content")
    (directory / "new").replace(directory / "file")


def appear(directory: Path) -> None:
    (directory / "absent").write_text("")


def appear_in_directory(directory: Path) -> None:
    (directory / "directory/new").write_text("")


@pytest.mark.parametrize(
    "change",
    [edit, edit_keeping_size_and_mtime, touch, remove, replace, appear, appear_in_directory],
)
def test_any_change_is_no_answer(tmp_path: Path, saved: str, change: "type[None]") -> None:
    change(tmp_path)
    assert read_unchanged(saved, KEY) is None


def test_another_request_is_no_answer(saved: str) -> None:
    for key in (
        request_key(("install", "-k"), {"MACHINE": "amd64"}, "/here"),
        request_key(("install",), {"MACHINE": "i386"}, "/here"),
        request_key(("install",), {}, "/here"),
        request_key(("install",), {"MACHINE": "amd64"}, "/there"),
    ):
        assert key != KEY
        assert read_unchanged(saved, key) is None


def test_variables_that_decide_nothing_do_not_enter() -> None:
    assert request_key(("install",), {"MACHINE": "amd64", "EDITOR": "vi"}, "/here") == KEY


def test_what_is_not_there_or_was_never_whole_is_no_answer(tmp_path: Path, saved: str) -> None:
    assert read_unchanged(str(tmp_path / "none"), KEY) is None
    assert read_unchanged(str(tmp_path), KEY) is None
    content = Path(saved).read_bytes()
    for size in range(len(content)):
        Path(saved).write_bytes(content[:size])
        assert read_unchanged(saved, KEY) is None
    Path(saved).write_bytes(content + b"x")
    assert read_unchanged(saved, KEY) is None


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_no_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "snapshot"
    for start in (b"", b"modbuild snapshot 2\n"):
        path.write_bytes(start + content)
        assert read_unchanged(str(path), KEY) is None


def test_any_name_and_message_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"odd \xff\xfe")
    (tmp_path / name).write_text("")
    path = save(tmp_path, name, message=f"in {name}: déjà")
    assert read_unchanged(path, KEY) == f"in {name}: déjà"


def test_a_damaged_snapshot_is_an_answer_at_most_if_its_files_are_unchanged(
    tmp_path: Path, saved: str
) -> None:
    content = Path(saved).read_bytes()
    for index in range(len(content)):
        for flip in (0xFF, content[index] or 1):  # the latter makes it a zero
            damaged = bytearray(content)
            damaged[index] ^= flip
            Path(saved).write_bytes(damaged)
            read_unchanged(saved, KEY)
    (tmp_path / "file").write_text("edited")
    assert read_unchanged(saved, KEY) is None
    assert read_unchanged(save(tmp_path), KEY) is None


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ((), {}, "/here/obj"),
        (("-O", "o"), {}, "/here/o"),
        (("--objdir", "/o"), {}, "/o"),
        (("--objdir=o/../p",), {}, "/here/p"),
        (("-O", "a", "--objdir=b"), {}, "/here/b"),
        (("-O",), {}, "/here/obj"),
        ((), {"OBJDIR": "e"}, "/here/e"),
        (("-O", "o"), {"OBJDIR": "e"}, "/here/o"),
        ((), {"MAKEOBJDIRPREFIX": "/x"}, "/x/here"),
        ((), {"MAKEOBJDIRPREFIX": "/x", "OBJDIR": "/e"}, "/e"),
    ],
)
def test_the_object_directory_is_found_as_the_command_line_would(
    words: tuple[str, ...], environment: dict[str, str], expected: str
) -> None:
    assert guess_objdir(("install", *words), environment, "/here") == expected


def test_snapshots_of_two_requests_lie_apart() -> None:
    other = request_key(("build",), {}, "/here")
    assert snapshot_path("/o", KEY) != snapshot_path("/o", other)
    assert snapshot_path("/o", KEY).startswith("/o/.snapshots/")
