"""What modules are built and judged for: machine, version, kernel; imports little."""

import re
from pathlib import Path

from buildsys.base.errors import BuildsysError, UsageError, os_error_text
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen
from buildsys.config import Config
from buildsys.kernel.load import load_kernel
from buildsys.kernel.version import KernelVersion, parse_version
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import Machine

DEFAULT_RELEASE = "10.99.12"
_PARAM_VERSION = re.compile(r"^\s*#\s*define\s+__NetBSD_Version__\s+(\d+)\b", re.MULTILINE)


@frozen
class Target:
    """What modules are built for: kernel is None where no symbols of it are known."""

    machine: Machine
    version: KernelVersion
    kernel: Path | None
    kernel_origin: str  # for people: where version and symbols come from


def load_target(config: Config) -> Target:
    """Find the machine, and the kernel version from the kernel, the source tree or the option."""
    machine = load_machine(config.machine, config.machine_arch or None)
    known: list[tuple[KernelVersion, str]] = []
    if config.release:
        known.append((_read_release(config), "the setting release"))
    if config.src is not None:
        known.append((read_source_version(config.src), str(config.src)))
    if config.kernel is not None:
        given = known[0][0] if known else None
        loaded = load_kernel(config.kernel, machine.module_directory, given, machine.arch)
        known.append((loaded.version, str(config.kernel)))
    for version, origin in known[1:]:
        if version != known[0][0]:
            raise BuildsysError(
                f"{origin} is NetBSD {version}, but {known[0][1]} is {known[0][0]}; "
                "build against the sources of the kernel that will load the modules"
            )
    version = known[0][0] if known else parse_version(DEFAULT_RELEASE)
    kernel = config.kernel or find_shipped_kernel(machine, version)
    return Target(machine, version, kernel, known[0][1] if known else "default")


def _read_release(config: Config) -> KernelVersion:
    try:
        return parse_version(config.release)
    except BuildsysError as error:
        origin = dict(config.origins)["release"]
        if origin.startswith("/"):
            raise BuildsysError(f"release: {error}", Path(origin)) from error
        raise UsageError(f"release: {error}") from error


def read_source_version(source: Path) -> KernelVersion:
    """Read __NetBSD_Version__ of a source tree."""
    path = source / "sys/sys/param.h"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BuildsysError(
            f"cannot read: {os_error_text(error)}; expected a NetBSD source tree at {source}", path
        ) from error
    match = _PARAM_VERSION.search(text)
    if match is None:
        raise BuildsysError("expected a definition of __NetBSD_Version__", path)
    return KernelVersion(int(match[1]))


def find_shipped_kernel(machine: Machine, version: KernelVersion) -> Path | None:
    """Find the saved map of a kernel that comes with the tool, if there is one."""
    return find_shipped_map(machine.module_directory, version)


def find_shipped_map(module_machine: str, version: KernelVersion) -> Path | None:
    """Find the same by the name that the kernel's modules directory has for the machine."""
    directory = shipped_path("toolchain/kernel")
    found = sorted(directory.glob(f"{module_machine}-{version}-*.kmap*"))
    return found[0] if found else None
