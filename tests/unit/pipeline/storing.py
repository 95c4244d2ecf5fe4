"""A store with one step to keep, for the tests of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from buildsys.base.digest import RACY_NANOSECONDS
from buildsys.pipeline.step import Command, Step
from buildsys.pipeline.store import Store
from buildsys.pipeline.storevalues import Ticket


@contextmanager
def open_store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "record" / "store.sqlite3")
    try:
        yield store
    finally:
        store.close()


def make_step(tmp_path: Path, name: str = "compile:m/x.o", *more: Path) -> Step:
    """Make a step that reads x.c and makes x.o, with 'first' before 'second' on its path."""
    source, output = tmp_path / "x.c", tmp_path / "x.o"
    search = (tmp_path, tmp_path / "first", tmp_path / "second")
    command = Command("compile", ("cc", str(source)), tmp_path, (output,), None, search)
    return Step(name, "m", command, (source, *more), (output,))


def settle_times() -> None:
    """Wait until an edit made before must show in stamps."""
    time.sleep(RACY_NANOSECONDS * 1.5e-9)


def prepare(tmp_path: Path) -> Step:
    for name, text in {"x.c": "source", "second/h.h": "header", "first/other.h": ""}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    settle_times()
    return make_step(tmp_path)


def run_step(store: Store, step: Step, *discovered: Path) -> bool:
    """Do what a run does with a stale step: look, work, record."""
    ticket = store.begin(step, store.stale_reason(step) or "asked")
    for path in step.outputs:
        path.write_bytes(b"made of " + b"+".join(known.read_bytes() for known in step.inputs))
    return record(store, step, ticket, *discovered)


def record(store: Store, step: Step, ticket: Ticket, *discovered: Path) -> bool:
    """Record a step that ran; False when an input moved meanwhile."""
    store.record(step, ticket, [str(path) for path in discovered])
    store.flush()
    moved = store.counts.forgotten.copy()
    store.counts.forgotten.clear()
    return moved == []
