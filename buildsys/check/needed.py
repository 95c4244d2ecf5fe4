"""Which installed modules could not be loaded any more without some that are to go."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.elf.describe import MAXIMUM_KMOD_BYTES
from buildsys.elf.memory import load_memory
from buildsys.elf.modinfo import read_modinfo
from buildsys.elf.reader import read_elf
from buildsys.kernel.model import split_required

Requirements = Mapping[str, tuple[str, ...]]


@frozen
class Need:
    """Why a module should stay; reason is for people: 'required by beta'."""

    name: str
    reason: str


def read_requirements(kmods: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Read what each kmod requires by its own description, by module name.

    One that cannot be read requires nothing: no kernel would load it.
    """
    return {name: _read_required(path) for name, path in kmods.items()}


def _read_required(path: Path) -> tuple[str, ...]:
    try:
        modinfo = read_modinfo(load_memory(read_elf(path, MAXIMUM_KMOD_BYTES)))
    except BuildsysError:
        return ()
    return split_required(modinfo.required or "")


def find_needed(
    going: Collection[str], requires: Requirements, builtins: Collection[str] = ()
) -> tuple[Need, ...]:
    """Say of each module that is to go which of those that stay require it, by name.

    sys/kern/kern_module.c, module_do_load(): a requirement is met by a built-in module, else its
    file must be there. requires has every installed module.
    """
    needs = []
    for name in sorted(set(going) - set(builtins)):
        users = [
            other for other in sorted(requires) if other not in going and name in requires[other]
        ]
        if users:
            needs.append(Need(name, f"required by {', '.join(users)}"))
    return tuple(needs)


def find_kept(
    going: Collection[str], requires: Requirements, builtins: Collection[str] = ()
) -> tuple[Need, ...]:
    """Say which of the modules that may go are needed by those that stay, and so must stay, too.

    What stays for another's sake needs what it requires in turn.
    """
    kept: dict[str, Need] = {}
    while needs := find_needed(set(going) - kept.keys(), requires, builtins):
        kept.update((need.name, need) for need in needs)
    return tuple(kept[name] for name in sorted(kept))


def close_over_requirements(
    names: Iterable[str], requires: Requirements, builtins: Collection[str] = ()
) -> frozenset[str]:
    """Give names and all that they require, less what is built in."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in builtins:
            found.add(name)
            waiting.extend(requires.get(name, ()))
    return frozenset(found)
