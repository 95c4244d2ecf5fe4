"""What a person sees while steps run, line by line; the bar of a terminal is in bar.py."""

import sys
import threading
from typing import TextIO

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.programs import quote_argv
from buildsys.check.verdict import Finding
from buildsys.pipeline.outcome import StepDone, StepFailed
from buildsys.pipeline.step import Command, Step


def describe_step(step: Step) -> str:
    """Give a step's line, in the form of NetBSD's own builds: '#   compile  hello/hello.o'."""
    kind, _, rest = step.name.partition(":")
    return f"#  {kind:>8}  {rest}"


def describe_failure(failed: StepFailed) -> str:
    """Give all that is known of a failure: the step, its command, what the command said."""
    lines = [f"modbuild: {failed.step.name}: {failed.message}"]
    if failed.argv:
        lines.append(f"    {quote_argv(failed.argv)}")
    if failed.output:
        lines.extend(f"    {line}" for line in failed.output.rstrip("\n").split("\n"))
    return "\n".join(lines)


def describe_finding(finding: Finding) -> str:
    """Give one finding as a line: hello.kmod, its weight, the rule, the message."""
    name = finding.path.name
    return f"{name}: {finding.severity.value}: {finding.rule}: {finding.message}"


class LineProgress:
    """One line a step, as it starts; whole commands when verbose, none when quiet."""

    def __init__(self, is_verbose: bool, is_quiet: bool, stream: TextIO | None = None) -> None:
        self._is_verbose = is_verbose
        self._is_quiet = is_quiet
        self._stream = sys.stdout if stream is None else stream
        self._lock = threading.Lock()
        self._has_failed = False
        self.has_moved_on = False

    def begin(self, total: int) -> None:
        """Nothing to show before the first step."""

    def start(self, step: Step) -> None:
        """Show the step, or its command."""
        if self._is_quiet:
            return
        text = describe_step(step)
        match step.action:
            case Command(argv=argv) if self._is_verbose:
                text = f"{text}\n{quote_argv(argv)}"
        self.show(text)

    def finish(self, done: StepDone) -> None:
        """Show what a program said although all went well: its warnings."""
        if done.output:
            self.show(f"modbuild: {done.step.name}:\n{done.output.rstrip()}", is_error=True)

    def skip(self, step: Step) -> None:
        """Show nothing of a step that need not run."""

    def fail(self, failed: StepFailed) -> None:
        """Show a failure when it happens; those that follow it at once hide it from nobody."""
        has_moved_on = self.has_moved_on
        self.show(describe_failure(failed), is_error=True)
        self.has_moved_on = has_moved_on
        self._has_failed = True

    def end(self) -> None:
        """Nothing to clear away."""

    def show(self, text: str, is_error: bool = False) -> None:
        """Write one text whole; that it cannot be written ends the run."""
        with self._lock:
            self.has_moved_on = self._has_failed
            try:
                print(text, file=sys.stderr if is_error else self._stream, flush=True)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise BuildsysError(f"standard output: {os_error_text(error)}") from error
