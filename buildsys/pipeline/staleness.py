"""Which steps must run, and why."""

from collections.abc import Iterable, Mapping

from buildsys.base.digest import is_of_other_mode
from buildsys.base.value import frozen
from buildsys.install.layout import FILE_MODE
from buildsys.pipeline.step import Graph, Record, Step
from buildsys.pipeline.store import Store


@frozen
class Staleness:
    """What became of the steps of a graph since they last ran.

    stale are those that must run and why; '' for those that depend on what others will make.
    refused are checks that are up to date and say that a kmod is not fit, blocked all that needs
    one of these.
    """

    stale: Mapping[str, str]
    refused: tuple[Step, ...]
    blocked: tuple[Step, ...]


def find_stale(graph: Graph, store: Store) -> Staleness:
    """Ask the store of each step, in the order of the graph."""
    stale: dict[str, str] = {}
    refused: list[Step] = []
    blocked: list[Step] = []
    closed: set[str] = set()
    for step in graph.steps:
        needs = graph.needs[step.name]
        if closed and not closed.isdisjoint(needs):
            blocked.append(step)
            closed.add(step.name)
        elif any(name in stale for name in needs):
            stale[step.name] = ""
        elif reason := store.stale_reason(step):
            stale[step.name] = reason
        elif step.kind == "check" and store.is_refused(step.record):
            refused.append(step)
            closed.add(step.name)
    return Staleness(stale, tuple(refused), tuple(blocked))


def forget_changed_modes(steps: Iterable[Step], store: Store) -> None:
    """Have installed again what holds its bytes and is a link now, or has another mode."""
    for step in steps:
        if not step.module and isinstance(step.action, Record):
            trees = tuple(f"{place.tree}/" for place in step.action.installations)
            paths = [str(path) for path in step.outputs if str(path).startswith(trees)]
            if any(is_of_other_mode(path, FILE_MODE) for path in paths):
                store.forget(step.record)
