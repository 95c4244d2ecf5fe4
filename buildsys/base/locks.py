"""Locks that go with the process: on an object directory, and on a file that others append to."""

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import make_directory
from buildsys.base.value import frozen

_sharing = threading.Lock()


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
        with contextlib.suppress(OSError):  # a full disk: only the holder's name is lost
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} ({purpose})\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def hold_directory(descriptor: int, path: Path) -> Iterator[None]:
    """Hold an open directory as a lock until the block ends; another holder is an error."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise BuildsysError(f"cannot lock: {os_error_text(error)}", path) from error
        message = "another run is installing here; wait for it or end it"
        raise BuildsysError(message, path) from error
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@frozen
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
