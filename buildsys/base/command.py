"""One program run to its end; several threads may have one each."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, InterruptedRunError
from buildsys.base.programs import Call, CommandResult, Programs, kill_group


class CommandRunner:
    """Runs programs for several threads at once and can end them all."""

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
        call = Call(argv, directory, environment, timeout_seconds, is_output_merged, input_path)
        programs = Programs()
        key = 0
        try:
            with self._lock:
                if self._is_stopping:
                    raise InterruptedRunError("interrupted")
                key = programs.start(call)
                self._running.add(key)
            (ended,) = programs.wait()
        finally:
            programs.close()
            with self._lock:
                self._running.discard(key)
        if isinstance(ended.result, BuildsysError):
            raise ended.result
        if self._is_stopping:
            raise InterruptedRunError("interrupted")
        return ended.result

    def stop(self) -> None:
        """End every running program and refuse to start more."""
        with self._lock:
            self._is_stopping = True
            for pid in self._running:
                kill_group(pid)


def run_command(
    argv: Sequence[str], directory: Path | None = None, timeout_seconds: float | None = None
) -> CommandResult:
    """Run one program outside any build."""
    return CommandRunner().run(argv, directory, timeout_seconds=timeout_seconds)
