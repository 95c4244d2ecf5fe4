"""Building a tree of files that shares what is unchanged with another, all of it durable."""

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import remove_tree
from buildsys.base.syncing import Syncer

_NO_LINKS = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
_CHUNK_BYTES = 1 << 20
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class StagedTree:
    """A directory that is filled, synced as a whole, and then given away; paths are below it.

    It may begin as a former tree, of which what is wanted again stays; that was synced then.
    """

    def __init__(self, root: Path, is_former: bool = False) -> None:
        self.root = root
        self._base = str(root)
        self._syncer = Syncer()
        self._directories: dict[str, None] = {}  # to be synced
        self._is_root = os.geteuid() == 0
        if is_former:
            return
        self._directories[self._base] = None
        try:
            os.mkdir(root, 0o700)
        except OSError as error:
            raise _cannot("make the directory", self._base, error) from error

    def keep(self, directories: Collection[str], sources: Mapping[str, str]) -> frozenset[str]:
        """Take away all of a former tree but directories, and files that are others' very files.

        sources say by name which file each is to be; gives the names of all that stays.
        """
        stays: set[str] = set()
        try:
            self._keep_below("", frozenset(directories), sources, stays)
        except OSError as error:
            raise _cannot("write", self._base, error) from error
        return frozenset(stays)

    def _keep_below(
        self,
        above: str,
        directories: frozenset[str],
        sources: Mapping[str, str],
        stays: set[str],
    ) -> None:
        stays.add(above)
        place = self._place(above)
        with os.scandir(place) as found:
            entries = list(found)
        for entry in entries:
            name = f"{above}/{entry.name}" if above else entry.name
            if entry.is_dir(follow_symlinks=False):
                if name in directories:
                    self._keep_below(name, directories, sources, stays)
                    continue
                remove_tree(Path(entry.path))
            elif name in sources and _is_same(entry, sources[name]):
                stays.add(name)
                continue
            else:
                os.unlink(entry.path)
            self._directories[place] = None

    def add_directory(self, name: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Make a directory, whose parent is there, with a mode whatever the umask; '' is root."""
        path = self._place(name)
        try:
            if name:
                os.mkdir(path, 0o700)
                self._touch(name)
                self._directories[path] = None
            if owner is not None and self._is_root:
                os.chown(path, *owner)
            os.chmod(path, mode)
        except OSError as error:
            raise _cannot("make the directory", path, error) from error

    def set_directory(self, name: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Give a directory that stays from a former tree its mode and owner."""
        path = self._place(name)
        try:
            status = os.stat(path, follow_symlinks=False)
            is_others = (status.st_uid, status.st_gid) != owner
            if owner is not None and self._is_root and is_others:
                os.chown(path, *owner)
                self._directories[path] = None
            if stat.S_IMODE(status.st_mode) != mode:
                os.chmod(path, mode)
                self._directories[path] = None
        except OSError as error:
            raise _cannot("write", path, error) from error

    def share(self, source: str | Path, name: str) -> None:
        """Give a file of another tree a name here; where there are no hard links, copy it."""
        path = self._place(name)
        try:
            try:
                os.link(source, path, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._copy_as_it_is(source, name)
        except OSError as error:
            raise _cannot("write", path, error) from error
        self._touch(name)

    def add_file(
        self,
        chunks: Iterable[bytes],
        name: str,
        mode: int,
        owner: tuple[int, int] | None,
        times_ns: tuple[int, int] | None = None,
    ) -> tuple[int, bytes]:
        """Write a file; give its size in bytes and its SHA-256. It is durable after sync.

        times_ns are those of the last access and the last change, None for now.
        """
        path = self._place(name)
        digest, size = hashlib.sha256(), 0
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    written = os.write(descriptor, chunk)
                    while written < len(chunk):
                        written += os.write(descriptor, memoryview(chunk)[written:])
                if owner is not None:
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
                if times_ns is not None:
                    os.utime(descriptor, ns=times_ns)
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise _cannot("write", path, error) from error
        self._syncer.add(descriptor, path)
        self._touch(name)
        return size, digest.digest()

    def sync(self) -> None:
        """Make the whole tree durable: what it holds, and the names in it."""
        for path in reversed(list(self._directories)):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise _cannot("write", path, error) from error
            self._syncer.add(descriptor, path)
        self._syncer.finish()

    def close(self) -> None:
        """Let go of files that were not synced, after a failure."""
        self._syncer.close()

    def _touch(self, name: str) -> None:
        """Take down that a directory has a new name in it."""
        self._directories.setdefault(self._place(name.rpartition("/")[0]))

    def _place(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _copy_as_it_is(self, source: str | Path, name: str) -> None:
        status = os.stat(source, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), self._place(name))
            return
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENOTSUP, "neither a file nor a link, and it cannot be linked to")
        with os.fdopen(os.open(source, _READ_FLAGS), "rb", buffering=0) as stream:
            chunks = iter(lambda: stream.read(_CHUNK_BYTES), b"")
            owner = (status.st_uid, status.st_gid) if self._is_root else None
            times = (status.st_atime_ns, status.st_mtime_ns)
            self.add_file(chunks, name, stat.S_IMODE(status.st_mode), owner, times)


def _is_same(entry: "os.DirEntry[str]", source: str) -> bool:
    """Tell whether a name in a directory and another are of one file."""
    status = entry.stat(follow_symlinks=False)
    try:
        other = os.stat(source, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (status.st_dev, status.st_ino) == (other.st_dev, other.st_ino)


def _cannot(what: str, path: str, error: OSError) -> BuildsysError:
    return BuildsysError(f"cannot {what}: {os_error_text(error)}", Path(path))
