"""A release in place: old or new, whole; listed with digests; what is not ours stays."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from killing import Countdown, memory_directory

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.pipeline import publishing
from buildsys.pipeline.publishing import (
    RELEASE,
    ReleasedTarget,
    publish_release,
    refuse_odd_output,
)
from buildsys.pipeline.release import DONE, FAILED, StageOutcome, TargetOutcome


@dataclass(frozen=True, slots=True)
class Ground:
    """A directory with work/TARGET for each target, and release, which is put in place."""

    directory: Path

    @property
    def output(self) -> Path:
        return self.directory / "release"

    def make(self, name: str, content: str, state: str = DONE) -> ReleasedTarget:
        """Make the tree and the set of a target."""
        work = self.directory / "work" / name
        shutil.rmtree(work, ignore_errors=True)
        for path in ("destdir/stand/a.kmod", "sets/modules.tgz", "METALOG", "destdir/.modbuild/x"):
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(f"{path} {content}")
        outcome = TargetOutcome("amd64 10.99.12", (StageOutcome("build", state),), (), ())
        return ReleasedTarget(name, "amd64", work, outcome)

    def publish(self, *targets: ReleasedTarget) -> publishing.Published:
        return publish_release(self.output, targets, ())

    def read(self) -> dict[str, str]:
        return {
            path.relative_to(self.output).as_posix(): path.read_text()
            for path in sorted(self.output.rglob("*"))
            if path.is_file()
        }

    def beside(self) -> list[str]:
        return sorted(set(os.listdir(self.directory)) - {"work", "release"})


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_a_release_lists_what_it_holds_and_nothing_else_is_there(ground: Ground) -> None:
    published = ground.publish(ground.make("one", "1"), ground.make("two", "1", FAILED))
    assert (published.targets, published.foreign) == (("one",), ())
    found = ground.read()
    document = json.loads(found.pop(RELEASE))
    listed = {file["path"]: file["sha256"] for file in document["targets"][0]["files"]}
    assert listed == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in found.items()
    }
    assert sorted(found) == ["one/METALOG", "one/destdir/stand/a.kmod", "one/sets/modules.tgz"]
    assert [(t["name"], t["state"]) for t in document["targets"]] == [
        ("one", "done"), ("two", "failed or left out"),
    ]  # fmt: skip
    assert document["targets"][1]["files"] == []
    assert ground.beside() == []


def test_targets_that_are_not_of_this_release_go_and_files_of_others_stay(ground: Ground) -> None:
    ground.publish(ground.make("one", "1"), ground.make("two", "1"))
    (ground.output / "NOTES").write_text("mine")
    (ground.output / "two/sets/modules.tgz.sig").write_text("mine")
    (ground.output / "two/METALOG").write_text("edited")
    (ground.output / "empty").mkdir()
    published = ground.publish(ground.make("one", "2"), ground.make("three", "2"))
    assert published.foreign == ("NOTES", "two/METALOG", "two/sets/modules.tgz.sig")
    found = ground.read()
    assert found["NOTES"] == found["two/sets/modules.tgz.sig"] == "mine"
    assert found["two/METALOG"] == "edited"
    assert "two/sets/modules.tgz" not in found
    assert not (ground.output / "two/destdir").exists()
    assert (ground.output / "empty").is_dir()
    assert found["one/sets/modules.tgz"].endswith(" 2")
    assert ground.beside() == []


def test_what_stands_in_the_way_of_a_release_is_named_and_nothing_is_changed(
    ground: Ground,
) -> None:
    (ground.output / "one/sets/modules.tgz").mkdir(parents=True)
    with pytest.raises(BuildsysError, match=r"one/sets/modules\.tgz: stands where a file"):
        ground.publish(ground.make("one", "1"))
    (ground.output / "one/sets/modules.tgz").rmdir()
    ground.publish(ground.make("one", "1"))
    (ground.output / "one/METALOG").write_text("edited")
    before = ground.read()
    with pytest.raises(BuildsysError, match="one/METALOG: stands where a file of this release"):
        ground.publish(ground.make("one", "2"))
    assert ground.read() == before
    assert ground.beside() == []


def test_a_later_build_does_not_change_what_was_released(ground: Ground) -> None:
    target = ground.make("one", "1")
    ground.publish(target)
    before = ground.read()
    with (target.work / "METALOG").open("r+") as stream:  # as install(1) does
        stream.write("another")
    assert ground.read() == before


def test_a_list_of_another_version_stops_a_release(ground: Ground) -> None:
    ground.output.mkdir()
    (ground.output / RELEASE).write_text('{"format": 2}')
    with pytest.raises(BuildsysError, match="not the list of a release of this version"):
        ground.publish(ground.make("one", "1"))


def test_a_place_that_cannot_be_replaced_is_refused(ground: Ground) -> None:
    with pytest.raises(UsageError, match="mount point"):
        refuse_odd_output(Path("/proc"))
    ground.publish(ground.make("one", "1"))
    with pytest.raises(UsageError, match="which is a release"):
        refuse_odd_output(ground.output / "one")
    shutil.rmtree(ground.output)
    ground.output.write_text("a file")
    with pytest.raises(UsageError, match="expected a directory"):
        refuse_odd_output(ground.output)
    link = ground.directory / "link"
    link.symlink_to("elsewhere")
    assert refuse_odd_output(link) == Path(os.path.realpath(ground.directory)) / "elsewhere"


def run_killed(publish: Callable[[], object], operation: int) -> bool:
    """Publish in a process of its own, killed before an operation; False when it came through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that pytest may have
        child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            countdown = Countdown(operation, lambda _: os.kill(os.getpid(), signal.SIGKILL))
            countdown.watch_files()
            publish()
            os._exit(0)
        os._exit(9)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def states(ground: Ground, publish: Callable[[], object]) -> Iterator[dict[str, str]]:
    """Give what is there after dying before each operation; the first state is put back."""
    shutil.copytree(ground.output, ground.directory / "first")
    operation, is_killed = 0, True
    while is_killed:
        is_killed = run_killed(publish, operation)
        yield ground.read() if ground.output.exists() else {}
        publish()
        assert ground.beside() == ["first"]
        shutil.rmtree(ground.output)
        shutil.copytree(ground.directory / "first", ground.output)
        operation += 1
    assert operation > 20


@pytest.mark.parametrize("can_exchange", [True, False])
def test_killed_anywhere_a_release_is_the_old_or_the_new_one(
    can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(publishing, "exchange_names", lambda *_: False)
    with memory_directory() as directory:
        ground = Ground(directory)
        ground.publish(ground.make("one", "1"), ground.make("two", "1"))
        (ground.output / "NOTES").write_text("mine")
        old, targets = ground.read(), (ground.make("one", "2"), ground.make("three", "2"))
        ground.publish(*targets)
        new = ground.read()
        shutil.rmtree(ground.output)
        ground.publish(ground.make("one", "1"), ground.make("two", "1"))
        (ground.output / "NOTES").write_text("mine")
        targets = (ground.make("one", "2"), ground.make("three", "2"))
        found = list(states(ground, lambda: ground.publish(*targets)))
        assert old != new
        assert found[0] == old
        assert found[-1] == new
        gone = [state for state in found if state not in (old, new)]
        assert gone == ([] if can_exchange else [{}])
