"""The tree once more, for another kind of kernel: what sys/modules/arch names, as further runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.config import Config
from buildsys.pipeline.request import Request
from buildsys.toolchain.machine import list_machines
from buildsys.toolchain.model import Machine


@frozen
class VariantRun:
    """One further run; directory is the one of sys/modules/arch that asks for it."""

    directory: Path
    config: Config
    environment: dict[str, str]


def find_variants(request: Request, environment: Mapping[str, str]) -> Iterator[VariantRun]:
    """Give the runs that the tree asks for beside its own (MKCOMPATMODULES).

    Each evaluates the whole tree with another makefile (BSD_MK_COMPAT_FILE) and has an object
    directory of its own. The kernel that was given is not theirs, so they are checked without.
    """
    if request.tree is None:
        return
    for variant in request.tree.variants:
        name = variant.directory.name
        objdir = request.config.objdir / "variants" / name
        config = replace(request.config, objdir=objdir, kernel=None)
        machine = _find_machine(request.target.machine, name)
        if machine is not None:
            config = replace(config, machine=machine.label, machine_arch="")
        further = {"BSD_MK_COMPAT_FILE": str(variant.makefile), "MKCOMPATMODULES": "no"}
        yield VariantRun(variant.directory, config, {**environment, **further})


def _find_machine(machine: Machine, directory: str) -> Machine | None:
    """Find the machine whose kernel looks below /stand/DIRECTORY, if it is known by itself."""
    for other in list_machines():
        if (other.name, other.arch, other.module_directory) == (
            machine.name,
            machine.arch,
            directory,
        ):
            return other
    return None
