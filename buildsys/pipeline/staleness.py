"""Which steps must run, and why."""

from collections.abc import Iterable

from buildsys.base.digest import is_of_other_mode
from buildsys.install.layout import FILE_MODE
from buildsys.pipeline.step import Graph, Record, Step
from buildsys.pipeline.store import Store


def find_stale(graph: Graph, store: Store) -> dict[str, str]:
    """Say which steps must run and why; '' for those that depend on what others will make."""
    stale: dict[str, str] = {}
    for step in graph.steps:
        if any(name in stale for name in graph.needs[step.name]):
            stale[step.name] = ""
        elif reason := store.stale_reason(step):
            stale[step.name] = reason
    return stale


def forget_changed_modes(steps: Iterable[Step], store: Store) -> None:
    """Have installed again what holds its bytes and is a link now, or has another mode."""
    for step in steps:
        if not step.module and isinstance(step.action, Record):
            trees = tuple(f"{place.tree}/" for place in step.action.installations)
            paths = [str(path) for path in step.outputs if str(path).startswith(trees)]
            if any(is_of_other_mode(path, FILE_MODE) for path in paths):
                store.forget(step.record)
