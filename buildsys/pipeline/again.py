"""A further run of a request of which little changed: the kept plan, and the steps it touches.

The snapshot says which files have other stamps than at the end of the last full success. A step
that reads and makes none of them is as it was, so it is not looked at, and nothing of it is read.
Whatever is not that simple (a directory changed, what decides the plan did) is not done here.
"""

import importlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from buildsys.base.errors import ExitStatus
from buildsys.base.files import remove_temporaries
from buildsys.base.locks import hold_lock
from buildsys.base.value import frozen, replace
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.frame import Frame
from buildsys.pipeline.ground import Ground
from buildsys.pipeline.headstart import HeadStart
from buildsys.pipeline.installed import find_others, stamp_others
from buildsys.pipeline.jobs import default_jobs
from buildsys.pipeline.keptplan import DamagedPlanError, KeptPlan
from buildsys.pipeline.objdir import RECORD_DIRECTORY
from buildsys.pipeline.outcome import RunResult, make_failed
from buildsys.pipeline.scratch import hold_scratch
from buildsys.pipeline.simple import Changes, find_changed_files, watch_changes
from buildsys.pipeline.staleness import find_stale, forget_changed_modes
from buildsys.pipeline.step import Graph, Step
from buildsys.pipeline.steps import StepExecutor
from buildsys.pipeline.store import Store
from buildsys.pipeline.storefile import DamagedRecordError
from buildsys.pipeline.watch import Watch, take_watch
from buildsys.snapshot import Snapshot
from buildsys.toolchain.environment import tool_environment


@frozen
class Rerun:
    """What came of it; watch is of the files of the steps that were looked at.

    token is what the record was marked with at the end.
    """

    result: RunResult
    steps: tuple[Step, ...]
    watch: Watch
    token: bytes


def run_again(
    frame: Frame,
    kept: KeptPlan,
    former: Snapshot,
    changes: Changes,
    environment: Mapping[str, str],
    name: str,
    began_ns: int,
    progress: Progress,
    *preparations: Callable[[], object],
) -> Rerun | None:
    """Bring up to date what changed files of a snapshot decide; None: a whole run must do it.

    name is the request's, under which the record is marked. began_ns is when the run began, before
    it was looked for changes (ns of the wall clock).
    preparations are called while programs run.
    """
    objects = Path(frame.objects)
    record = objects / RECORD_DIRECTORY
    with (
        hold_lock(record / "lock", frame.purpose),
        hold_scratch(objects, environment) as programs,
    ):
        ground = Ground(former)
        store = Store(record / "store.sqlite3", began_ns, ground.is_as_it_was)
        has_begun = False
        try:
            ground.look_into(changes.directories)
            changed = find_changed_files(store, changes, former) if changes.is_still_so else None
            standing = _find_standing(frame, kept)
            touched = None if changed is None else _find_touched(standing, store, changed)
            if touched is None or not store.is_marked(name, frame.token):
                return None
            graph = _find_graph(kept, standing, touched)
            if _is_of_unready(frame, graph) or not all(map(store.is_recorded, standing.further)):
                return None
            executor = StepExecutor(
                tool_environment(programs),
                frame.options.timeout_seconds,
                lambda module: _find_place(kept, module),
                store.notes,
            )
            again = _Again(frame, kept, graph, touched, store, executor, progress, preparations)
            ground.look_into(_own_directories(graph.steps))
            has_begun = True
            result = again.run()
            watch = _watch(frame, kept, graph.steps, store, began_ns)
            watch = watch_changes(watch, changes, began_ns, store.times.has)
            watch = ground.judge(watch, result, graph.steps, frame.installed)
            is_whole = result.exit_status is ExitStatus.DONE and not result.moved
            token = store.mark(name) if is_whole and watch.is_settled else frame.token
            return Rerun(result, graph.steps, watch, token)
        except DamagedPlanError:
            return None
        except DamagedRecordError:
            if has_begun:
                raise
            return None
        finally:
            store.close()


def load_whole(kept: KeptPlan) -> Any:
    """Give the whole plan, with the request that it was made of."""
    return importlib.import_module("buildsys.pipeline.plancache").load_planned(kept)


@frozen
class _Standing:
    """The steps that were all done: the records of the kept plan's by number, and what installs
    in place of the plan's own where kmods are not fit.
    """

    records: dict[int, str]
    further: tuple[Step, ...]


def _find_standing(frame: Frame, kept: KeptPlan) -> _Standing:
    partial = frame.partial
    left_out = frozenset(() if partial is None else partial.left_out)
    numbers = (number for number, name in enumerate(kept.names) if name not in left_out)
    records = {number: kept.record(number) for number in numbers}
    if partial is None:
        return _Standing(records, ())
    own = KeptPlan(partial.steps, kept.path)
    return _Standing(records, tuple(map(own.step, range(len(own.names)))))


def _find_touched(standing: _Standing, store: Store, changed: Collection[str]) -> set[str] | None:
    """Name the records of steps that read or made changed files; None: one is of no step.

    A step whose record was forgotten, or is not to be trusted, counts as touched.
    """
    found = store.find_users(changed)
    if found is None:
        return None
    records = (*standing.records.values(), *(step.record for step in standing.further))
    return found | store.find_untrusted(records)


def _find_graph(kept: KeptPlan, standing: _Standing, touched: Collection[str]) -> Graph:
    """Give the steps whose records are touched, and all that need them."""
    chosen: dict[int, Step] = {}
    all_needs = kept.needs()
    for number, record in standing.records.items():
        if not chosen.keys().isdisjoint(all_needs[number]) or record in touched:
            chosen[number] = kept.step(number)
    names = kept.names
    needs = {
        names[number]: tuple([names[some] for some in all_needs[number] if some in chosen])
        for number in chosen
    }
    orders = tuple(step.name for step in chosen.values() if step.kind == "install")
    further = [step for step in standing.further if orders or step.record in touched]
    needs.update((step.name, orders) for step in further)
    return Graph((*chosen.values(), *further), needs)


def _is_of_unready(frame: Frame, graph: Graph) -> bool:
    """Tell whether steps are of modules that are not installed for others' sake, or one is now."""
    if frame.partial is None:
        return False
    is_touched = not {step.module for step in graph.steps}.isdisjoint(frame.partial.unready)
    return is_touched or any(map(os.path.lexists, frame.partial.receipts))


@frozen
class _Again:
    """A run of the steps of graph; touched are those that read or made what changed."""

    frame: Frame
    kept: KeptPlan
    graph: Graph
    touched: Collection[str]
    store: Store
    executor: StepExecutor
    progress: Progress
    preparations: tuple[Callable[[], object], ...]

    def run(self) -> RunResult:
        """Run what is stale, the first of it before doit is there."""
        begin = time.monotonic()
        graph, store, options = self.graph, self.store, self.frame.options
        _sweep(graph.steps)
        forget_changed_modes((s for s in graph.steps if s.record in self.touched), store)
        found = find_stale(graph, store)
        stale = found.stale
        if not stale and not found.refused:
            return RunResult((), (), (), len(self.kept.names), False, (), 0.0)
        jobs = options.jobs or default_jobs()
        head = HeadStart()
        try:
            head.start(graph, stale, store, self.executor, jobs)
            self._read_all(stale)
            tasks = importlib.import_module("buildsys.pipeline.tasks")
            ahead = tasks.Ahead(found, begin, head, self.preparations)
            result: RunResult = tasks.run_plan(
                graph, store, self.executor, self.progress, jobs, options.is_keep_going, ahead
            )
        finally:
            head.close()
        return self._install_passed(self._add_refused(result), jobs)

    def _install_passed(self, result: RunResult, jobs: int) -> RunResult:
        """Install what can be after failures, unless a step of this run did, or tried to."""
        options = self.frame.options
        further = {step.name for step in self.graph.steps if self.frame.partial and not step.module}
        if not further.isdisjoint(done.step.name for done in result.done):
            return replace(result, left_out=tuple(one for one in result.left_out if one.module))
        is_tried = not further.isdisjoint(failed.step.name for failed in result.failed)
        if is_tried or not (result.left_out and options.has_install and options.is_keep_going):
            return result
        session = importlib.import_module("buildsys.pipeline.session")
        planned = load_whole(self.kept)
        joined: RunResult = session.install_passed(
            planned, options, self.store, self.executor, self.progress, jobs, result
        )
        return joined

    def _add_refused(self, result: RunResult) -> RunResult:
        """Have a result tell of all kmods that are not fit, where others are so than before.

        And of the steps that are left out for their sake, as a run of the whole plan tells them.
        """
        modules = {step.module for step in self.graph.steps}
        is_done = result.exit_status is ExitStatus.DONE and not result.moved
        if not self.frame.refused or (is_done and modules.isdisjoint(self.frame.refused)):
            return result
        whole: Graph = load_whole(self.kept).plan.graph
        found = find_stale(whole, self.store)
        told = {failed.step.name for failed in result.failed}
        more = [step for step in found.refused if step.name not in told]
        refused = tuple([make_failed(step, self.executor.refusal(step)) for step in more])
        for failed in refused:
            self.progress.fail(failed)
        waiting = {step.name for step in (*result.left_out, *found.blocked)}
        left_out = tuple(step for step in whole.steps if step.name in waiting)
        return replace(result, failed=(*result.failed, *refused), left_out=left_out)

    def _read_all(self, stale: Collection[str]) -> None:
        """Read steps and records now: programs run, and a damaged plan ends it before doit does."""
        for step in self.graph.steps:
            if step.name in stale:
                step.action  # noqa: B018  # this reads it
                self.store.find(step.record)


def _find_place(kept: KeptPlan, module: str) -> str | None:
    """Say where a module is described: for messages alone, so that it may take time."""
    modules = load_whole(kept).plan.modules
    return next((str(one.place) for one in modules if one.name == module), None)


def _sweep(steps: Collection[Step]) -> None:
    """Remove the temporary files that a killed run left beside outputs of modules."""
    for directory in _own_directories(steps):
        remove_temporaries(Path(directory))


def _own_directories(steps: Collection[Step]) -> tuple[str, ...]:
    """Give the directories in which steps of modules make their outputs."""
    outputs = (os.fspath(path) for step in steps if step.module for path in step.outputs)
    return tuple(dict.fromkeys(map(os.path.dirname, outputs)))


def _watch(
    frame: Frame, kept: KeptPlan, steps: Collection[Step], store: Store, began_ns: int
) -> Watch:
    is_settled = store.settle()
    watch = take_watch(store.seen(steps), (), began_ns, store.times.has)
    stamps = watch.stamps
    if frame.options.has_install:  # we install there, so what else is there must be as it was
        ours = set(kept.modules)
        stamps = (*stamps, *stamp_others(frame.installed, ours))
        is_settled = is_settled and find_others(frame.installed, ours) == frame.others
    return Watch(stamps, watch.is_settled and is_settled, frozenset())
