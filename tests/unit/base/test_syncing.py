"""What is handed over to be synced is durable when finish returns, or it says why not."""

import errno
import os
import threading
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.syncing import Syncer

COUNT = 300  # more than are kept open


class Disk:
    """Stands in for fsync: takes down what was synced, by inode, and fails where it shall."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[int] = []
        self.most_open = 0
        self.failing: set[int] = set()
        self.failure: BaseException = OSError(errno.EIO, os.strerror(errno.EIO))
        self.threads: set[int] = set()
        monkeypatch.setattr(os, "fsync", self.sync)

    def sync(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        self.most_open = max(self.most_open, len(os.listdir("/proc/self/fd")))
        self.threads.add(threading.get_ident())
        if inode in self.failing:
            raise self.failure
        self.synced.append(inode)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def add_files(syncer: Syncer, directory: Path, count: int = COUNT) -> list[int]:
    inodes = []
    for number in range(count):
        path = directory / f"file{number}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        inodes.append(os.fstat(descriptor).st_ino)
        syncer.add(descriptor, path)
    return inodes


def sync_files(directory: Path) -> None:
    syncer = Syncer()
    try:
        add_files(syncer, directory)
        syncer.finish()
    finally:
        syncer.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_all_that_was_added_is_synced_once_and_closed(tmp_path: Path, disk: Disk) -> None:
    before, threads = open_descriptors(), threading.active_count()
    syncer = Syncer()
    inodes = add_files(syncer, tmp_path)
    syncer.add(os.open(tmp_path, os.O_RDONLY), tmp_path)
    syncer.finish()
    assert sorted(disk.synced) == sorted([*inodes, tmp_path.stat().st_ino])
    assert open_descriptors() == before
    assert threading.active_count() == threads
    assert disk.most_open < before + 150
    assert add_files(syncer, tmp_path, 3) == inodes[:3]
    syncer.finish()
    assert len(disk.synced) == COUNT + 4


def test_without_threads_the_caller_syncs(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    syncer = Syncer()
    inodes = add_files(syncer, tmp_path)
    syncer.finish()
    assert disk.synced == inodes
    assert disk.threads == {threading.get_ident()}


@pytest.mark.parametrize("failing", [0, COUNT // 2, COUNT - 1])
def test_one_that_cannot_be_synced_is_named_and_all_are_closed(
    tmp_path: Path, disk: Disk, failing: int
) -> None:
    before = open_descriptors()
    path = tmp_path / f"file{failing}"
    path.touch()
    disk.failing.add(path.stat().st_ino)
    with pytest.raises(BuildsysError, match=f"file{failing}: cannot write: Input/output error"):
        sync_files(tmp_path)
    assert open_descriptors() == before


def test_any_other_failure_of_a_thread_comes_through(tmp_path: Path, disk: Disk) -> None:
    disk.failure = MemoryError("in a thread")
    for number in range(4):
        (tmp_path / f"file{number}").touch()
        disk.failing.add((tmp_path / f"file{number}").stat().st_ino)
    with pytest.raises(MemoryError, match="in a thread"):
        sync_files(tmp_path)


def test_close_lets_go_of_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, threads = open_descriptors(), threading.active_count()
    gate = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: gate.wait(60))
    syncer = Syncer()
    add_files(syncer, tmp_path, 50)
    gate.set()
    syncer.close()
    syncer.close()
    assert open_descriptors() == before
    assert threading.active_count() == threads


def test_a_system_without_the_hint_is_served(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fadvise")
    syncer = Syncer()
    inodes = add_files(syncer, tmp_path, 5)
    syncer.finish()
    assert sorted(disk.synced) == sorted(inodes)
