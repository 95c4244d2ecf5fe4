"""Directories that change places at one moment, and names given to trees that are whole."""

import ctypes
import errno
import os
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text

_RENAME_EXCHANGE = 2  # linux/fs.h
_LACKING = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


def exchange_names(one: Path, other: Path) -> bool:
    """Let two existing names change places at one moment; False where that cannot be done.

    That is renameat2(2) with RENAME_EXCHANGE: Linux, on most of its file systems.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    here = -100  # AT_FDCWD; the names are absolute
    if renameat2(here, names[0], here, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _LACKING:
        return False
    raise BuildsysError(f"cannot change places with {other}: {os.strerror(number)}", one)


def move_directory(source: Path, target: Path) -> None:
    """Give a directory another name on the same file system; nothing may have that name."""
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(source, target)
    except OSError as error:
        raise BuildsysError(f"cannot move to {target}: {os_error_text(error)}", source) from error
