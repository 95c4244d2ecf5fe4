"""The one door to doit: steps as doit tasks, the Store as doit's dependency manager."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from doit.control import TaskControl
from doit.exceptions import BaseFail, InvalidDodoFile, TaskFailed
from doit.globals import Globals
from doit.runner import MThreadRunner
from doit.task import Stream, Task

from buildsys.base.errors import BuildsysError, InterruptedRunError
from buildsys.pipeline.executor import Executor
from buildsys.pipeline.outcome import FailureKind, RunResult, StepDone, StepError, StepFailed
from buildsys.pipeline.plan import Plan
from buildsys.pipeline.step import Step
from buildsys.pipeline.store import Store
from buildsys.pipeline.storevalues import Ticket

_IDLE_SECONDS = 10.0
_WAKE_SECONDS = 0.2


class Progress(Protocol):
    """Who is told how it goes; called from several threads at once.

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


def find_stale(plan: Plan, store: Store) -> dict[str, str]:
    """Say which steps must run and why; '' for those that depend on what others will make."""
    stale: dict[str, str] = {}
    for step in plan.steps:
        if any(name in stale for name in plan.needs[step.name]):
            stale[step.name] = ""
        elif reason := store.stale_reason(step):
            stale[step.name] = reason
    return stale


def run_plan(
    plan: Plan, store: Store, executor: Executor, progress: Progress, jobs: int, keep_going: bool
) -> RunResult:
    """Bring every step of a plan up to date, stale ones in parallel.

    KeyboardInterrupt ends the run early: what was finished is kept.
    """
    begin = time.monotonic()
    stale = find_stale(plan, store)
    run = _Run(store, executor, progress)
    is_interrupted = False
    if stale:
        steps = [step for step in plan.steps if step.name in stale]
        progress.begin(len(steps))
        try:
            run.run(steps, plan.needs, jobs, keep_going)
        except KeyboardInterrupt:
            is_interrupted = True
            executor.stop()
            run.wait_until_idle()
        except BaseException:  # a full disk, a reader that has gone, a bug: leave nothing running
            executor.stop()
            run.wait_until_idle()
            raise
        finally:
            progress.end()
    is_interrupted = is_interrupted or any(
        failed.kind is FailureKind.INTERRUPTED for failed in run.failed
    )
    ended = run.ended
    return RunResult(
        done=tuple(run.done),
        failed=tuple(run.failed),
        left_out=tuple(
            step for step in plan.steps if step.name in stale and step.name not in ended
        ),
        total=len(plan.steps),
        is_interrupted=is_interrupted,
        moved=tuple(store.counts.forgotten),
        seconds=time.monotonic() - begin,
    )


class _WakingQueue(queue.Queue[Any]):
    """A queue on which the main thread never waits for long.

    A signal that comes just before the wait is not seen until the wait ends.
    """

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Give the next item, as queue.Queue does."""
        if (
            not block
            or timeout is not None
            or threading.current_thread() is not threading.main_thread()
        ):
            return super().get(block, timeout)
        while True:
            with contextlib.suppress(queue.Empty):
                return super().get(timeout=_WAKE_SECONDS)


class _Runner(MThreadRunner):  # type: ignore[misc]  # doit has no types
    Queue = staticmethod(_WakingQueue)


@dataclass(frozen=True, slots=True)
class _Status:
    """What doit's runner wants to know of a task."""

    status: str  # run, up-to-date or error
    message: str = ""

    def get_error_message(self) -> str:
        return self.message


class _Run:
    """The state of one run, shared by what doit calls its dependency manager and its reporter.

    doit asks and tells in its main thread; only actions, and the word that one starts, come from
    its workers.
    """

    def __init__(self, store: Store, executor: Executor, progress: Progress) -> None:
        self.store = store
        self.progress = progress
        self.steps: Mapping[str, Step] = {}
        self.tickets: dict[str, Ticket] = {}
        self.results: dict[str, StepDone] = {}
        self.errors: dict[str, StepFailed] = {}
        self.done: list[StepDone] = []
        self.failed: list[StepFailed] = []
        self.ended: set[str] = set()
        self._executor = executor
        self._active = 0
        self._idle = threading.Condition()

    def run(
        self,
        steps: Sequence[Step],
        needs: Mapping[str, tuple[str, ...]],
        jobs: int,
        keep_going: bool,
    ) -> None:
        """Run the steps under doit; an exception that is a bug of ours comes through."""
        self.steps = {step.name: step for step in steps}
        control = TaskControl([self._make_task(step, needs[step.name]) for step in steps])
        control.process(None)
        runner = _Runner(
            _DependencyManager(self),
            _Reporter(self),
            continue_=keep_going,
            stream=Stream(0),
            num_process=max(1, jobs),
        )
        runner.run_all(control.task_dispatcher())

    def wait_until_idle(self) -> None:
        """Wait for the workers to end what they were doing when the run was stopped."""
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, timeout=_IDLE_SECONDS)

    def _make_task(self, step: Step, needs: Iterable[str]) -> Task:
        return Task(
            step.name,
            actions=[(self._act, [step])],
            task_dep=[name for name in needs if name in self.steps],
            io={"capture": False},  # captured output of several threads would be mixed
        )

    def _act(self, step: Step) -> TaskFailed | None:
        with self._idle:
            self._active += 1
        try:
            return self._execute(step)
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def _execute(self, step: Step) -> TaskFailed | None:
        begin = time.monotonic()
        try:
            discovered, output = self._executor.execute(step)
        except StepError as error:
            failed = StepFailed(step, error.kind, str(error), error.argv, error.output)
        except InterruptedRunError as error:
            failed = StepFailed(step, FailureKind.INTERRUPTED, str(error), (), "")
        except BuildsysError as error:
            failed = StepFailed(step, FailureKind.COMMAND, str(error), (), "")
        else:
            seconds = time.monotonic() - begin
            reason = self.tickets[step.name].reason
            self.results[step.name] = StepDone(step, seconds, reason, discovered, output)
            return None
        self.errors[step.name] = failed
        return TaskFailed(failed.message)


class _DependencyManager:
    """The Store in the words of doit's runner."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def get_status(self, task: Any, _tasks: object) -> _Status:
        """Decide, when all that a task needs is done, whether it must run."""
        step = self._run.steps[task.name]
        try:
            reason = self._run.store.stale_reason(step)
            if not reason:
                return _Status("up-to-date")
            self._run.tickets[step.name] = self._run.store.begin(step, reason)
        except BuildsysError as error:
            failed = StepFailed(step, FailureKind.COMMAND, str(error), (), "")
            self._run.errors[step.name] = failed
            return _Status("error", failed.message)
        return _Status("run")

    def status_is_ignore(self, _task: object) -> bool:
        """Tell whether the user told doit to ignore a task: there is no such thing here."""
        return False

    def get_values(self, _name: str) -> dict[str, object]:
        """Give what a task left for others: steps share files, never memory."""
        return {}

    def save_success(self, task: Any) -> None:
        """Record a finished step at once."""
        done = self._run.results[task.name]
        self._run.store.record(done.step, self._run.tickets[task.name], done.discovered)

    def remove_success(self, task: Any) -> None:
        """Take down that a step ran and failed; one that never started keeps its record."""
        if task.name in self._run.tickets:
            self._run.store.fail(self._run.steps[task.name])

    def close(self) -> None:
        """Leave the store open: its owner closes it."""


class _Reporter:
    """Our progress in the words of doit's runner."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def execute_task(self, task: Any) -> None:
        """Take the word of a worker that a step starts."""
        self._run.progress.start(self._run.steps[task.name])

    def add_success(self, task: Any) -> None:
        """Note a finished step."""
        done = self._run.results[task.name]
        self._run.ended.add(task.name)
        self._run.done.append(done)
        self._run.progress.finish(done)

    def skip_uptodate(self, task: Any) -> None:
        """Note a step that need not run after all."""
        self._run.ended.add(task.name)
        self._run.progress.skip(self._run.steps[task.name])

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """Note a step that failed; one whose needs failed is left out, not failed."""
        failed = self._run.errors.get(task.name)
        if failed is None:
            if task.name in self._run.tickets:  # an exception that no one foresaw: a bug of ours
                raise RuntimeError(f"{task.name}: {fail.get_msg()}")
            return
        self._run.ended.add(task.name)
        self._run.failed.append(failed)
        self._run.progress.fail(failed)

    def runtime_error(self, message: str) -> None:
        """Take doit's complaint of a graph that it cannot run: a bug of ours."""
        raise RuntimeError(message)

    def get_status(self, _task: object) -> None:
        """Hear that a task is looked at."""

    def skip_ignore(self, _task: object) -> None:
        """Hear that a task is ignored."""

    def complete_run(self) -> None:
        """Hear that all is done."""


def running_backend() -> object:
    """Give the backend of the doit command that runs in this process (doit's own command line)."""
    return Globals.dep_manager.backend


def dodo_error(message: str) -> Exception:
    """Give the exception that doit shows as one message, without a traceback."""
    error: Exception = InvalidDodoFile(message)
    return error


def action_failure(message: str) -> object:
    """Give what an action hands back to doit when it failed."""
    return TaskFailed(message)
