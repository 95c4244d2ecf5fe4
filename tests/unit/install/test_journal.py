"""A shared file is changed in place, under install(1)'s lock, and no kill loses a line."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.base.locks import open_shared
from buildsys.install.journal import Journal, recover, rewrite_shared

CONTENT = st.lists(st.sampled_from([b"./a x\n", b"./b\n", b"./c yy\n"]), max_size=5).map(b"".join)
LATER = b"./later type=file\n"


class KilledError(BaseException):
    """Stands for a SIGKILL."""


def to(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _old: content


@pytest.mark.parametrize("new", [b"", b"old\n", b"old\nmore\n", b"new\n", b"n\n", b"new longer\n"])
def test_the_new_content_is_all_there_is_afterwards(tmp_path: Path, new: bytes) -> None:
    path = tmp_path / "METALOG"
    path.write_bytes(b"old\n")
    inode = path.stat().st_ino
    assert rewrite_shared(path, to(new)) is (new != b"old\n")
    assert path.read_bytes() == new
    assert path.stat().st_ino == inode
    assert os.listdir(tmp_path) == ["METALOG"]


def remember_in(seen: list[bytes]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        seen.append(content)
        return content

    return change


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch, is_half_written: bool) -> list[str]:
    """Make the given system call (from 0) the last; a write gets half of its bytes out."""
    steps: list[str] = []
    pwrite = os.pwrite

    def take(name: str) -> None:
        steps.append(name)
        if len(steps) > step >= 0:
            raise KilledError

    def write(descriptor: int, content: bytes, offset: int) -> int:
        steps.append("pwrite")
        if len(steps) - 1 < step or step < 0:
            return pwrite(descriptor, content, offset)
        if is_half_written and len(steps) - 1 == step:
            pwrite(descriptor, bytes(content[: (len(content) + 1) // 2]), offset)
        raise KilledError

    monkeypatch.setattr(os, "pwrite", write)
    for name in ("write", "fsync", "replace", "unlink", "ftruncate"):
        real = getattr(os, name)

        def call(*arguments: object, _real: object = real, _name: str = name) -> object:
            take(_name)
            return _real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(os, name, call)
    return steps


@pytest.mark.parametrize("is_half_written", [False, True])
@pytest.mark.parametrize("new", [b"./a\n./bb\n./c\n./d\n", b"./a\n./x\n", b"", b"./z\n./y\n./c\n"])
def test_killed_at_any_point_the_next_run_has_every_line(
    tmp_path: Path, new: bytes, is_half_written: bool
) -> None:
    old = b"./a\n./b\n./c\n"
    (tmp_path / "dry").mkdir()
    dry = tmp_path / "dry" / "METALOG"
    dry.write_bytes(old)
    with pytest.MonkeyPatch.context() as monkeypatch:
        steps = kill_at(-1, monkeypatch, is_half_written=False)
        rewrite_shared(dry, to(new))
        total = len(steps)
    assert total >= 7
    for step in range(total):
        path = tmp_path / str(step) / "METALOG"
        path.parent.mkdir()
        path.write_bytes(old)
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill_at(step, monkeypatch, is_half_written)
            with pytest.raises(KilledError):
                rewrite_shared(path, to(new))
        with path.open("ab") as stream:
            stream.write(LATER)  # install(1), which knows nothing of us
        seen: list[bytes] = []
        rewrite_shared(path, remember_in(seen))
        rest = seen[0].removesuffix(LATER)
        assert seen[0].endswith(LATER)
        assert rest.rstrip(b"\n") in (old.rstrip(b"\n"), new.rstrip(b"\n")), (step, seen)
        assert path.read_bytes() == seen[0]
        assert os.listdir(path.parent) == ["METALOG"]


@given(CONTENT, CONTENT, st.lists(st.just(LATER), max_size=2).map(b"".join), st.data())
def test_every_state_on_the_way_is_recovered(
    old: bytes, new: bytes, later: bytes, data: st.DataObject
) -> None:
    journal = Journal(old, new)
    before, after = journal.padded
    added = data.draw(st.integers(0, len(before) - len(old)))
    assert recover(journal, before[: len(old) + added] + later) == new + later
    written = data.draw(st.integers(0, len(after)))
    assert recover(journal, after[:written] + before[written:] + later) == new + later


def test_a_file_that_someone_made_anew_is_not_touched_by_an_old_journal() -> None:
    journal = Journal(b"./a\n./b\n", b"./a\n./c\n")
    assert recover(journal, b"./x type=dir\n./y\n") == b"./x type=dir\n./y\n"
    assert recover(journal, b"") == b""


def test_a_full_disk_leaves_the_old_content_and_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "METALOG"
    path.write_bytes(b"old\n")

    def refuse(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(BuildsysError, match="METALOG: cannot write: No space left on device"):
        rewrite_shared(path, to(b"old\nmore\n"))
    assert path.read_bytes() == b"old\n"
    assert os.listdir(tmp_path) == ["METALOG"]


def test_a_file_of_another_kind_in_place_of_the_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / ".METALOG.modbuild-journal").write_bytes(b"something else")
    with pytest.raises(BuildsysError, match="not a journal of this version"):
        rewrite_shared(tmp_path / "METALOG", to(b"x\n"))


# What install(1) does: open to append, wait for a POSIX lock on the whole file, write one line.
INSTALLER = """
import fcntl, sys
stream = open(sys.argv[1], "ab", buffering=0)
for number in range(int(sys.argv[3])):
    fcntl.lockf(stream, fcntl.LOCK_EX)
    stream.write(b"./%s/%d type=file\\n" % (sys.argv[2].encode(), number))
    fcntl.lockf(stream, fcntl.LOCK_UN)
"""


def test_no_line_of_an_install_running_at_the_same_time_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "METALOG"
    path.write_bytes(b"")
    count = 300
    pids = [
        os.posix_spawn(
            sys.executable, [sys.executable, "-c", INSTALLER, str(path), name, str(count)], {}
        )
        for name in ("p", "q")
    ]
    waiting = set(pids)
    runs = 0
    while waiting:
        waiting -= {pid for pid in waiting if os.waitpid(pid, os.WNOHANG)[0]}
        runs += 1
        rewrite_shared(path, put_first(b"./ours type=file size=%d\n" % runs))
    lines = path.read_bytes().splitlines()
    expected = {b"./%s/%d type=file" % (name, n) for name in (b"p", b"q") for n in range(count)}
    assert expected <= set(lines)
    assert len(lines) == 2 * count + 1
    assert runs > 1


def put_first(ours: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return ours + b"".join(line for line in lines if not line.startswith(b"./ours "))

    return change


HOLDER = """
import fcntl, sys, time
stream = open(sys.argv[1], "ab")
fcntl.lockf(stream, fcntl.LOCK_EX)
open(sys.argv[2], "w").close()
time.sleep(60)
"""


def test_a_lock_that_is_never_given_up_is_told(tmp_path: Path) -> None:
    path, ready = tmp_path / "METALOG", tmp_path / "ready"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", HOLDER, str(path), str(ready)], {})
    try:
        while not ready.exists():
            time.sleep(0.01)
        with (
            pytest.raises(BuildsysError, match="METALOG: another program keeps it locked"),
            open_shared(path, timeout_seconds=0.1),
        ):
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
