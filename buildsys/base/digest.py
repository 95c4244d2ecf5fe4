"""What a file holds (digest) and the cheap hint that it did not change (stamp)."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.value import frozen

DIGEST_BYTES = 32
ABSENT = b"\0" * DIGEST_BYTES  # the digest of a file that does not exist
RACY_NANOSECONDS = 20_000_000  # a stamp this young may belong to a later edit, too
_CHUNK_BYTES = 1 << 20
_LINKS = 40  # as many as Linux follows


@frozen
class Stamp:
    """What stat says of a file; times in nanoseconds. Equal stamps spare a read, no more."""

    ctime_ns: int
    mtime_ns: int
    size: int
    inode: int

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Give the four in their order."""
        return self.ctime_ns, self.mtime_ns, self.size, self.inode


def stat_stamp(path: str | Path) -> Stamp | None:
    """Stat a file; None when there is none (or its path leads through no directory, or nowhere)."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise BuildsysError(f"cannot look at it: {os_error_text(error)}", Path(path)) from error
    return Stamp(status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino)


def is_there(path: str) -> bool:
    """Tell whether a compiler would find something: a link in a circle, which it refuses, too."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def find_way(path: str) -> tuple[str, int] | None:
    """Give the real name of a directory, and the ctime (ns) of the link to it that changed last.

    That is 0 for no link; None where the way leads to no directory. What is written into a
    directory is no matter here.
    """
    newest = links = 0
    place, waiting = "", path.split("/")[::-1]
    mode = stat.S_IFDIR
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if not stat.S_ISDIR(mode):
            return None
        if part == "..":
            place = place.rpartition("/")[0]
            continue
        following = f"{place}/{part}"
        try:
            status = os.lstat(following)
            if not stat.S_ISLNK(status.st_mode):
                place, mode = following, status.st_mode
                continue
            target = os.readlink(following)
        except OSError:
            return None
        newest = max(newest, status.st_ctime_ns)
        links += 1
        if links > _LINKS:
            return None
        place = "" if target.startswith("/") else place
        waiting += target.split("/")[::-1]
    return (place or "/", newest) if stat.S_ISDIR(mode) else None


def has_stamp(path: str, stamp: Stamp) -> bool:
    """Tell whether a file still has a stamp."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (
        status.st_ctime_ns == stamp.ctime_ns
        and status.st_mtime_ns == stamp.mtime_ns
        and status.st_size == stamp.size
        and status.st_ino == stamp.inode
    )


def is_of_other_mode(path: str, mode: int) -> bool:
    """Tell whether what is there is no regular file, or one of another mode than given."""
    try:
        found = os.stat(path, follow_symlinks=False).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(found) or stat.S_IMODE(found) != mode


def digest_bytes(content: bytes) -> bytes:
    """Digest some bytes (SHA-256, 32 bytes)."""
    return hashlib.sha256(content).digest()


def digest_file(path: str | Path) -> bytes:
    """Digest a file's content; ABSENT when there is none."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ABSENT
        raise BuildsysError(f"cannot read: {os_error_text(error)}", Path(path)) from error
    return digest.digest()


def digest_parts(*parts: bytes) -> bytes:
    """Digest a sequence of byte strings so that no two sequences run together."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
