"""A build and installation killed, or failing, at any of its operations; the next run completes.

MODBUILD_TEST_KILLS is how many points are tried in each scene ('all' for every one); the default
keeps the gate short. Points are file operations, starts and ends of processes, and commits; of a
sample all kinds have their turns. How many there were is told in the summary of pytest.
"""

import contextlib
import errno
import os
import shutil
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from killing import OPERATIONS, Countdown, memory_directory
from quickcc import write_tools
from workspace import FILES, Workspace, make_unfit, make_workspace

from buildsys import __main__
from buildsys.base import programs
from buildsys.pipeline.storefile import StoreFile

SCENES = ("first", "change", "again", "beside")
KILLS = os.environ.get("MODBUILD_TEST_KILLS", "8")
METALOG_NAMES = ("METALOG", ".METALOG.modbuild-journal")  # brought up to date later
MADE = ("*.o", "*.kmod", "*.S", "*.plist", "*.map", "*.json")


@dataclass(frozen=True, slots=True)
class Files:
    """What is installed, without METALOG (brought up to date later), and what OBJDIR shows."""

    installed: dict[str, bytes]
    made: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Scene:
    """A state of the small tree, kept as a copy, and the run that is disturbed in it."""

    name: str
    tree: Workspace
    words: tuple[str, ...]
    operations: tuple[str, ...]  # of the run, by kind
    before: Files
    after: Files
    edit: tuple[str, str, str] | None = None  # of a built tree: file, old and new text
    status: int = 0  # of a run that is not disturbed

    def reset(self) -> None:
        """Bring the state back that was before the run."""
        self._copy_back()
        if self.edit is not None:
            settle(self.tree, self.words, self.status)
            self.tree.edit(*self.edit)

    def _copy_back(self) -> None:
        for name in ("obj", "destdir", "modules"):
            shutil.rmtree(self.tree.path(name), ignore_errors=True)
            master = self.tree.path(f"{self.name}/{name}")
            if master.exists():
                shutil.copytree(master, self.tree.path(name), symlinks=True)

    @property
    def total(self) -> int:
        return len(self.operations)

    def points(self) -> tuple[int, ...]:
        """Choose operations: some of each kind, early ones of the one and late ones of another."""
        if KILLS == "all":
            return tuple(range(self.total))
        places: dict[str, list[int]] = {}
        for place, kind in enumerate(self.operations):
            places.setdefault(kind, []).append(place)
        kinds = sorted(places)
        chosen = []
        for number in range(int(KILLS)):
            # The second scene goes on where the first one stopped.
            turn = number + int(KILLS) * SCENES.index(self.name)
            own = places[kinds[turn % len(kinds)]]
            chosen.append(own[len(own) * (turn * 5 % 7) // 7])
        return tuple(chosen)


def read_installed(tree: Workspace) -> dict[str, bytes]:
    """Give every installed file but METALOG."""
    root = tree.path("destdir")
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not path.name.endswith(METALOG_NAMES)
        and ".modbuild." not in str(path)
    }


def read_made(tree: Workspace) -> dict[str, bytes]:
    """Give the outputs in OBJDIR under their own names."""
    root = tree.path("obj")
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for pattern in MADE
        for path in sorted(root.rglob(pattern))
        if not {"generations", ".modbuild"} & set(path.relative_to(root).parts)
        and ".modbuild." not in path.name
    }


def read_files(tree: Workspace) -> Files:
    return Files(read_installed(tree), read_made(tree))


def watch_processes(countdown: Countdown, started: list[int]) -> None:
    """Count starts and ends of processes, and commits of the record, too."""
    start, finish, flush = programs._start, programs.Programs._finish, StoreFile.flush

    def counted_start(*arguments: object) -> object:
        countdown.pass_by("start")
        process = start(*arguments)  # type: ignore[arg-type]
        started.append(process.pid)
        countdown.pass_by("started")
        return process

    def counted_finish(*arguments: object) -> object:
        countdown.pass_by("ended")
        return finish(*arguments)  # type: ignore[arg-type]

    def counted_flush(*arguments: object) -> None:
        countdown.pass_by("commit")
        flush(*arguments)  # type: ignore[arg-type]
        countdown.pass_by("committed")

    programs._start = counted_start  # type: ignore[assignment]
    programs.Programs._finish = counted_finish  # type: ignore[assignment,method-assign]
    StoreFile.flush = counted_flush  # type: ignore[assignment,method-assign]


def run_in_child(
    tree: Workspace,
    words: Sequence[str],
    operation: int = -1,
    disturb: Callable[[str, list[int]], None] | None = None,
) -> tuple[int, tuple[str, ...], str]:
    """Run modbuild in a child that is disturbed at an operation.

    Gives the wait status, the operations (none of one that was killed), and what it said.
    """
    reader, writer = os.pipe()
    said = tree.path("said")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_child(tree, words, operation, disturb, writer, said)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    operations = os.read(reader, 1 << 16).decode().split()
    os.close(reader)
    return status, tuple(operations), said.read_text()


def _be_the_child(
    tree: Workspace,
    words: Sequence[str],
    operation: int,
    disturb: Callable[[str, list[int]], None] | None,
    writer: int,
    said: Path,
) -> None:
    status = 99
    real_write, real_exit = os.write, os._exit
    try:
        os.setpgid(0, 0)
        os.chdir(tree.directory)
        os.environ.update(tree.environment)
        stream = said.open("w")
        sys.stdout = sys.stderr = stream
        started: list[int] = []
        countdown = Countdown(operation, lambda name: disturb and disturb(name, started))
        countdown.watch_files()
        watch_processes(countdown, started)
        status = __main__.answer([*words])
        stream.flush()
        real_write(writer, " ".join(countdown.names).encode())
    finally:
        real_exit(status)


def kill_group(_name: str, _started: list[int]) -> None:
    """Kill our process group; compilers, which have groups of their own, go on as orphans."""
    os.killpg(0, signal.SIGKILL)


def kill_all(_name: str, started: list[int]) -> None:
    """Kill compilers, too."""
    for pid in started:
        with contextlib.suppress(OSError):  # it has ended
            os.killpg(pid, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


@pytest.fixture(scope="module")
def scenes() -> Iterator[tuple[Scene, ...]]:
    """Give a first installation, one after an edit and the removal of a module, two short ones."""
    with memory_directory() as directory:
        write_tools(directory / "bin", 1)
        path = f"{directory}/bin:{os.environ['PATH']}"
        tree = make_workspace(directory / "tree", PATH=path, MODBUILD_TOOLCHAIN="llvm")
        # tcc reaches variables in a way that the kernel does not take.
        tree.edit("modules/alpha/alpha.c", "count += ALPHA_STEP", "ALPHA_STEP")
        first = make_scene("first", tree, ("install", "-j2"))
        yield first, make_change(tree), make_again(tree), make_beside(tree)


def make_scene(
    name: str,
    tree: Workspace,
    words: tuple[str, ...],
    edit: tuple[str, str, str] | None = None,
    wanted: int = 0,
) -> Scene:
    """Keep the present state, run undisturbed, and take down what was before and after."""
    for part in ("obj", "destdir", "modules"):
        if tree.path(part).exists():
            shutil.copytree(tree.path(part), tree.path(f"{name}/{part}"), symlinks=True)
    before = read_files(tree)
    if edit is not None:
        settle(tree, words, wanted)
        tree.edit(*edit)
    status, operations, said = run_in_child(tree, words)
    assert os.waitstatus_to_exitcode(status) == wanted, said
    return Scene(name, tree, words, operations, before, read_files(tree), edit, wanted)


def settle(tree: Workspace, words: tuple[str, ...], wanted: int) -> None:
    """Have a snapshot that is true of files that were copied; the first may find them too young."""
    said = ""
    for number in range(6):
        status, _, said = run_in_child(tree, words)
        assert os.waitstatus_to_exitcode(status) == wanted, said
        if number and "Nothing to do" in said:
            break
    assert "Nothing to do" in said, said


def make_again(tree: Workspace) -> Scene:
    """Edit a source of a built tree, which is then gone the short way."""
    edit = ("modules/beta/beta.c", "alpha_count() +", "2 + alpha_count() +")
    scene = make_scene("again", tree, ("install", "-j2"), edit)
    assert_short(scene)
    return scene


def make_beside(tree: Workspace) -> Scene:
    """Edit a source beside a kmod that is not fit, and never was."""
    for name, text in FILES.items():
        if "/gamma/" in name or "/first/" in name or "/second/" in name:
            tree.write(name, text)
    make_unfit(tree)
    words = ("install", "-k", "-j2")
    assert tree.run(*words).status == 2
    edit = ("modules/alpha/alpha.h", "STEP 2", "STEP 3")
    scene = make_scene("beside", tree, words, edit, wanted=2)
    assert_short(scene)
    return scene


def assert_short(scene: Scene) -> None:
    scene.reset()
    with mock.patch.dict(sys.modules, {"buildsys.cli": None}):  # which the long way imports
        status, _, said = run_in_child(scene.tree, scene.words)
    assert os.waitstatus_to_exitcode(status) == scene.status, said


def make_change(tree: Workspace) -> Scene:
    tree.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    shutil.rmtree(tree.path("modules/gamma"))
    return make_scene("change", tree, ("install", "-j2", "--prune"))


def assert_whole(scene: Scene) -> None:
    """Check that each file is the one from before or from after, and the tree as one."""
    # What is left over goes after all else was installed.
    before, after = scene.before.installed, scene.after.installed
    assert read_installed(scene.tree) in (before, {**before, **after}, after)
    for name, content in read_made(scene.tree).items():
        assert content in (scene.before.made.get(name), scene.after.made.get(name)), name
    path = scene.tree.path("obj/amd64-x86_64/.modbuild/store.sqlite3")
    if path.exists():
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()


def assert_completed(scene: Scene) -> None:
    """Check that the next run ends well and leaves what an undisturbed one does."""
    status, _, said = run_in_child(scene.tree, scene.words)
    assert os.waitstatus_to_exitcode(status) == scene.status, said
    assert read_files(scene.tree) == scene.after
    assert not list(scene.tree.path("destdir").rglob(".*modbuild*"))


@pytest.mark.parametrize("index", range(len(SCENES)), ids=SCENES)
def test_killed_before_any_operation_the_next_run_completes(
    scenes: tuple[Scene, ...], index: int, record_property: Callable[[str, object], None]
) -> None:
    scene = scenes[index]
    assert scene.total > (50 if scene.edit else 150)
    for operation in scene.points():
        scene.reset()
        disturb = (kill_group, kill_all)[operation % 2]
        status, _, said = run_in_child(scene.tree, scene.words, operation, disturb)
        # The threads' order differs a little from run to run, so the last point may not come.
        ended = os.waitstatus_to_exitcode(status)
        assert ended in (scene.status, -signal.SIGKILL), said
        assert_whole(scene)
        assert_completed(scene)
    record_property("kills", len(scene.points()))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOMEM])
@pytest.mark.parametrize("index", range(len(SCENES)), ids=SCENES)
def test_an_error_in_any_operation_is_told_and_the_next_run_completes(
    scenes: tuple[Scene, ...],
    index: int,
    number: int,
    record_property: Callable[[str, object], None],
) -> None:
    """The operation fails once; what its failure spoils is found by the next run."""
    scene = scenes[index]

    def fail(name: str, _started: list[int]) -> None:
        if name in OPERATIONS:
            raise OSError(number, os.strerror(number))

    points = scene.points()
    points = points if KILLS == "all" else points[number % 4 :: 4]
    for operation in points:
        scene.reset()
        status, _, said = run_in_child(scene.tree, scene.words, operation, fail)
        assert os.waitstatus_to_exitcode(status) in (scene.status, 1), (operation, said)
        assert "Traceback" not in said, (operation, said)
        assert_whole(scene)
        assert_completed(scene)
    record_property("errors", len(points))
