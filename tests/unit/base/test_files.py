"""Whole-file writes: what is seen, what is left behind, what is refused."""

import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from buildsys.base.below import (
    StagedFile,
    make_below,
    open_below,
    remove_below,
    remove_stale_temporaries,
    stage_whole,
)
from buildsys.base.errors import BuildsysError
from buildsys.base.files import (
    is_temporary,
    make_link,
    temporary_beside,
    write_all_durably,
    write_whole,
)
from buildsys.base.locks import open_shared

CONTENT = b"some bytes\n"


@contextmanager
def staged(
    directory: Path, name: str, content: bytes = CONTENT, mode: int = 0o444
) -> Iterator[StagedFile]:
    digest = hashlib.sha256(content).digest()
    with open_below(directory, ()) as descriptor:
        assert descriptor is not None
        with stage_whole((content,), descriptor, directory / name, mode, digest) as file:
            yield file


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_write_whole_leaves_the_old_file_and_nothing_else_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(BuildsysError, match=r"file: cannot write: No space left on device"):
        write_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_make_below_makes_directories_of_mode_0755_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with make_below(tmp_path, ("stand", "amd64")):
            pass
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "stand") == mode_of(tmp_path / "stand" / "amd64") == 0o755


def test_make_below_leaves_the_mode_of_an_existing_directory(tmp_path: Path) -> None:
    (tmp_path / "stand").mkdir(mode=0o700)
    with make_below(tmp_path, ("stand",)):
        assert mode_of(tmp_path / "stand") == 0o700


def test_open_below_gives_none_for_a_missing_directory(tmp_path: Path) -> None:
    with open_below(tmp_path, ("stand", "amd64")) as descriptor:
        assert descriptor is None
    assert os.listdir(tmp_path) == []


def test_make_below_refuses_a_link_below_root_but_not_a_root_that_is_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    with make_below(tmp_path / "root", ("a",)):
        pass
    (tmp_path / "real" / "b").symlink_to("a")
    with (
        pytest.raises(BuildsysError, match=r"root/b: a symbolic link to a stands where"),
        make_below(tmp_path / "root", ("b", "c")),
    ):
        pass
    assert os.listdir(tmp_path / "real" / "a") == []


def test_make_below_names_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "stand").write_bytes(b"")
    with (
        pytest.raises(BuildsysError, match=r"stand: cannot make or open it: Not a directory"),
        make_below(tmp_path, ("stand", "amd64")),
    ):
        pass


def test_they_close_every_descriptor(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    before = len(os.listdir("/proc/self/fd"))
    with make_below(tmp_path, ("a", "b", "c")):
        assert len(os.listdir("/proc/self/fd")) == before + 1
    with pytest.raises(BuildsysError), make_below(tmp_path, ("link",)):
        pass
    with open_below(tmp_path, ("absent", "b")):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_staged_file_has_its_name_only_after_the_move(tmp_path: Path) -> None:
    with staged(tmp_path, "file") as file:
        assert file.size == len(CONTENT)
        assert not (tmp_path / "file").exists()
        file.move()
        assert (tmp_path / "file").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file"]
    assert mode_of(tmp_path / "file") == 0o444


def test_a_staged_file_that_is_not_moved_goes_with_the_block(tmp_path: Path) -> None:
    with staged(tmp_path, "file"):
        pass
    assert os.listdir(tmp_path) == []


def test_stage_whole_refuses_bytes_of_another_digest(tmp_path: Path) -> None:
    with open_below(tmp_path, ()) as descriptor:
        assert descriptor is not None
        stage = stage_whole((CONTENT,), descriptor, tmp_path / "file", 0o444, bytes(32))
        with pytest.raises(BuildsysError, match="not the bytes that were checked"), stage:
            pass
    assert os.listdir(tmp_path) == []


def test_a_move_replaces_a_link_and_never_writes_through_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").symlink_to(outside)
    with staged(tmp_path / "in", "file") as file:
        file.move()
    assert outside.read_bytes() == b"kept"
    assert not (tmp_path / "in" / "file").is_symlink()


def test_stale_temporaries_go_but_those_being_written_stay(tmp_path: Path) -> None:
    stale = temporary_beside(tmp_path / "file")
    stale.write_bytes(b"half")
    (tmp_path / "foreign.tmp").write_bytes(b"")
    with staged(tmp_path, "other") as file, open_below(tmp_path, ()) as descriptor:
        assert descriptor is not None
        assert remove_stale_temporaries(descriptor) == (stale.name,)
        assert file.temporary in os.listdir(tmp_path)
        file.move()
    assert sorted(os.listdir(tmp_path)) == ["foreign.tmp", "other"]


def test_a_temporary_taken_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    calls = []

    def steal_first(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            (left,) = tmp_path.iterdir()
            left.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", steal_first)
    with staged(tmp_path, "file") as file:
        file.move()
    assert len(calls) == 2
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_remove_below_removes_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    (tmp_path / "link").symlink_to("kept")
    with open_below(tmp_path, ()) as descriptor:
        assert descriptor is not None
        assert remove_below(descriptor, tmp_path / "link")
        assert not remove_below(descriptor, tmp_path / "link")
    assert os.listdir(tmp_path) == ["kept"]


def test_is_temporary_knows_only_our_own_names() -> None:
    assert is_temporary(temporary_beside(Path("hello.kmod")).name)
    assert not is_temporary("hello.kmod.tmp")


def test_open_shared_keeps_the_inode(tmp_path: Path) -> None:
    path = tmp_path / "METALOG"
    path.write_bytes(b"old line\n")
    inode = path.stat().st_ino
    with open_shared(path) as file:
        assert file.read() == b"old line\n"
        file.write(b"new", 0)
        file.truncate(3)
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino == inode


def test_open_shared_keeps_threads_of_one_process_apart(tmp_path: Path) -> None:
    path = tmp_path / "METALOG"

    def count() -> None:
        for _ in range(50):
            with open_shared(path) as file:
                file.write(b"%06d" % (int(file.read() or b"0") + 1), 0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == b"000200"


def test_open_shared_says_what_is_wrong(tmp_path: Path) -> None:
    with (
        pytest.raises(BuildsysError, match="METALOG: cannot write: No such file"),
        open_shared(tmp_path / "absent" / "METALOG"),
    ):
        pass


def test_many_files_are_written_whole_and_together(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two", "three")]
    (tmp_path / "two").write_bytes(b"old")
    write_all_durably([(path, path.name.encode() * 1000) for path in places], 0o640)
    for path in places:
        assert path.read_bytes() == path.name.encode() * 1000
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 3


def test_many_files_of_which_one_cannot_be_written_leave_no_temporaries(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"old")
    places = [tmp_path / "one", tmp_path / "absent/two"]
    with pytest.raises(BuildsysError, match="absent/two: cannot write: "):
        write_all_durably([(path, b"new") for path in places])
    assert (tmp_path / "one").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_does_not_take_the_place_of_a_pipe(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("pipe")
    for path in (pipe, link):
        with pytest.raises(BuildsysError, match="this is a device, a pipe or a link to one"):
            write_whole(path, CONTENT)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_a_link_to_what_is_open_is_no_place_for_a_file(tmp_path: Path) -> None:
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    with pytest.raises(BuildsysError, match="name a file"):
        write_whole(link, CONTENT)
    assert link.is_symlink()


def test_a_link_to_a_file_is_replaced(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_bytes(b"before")
    link.symlink_to("other")
    write_whole(link, CONTENT)
    assert (link.read_bytes(), other.read_bytes()) == (CONTENT, b"before")


def test_a_link_is_made_kept_or_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link"
    make_link(link, Path("one"))
    before = link.lstat()
    make_link(link, Path("one"))
    assert (os.readlink(link), link.lstat()) == ("one", before)
    make_link(link, Path("two"))
    assert (os.readlink(link), os.listdir(tmp_path)) == ("two", ["link"])
    link.unlink()
    link.write_text("a file")
    make_link(link, Path("three"))
    assert os.readlink(link) == "three"
    (tmp_path / "directory").mkdir()
    with pytest.raises(BuildsysError, match=r"directory: cannot make the link: Is a directory"):
        make_link(tmp_path / "directory", Path("four"))
    with pytest.raises(BuildsysError, match=r"no/link: cannot make the link: No such file"):
        make_link(tmp_path / "no/link", Path("five"))
    assert sorted(os.listdir(tmp_path)) == ["directory", "link"]
