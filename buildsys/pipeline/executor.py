"""What a run asks of others: who does its steps, and who is told how it goes."""

from collections.abc import Callable, Generator, Iterable
from typing import Protocol

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError
from buildsys.base.programs import Call, CommandResult
from buildsys.pipeline.outcome import StepDone, StepError, StepFailed
from buildsys.pipeline.step import Step

Seen = tuple[tuple[str, ...], str]  # files seen to be read, and what the program said
Work = Generator[Call, CommandResult, Seen]  # asks for programs to be run, and goes on with results


class Executor(Protocol):
    """What does a step."""

    def begin(self, step: Step) -> Work:
        """Begin a step: StepError (raised by the work, too) says why it cannot be done."""

    def refusal(self, step: Step) -> StepError:
        """Say again why a check refused its kmod, from the verdict that it left."""

    def prepare(self, steps: Iterable[Step]) -> list[Callable[[], object]]:
        """Give what some steps will need that takes time: to be called while programs run."""


class Progress(Protocol):
    """Who is told how it goes.

    has_moved_on tells whether a failure was followed by other output, and so may be overlooked.
    """

    has_moved_on: bool

    def begin(self, total: int) -> None:
        """Some steps are stale, or may become so: total."""

    def start(self, step: Step) -> None:
        """A step starts."""

    def finish(self, done: StepDone) -> None:
        """A step was done."""

    def skip(self, step: Step) -> None:
        """A step turned out to be up to date."""

    def fail(self, failed: StepFailed) -> None:
        """A step failed."""

    def end(self) -> None:
        """Nothing more comes."""


def do_work(work: Work) -> Seen:
    """Do all of a step at once, its programs one after another."""
    runner = CommandRunner()
    try:
        call = next(work)
        while True:
            try:
                result = runner.run(
                    call.argv,
                    call.directory,
                    call.environment,
                    call.timeout_seconds,
                    call.is_output_merged,
                )
            except BuildsysError as error:
                call = work.throw(error)
            else:
                call = work.send(result)
    except StopIteration as stop:
        seen: Seen = stop.value
        return seen
    finally:
        work.close()
