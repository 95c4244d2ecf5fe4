"""The one door for writing to disk: a file appears whole or not at all."""

import contextlib
import errno
import importlib
import itertools
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.syncing import Syncer

_serial = itertools.count()
_PIECE_BYTES = 1 << 16
_TEMPORARY_PREFIX = ".modbuild."


def temporary_beside(path: Path) -> Path:
    """Name a file in path's directory that no other process or thread will name."""
    tail = f"{os.getpid()}.{threading.get_ident():x}.{next(_serial)}"
    return path.with_name(f"{_TEMPORARY_PREFIX}{path.name[:100]}.{tail}.tmp")


def is_temporary(name: str) -> bool:
    """Tell whether temporary_beside made this file name (of this or of a killed run)."""
    return name.startswith(_TEMPORARY_PREFIX) and name.endswith(".tmp")


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Make path and its parents; an existing directory is fine. mode is path's, less the umask."""
    if os.path.isdir(path):
        return
    try:
        path.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise BuildsysError(f"cannot make the directory: {os_error_text(error)}", path) from error


def write_whole(path: Path, content: bytes, mode: int = 0o644, durable: bool = False) -> None:
    """Replace path by content at one moment; with durable, only after the disk has it."""
    refuse_special(path)
    temporary = temporary_beside(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                view = memoryview(content)
                while view:
                    view = view[stream.write(view) :]
                os.fchmod(stream.fileno(), mode)
                if durable:
                    os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if durable:
            sync_directory(path.parent)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error


def refuse_special(path: Path) -> None:
    """Refuse to put a file in the place of a device, a pipe or a link to one (/dev/stdout)."""
    try:
        kind = os.lstat(path).st_mode
        if stat.S_ISLNK(kind) and not os.readlink(path).startswith("/proc/"):
            kind = os.stat(path).st_mode
    except OSError:
        return  # nothing there, or writing will say what is wrong
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise BuildsysError(
            "cannot write: expected a file, or nothing, to put a file in its place; this is a"
            " device, a pipe or a link to one: name a file",
            path,
        )


def write_all_durably(contents: Sequence[tuple[Path, bytes]], mode: int = 0o644) -> None:
    """Replace many files, each whole; they are durable, together, when this ends.

    They are renamed after the last is synced, so one that cannot be written leaves all as they
    were. Stopped in the middle of that, some are new and some are as they were.
    """
    waiting: list[tuple[Path, Path]] = []
    syncer = Syncer()
    try:
        for path, content in contents:
            with _told(path):
                temporary = temporary_beside(path)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(temporary, flags, 0o600)
                waiting.append((temporary, path))
                try:
                    _write_fully(descriptor, content)
                    os.fchmod(descriptor, mode)
                except BaseException:
                    os.close(descriptor)
                    raise
            syncer.add(descriptor, path)
        syncer.finish()
        while waiting:
            temporary, path = waiting[-1]
            move_into_place(temporary, path)
            waiting.pop()
    except BaseException:
        syncer.close()
        for temporary, _ in waiting:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise
    for directory in dict.fromkeys(path.parent for path, _ in contents):
        sync_directory(directory)


def _write_fully(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error


def write_if_changed(path: Path, content: bytes) -> None:
    """Write content unless path holds it already, so that its times tell when it changed."""
    try:
        same = path.read_bytes() == content
    except OSError:
        same = False
    if not same:
        write_whole(path, content)


def move_into_place(temporary: Path, path: Path) -> None:
    """Give a finished temporary file its name."""
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error


def make_link(link: Path, target: Path) -> None:
    """Make link a symbolic link to target, replacing another link at one moment."""
    with contextlib.suppress(OSError):  # what is wrong, the second try tells
        os.symlink(target, link)
        return
    with contextlib.suppress(OSError):
        if os.readlink(link) == str(target):
            return
    temporary = temporary_beside(link)
    try:
        os.symlink(target, temporary)
        try:
            os.replace(temporary, link)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise BuildsysError(f"cannot make the link: {os_error_text(error)}", link) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error


def remove_file(path: Path) -> bool:
    """Remove a file or link; False when there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BuildsysError(f"cannot remove: {os_error_text(error)}", path) from error
    return True


def remove_temporaries(directory: Path) -> None:
    """Remove what killed runs left of temporary_beside; only where no other run is at work."""
    try:
        names = [name for name in os.listdir(directory) if name.startswith(_TEMPORARY_PREFIX)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", directory) from error
    for name in names:
        if (directory / name).is_dir():
            remove_tree(directory / name)
        else:
            remove_file(directory / name)


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it; none is fine."""
    try:
        importlib.import_module("shutil").rmtree(path)  # which few runs need
    except FileNotFoundError:
        return
    except OSError as error:
        raise BuildsysError(f"cannot remove: {os_error_text(error)}", path) from error


def remove_empty_directory(path: Path) -> bool:
    """Remove a directory that holds nothing; False when it is absent or holds something."""
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
            return False
        raise BuildsysError(f"cannot remove: {os_error_text(error)}", path) from error
    return True


def read_whole(path: str | Path) -> bytes:
    """Read a file; that it cannot be read is an error with its place."""
    try:
        return _read(path)
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", Path(path)) from error


def read_if_there(path: str | Path) -> bytes | None:
    """Read a file; None when there is none."""
    try:
        return _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", Path(path)) from error


def _read(path: str | Path) -> bytes:
    # Without Python's own layers, of which small files have only the cost.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(descriptor, max(_PIECE_BYTES, os.fstat(descriptor).st_size + 1))]
        while pieces[-1]:
            pieces.append(os.read(descriptor, _PIECE_BYTES))
    finally:
        os.close(descriptor)
    return pieces[0] if len(pieces) == 2 else b"".join(pieces)
