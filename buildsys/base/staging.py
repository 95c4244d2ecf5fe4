"""Building a tree of files that shares what is unchanged with another, all of it durable."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text

_NO_LINKS = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
_CHUNK_BYTES = 1 << 20
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class StagedTree:
    """A directory that is filled, synced as a whole, and then given away; paths are below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsynced: list[int] = []
        self._directories: list[Path] = [root]
        try:
            os.mkdir(root, 0o700)
        except OSError as error:
            raise _cannot("make the directory", root, error) from error

    def add_directory(self, name: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Make a directory, whose parent is there, with a mode whatever the umask; '' is root."""
        path = self.root / name
        try:
            if name:
                os.mkdir(path, 0o700)
                self._directories.append(path)
            if owner is not None and os.geteuid() == 0:
                os.chown(path, *owner)
            os.chmod(path, mode)
        except OSError as error:
            raise _cannot("make the directory", path, error) from error

    def share(self, source: Path, name: str) -> None:
        """Give a file of another tree a name here; where there are no hard links, copy it."""
        path = self.root / name
        try:
            try:
                os.link(source, path, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._copy_as_it_is(source, path)
        except OSError as error:
            raise _cannot("write", path, error) from error

    def add_file(
        self, chunks: Iterable[bytes], name: str, mode: int, owner: tuple[int, int] | None
    ) -> tuple[int, bytes]:
        """Write a file; give its size in bytes and its SHA-256. It is durable after sync."""
        path = self.root / name
        digest, size = hashlib.sha256(), 0
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._unsynced.append(descriptor)
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            self._flush_when_many()
        except OSError as error:
            raise _cannot("write", path, error) from error
        return size, digest.digest()

    def sync(self) -> None:
        """Make the whole tree durable: files first, then directories from below."""
        try:
            self._flush()
            for path in reversed(self._directories):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise _cannot("write", self.root, error) from error

    def close(self) -> None:
        """Let go of files that were not synced, after a failure."""
        while self._unsynced:
            os.close(self._unsynced.pop())

    def _flush_when_many(self) -> None:
        if len(self._unsynced) >= 128:  # far below the usual limit of open files
            self._flush()

    def _flush(self) -> None:
        # Written first and synced afterwards, many files share the disk's writes.
        while self._unsynced:
            descriptor = self._unsynced[-1]
            os.fsync(descriptor)
            os.close(self._unsynced.pop())

    def _copy_as_it_is(self, source: Path, path: Path) -> None:
        status = os.stat(source, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), path)
            return
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENOTSUP, "neither a file nor a link, and it cannot be linked to")
        with os.fdopen(os.open(source, _READ_FLAGS), "rb", buffering=0) as stream:
            chunks = iter(lambda: stream.read(_CHUNK_BYTES), b"")
            owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
            name = os.path.relpath(path, self.root)
            self.add_file(chunks, name, stat.S_IMODE(status.st_mode), owner)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _cannot(what: str, path: Path, error: OSError) -> BuildsysError:
    return BuildsysError(f"cannot {what}: {os_error_text(error)}", path)
