"""The one door for running programs: side by side, waited for from one thread, none left behind."""

import contextlib
import math
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.interrupts import shielded
from buildsys.base.value import field, frozen, mutable

_POLL_SECONDS = 0.5  # how often to look whether programs have ended, where nothing tells of it
_FIRST_NAP_SECONDS = 0.0001  # one that closed its output is about to end, at once as a rule
_LONGEST_NAP_SECONDS = 0.02
_PIECE_BYTES = 1 << 16


@frozen
class CommandResult:
    """How a program ended; output is its standard output and error as they came."""

    argv: tuple[str, ...]
    status: int  # exit status, or minus the signal's number
    output: bytes
    seconds: float

    @property
    def is_success(self) -> bool:
        """Tell whether the program ended with status 0."""
        return self.status == 0

    def describe_status(self) -> str:
        """Say in words how the program ended."""
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-self.status).name}"
        return f"exit status {self.status}"


class CommandTimeoutError(BuildsysError):
    """A program that was ended because it ran too long."""

    def __init__(self, argv: Sequence[str], timeout_seconds: float) -> None:
        self.reason = f"still running after {timeout_seconds:g} s, ended"
        super().__init__(f"{quote_argv(argv)}: {self.reason}")


def quote_argv(argv: Sequence[str]) -> str:
    """Spell a command so that a shell would run the same."""
    return shlex.join(argv)


@frozen
class Call:
    """How a program is to be called."""

    argv: Sequence[str]
    directory: Path | None = None
    environment: Mapping[str, str] | None = None
    timeout_seconds: float | None = None
    is_output_merged: bool = True  # else its standard output alone is wanted
    input_path: Path | None = None  # what it reads as its standard input; None for an empty one


@mutable
class _Running:
    call: Call
    process: "subprocess.Popen[bytes]"
    output: int  # a file descriptor
    begin: float
    pieces: list[bytes] = field(default_factory=list)
    is_silent: bool = False  # its output has come to its end
    descriptor: int = -1  # which is readable when the program has ended; -1: there is none

    @property
    def deadline(self) -> float | None:
        seconds = self.call.timeout_seconds
        return None if seconds is None else self.begin + seconds


@frozen
class Ended:
    """A program that ended, and how: a result, or why there is none."""

    key: int
    result: CommandResult | BuildsysError


class Programs:
    """Several running programs; each has a process group of its own, so that Ctrl-C is ours."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Running] = {}  # by key, which is the process number

    def start(self, call: Call) -> int:
        """Start a program and give its key; BuildsysError when it cannot be started.

        A signal that asks us to end waits until the program is known, so that close ends it.
        """
        with shielded():
            return self._launch(call)

    def _launch(self, call: Call) -> int:
        begin = time.monotonic()
        output, end = os.pipe()
        try:
            process = _start(call, end)
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(end)
        os.set_blocking(output, False)
        running = self._running[process.pid] = _Running(call, process, output, begin)
        self._selector.register(output, selectors.EVENT_READ, running)
        running.descriptor = _open_process(process.pid)
        if running.descriptor >= 0:
            self._selector.register(running.descriptor, selectors.EVENT_READ, running)
        return process.pid

    def wait(self, seconds: float = math.inf) -> list[Ended]:
        """Wait until a program ends, or so long, and give all that have ended."""
        end = time.monotonic() + seconds
        look = time.monotonic() + _POLL_SECONDS
        nap = _FIRST_NAP_SECONDS
        while True:
            timeout = max(0.0, self._next_moment(min(look, end)) - time.monotonic())
            if any(run.is_silent and run.descriptor < 0 for run in self._running.values()):
                timeout = 0.0
                time.sleep(nap)
                nap = min(2 * nap, _LONGEST_NAP_SECONDS)
            told: set[int] = set()  # of whose end the system told
            for key, _ in self._selector.select(timeout):
                if key.fd == key.data.output:
                    self._read(key.data)
                else:
                    told.add(key.data.process.pid)
            now = time.monotonic()
            is_due = now >= look
            if is_due:
                look = now + _POLL_SECONDS
            ended = [*self._find_ended(None if is_due else told), *self._find_late(now)]
            if ended or now >= end:
                return ended

    def _find_ended(self, told: Collection[int] | None) -> list[Ended]:
        """Take out the programs that ended, of those told or that are not told of; None: of all."""
        ended = [
            pid
            for pid, running in self._running.items()
            if (told is None or pid in told or running.descriptor < 0)
            and running.process.poll() is not None
        ]
        return [Ended(pid, self._finish(pid)) for pid in ended]

    def _find_late(self, now: float) -> list[Ended]:
        """End the programs that took too long; now is of the monotonic clock (seconds)."""
        late = [
            (pid, running.call)
            for pid, running in self._running.items()
            if running.deadline is not None and now >= running.deadline
        ]
        for pid, _ in late:
            self._finish(pid)
        return [
            Ended(pid, CommandTimeoutError(call.argv, call.timeout_seconds or 0.0))
            for pid, call in late
        ]

    def close(self) -> None:
        """End all that run."""
        for pid in tuple(self._running):
            kill_group(pid)
        for pid in tuple(self._running):
            self._finish(pid)
        self._selector.close()

    def _next_moment(self, look: float) -> float:
        deadlines = (running.deadline for running in self._running.values())
        return min((look, *(moment for moment in deadlines if moment is not None)))

    def _read(self, running: _Running) -> None:
        with contextlib.suppress(BlockingIOError):
            piece = os.read(running.output, _PIECE_BYTES)
            if piece:
                running.pieces.append(piece)
            else:
                self._selector.unregister(running.output)
                running.is_silent = True

    def _finish(self, pid: int) -> CommandResult:
        """Take a program out, ended if it was not, with what it left unread."""
        running = self._running.pop(pid)
        process = running.process
        if running.descriptor >= 0:
            self._selector.unregister(running.descriptor)
            os.close(running.descriptor)
        if not running.is_silent:
            self._selector.unregister(running.output)
        if process.returncode is None:
            kill_group(pid)
            process.wait()
        elif not running.is_silent:  # another may hold its output open
            running.pieces.append(_drain(running.output))
        os.close(running.output)
        output = b"".join(running.pieces)
        seconds = time.monotonic() - running.begin
        return CommandResult(tuple(running.call.argv), process.returncode, output, seconds)


def _start(call: Call, output: int) -> "subprocess.Popen[bytes]":
    try:
        with open(os.devnull if call.input_path is None else call.input_path, "rb") as stream:
            return subprocess.Popen(
                call.argv,
                cwd=call.directory,
                env=call.environment,
                stdin=stream,
                stdout=output,
                stderr=subprocess.STDOUT if call.is_output_merged else subprocess.DEVNULL,
                process_group=0,
            )
    except OSError as error:
        place = call.directory
        where = f" (in {place})" if place is not None and not place.is_dir() else ""
        raise BuildsysError(
            f"{call.argv[0]}: cannot be started{where}: {os_error_text(error)}"
        ) from error


def _open_process(pid: int) -> int:
    """Open what is readable when a program has ended; -1 where it must be asked for instead.

    Linux has it from 5.3 on, where no sandbox forbids it.
    """
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return -1


def _drain(descriptor: int) -> bytes:
    """Read what a program that has ended left unread."""
    pieces: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(descriptor, _PIECE_BYTES):
            pieces.append(piece)
    return b"".join(pieces)


def kill_group(pid: int) -> None:
    """Kill a program and all that it started and that stayed in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
