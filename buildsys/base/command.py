"""The one door for running programs: argv in, status and output out, nothing left behind."""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildsys.base.errors import BuildsysError, InterruptedRunError, os_error_text

_POLL_SECONDS = 0.5  # how often to look whether a program that keeps silent has ended
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
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


class CommandRunner:
    """Runs programs for several threads at once and can end them all.

    Each program gets a process group of its own: Ctrl-C reaches only us, and we end the group.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._is_stopping = False

    def run(
        self,
        argv: Sequence[str],
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        is_output_merged: bool = True,
        input_path: Path | None = None,
    ) -> CommandResult:
        """Run argv to its end; raise when it cannot start, hangs, or the run was stopped.

        input_path is the file that it reads as its standard input; None for an empty one.
        """
        begin = time.monotonic()
        with self._lock:
            if self._is_stopping:
                raise InterruptedRunError("interrupted")
            process = _start(argv, directory, environment, is_output_merged, input_path)
            self._running.add(process.pid)
        try:
            output = self._read_to_the_end(process, timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise CommandTimeoutError(argv, timeout_seconds or 0.0) from error
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process.pid)
        if self._is_stopping:
            raise InterruptedRunError("interrupted")
        return CommandResult(tuple(argv), process.returncode, output, time.monotonic() - begin)

    def _read_to_the_end(
        self, process: "subprocess.Popen[bytes]", timeout_seconds: float | None
    ) -> bytes:
        """Read all that a program writes; a server that it started may hold its output open."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = _POLL_SECONDS if deadline is None else deadline - time.monotonic()
            try:
                return process.communicate(timeout=max(0.0, min(left, _POLL_SECONDS)))[0]
            except subprocess.TimeoutExpired as error:
                if process.poll() is not None:
                    return bytes(error.output or b"") + _drain(process)
                if left <= _POLL_SECONDS and deadline is not None and time.monotonic() >= deadline:
                    raise

    def stop(self) -> None:
        """End every running program and refuse to start more."""
        with self._lock:
            self._is_stopping = True
            for pid in self._running:
                _kill_group(pid)


def run_command(
    argv: Sequence[str], directory: Path | None = None, timeout_seconds: float | None = None
) -> CommandResult:
    """Run one program outside any build."""
    return CommandRunner().run(argv, directory, timeout_seconds=timeout_seconds)


def _start(
    argv: Sequence[str],
    directory: Path | None,
    environment: Mapping[str, str] | None,
    is_output_merged: bool,
    input_path: Path | None,
) -> "subprocess.Popen[bytes]":
    try:
        with open(os.devnull if input_path is None else input_path, "rb") as stream:
            return subprocess.Popen(
                argv,
                cwd=directory,
                env=environment,
                stdin=stream,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if is_output_merged else subprocess.DEVNULL,
                process_group=0,
            )
    except OSError as error:
        where = f" (in {directory})" if directory is not None and not directory.is_dir() else ""
        raise BuildsysError(
            f"{argv[0]}: cannot be started{where}: {os_error_text(error)}"
        ) from error


def _drain(process: "subprocess.Popen[bytes]") -> bytes:
    """Read what a program that has ended left unread, though another may hold its output open."""
    pieces: list[bytes] = []
    if process.stdout is not None:
        descriptor = process.stdout.fileno()
        os.set_blocking(descriptor, False)
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(descriptor, _PIECE_BYTES):
                pieces.append(piece)
    return b"".join(pieces)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Have a program and its group ended, wherever the run was left."""
    if process.returncode is None:
        _kill_group(process.pid)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
