"""Programs that run before doit is there: taken over, whenever they end, or ended with the run."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildsys.base import interrupts
from buildsys.base.errors import BuildsysError
from buildsys.pipeline.depfile import SourceNotes
from buildsys.pipeline.headstart import HeadStart
from buildsys.pipeline.progress import LineProgress
from buildsys.pipeline.staleness import find_stale
from buildsys.pipeline.step import Command, Graph, Step
from buildsys.pipeline.steps import StepExecutor
from buildsys.pipeline.store import Store
from buildsys.pipeline.tasks import Ahead, run_plan


def make_step(directory: Path, name: str, text: str, *inputs: str) -> Step:
    output = directory / name
    script = f"{text}; echo {name} >{output}.tmp && mv {output}.tmp $0"
    argv = ("sh", "-c", script, str(output))
    command = Command("compile", argv, directory, (output,), None, ())
    paths = tuple(directory / one for one in inputs)
    return Step(f"compile:m/{name}", "m", command, paths, (output,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "record/store.sqlite3")
    yield store
    store.close()


def make_executor() -> StepExecutor:
    return StepExecutor(dict(os.environ), None, {}.get, SourceNotes())


def make_graph(directory: Path, slow: str = "sleep 0.3") -> Graph:
    """Give a slow step, a quick one, and one that needs both."""
    steps = (
        make_step(directory, "slow", slow),
        make_step(directory, "quick", "true"),
        make_step(directory, "both", "true", "slow", "quick"),
    )
    slowly, quickly, both = (step.name for step in steps)
    return Graph(steps, {slowly: (), quickly: (), both: (slowly, quickly)})


def test_a_program_that_ends_before_its_tasks_turn_is_taken_over(
    tmp_path: Path, store: Store
) -> None:
    graph, executor, head = make_graph(tmp_path), make_executor(), HeadStart()
    found = find_stale(graph, store)
    head.start(graph, {"compile:m/quick": "asked"}, store, executor, 1)
    ahead = Ahead(found, time.monotonic(), head)
    result = run_plan(graph, store, executor, LineProgress(False, True), 1, False, ahead)
    assert [done.step.name for done in result.done] == [step.name for step in graph.steps]
    assert find_stale(graph, store).stale == {}
    assert (tmp_path / "both").read_text() == "both\n"


def test_what_nobody_takes_over_is_ended_with_the_run(tmp_path: Path, store: Store) -> None:
    graph, executor, head = make_graph(tmp_path, "exec sleep 60"), make_executor(), HeadStart()
    head.start(graph, find_stale(graph, store).stale, store, executor, 2)
    (pid, *_) = list(head.programs._running)
    head.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not list(tmp_path.glob(".modbuild.*"))


def test_after_a_failure_what_runs_is_waited_for_and_the_rest_left_out(
    tmp_path: Path, store: Store
) -> None:
    graph = make_graph(tmp_path)
    quick = make_step(tmp_path, "quick", "exit 3")
    graph = Graph((quick, graph.steps[0], graph.steps[2]), graph.needs)
    executor, head = make_executor(), HeadStart()
    found = find_stale(graph, store)
    head.start(graph, found.stale, store, executor, 2)
    ahead = Ahead(found, time.monotonic(), head)
    result = run_plan(graph, store, executor, LineProgress(False, True), 2, False, ahead)
    assert [failed.step.name for failed in result.failed] == ["compile:m/quick"]
    assert {step.name for step in result.left_out} >= {"compile:m/both"}
    assert not list(tmp_path.glob(".modbuild.*"))


def test_a_step_that_cannot_be_started_is_left_to_its_turn(tmp_path: Path, store: Store) -> None:
    step = make_step(tmp_path, "quick", "true", "absent")
    graph, executor, head = Graph((step,), {step.name: ()}), make_executor(), HeadStart()
    head.start(graph, {step.name: "asked"}, store, executor, 1)
    assert head.find_ticket(step.name) is None
    ahead = Ahead(find_stale(graph, store), time.monotonic(), head)
    result = run_plan(graph, store, executor, LineProgress(False, True), 1, False, ahead)
    assert "absent does not exist" in result.failed[0].message


def test_what_cannot_be_prepared_is_told_by_the_step_that_needs_it(
    tmp_path: Path, store: Store
) -> None:
    graph, executor = make_graph(tmp_path), make_executor()

    def prepare() -> None:
        raise BuildsysError("no such kernel")

    ahead = Ahead(find_stale(graph, store), time.monotonic(), None, (prepare,))
    result = run_plan(graph, store, executor, LineProgress(False, True), 1, False, ahead)
    assert result.failed == ()
    assert len(result.done) == 3


def test_a_signal_at_a_start_ends_what_was_started(
    tmp_path: Path, store: Store, interrupted_starts: "list[subprocess.Popen[bytes]]"
) -> None:
    graph, head = make_graph(tmp_path, "sleep 60"), HeadStart()
    before = signal.signal(signal.SIGINT, interrupts._interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            head.start(graph, {"compile:m/slow": "asked"}, store, make_executor(), 1)
    finally:
        signal.signal(signal.SIGINT, before)
        head.close()
    assert [program.returncode for program in interrupted_starts] == [-signal.SIGKILL]
    assert [path.name for path in tmp_path.iterdir()] == ["record"]
