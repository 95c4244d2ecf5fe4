"""The steps for doit's own command line, as dodo.py offers them; doit itself is not imported here.

doit asks a backend for what it remembers of tasks. Ours remembers nothing beside the Store: it
takes doit's word that a task was done (set) or is to be forgotten (remove) to the Store.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.pipeline.executor import Executor, do_work
from buildsys.pipeline.outcome import StepError
from buildsys.pipeline.paths import machine_objdir
from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.progress import describe_step
from buildsys.pipeline.request import load_request
from buildsys.pipeline.scratch import hold_scratch
from buildsys.pipeline.session import (
    find_launching,
    find_surroundings,
    lock_objdir,
    make_executor,
    open_store,
)
from buildsys.pipeline.settings import load_config
from buildsys.pipeline.step import Record, Step
from buildsys.pipeline.store import Store
from buildsys.pipeline.storevalues import Ticket
from buildsys.pipeline.tasks import action_failure, dodo_error, running_backend

_DONE_KEY = "_values_:"  # what doit's dependency manager sets first when a task was done
_CLEANED = frozenset({"generate", "compile", "link", "check"})

_GROUPS = {
    "generate": "write generated sources and links",
    "compile": "compile sources",
    "link": "join objects into kmods",
    "check": "judge kmods as the kernel would",
    "install": "install kmods and bring METALOG up to date",
    "build": "build and check modules",
}


class DoitWorkspace:
    """A plan, its store and its executor for as long as one doit command runs."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        request = load_request(load_config({}, environment, directory), environment)
        self._stack = ExitStack()
        self._stack.enter_context(lock_objdir(request, "doit"))
        programs = self._stack.enter_context(hold_scratch(machine_objdir(request), environment))
        self._plan: Plan = make_plan(request, find_surroundings(request, False), (), True)
        self._store: Store = open_store(request)
        launching = find_launching(request, environment, self._store)
        self._executor: Executor = make_executor(self._plan, programs, None, self._store, launching)
        self._steps = {task_name(step): step for step in self._plan.steps}
        self._tickets: dict[str, Ticket] = {}
        self._seen: dict[str, tuple[str, ...]] = {}

    def tasks(self) -> Iterator[dict[str, object]]:
        """Give every step as a doit task, and build:NAME for each module."""
        for base, text in _GROUPS.items():
            yield {
                "basename": base,
                "name": None,
                "doc": text,
            }  # doit wants a group before its tasks
        for step in self._plan.steps:
            base, _, name = task_name(step).partition(":")
            yield {
                "basename": base,
                "name": name,
                "doc": describe_step(step)[1:].strip(),
                "actions": [(self._act, [step])],
                "uptodate": [_Freshness(self, step)],
                "targets": [str(path) for path in step.outputs],
                "task_dep": list(self._plan.needs[step.name]),
                "clean": True if step.kind in _CLEANED else [],
                "io": {"capture": False},
            }
        for module in self._plan.modules:
            yield {
                "basename": "build",
                "name": module.name,
                "doc": module.description,
                "actions": None,
                "task_dep": [f"check:{module.name}"],
            }

    def stale_reason(self, step: Step) -> str:
        """Say why a step must run, '' when it need not; take down what its inputs hold now."""
        reason = self._store.stale_reason(step)
        if not reason and self._store.is_refused(step.record):
            reason = "its kmod was refused"  # doit knows only what was done and what was not
        if reason:
            self._tickets[step.name] = self._store.begin(step, reason)
        return reason

    def _act(self, step: Step) -> object:
        try:
            self._seen[step.name], output = do_work(self._executor.begin(step))
        except StepError as error:
            return action_failure(
                "\n".join(filter(None, (str(error), " ".join(error.argv), error.output)))
            )
        except BuildsysError as error:
            return action_failure(str(error))
        if output:
            print(output, end="")
        return None

    def finish(self, task: str) -> None:
        """Record a task that was done; a group of tasks has nothing to record."""
        step = self._steps.get(task)
        if step is not None:
            self._store.record(step, self._tickets[step.name], self._seen[step.name])
            self._store.flush()

    def forget(self, task: str) -> None:
        """Make a task's step stale."""
        if task in self._steps:
            self._store.forget(self._steps[task].record)

    def forget_all(self) -> None:
        """Make every step stale."""
        self._store.forget_all()

    def close(self) -> None:
        """Save what was learnt, and let others in."""
        self._store.settle()
        self._store.close()
        self._stack.close()


class _Freshness:
    """What doit asks whether a step is up to date, and shows in 'doit info'."""

    def __init__(self, workspace: DoitWorkspace, step: Step) -> None:
        self._workspace = workspace
        self._step = step

    def __call__(self) -> bool:
        return not self._workspace.stale_reason(self._step)

    def __repr__(self) -> str:
        return self._workspace.stale_reason(self._step) or "up to date"


class StoreBackend:
    """doit's backend, as pyproject.toml names it."""

    desc = "modbuild's record of what was made from what"

    def __init__(self, name: str, codec: object, module_name: object = None) -> None:
        del codec, module_name
        self.name = name
        self._workspace: DoitWorkspace | None = None

    def open(self, directory: Path, environment: dict[str, str]) -> DoitWorkspace:
        """Load the workspace, at most once a process."""
        if self._workspace is None:
            self._workspace = DoitWorkspace(directory, environment)
        return self._workspace

    def get(self, _task: str, _key: str) -> None:
        """Give what doit remembered: nothing."""
        return

    def set(self, task: str, key: str, _value: object) -> None:
        """Take doit's word that a task was done."""
        if key == _DONE_KEY and self._workspace is not None:
            self._workspace.finish(task)

    def in_(self, _task: str) -> bool:
        """Tell whether doit remembers values of a task: no."""
        return False

    def remove(self, task: str) -> None:
        """Forget a task."""
        if self._workspace is not None:
            self._workspace.forget(task)

    def remove_all(self) -> None:
        """Forget all tasks."""
        if self._workspace is not None:
            self._workspace.forget_all()

    def dump(self) -> None:
        """End: doit calls this once, last."""
        if self._workspace is not None:
            self._workspace.close()
            self._workspace = None


def task_name(step: Step) -> str:
    """Name a step's task: METALOG belongs to what 'doit install' does."""
    match step.action:
        case Record():
            return "install:METALOG"
    return step.name


def dodo_tasks(directory: Path, environment: dict[str, str]) -> Iterator[dict[str, object]]:
    """Give the tasks of dodo.py for the doit command that is running."""
    backend = running_backend()
    if not isinstance(backend, StoreBackend):
        raise dodo_error("run doit in the clone, where pyproject.toml names the backend modbuild")
    try:
        yield from backend.open(directory, environment).tasks()
    except BuildsysError as error:
        raise dodo_error(str(error)) from error
