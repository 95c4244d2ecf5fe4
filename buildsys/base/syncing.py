"""Waiting for the disk while work goes on: threads sync files as soon as they are written.

A file system with a journal writes it for each file that is synced alone. Files whose writing has
begun, and that are synced by several at a time, share that.
"""

import contextlib
import os
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from buildsys.base.errors import BuildsysError, os_error_text

_THREADS = 4  # a disk takes several requests at a time
_OPEN_AT_ONCE = 128  # files, far below the usual limit

_Written = tuple[int, str | Path]  # an open file or directory, and its name for messages


class Syncer:
    """Takes over open files and directories that are as they shall be, syncs and closes them.

    All are durable when finish returns. Where the disk is slow or no thread can be started, the
    caller's own syncs, too.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[_Written | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def add(self, descriptor: int, path: str | Path) -> None:
        """Have a file or directory synced and closed, now or soon."""
        _begin_writing(descriptor)
        self._waiting.put((descriptor, path))
        if len(self._threads) < min(_THREADS, self._waiting.qsize() - 1):
            self._start_thread()
        self._help(_OPEN_AT_ONCE)

    def finish(self) -> None:
        """Wait until the disk has all that was added; the first failure is raised."""
        self._help(0)
        self._end_threads()
        if self._errors:
            raise self._errors[0]

    def close(self) -> None:
        """Let go of what was not synced, after a failure."""
        with contextlib.suppress(Empty):
            while True:
                if (written := self._waiting.get_nowait()) is not None:
                    os.close(written[0])
        self._end_threads()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        with contextlib.suppress(RuntimeError):  # there may be no more threads
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (written := self._waiting.get()) is not None:
            try:
                _sync(*written)
            except BaseException as error:  # whatever it is, finish must not end well
                self._errors.append(error)

    def _help(self, most: int) -> None:
        """Sync until at most so many wait; what the threads have taken is theirs."""
        with contextlib.suppress(Empty):
            while self._waiting.qsize() > most:
                if (written := self._waiting.get_nowait()) is not None:
                    _sync(*written)

    def _end_threads(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        while self._threads:
            self._threads[-1].join()
            self._threads.pop()


def _begin_writing(descriptor: int) -> None:
    """Have the system begin to write a file, waiting for nothing; only speed depends on it."""
    # Linux takes "will not need it" for this; what is being written stays in memory.
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(descriptor: int, path: str | Path) -> None:
    try:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", Path(path)) from error
