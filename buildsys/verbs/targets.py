"""Which kernels kmods are judged for: those that were named, and those of their directories."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen, replace
from buildsys.check.places import KmodPlace, group_by_place
from buildsys.config import Config
from buildsys.kernel.load import find_kernel, load_kernel
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import parse_version
from buildsys.pipeline.target import find_shipped_map, load_target
from buildsys.toolchain.machine import load_machine


@frozen
class Judging:
    """Kmods, and the kernel to judge them for; name is unique within a run."""

    name: str
    kernel: Kernel
    paths: tuple[Path, ...]


def load_kernels(config: Config, paths: Sequence[Path]) -> tuple[Kernel, ...]:
    """Load the kernels that were named; without any, or with one, the target's."""
    if len(paths) < 2:
        target = load_target(config)
        machine, number = target.machine, target.version.number
        return (find_kernel(target.kernel, machine.module_directory, machine.arch, number),)
    return tuple(load_other_kernel(config, path) for path in paths)


def load_other_kernel(config: Config, path: Path, is_free: bool = False) -> Kernel:
    """Load a further kernel: of any machine and version, unless they were set.

    With is_free its version may differ from the one that was set.
    """
    is_set = dict(config.origins)["machine"] != "default"
    machine = load_machine(config.machine, config.machine_arch or None)
    version = parse_version(config.release) if config.release and not is_free else None
    arch = machine.arch if is_set else ""
    return load_kernel(path, machine.module_directory if is_set else "", version, arch)


def plan_judging(
    config: Config, kernel_paths: Sequence[Path], kmods: Sequence[Path]
) -> tuple[Judging, ...]:
    """Match kmods with kernels.

    Kmods of one directory are judged for every kernel that was named. Those of several machines or
    versions are each judged for the kernels of their own directory: of those named, else the one
    whose symbols come along, else one of which only machine and version are known.
    """
    groups = group_by_place(kmods)
    if len(groups) == 1:
        pairs = [(kernel, tuple(kmods)) for kernel in load_kernels(config, kernel_paths)]
    else:
        pairs = _match(config, kernel_paths, groups)
    names: dict[str, int] = {}
    judging = []
    for kernel, paths in pairs:
        names[kernel.label] = names.get(kernel.label, 0) + 1
        count = names[kernel.label]
        name = kernel.label if count == 1 else f"{kernel.label}, no. {count}"
        judging.append(Judging(name, kernel, paths))
    return tuple(judging)


def _match(
    config: Config,
    kernel_paths: Sequence[Path],
    groups: Mapping[KmodPlace | None, tuple[Path, ...]],
) -> list[tuple[Kernel, tuple[Path, ...]]]:
    given = kernel_paths or ([config.kernel] if config.kernel is not None else [])
    kernels = [load_other_kernel(config, path) for path in given]
    used = set()
    pairs = []
    for place, paths in groups.items():
        if place is None:
            found = list(range(len(kernels)))
            others = load_kernels(config, ()) if not kernels else ()
        else:
            found = [i for i, kernel in enumerate(kernels) if _is_of(kernel, place)]
            others = () if found else (_kernel_of_place(place),)
        used.update(found)
        pairs += [(kernels[i], paths) for i in found] + [(kernel, paths) for kernel in others]
    for i, kernel in enumerate(kernels):
        if i not in used:
            directory = kernel.modules_directory.lstrip("/")
            raise BuildsysError(f"none of the kmods lies in {directory}, for this kernel", given[i])
    return pairs


def _is_of(kernel: Kernel, place: KmodPlace) -> bool:
    return kernel.modules_directory.lstrip("/") == place.target


def _kernel_of_place(place: KmodPlace) -> Kernel:
    path = find_shipped_map(place.machine, place.version)
    bare = Kernel(place.machine, place.version)
    return bare if path is None else replace(load_kernel(path), machine=place.machine)
