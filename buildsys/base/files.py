"""The one door for writing to disk: a file appears whole or not at all."""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text

_serial = itertools.count()
_sharing = threading.Lock()
_TEMPORARY_PREFIX = ".modbuild."
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY_MODE = 0o755


def temporary_beside(path: Path) -> Path:
    """Name a file in path's directory that no other process or thread will name."""
    tail = f"{os.getpid()}.{threading.get_ident():x}.{next(_serial)}"
    return path.with_name(f"{_TEMPORARY_PREFIX}{path.name[:100]}.{tail}.tmp")


def is_temporary(name: str) -> bool:
    """Tell whether temporary_beside made this file name (of this or of a killed run)."""
    return name.startswith(_TEMPORARY_PREFIX) and name.endswith(".tmp")


def make_directory(path: Path) -> None:
    """Make path and its parents; an existing directory is fine."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildsysError(f"cannot make the directory: {os_error_text(error)}", path) from error


def write_whole(path: Path, content: bytes, mode: int = 0o644, durable: bool = False) -> None:
    """Replace path by content at one moment; with durable, only after the disk has it."""
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
    if link.is_symlink() and os.readlink(link) == str(target):
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
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_file(path: Path) -> bool:
    """Remove a file or link; False when there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BuildsysError(f"cannot remove: {os_error_text(error)}", path) from error
    return True


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it; none is fine."""
    try:
        shutil.rmtree(path)
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


@contextlib.contextmanager
def hold_lock(path: Path, purpose: str) -> Iterator[None]:
    """Hold path as a lock for the block; another holder is an error that names its process.

    The lock goes with the process (flock), so a killed run leaves none behind; the file itself
    stays, so that two runs can never lock two files of one name.
    """
    make_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BuildsysError(f"cannot open the lock: {os_error_text(error)}", path) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise BuildsysError(f"cannot lock: {os_error_text(error)}", path) from error
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another run"
            raise BuildsysError(f"in use by {holder}; wait for it or end it", path) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} ({purpose})\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_below(root: Path, parts: Sequence[str]) -> Iterator[int | None]:
    """Open the directory root/parts for the block, following no link below root; None: absent."""
    try:
        descriptor = _walk_below(root, parts, is_made=False)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def make_below(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open root/parts as open_below does, making what is missing below root, durably.

    What is made has mode 0755 whatever the umask; what exists stays as it is.
    """
    try:
        descriptor = _walk_below(root, parts, is_made=True)
    except FileNotFoundError as error:
        raise BuildsysError(f"cannot open: {os_error_text(error)}", root) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _walk_below(root: Path, parts: Sequence[str], is_made: bool) -> int:
    path = root
    descriptor: int | None = None
    try:
        descriptor = os.open(root, _DIRECTORY_FLAGS)
        for part in parts:
            path /= part
            if is_made:
                _make_directory_below(descriptor, part)
            child = os.open(part, _DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = child
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        if isinstance(error, FileNotFoundError):
            raise
        if path != root and path.is_symlink():
            message = f"a symbolic link to {os.readlink(path)} stands where a directory belongs"
            raise BuildsysError(f"{message}; nothing is done through it", path) from error
        raise BuildsysError(f"cannot make or open it: {os_error_text(error)}", path) from error
    return descriptor


def _make_directory_below(directory: int, name: str) -> None:
    try:
        os.mkdir(name, _DIRECTORY_MODE, dir_fd=directory)
    except FileExistsError:
        return
    os.chmod(name, _DIRECTORY_MODE, dir_fd=directory)
    os.fsync(directory)


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A whole, durable file beside the place it is for; size in bytes."""

    directory: int  # descriptor of the directory that holds both
    temporary: str
    path: Path  # the place; its last part is the name in directory
    size: int

    def move(self) -> None:
        """Give the file its name at one moment, and make that durable."""
        try:
            here = self.directory
            os.replace(self.temporary, self.path.name, src_dir_fd=here, dst_dir_fd=here)
            os.fsync(here)
        except OSError as error:
            raise BuildsysError(f"cannot write: {os_error_text(error)}", self.path) from error


@contextlib.contextmanager
def stage_whole(
    chunks: Iterable[bytes],
    directory: int,
    path: Path,
    mode: int,
    digest: bytes,
    owner: tuple[int, int] | None = None,
) -> Iterator[StagedFile]:
    """Write chunks beside path (a name in directory); what is not moved goes with the block.

    Raises unless the SHA-256 of what was written is digest. owner is uid and gid, None leaves
    them. The file is locked meanwhile, so that remove_stale_temporaries spares it.
    """
    try:
        temporary, descriptor = _open_temporary(directory, path)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error
    try:
        try:
            size, found = _write_chunks(descriptor, chunks)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        except OSError as error:
            raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error
        if found != digest:
            raise BuildsysError("not the bytes that were checked; build again", path)
        yield StagedFile(directory, temporary, path, size)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        os.close(descriptor)


def _open_temporary(directory: int, path: Path) -> tuple[str, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = temporary_beside(path).name
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)  # taken for a left-over before it was locked


def _write_chunks(descriptor: int, chunks: Iterable[bytes]) -> tuple[int, bytes]:
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
    return size, digest.digest()


def remove_below(directory: int, path: Path) -> bool:
    """Remove the file or link of path's name in directory, durably; False when there was none."""
    try:
        os.unlink(path.name, dir_fd=directory)
        os.fsync(directory)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BuildsysError(f"cannot remove: {os_error_text(error)}", path) from error
    return True


def remove_stale_temporaries(directory: int) -> tuple[str, ...]:
    """Remove what killed runs of stage_whole left in directory; gives the names, sorted."""
    removed = []
    for name in sorted(filter(is_temporary, os.listdir(directory))):
        with contextlib.suppress(OSError):  # gone, or another run's business
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=directory)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=directory)
                removed.append(name)
            finally:
                os.close(descriptor)
    return tuple(removed)


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file that other programs append to, open and locked; it keeps its inode."""

    descriptor: int
    path: Path

    def read(self) -> bytes:
        """Give the whole content."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def write(self, content: bytes, offset: int) -> None:
        """Put content at offset (bytes), durably."""
        view = memoryview(content)
        while view:
            written = os.pwrite(self.descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.fsync(self.descriptor)

    def truncate(self, size: int) -> None:
        """Cut the file to size bytes."""
        os.ftruncate(self.descriptor, size)


@contextlib.contextmanager
def open_shared(path: Path, timeout_seconds: float = 60.0) -> Iterator[SharedFile]:
    """Open (or make) a file for the block under a POSIX write lock over its whole length.

    That is the lock of NetBSD's install(1) (usr.bin/xinstall/xinstall.c, metadata_log). Such a
    lock belongs to the process, so another lock keeps our own threads apart. What the block
    meets reading or writing the file is told as an error of path.
    """
    deadline = time.monotonic() + timeout_seconds
    with _sharing:
        try:
            while True:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                try:
                    _lock_posix(descriptor, path, deadline)
                    if os.fstat(descriptor).st_nlink:
                        yield SharedFile(descriptor, path)
                        return
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise BuildsysError(f"cannot write: {os_error_text(error)}", path) from error


def _lock_posix(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() > deadline:
                message = "another program keeps it locked; wait for it or end it"
                raise BuildsysError(message, path) from error
            time.sleep(0.01)
