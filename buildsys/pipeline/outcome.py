"""How steps and runs ended, as data."""

import enum

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.value import frozen
from buildsys.pipeline.step import Step


class FailureKind(enum.Enum):
    """Why a step did not come to its end."""

    COMMAND = "command"  # a program failed, or the tool could not do its part
    FINDINGS = "findings"  # the module is not fit


class StepError(BuildsysError):
    """A step that could not be done; output is what its program wrote, argv how it was called."""

    def __init__(
        self,
        message: str,
        kind: FailureKind = FailureKind.COMMAND,
        argv: tuple[str, ...] = (),
        output: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.argv = argv
        self.output = output


class RefusedError(StepError):
    """A kmod that is not fit; inputs are the files that decided it."""

    def __init__(self, output: str, inputs: tuple[str, ...]) -> None:
        super().__init__("the module is not fit to be loaded", FailureKind.FINDINGS, (), output)
        self.inputs = inputs


@frozen
class StepDone:
    """A step that ran: discovered are further files that it read, output what its program said."""

    step: Step
    seconds: float
    reason: str  # why it had to run
    discovered: tuple[str, ...] = ()
    output: str = ""


@frozen
class StepFailed:
    """A step that failed."""

    step: Step
    kind: FailureKind
    message: str
    argv: tuple[str, ...]
    output: str

    @property
    def is_refusal(self) -> bool:
        """Tell whether a check refused its kmod: the record has all that decided that.

        What an installation finds of other modules that are installed, it does not have.
        """
        return self.kind is FailureKind.FINDINGS and self.step.kind == "check"


def make_failed(step: Step, error: BuildsysError) -> StepFailed:
    """Take down what a step failed of."""
    match error:
        case StepError():
            return StepFailed(step, error.kind, str(error), error.argv, error.output)
    return StepFailed(step, FailureKind.COMMAND, str(error), (), "")


@frozen
class RunResult:
    """What became of a plan; left_out are steps that could not start, after a failure.

    further are steps beyond the plan, which installed what passed.
    """

    done: tuple[StepDone, ...]
    failed: tuple[StepFailed, ...]
    left_out: tuple[Step, ...]
    total: int  # steps in the plan
    is_interrupted: bool
    moved: tuple[str, ...]  # steps whose inputs changed while they ran
    seconds: float
    further: tuple[Step, ...] = ()

    @property
    def exit_status(self) -> ExitStatus:
        """Choose the exit status; a failure of the tool weighs more than a finding."""
        if self.is_interrupted or any(
            fail.kind is not FailureKind.FINDINGS for fail in self.failed
        ):
            return ExitStatus.FAILED
        if self.failed:
            return ExitStatus.FINDINGS
        return ExitStatus.FAILED if self.left_out else ExitStatus.DONE
