"""The use of doit: steps as doit tasks, the Store as doit's dependency manager."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from buildsys.base.errors import BuildsysError
from buildsys.base.interrupts import exposed, shielded
from buildsys.base.programs import Call, CommandResult, Ended
from buildsys.base.value import frozen
from buildsys.pipeline.doitparts import control, exceptions, globals_, runner, tasking
from buildsys.pipeline.executor import Executor, Progress, Seen, Work
from buildsys.pipeline.headstart import HeadStart
from buildsys.pipeline.outcome import (
    FailureKind,
    RefusedError,
    RunResult,
    StepDone,
    StepFailed,
    make_failed,
)
from buildsys.pipeline.staleness import Staleness, find_stale
from buildsys.pipeline.step import Graph, Step
from buildsys.pipeline.store import Store
from buildsys.pipeline.storevalues import Ticket

_FLUSH_SECONDS = 1.0  # as much work may be lost to a kill,
_FLUSH_PART = 50  # or one part of so many of what the run took so far, if that is more
_ALL_WAIT = "hold on"  # what doit's dispatcher gives when every task waits for others


@frozen
class Ahead:
    """What was found out and begun before, and when that began (monotonic clock, seconds).

    preparations are called while programs run, beside those that the steps ask for.
    """

    found: Staleness
    begin: float
    head: HeadStart | None = None
    preparations: tuple[Callable[[], object], ...] = ()


def run_plan(
    graph: Graph,
    store: Store,
    executor: Executor,
    progress: Progress,
    jobs: int,
    keep_going: bool,
    ahead: Ahead | None = None,
) -> RunResult:
    """Bring every step of a plan up to date, stale ones in parallel.

    KeyboardInterrupt ends the run early: what was finished is kept.
    """
    begin = time.monotonic() if ahead is None else ahead.begin
    ahead = Ahead(find_stale(graph, store), begin) if ahead is None else ahead
    stale, refused = ahead.found.stale, ahead.found.refused
    run = _Run(store, executor, progress, ahead)
    is_interrupted = False
    if stale or refused:
        steps = [step for step in graph.steps if step.name in stale]
        progress.begin(len(steps))
        try:
            run.tell_refused(refused)
            if steps:
                run.run(steps, graph.needs, jobs, keep_going)
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            progress.end()
    store.flush()  # which tells what moved
    ended = run.ended
    open_steps = {*stale, *(step.name for step in ahead.found.blocked)}
    return RunResult(
        done=tuple(run.done),
        failed=tuple(run.failed),
        left_out=tuple(
            step for step in graph.steps if step.name in open_steps and step.name not in ended
        ),
        total=len(graph.steps),
        is_interrupted=is_interrupted,
        moved=tuple(store.counts.forgotten),
        seconds=time.monotonic() - begin,
    )


@frozen
class _Begun:
    """A task that waits for a program."""

    node: Any  # doit's ExecNode
    work: Work
    begin: float


class _Runner(runner.Runner):  # type: ignore[misc]  # doit has no types
    """doit's runner, with as many programs at a time as there are jobs, all in one thread."""

    def __init__(self, run: "_Run", keep_going: bool, jobs: int) -> None:
        super().__init__(
            _DependencyManager(run), _Reporter(run), continue_=keep_going, stream=tasking.Stream(0)
        )
        self._run = run
        self._jobs = jobs
        self._head = HeadStart() if run.ahead.head is None else run.ahead.head
        self._programs = self._head.programs
        self._preparing = deque(run.preparations)
        self._flush_due = time.monotonic() + _FLUSH_SECONDS
        self._begun: dict[int, _Begun] = {}  # by the key of its program
        self._early: dict[int, CommandResult | BuildsysError] = {}  # of programs, by their keys
        self._ended: deque[Any] = deque()  # tasks that the dispatcher is to be told of

    def run_tasks(self, task_dispatcher: Any) -> None:
        """Run every task of doit's dispatcher; signals cut short nothing but steps."""
        with ExitStack() as stack:
            stack.enter_context(shielded())
            stack.callback(self._stop)
            while self._start_more(task_dispatcher):
                for one in self._wait():
                    begun = self._begun.pop(one.key, None)
                    if begun is None:  # started early, and its task's turn has not come
                        self._early[one.key] = one.result
                    else:
                        self._go_on(begun, one.result)

    def _start_more(self, dispatcher: Any) -> bool:
        """Start tasks until all jobs are taken; False when nothing runs and nothing is to run."""
        while len(self._begun) < self._jobs and not self._stop_running:
            try:
                node = dispatcher.generator.send(self._ended.popleft() if self._ended else None)
            except StopIteration:
                break
            if node == _ALL_WAIT:
                if not self._ended:
                    break
            elif self.select_task(node, dispatcher.tasks):
                self.reporter.execute_task(node.task)
                started = self._head.take(node.task.name)
                if started is None:
                    work = self._run.begin(node.task)
                    self._go_on(_Begun(node, work, time.monotonic()), None)
                    continue
                begun = _Begun(node, started.work, started.begin)
                if started.key in self._early:
                    self._go_on(begun, self._early.pop(started.key))
                else:
                    self._begun[started.key] = begun
            else:
                self._ended.append(node)
        return bool(self._begun)

    def _wait(self) -> list[Ended]:
        """Wait for programs; what was done meanwhile is soon where a kill does not lose it."""
        while True:
            self._flush_when_due()
            with exposed():
                due = 0.0 if self._preparing else self._flush_due - time.monotonic()
                ended = self._programs.wait(due)
                if ended:
                    return ended
                if self._preparing:
                    prepare = self._preparing.popleft()
                    with suppress(BuildsysError):  # the step that needs it will say what is wrong
                        prepare()

    def _flush_when_due(self) -> None:
        if time.monotonic() >= self._flush_due:
            self._run.store.flush()
            now = time.monotonic()
            self._flush_due = now + max(_FLUSH_SECONDS, (now - self._run.ahead.begin) / _FLUSH_PART)

    def _go_on(self, begun: _Begun, result: CommandResult | BuildsysError | None) -> None:
        """Go on with a task, with what its program gave, to its next program or its end."""
        name = begun.node.task.name
        try:
            with exposed():
                call = _advance(begun.work, result)
            self._begun[self._programs.start(call)] = begun
            return
        except StopIteration as stop:
            self._run.finish(name, stop.value, begun.begin)
            failed = None
        except BuildsysError as error:
            begun.work.close()
            failed = self._run.fail(name, error)
        self.process_task_result(begun.node, failed)
        self._flush_when_due()
        self._ended.append(begun.node)

    def _stop(self) -> None:
        """End what runs, and take its temporary files away."""
        self._head.close()
        for begun in self._begun.values():
            begun.work.close()


def _advance(work: Work, result: CommandResult | BuildsysError | None) -> Call:
    """Give the next program that a task wants; StopIteration holds what came of it."""
    if result is None:
        return next(work)
    return work.send(result) if isinstance(result, CommandResult) else work.throw(result)


@frozen
class _Status:
    """What doit's runner wants to know of a task."""

    status: str  # run, up-to-date or error
    message: str = ""

    def get_error_message(self) -> str:
        return self.message


class _Run:
    """The state of one run, shared by what doit calls its dependency manager and its reporter.

    doit knows the tasks and their order; what they do is the executor's, in _Runner.
    """

    def __init__(self, store: Store, executor: Executor, progress: Progress, ahead: Ahead) -> None:
        self.store = store
        self.ahead = ahead
        self.preparations: list[Callable[[], object]] = []
        self.progress = progress
        self.steps: Mapping[str, Step] = {}
        self.tickets: dict[str, Ticket] = {}
        self.results: dict[str, StepDone] = {}
        self.errors: dict[str, StepFailed] = {}
        self.done: list[StepDone] = []
        self.failed: list[StepFailed] = []
        self.ended: set[str] = set()
        self.refusals: dict[str, tuple[str, ...]] = {}  # files that decided it, by step
        self._executor = executor

    def run(
        self,
        steps: Sequence[Step],
        needs: Mapping[str, tuple[str, ...]],
        jobs: int,
        keep_going: bool,
    ) -> None:
        """Run the steps under doit; an exception that is a bug of ours comes through."""
        self.steps = {step.name: step for step in steps}
        self.preparations = [*self._executor.prepare(steps), *self.ahead.preparations]
        tasks = control.TaskControl([self._make_task(step, needs[step.name]) for step in steps])
        tasks.process(None)
        _Runner(self, keep_going, max(1, jobs)).run_all(tasks.task_dispatcher())

    def tell_refused(self, steps: Iterable[Step]) -> None:
        """Take down the checks that refused their kmods, and would again."""
        for step in steps:
            failed = make_failed(step, self._executor.refusal(step))
            self.failed.append(failed)
            self.progress.fail(failed)

    def is_refused(self, step: Step) -> bool:
        """Tell whether a step is a check that refused its kmod, and take that down."""
        if step.kind != "check" or not self.store.is_refused(step.record):
            return False
        self.errors[step.name] = make_failed(step, self._executor.refusal(step))
        return True

    def _make_task(self, step: Step, needs: Iterable[str]) -> Any:
        task = tasking.Task("step", None)
        # Given afterwards: doit would refuse a '=' and take a '*' for a pattern.
        task.name = step.name
        task.task_dep = [name for name in needs if name in self.steps]
        return task

    def begin(self, task: Any) -> Work:
        """Begin a task's step."""
        return self._executor.begin(self.steps[task.name])

    def finish(self, name: str, seen: Seen, begin: float) -> None:
        """Take down that a step was done."""
        discovered, output = seen
        seconds = time.monotonic() - begin
        reason = self.tickets[name].reason
        self.results[name] = StepDone(self.steps[name], seconds, reason, discovered, output)

    def fail(self, name: str, error: BuildsysError) -> Any:
        """Take down that a step failed, and why."""
        self.errors[name] = failed = make_failed(self.steps[name], error)
        if isinstance(error, RefusedError):
            self.refusals[name] = error.inputs
        return exceptions.TaskFailed(failed.message)


class _DependencyManager:
    """The Store in the words of doit's runner."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def get_status(self, task: Any, _tasks: object) -> _Status:
        """Decide, when all that a task needs is done, whether it must run."""
        step = self._run.steps[task.name]
        head = self._run.ahead.head
        ticket = None if head is None else head.find_ticket(step.name)
        if ticket is not None:
            self._run.tickets[step.name] = ticket
            return _Status("run")
        try:
            reason = self._run.store.stale_reason(step)
            if not reason and self._run.is_refused(step):
                return _Status("error", self._run.errors[step.name].message)
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
        if task.name not in self._run.tickets:
            return
        step = self._run.steps[task.name]
        inputs = self._run.refusals.get(task.name)
        if inputs is None:
            self._run.store.fail(step)
        else:
            self._run.store.record(step, self._run.tickets[task.name], inputs, is_refused=True)

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

    def add_failure(self, task: Any, fail: Any) -> None:
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
    return globals_.Globals.dep_manager.backend


def dodo_error(message: str) -> Exception:
    """Give the exception that doit shows as one message, without a traceback."""
    error: Exception = exceptions.InvalidDodoFile(message)
    return error


def action_failure(message: str) -> object:
    """Give what an action hands back to doit when it failed."""
    return exceptions.TaskFailed(message)
