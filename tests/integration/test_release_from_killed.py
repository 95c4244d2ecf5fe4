"""Installing a set, killed or failing before any of its file operations: old or new, whole."""

import errno
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from killing import Countdown, memory_directory
from workspace import Workspace, make_workspace

from buildsys.base.errors import BuildsysError
from buildsys.pipeline.fromset import FromSet, install_set
from buildsys.pipeline.settings import load_config

Tree = dict[str, str]


@dataclass(frozen=True, slots=True)
class Scene:
    """A place with a set installed, and a newer set to install."""

    place: Workspace
    before: Tree
    after: Tree

    def reset(self) -> None:
        for name in ("obj", "destdir"):
            shutil.rmtree(self.place.path(name), ignore_errors=True)
            shutil.copytree(self.place.path(f"master/{name}"), self.place.path(name))

    def install(self) -> None:
        os.chdir(self.place.directory)
        config = load_config({}, {}, self.place.directory)
        install_set(config, FromSet((self.place.path("new"),), (), False, False))

    def read(self) -> Tree:
        """Give what is installed, without METALOG (brought up to date later)."""
        found = self.place.digests("destdir/stand")
        return {name: digest for name, digest in found.items() if ".modbuild." not in name}


def run_forked(scene: Scene, watch: Callable[[], None]) -> int:
    """Install in a process of its own that watches its operations; gives how it ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that pytest may have
        child = os.fork()
    if child == 0:
        try:
            watch()
            scene.install()
        except BuildsysError:
            os._exit(1)
        except BaseException:
            os._exit(9)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with memory_directory() as directory:
        for name in ("source", "place"):
            (directory / name).mkdir()
        source = make_workspace(directory / "source")
        place = Workspace(directory / "place")
        for output, old, new in (("old", "<<", "<<"), ("new", "<<", ">>")):
            source.edit("modules/gamma/tables.c", old, new)
            source.edit("modules/alpha/alpha.yaml", "level: 1", f"level: {len(new + output)}")
            source.install()
            assert source.run("pack", "-o", str(place.path(output))).status == 0
            source.edit("modules/alpha/alpha.yaml", f"level: {len(new + output)}", "level: 1")
        after = dict(source.digests("destdir/stand").items())  # fmt: skip
        assert place.run("install", "--from", "old").status == 0
        before = place.digests("destdir/stand")
        assert before.keys() == after.keys()
        assert before != after
        for name in ("obj", "destdir"):
            shutil.copytree(place.path(name), place.path(f"master/{name}"))
        yield Scene(place, before, after)


def count_operations(scene: Scene) -> int:
    scene.reset()
    record = scene.place.path("names")
    countdown = Countdown(-1, lambda _: None)

    def watch() -> None:
        countdown.watch_files()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        watch()
        scene.install()
        total = len(countdown.names)
        Path(record).write_text(str(total))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return int(record.read_text())


def kill(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("action", "ends"), [(kill, {-signal.SIGKILL}), (fail, {0, 1, 9})])
def test_the_tree_is_the_old_or_the_new_one_and_the_next_run_ends_it(
    scene: Scene, action: Callable[[str], None], ends: set[int]
) -> None:
    total = count_operations(scene)
    assert total > 30
    seen = set()
    for operation in range(total):
        scene.reset()
        countdown = Countdown(operation, action)
        status = run_forked(scene, countdown.watch_files)
        assert status in ends, operation
        found = scene.read()
        assert found in (scene.before, scene.after, {}), operation
        seen.add(found == scene.after)
        assert run_forked(scene, lambda: None) == 0, operation
        assert scene.read() == scene.after, operation
        assert not list(scene.place.path("obj").glob("*/.modbuild.set.*")), operation
        metalog = scene.place.path("destdir/METALOG").read_text()
        assert metalog.count("/gamma.kmod ") == 1, operation
    assert seen == {True, False}
