"""Before modules are taken away: who of those that stay needs them, and does the machine."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.value import frozen
from buildsys.check.bootneeds import find_boot_needs
from buildsys.check.needed import Need, Requirements, find_kept, find_needed, read_requirements
from buildsys.config import Config
from buildsys.pipeline.verifying import find_tree_kernel, has_known_kernel


class NeededError(BuildsysError):
    """Modules that were to go are needed by others, or by the machine."""

    exit_status = ExitStatus.FINDINGS


@frozen
class Parting:
    """Which modules may go, and why the others should stay."""

    going: frozenset[str]
    needs: tuple[Need, ...]


@frozen
class _Tree:
    """What installed modules require, what the kernel has built in, what the machine needs."""

    requires: Requirements
    builtins: frozenset[str]
    boot: tuple[Need, ...]


def find_needs(
    config: Config, kmods: Mapping[str, Path], going: Collection[str]
) -> tuple[Need, ...]:
    """Say which of the modules that are to go are needed, and why; kmods are all, by module."""
    found = _look(config, kmods, going)
    return _sort((*find_needed(going, found.requires, found.builtins), *found.boot))


def choose_parting(config: Config, kmods: Mapping[str, Path], going: Collection[str]) -> Parting:
    """Choose of modules that nobody names those that may go without harm."""
    found = _look(config, kmods, going)
    rest = set(going) - {need.name for need in found.boot}
    kept = find_kept(rest, found.requires, found.builtins)
    return Parting(frozenset(rest - {need.name for need in kept}), _sort((*found.boot, *kept)))


def _look(config: Config, kmods: Mapping[str, Path], going: Collection[str]) -> _Tree:
    requires = read_requirements(kmods)
    builtins = find_builtins(config) or frozenset()
    here = set(going) & requires.keys()
    return _Tree(requires, builtins, find_boot_needs(config.destdir, here, requires, builtins))


def find_builtins(config: Config) -> frozenset[str] | None:
    """Name what the tree's own kernel has built in; None where that is not known.

    A kernel in the tree that cannot be read tells nothing; one that is given must be readable.
    """
    if not has_known_kernel(config):
        return None
    try:
        builtins = find_tree_kernel(config).builtins
    except BuildsysError:
        if config.kernel is not None:
            raise
        return None
    return None if builtins is None else frozenset(one.name for one in builtins)


def _sort(needs: Iterable[Need]) -> tuple[Need, ...]:
    return tuple(sorted(needs, key=lambda need: (need.name, need.reason)))


def describe_needs(needs: Sequence[Need]) -> str:
    """Spell needs, one a line: 'alpha: required by beta'."""
    return "\n".join(f"{need.name}: {need.reason}" for need in needs)
