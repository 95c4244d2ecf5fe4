"""What a run asks of whoever does its steps."""

from typing import Protocol

from buildsys.pipeline.step import Step


class Executor(Protocol):
    """What does a step; called from several threads at once."""

    def execute(self, step: Step) -> tuple[tuple[str, ...], str]:
        """Do it; give the files that it was seen to read, and what its program said."""

    def stop(self) -> None:
        """End what runs, and start nothing more."""
