"""Programs that run before doit is there to choose: those of steps that are sure to be stale.

Importing doit takes as long as a compilation. So the first steps that must run, and wait for no
other, have their programs started beforehand; the runner takes them over when their turn comes.
"""

import time
from collections.abc import Mapping

from buildsys.base.errors import BuildsysError
from buildsys.base.interrupts import shielded
from buildsys.base.programs import Programs
from buildsys.base.value import frozen
from buildsys.pipeline.executor import Executor, Work
from buildsys.pipeline.step import Command, Graph
from buildsys.pipeline.store import Store
from buildsys.pipeline.storevalues import Ticket


@frozen
class Started:
    """A step whose program runs: key is the program's, begin of the monotonic clock (seconds)."""

    key: int
    work: Work
    begin: float
    ticket: Ticket


class HeadStart:
    """Steps begun early; whoever takes one over ends it, all others end with close()."""

    def __init__(self) -> None:
        self.programs = Programs()
        self._started: dict[str, Started] = {}

    def start(
        self, graph: Graph, stale: Mapping[str, str], store: Store, executor: Executor, jobs: int
    ) -> None:
        """Start programs of steps that have a reason of their own to run, one a job at the most.

        A signal that asks us to end waits until each is known, so that close ends it.
        """
        with shielded():
            self._start(graph, stale, store, executor, jobs)

    def _start(
        self, graph: Graph, stale: Mapping[str, str], store: Store, executor: Executor, jobs: int
    ) -> None:
        for step in graph.steps:
            if len(self._started) >= jobs:
                return
            reason = stale.get(step.name)
            if not reason or not isinstance(step.action, Command):
                continue
            work = executor.begin(step)
            try:
                ticket = store.begin(step, reason)
                begin = time.monotonic()
                key = self.programs.start(next(work))
            except (BuildsysError, StopIteration):
                work.close()  # what is wrong is told when its turn comes
                continue
            self._started[step.name] = Started(key, work, begin, ticket)

    def find_ticket(self, name: str) -> Ticket | None:
        """Give what the inputs of a step held when it was started; None: it was not."""
        started = self._started.get(name)
        return None if started is None else started.ticket

    def take(self, name: str) -> Started | None:
        """Hand over a step that was started."""
        return self._started.pop(name, None)

    def close(self) -> None:
        """End what runs."""
        self.programs.close()
        while self._started:
            self._started.popitem()[1].work.close()
