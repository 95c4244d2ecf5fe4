"""The quick answer: true only while every file is as it was; anything odd is no answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildsys import snapshot
from buildsys.base.digest import stat_stamp
from buildsys.config import SETTINGS
from buildsys.snapshot import (
    guess_objdir,
    parse_snapshot,
    read_snapshot,
    read_unchanged,
    request_key,
    snapshot_path,
)
from buildsys.snapshotfile import is_whole, render_further, render_snapshot

Stamp = tuple[int, int, int, int] | None
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


def list_files(tmp_path: Path) -> list[str]:
    """Make files of four directories, more than one process looks at."""
    names = [f"{place}/{number}" for place in "abcd" for number in range(6)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("content")
    return names


def look(path: str) -> tuple[list[str], list[str]]:
    """Give the files that changed, and the names with which something was prepared."""
    prepared: list[str] = []
    found = read_snapshot(path, KEY, lambda found: prepared.append(found.message))
    assert found is not None
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    return found.changed, prepared


@pytest.mark.parametrize("forking", [0, 100])
@pytest.mark.parametrize("edited", ["a/0", "a/5", "b/3", "c/0", "c/1", "d/5"])
def test_whatever_changed_is_found_and_prepared_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str, forking: int
) -> None:
    monkeypatch.setattr(snapshot, "_FORK_FROM", forking)
    path = save(tmp_path, *list_files(tmp_path), message="same")
    before = set(os.listdir("/proc/self/fd"))
    assert look(path) == ([], [])
    (tmp_path / edited).write_text("CONTENT")
    assert look(path) == ([str(tmp_path / edited)], ["same"])
    for name in ("a/1", "b/0", "d/0"):
        (tmp_path / name).unlink()
    gone = {str(tmp_path / name) for name in ("a/1", "b/0", "d/0", edited)}
    changed, prepared = look(path)
    assert (set(changed), len(changed), prepared) == (gone, len(gone), ["same"])
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("edited", ["a/0", "d/5"])
def test_no_room_for_a_process_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(snapshot, "_FORK_FROM", 0)
    monkeypatch.setattr(os, "fork", refuse)
    path = save(tmp_path, *list_files(tmp_path))
    (tmp_path / edited).write_text("CONTENT")
    assert look(path)[0] == [str(tmp_path / edited)]


def test_what_a_process_does_not_come_to_say_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.getpid()
    compare = snapshot._compare

    def die_once(columns: list[list[int]], group: list[str], place: int) -> list[str]:
        if os.getpid() != parent and group[0].endswith("/b"):
            os._exit(1)
        return compare(columns, group, place)

    monkeypatch.setattr(snapshot, "_FORK_FROM", 0)
    monkeypatch.setattr(snapshot, "_compare", die_once)
    path = save(tmp_path, *list_files(tmp_path))
    for name in ("a/0", "b/0"):
        (tmp_path / name).write_text("CONTENT")
    assert look(path)[0] == [str(tmp_path / name) for name in ("a/0", "b/0")]


_KILLED = """
import os, sys, time
from buildsys import snapshot
snapshot._FORK_FROM = 0
os.sched_getaffinity = lambda _: {0, 1}
snapshot.read_snapshot(sys.argv[1], bytes.fromhex(sys.argv[2]), lambda _: os.kill(os.getpid(), 9))
"""


def test_whoever_looks_ends_when_nobody_hears_it_any_more(tmp_path: Path) -> None:
    stamps = [(f"{tmp_path}/{'n' * 200}{n % 4}/{n:04}", (1, 1, 1, 1)) for n in range(3000)]
    path = tmp_path / "snapshot"
    path.write_bytes(render_snapshot(KEY, "", stamps))
    command = (sys.executable, "-c", _KILLED, str(path), KEY.hex())
    # It hears of the end of the last process that has the output open.
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    assert (ran.returncode, ran.stdout) == (-9, b"")


def test_whoever_looks_is_waited_for_where_preparing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_found: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshot, "_FORK_FROM", 0)
    names = list_files(tmp_path)
    path = save(tmp_path, *names)
    (tmp_path / names[-1]).write_text("CONTENT")
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt):
        read_snapshot(path, KEY, fail)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert set(os.listdir("/proc/self/fd")) == before


NUMBERS = st.tuples(*[st.integers(0, 1 << 60)] * 4)
NAMES = st.sampled_from(["/a", "/b/c", "/b/d", "/b/e f", "/", "/b", os.fsdecode(b"/b/\xff")])


@given(
    st.dictionaries(NAMES, st.none() | NUMBERS, min_size=1),
    st.dictionaries(NAMES, st.none() | NUMBERS),
    st.sets(NAMES),
)
@settings(deadline=None)
def test_a_further_snapshot_is_what_one_of_all_files_would_be(
    former: dict[str, Stamp], stamps: dict[str, Stamp], gone: set[str]
) -> None:
    gone -= set(stamps)
    old = parse_snapshot(render_snapshot(KEY, "old", former.items(), b"frame"), KEY)
    assert old is not None
    content = render_further(old, KEY, "new", stamps, gone, b"further")
    new = parse_snapshot(content, KEY)
    wanted = {path: stamp for path, stamp in {**former, **stamps}.items() if path not in gone}
    if new is None:
        assert not wanted
        return
    assert (new.message, new.frame, is_whole(new)) == ("new", b"further", True)
    absent = (0, 0, -1, 0)
    assert set(new.number_files()) == set(wanted)
    assert {path: new.find(path) for path in wanted} == {
        path: stamp or absent for path, stamp in wanted.items()
    }
    assert all(new.has(path, stamp or absent) for path, stamp in wanted.items())
    assert new.find("/none") is None
    assert not new.has("/none", absent)
