"""What a run asks of whoever does its steps."""

from collections.abc import Generator
from typing import Protocol

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError
from buildsys.base.programs import Call, CommandResult
from buildsys.pipeline.step import Step

Seen = tuple[tuple[str, ...], str]  # files seen to be read, and what the program said
Work = Generator[Call, CommandResult, Seen]  # asks for programs to be run, and goes on with results


class Executor(Protocol):
    """What does a step."""

    def begin(self, step: Step) -> Work:
        """Begin a step: StepError (raised by the work, too) says why it cannot be done."""


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
