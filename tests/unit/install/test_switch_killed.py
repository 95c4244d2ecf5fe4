"""A switch killed with SIGKILL before each of its operations: the tree is old or new, whole."""

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from installing import install, installation_in, order
from killing import OPERATIONS, Countdown, memory_directory

from buildsys.base import exchange
from buildsys.base.errors import BuildsysError
from buildsys.install.commit import recover_change
from buildsys.install.history import load_generations
from buildsys.install.installation import Installation
from buildsys.install.receipt import load_receipts
from buildsys.install.record import metalog_entries
from buildsys.install.switch import switch_modules
from buildsys.metalog import render_entry

Tree = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Ground:
    """A directory with modules installed, of which a switch changes some."""

    directory: Path
    can_exchange: bool
    has_spare: bool = False  # a former tree of which the next is made

    @property
    def installation(self) -> Installation:
        return installation_in(self.directory, can_exchange=self.can_exchange)

    def prepare(self) -> None:
        for name in ("changed", "same", "plain", "over"):
            install(self.directory, name, b"old " + name.encode(), b"<old/>")
        (self.installation.tree / "README").write_bytes(b"of someone")
        if self.has_spare:
            for content in (b"odd", b"old changed"):
                changed = order(self.directory, "changed", content, b"<old/>")
                switch_modules([changed], self.installation, keep=1)
            spare = self.installation.history / ".spare/modules"
            (spare / "same/left.over").write_bytes(b"")
            (spare / "left").mkdir()
            assert (spare / "same/same.kmod").samefile(self.installation.tree / "same/same.kmod")

    def switch(self) -> None:
        orders = [
            order(self.directory, "changed", b"new changed" * 1000, b"<new/>"),
            order(self.directory, "same", b"old same", b"<old/>"),
            order(self.directory, "plain", b"new plain"),
            order(self.directory, "added", b"new added", b"<new/>"),
        ]
        names = {receipt.name for receipt in load_receipts(self.installation.receipts)}
        switch_modules(orders, self.installation, names & {"over"}, keep=2)

    def read(self) -> Tree:
        root = self.installation.tree
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def assert_books_agree(self) -> None:
        """Receipts, METALOG and the tree say the same, and nothing unfinished lies about."""
        receipts = load_receipts(self.installation.receipts)
        recorded = {file.target: file.size for receipt in receipts for file in receipt.files}
        tree = self.installation.place.target
        found = {tree / name: len(data) for name, data in self.read().items() if name != "README"}
        assert recorded == found
        lines = {render_entry(entry) for entry in metalog_entries(receipts)}
        metalog = self.installation.metalog.read_bytes()
        # A kill while METALOG was made shorter can leave blank lines, which mean nothing.
        assert set(metalog.splitlines(keepends=True)) - {b"\n"} == lines
        parent = self.installation.tree.parent
        assert sorted(os.listdir(parent)) == ["modules"]
        assert not (self.installation.history / "next").exists()
        for generation in load_generations(self.installation.history):
            for receipt in generation.receipts:
                for file in receipt.files:
                    path = generation.tree / file.target.relative_to(tree)
                    assert path.stat().st_size == file.size


def run_and_die(ground: Ground, operation: int) -> tuple[int, int]:
    """Switch in a child that kills itself; give its wait status and its count of operations."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        real_write, real_exit = os.write, os._exit
        countdown = Countdown(operation, lambda _name: os.kill(os.getpid(), signal.SIGKILL))
        countdown.watch_files()
        try:
            ground.switch()
        finally:
            real_write(writer, b"%d" % len(countdown.names))
            real_exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    count = os.read(reader, 100)
    os.close(reader)
    return status, int(count or b"0")


def make_ground(directory: Path, can_exchange: bool, has_spare: bool = False) -> Ground:
    """Give a prepared directory; made again in the same place, it is copied from the first."""
    ground, master = Ground(directory, can_exchange, has_spare), directory.with_name("master")
    if directory.exists():
        shutil.rmtree(directory)
        copy_with_links(master, directory)
        return ground
    directory.mkdir()
    ground.prepare()
    copy_with_links(directory, master)
    return ground


def copy_with_links(source: Path, target: Path) -> None:
    """Copy a tree in which files have several names."""
    made: dict[int, str] = {}

    def copy(one: str, other: str) -> None:
        number = os.stat(one).st_ino
        if number in made:
            os.link(made[number], other)
        else:
            shutil.copy2(one, other)
            made[number] = other

    shutil.copytree(source, target, copy_function=copy)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a directory in memory where there is one: a disk would make thousands of runs slow."""
    with memory_directory() as directory:
        yield directory


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process loses nothing that it wrote: what is synced is not asked here."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


NEW: Tree = {
    "README": b"of someone",
    "added/added.kmod": b"new added",
    "added/added.plist": b"<new/>",
    "changed/changed.kmod": b"new changed" * 1000,
    "changed/changed.plist": b"<new/>",
    "plain/plain.kmod": b"new plain",
    "same/same.kmod": b"old same",
    "same/same.plist": b"<old/>",
}


@pytest.mark.parametrize(
    ("can_exchange", "has_spare"), [(True, False), (False, False), (True, True)]
)
def test_killed_before_any_operation_the_tree_is_old_or_new(
    memory: Path, can_exchange: bool, has_spare: bool
) -> None:
    dry = make_ground(memory / "ground", can_exchange, has_spare)
    old = dry.read()
    status, total = run_and_die(dry, -1)
    assert status == 0
    assert dry.read() == NEW
    dry.assert_books_agree()
    assert total > 100
    seen = set()
    for operation in range(total):
        ground = make_ground(memory / "ground", can_exchange, has_spare)
        status, _ = run_and_die(ground, operation)
        assert os.WTERMSIG(status) == signal.SIGKILL
        found = ground.read()
        is_aside = not can_exchange and found == {}
        assert found in (old, NEW) or is_aside, operation
        seen.add("aside" if is_aside else "new" if found == NEW else "old")
        if operation % 2:
            recover_change(ground.installation.tree)
            found = ground.read()
            assert found in (old, NEW)
            if found == old:
                assert len(load_receipts(ground.installation.receipts)) == 4
        ground.switch()
        assert ground.read() == NEW
        ground.assert_books_agree()
    assert seen == {"old", "new"} if can_exchange else {"old", "new", "aside"}


@pytest.mark.parametrize(
    ("can_exchange", "has_spare"), [(True, False), (False, False), (True, True)]
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_an_error_in_any_operation_leaves_the_tree_old_or_new_and_is_told(
    memory: Path, can_exchange: bool, has_spare: bool, number: int
) -> None:
    """An operation that fails, and fails only once, is one error with a place."""
    dry = make_ground(memory / "ground", can_exchange, has_spare)
    old = dry.read()
    _, total = run_and_die(dry, -1)
    for operation in range(0, total, 3):
        ground = make_ground(memory / "ground", can_exchange, has_spare)

        def fail(_name: str) -> None:
            raise OSError(number, os.strerror(number))

        with pytest.MonkeyPatch.context() as monkeypatch:
            for name in OPERATIONS:
                monkeypatch.setattr(os, name, getattr(os, name))
            Countdown(operation, fail).watch_files()
            with contextlib.suppress(BuildsysError):
                ground.switch()
        assert ground.read() in (old, NEW)
        ground.switch()
        assert ground.read() == NEW
        ground.assert_books_agree()


def test_where_names_cannot_change_places_the_tree_is_moved_aside(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        """A C library that has renameat2 over a file system that has no exchange."""

        @staticmethod
        def renameat2(*_arguments: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    ground = make_ground(memory / "ground", can_exchange=True)
    for library in (Library, object):
        with monkeypatch.context() as context:
            context.setattr(exchange.ctypes, "CDLL", lambda *_a, _l=library, **_k: _l)
            ground.switch()
    assert ground.read() == NEW
    ground.assert_books_agree()
