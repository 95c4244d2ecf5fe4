"""Which module must be loaded before which: closures, load order, cycles named in full."""

import graphlib
from collections.abc import Iterable, Mapping

from buildsys.base.errors import BuildsysError
from buildsys.module.model import Module

Requirements = Mapping[str, tuple[str, ...]]


def collect_requirements(modules: Iterable[Module]) -> dict[str, tuple[str, ...]]:
    """Give what each module requires, by name, in the order that it names them."""
    return {module.name: module.requires for module in modules}


def find_cycle(requires: Requirements) -> tuple[str, ...]:
    """Give a cycle as (a, b, …, a), a requiring b; () when there is none."""
    try:
        load_order(requires)
    except _RequirementCycleError as error:
        return error.cycle
    return ()


def load_order(requires: Requirements) -> tuple[str, ...]:
    """Order the known modules so that each comes after all that it requires.

    Names that are required and not known (built into the kernel, say) are left out. A cycle is an
    error: the kernel would refuse each of its modules with EDEADLK.
    """
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name in sorted(requires):
        sorter.add(name, *sorted(other for other in requires[name] if other in requires))
    try:
        return tuple(sorter.static_order())
    except graphlib.CycleError as error:
        raise _RequirementCycleError(tuple(reversed(error.args[1]))) from error


def close_over(names: Iterable[str], requires: Requirements) -> tuple[str, ...]:
    """Give names and all that they require, through any number of steps, sorted."""
    closure: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in closure:
            closure.add(name)
            waiting.extend(requires.get(name, ()))
    return tuple(sorted(closure))


class _RequirementCycleError(BuildsysError):
    """Modules that require each other in a circle."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(f"these modules require each other in a circle: {' -> '.join(cycle)}")
        self.cycle = cycle
