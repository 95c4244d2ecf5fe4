"""What the tool says when it cannot work; knows nothing of modules, compilers or NetBSD."""

import enum
from pathlib import Path

from buildsys.base.value import frozen


class ExitStatus(enum.IntEnum):
    """How a run ended, as the shell sees it."""

    DONE = 0
    FAILED = 1  # the tool itself or a command that it ran
    FINDINGS = 2  # a module is not fit
    USAGE = 3  # the command line is wrong


@frozen
class Place:
    """Where in a file something stands; line counts from 1, None when the whole file is meant."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        return str(self.path) if self.line is None else f"{self.path}:{self.line}"


class BuildsysError(Exception):
    """The tool cannot work; the text is the whole message, its place first."""

    exit_status = ExitStatus.FAILED

    def __init__(self, message: str, place: Place | Path | None = None) -> None:
        super().__init__(message if place is None else f"{place}: {message}")


class UsageError(BuildsysError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_status = ExitStatus.USAGE


class InterruptedRunError(BuildsysError):
    """The user, or a signal, ended the run; what was finished is kept."""


def os_error_text(error: OSError) -> str:
    """Give an operating system's error without Python's decoration."""
    return error.strerror or str(error)
