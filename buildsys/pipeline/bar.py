"""The progress bar of a terminal."""

import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from buildsys.base.programs import quote_argv
from buildsys.pipeline.outcome import StepDone, StepFailed
from buildsys.pipeline.progress import describe_failure
from buildsys.pipeline.step import Command, Step


class BarProgress:
    """A bar with the steps that run now; failures and warnings scroll above it."""

    def __init__(self, is_verbose: bool) -> None:
        self._is_verbose = is_verbose
        self._lock = threading.Lock()
        self.has_moved_on = False  # a bar leaves nothing behind that could hide a failure
        self._running: list[str] = []
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def begin(self, total: int) -> None:
        """Show the bar."""
        self._bar.update(self._task, total=total)
        self._bar.start()

    def start(self, step: Step) -> None:
        """Add a step to those that run."""
        with self._lock:
            self._running.append(step.name)
            self._describe()
        match step.action:
            case Command(argv=argv) if self._is_verbose:
                self._console.print(quote_argv(argv), soft_wrap=True)

    def finish(self, done: StepDone) -> None:
        """Move the bar by a step, and show what a program said although all went well."""
        self._advance(done.step)
        if done.output:
            text = f"modbuild: {done.step.name}:\n{done.output.rstrip()}"
            self._console.print(text, soft_wrap=True)

    def skip(self, step: Step) -> None:
        """Move the bar by a step that need not run."""
        self._advance(step)

    def fail(self, failed: StepFailed) -> None:
        """Show a failure when it happens."""
        self._advance(failed.step)
        self._console.print(describe_failure(failed), soft_wrap=True)

    def end(self) -> None:
        """Clear the bar away."""
        self._bar.stop()

    def _advance(self, step: Step) -> None:
        with self._lock:
            if step.name in self._running:
                self._running.remove(step.name)
            self._describe()
        self._bar.advance(self._task)

    def _describe(self) -> None:
        names = [name.partition(":")[2] for name in self._running]
        self._bar.update(self._task, description="  ".join(names[:4]))
