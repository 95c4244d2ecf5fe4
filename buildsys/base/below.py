"""Writing below a directory without following any link out of it, whole files only."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import is_temporary, temporary_beside
from buildsys.base.value import frozen

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY_MODE = 0o755


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


@frozen
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
