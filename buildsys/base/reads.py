"""Which files this process reads, with the stamp of each before it was read.

Python tells an audit hook of every file opened and every directory listed, whoever does it, so
that no reader need say what it reads. Asking whether a file is there is not told; the directory of
each file that was opened is watched for that.
"""

import os
import sys
import time
from typing import Any

from buildsys.base.digest import RACY_NANOSECONDS, Stamp

_LISTINGS = ("os.listdir", "os.scandir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class ReadRecorder:
    """Takes down what is read from begin() to end(); made once for each such stretch.

    is_settled turns False when something read is so young that its stamp does not prove what was
    read, or cannot be looked at.
    """

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp | None] = {}
        self.is_settled = True
        self._is_active = False

    def begin(self) -> None:
        """Record from now on; Python has no way to take a hook away, end() makes it idle."""
        self._is_active = True
        sys.addaudithook(self._hear)

    def end(self) -> None:
        """Record no more."""
        self._is_active = False

    def note(self, path: str) -> None:
        """Take down a file or directory as it is now, unless that was done before."""
        if path in self.stamps:
            return
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            self.stamps[path] = None
            return
        except (OSError, ValueError):
            self.is_settled = False
            return
        stamp = Stamp(status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino)
        self.stamps[path] = stamp
        if max(stamp.ctime_ns, stamp.mtime_ns) > time.time_ns() - RACY_NANOSECONDS:
            self.is_settled = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_active:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and not (flags or 0) & _WRITING:
                name = _absolute(path)
                self.note(os.path.dirname(name))
                self.note(name)
        elif event in _LISTINGS:
            path = arguments[0]
            if not isinstance(path, int):
                self.note(_absolute("." if path is None else path))


def _absolute(path: str | bytes) -> str:
    """Make a path absolute as it stands: what '..' after a link leads to only the system knows."""
    name = os.fsdecode(path)
    return name if os.path.isabs(name) else os.path.join(os.getcwd(), name)
