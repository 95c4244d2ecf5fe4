"""Look at files below DESTDIR without following links, and at the system that we run on."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.value import frozen
from buildsys.install.layout import InstallPlace

_CHUNK_BYTES = 1 << 20
NOT_A_FILE = b""  # what digest_below says of a link or a directory; no file digests to it


@frozen
class HostSystem:
    """The system that we run on, as uname -s and uname -m name it."""

    system: str
    machine: str


def find_host() -> HostSystem:
    """Ask which system this is."""
    names = os.uname()
    return HostSystem(names.sysname, names.machine)


def refuse_foreign_root(place: InstallPlace, host: HostSystem) -> None:
    """Refuse to work on the running system's / unless it is NetBSD of that machine."""
    if not is_root_directory(place.destdir) or host == HostSystem("NetBSD", place.machine):
        return
    raise BuildsysError(
        f"this is / of a running {host.system} ({host.machine}), and the modules are for NetBSD"
        f" ({place.machine}); name another directory with --destdir",
        place.destdir,
    )


def is_for_other_processor(new: Path, installed: Path) -> bool:
    """Tell whether a kmod would replace one of another processor: evbarm's machines share a place.

    The ELF headers tell: class, byte order and e_machine.
    """
    found = _read_processor(installed)
    return found is not None and found != _read_processor(new)


def _read_processor(path: Path) -> bytes | None:
    """Read EI_CLASS, EI_DATA and e_machine as they stand; None when there is no ELF file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None  # a pipe would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = os.read(descriptor, 20)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return header[4:6] + header[18:20] if header[:4] == b"\x7fELF" else None


def is_root_directory(path: Path) -> bool:
    """Tell whether path is the root of this system, by whatever name."""
    try:
        return os.path.samefile(path, "/")
    except OSError:
        return False


def refuse_missing_privilege(place: InstallPlace) -> None:
    """Refuse to give files to root:wheel without being root."""
    if place.is_privileged and os.geteuid() != 0:
        raise BuildsysError(
            "only root can give files to root:wheel; run as root, or leave the owners to METALOG",
            place.destdir,
        )


def read_chunks(path: Path) -> Iterator[bytes]:
    """Give a file's content in pieces of at most 1 MiB."""
    try:
        yield from _read_chunks(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error


def _read_chunks(descriptor: int) -> Iterator[bytes]:
    """Read an open file to its end, and close it."""
    try:
        # Just what is needed: memory for 1 MiB costs more than to read a small file.
        most = min(os.fstat(descriptor).st_size + 1, _CHUNK_BYTES)
        while chunk := os.read(descriptor, most):
            yield chunk
    finally:
        os.close(descriptor)


def digest_below(directory: int, path: str) -> bytes | None:
    """Digest (SHA-256) what has path's name in directory; None: absent, NOT_A_FILE: no file."""
    name = path.rpartition("/")[2]
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            return NOT_A_FILE
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        digest = hashlib.sha256()
        for chunk in _read_chunks(os.open(name, flags, dir_fd=directory)):
            digest.update(chunk)
        return digest.digest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", Path(path)) from error
