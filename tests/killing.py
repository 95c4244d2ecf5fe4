"""Dying, or failing, before the n-th operation on files: what tests of stopping midway share."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OPERATIONS = (
    "mkdir", "link", "symlink", "open", "write", "chmod", "fchmod", "fsync", "rename", "replace",
    "unlink", "rmdir", "pwrite", "ftruncate",
)  # fmt: skip
MEMORY = Path("/dev/shm")  # noqa: S108 (a disk would make thousands of runs slow)
_counting = threading.Lock()


class Countdown:
    """Counts operations, of several threads, and acts before the given one (from 0)."""

    def __init__(self, operation: int, action: Callable[[str], None]) -> None:
        self.names: list[str] = []
        self._operation = operation
        self._action = action

    def pass_by(self, name: str) -> None:
        """Count an operation that is about to happen, and act if it is the one."""
        with _counting:
            is_it = len(self.names) == self._operation
            self.names.append(name)
        if is_it:
            self._action(name)

    def watch_files(self) -> None:
        """Count every operation of the os module that changes something."""
        for name in OPERATIONS:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            # A copied file is opened for reading too often to tell anything.
            is_write = name != "open" or (
                len(arguments) > 1
                and isinstance(arguments[1], int)
                and bool(arguments[1] & os.O_CREAT)
            )
            if is_write:
                self.pass_by(name)
            return real(*arguments, **named)

        return call


@contextmanager
def memory_directory() -> Iterator[Path]:
    """Give a directory in memory where there is one."""
    shared = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as name:
        yield Path(name)
