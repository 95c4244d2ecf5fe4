"""Whether the times of a file system tell any two writes apart, however soon one follows the other.

Those of most kernels advance with the timer, some milliseconds at a time: a file that is written,
looked at and written again may keep its stamp. Linux since 6.13 takes the finest time there is
where a file was looked at since its last write (fs/inode.c, inode_set_ctime_current).
"""

import os
import time
from pathlib import Path

from buildsys.base.files import temporary_beside

_WRITES = 8
_ENOUGH_NANOSECONDS = 1_000_000  # far less than the time between two of the timer's interrupts


def find_fine_device(directory: Path) -> int | None:
    """Give the device (st_dev) of a directory's file system if all its times differ; else None.

    Tried out with a temporary file: some writes must have got times of their own within a
    millisecond. Where the directory cannot be written, nothing is known.
    """
    path = temporary_beside(directory / "times")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        os.unlink(path)
        begin = time.monotonic_ns()
        times = set()
        for _ in range(_WRITES):
            os.pwrite(descriptor, b"x", 0)
            status = os.fstat(descriptor)
            times.add((status.st_ctime_ns, status.st_mtime_ns))
        is_quick = time.monotonic_ns() - begin < _ENOUGH_NANOSECONDS
        return status.st_dev if is_quick and len(times) == _WRITES else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


class FineTimes:
    """Tells of files whether their times can be trusted at once; tried out when first asked."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._device: int | None = None
        self._is_tried = False

    def has(self, path: str) -> bool:
        """Tell whether a file's next write will show in its times."""
        if not self._is_tried:
            self._is_tried = True
            self._device = find_fine_device(self._directory)
        try:
            return self._device is not None and os.stat(path).st_dev == self._device
        except OSError:
            return False
