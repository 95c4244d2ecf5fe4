"""Which kernel would load a kmod, told from the directory that it is installed in."""

from collections.abc import Iterable
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.kernel.port import find_ports
from buildsys.kernel.version import KernelVersion, parse_version

_BELOW_STAND = 5  # MACHINE/RELEASE/modules/NAME/NAME.kmod


@frozen
class KmodPlace:
    """A modules directory, stand/MACHINE/RELEASE/modules: sys/kern/kern_module.c, module_init().

    machine is module_machine as the kernel spells it; version is the lowest that looks there.
    """

    machine: str
    version: KernelVersion

    @property
    def target(self) -> str:
        """Name the directory as the target system has it, without the leading slash."""
        return f"stand/{self.machine}/{self.version.release}/modules"


def place_of(path: Path) -> KmodPlace | None:
    """Give the place that a kmod is installed in; None when it lies elsewhere."""
    parts = path.absolute().parts
    if len(parts) <= _BELOW_STAND or parts[-_BELOW_STAND - 1] != "stand":
        return None
    machine, release, modules = parts[-_BELOW_STAND:-2]
    if modules != "modules" or not find_ports(machine):
        return None
    try:
        return KmodPlace(machine, parse_version(release))
    except BuildsysError:
        return None


def group_by_place(paths: Iterable[Path]) -> dict[KmodPlace | None, tuple[Path, ...]]:
    """Sort kmods by their place, the places in the order of their first kmod."""
    groups: dict[KmodPlace | None, list[Path]] = {}
    for path in paths:
        groups.setdefault(place_of(path), []).append(path)
    return {place: tuple(members) for place, members in groups.items()}
