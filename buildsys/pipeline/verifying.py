"""Verifying an installed tree: files against what was installed, kmods against the kernel."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.base.value import frozen
from buildsys.check.check import check_set
from buildsys.check.drift import parse_policy
from buildsys.check.verdict import Finding, Severity
from buildsys.config import Config
from buildsys.install.receipt import Receipt, load_receipts
from buildsys.install.verify import (
    Recorded,
    compare_metalog,
    compare_tree,
    from_metalog,
    from_receipts,
)
from buildsys.kernel.load import find_kernel, load_kernel
from buildsys.kernel.model import Kernel
from buildsys.metalog import parse_metalog
from buildsys.pipeline.target import load_target
from buildsys.toolchain.machine import load_machine

_KERNEL = "netbsd"


@frozen
class Verification:
    """What came of it: the files that were looked for, the kernel, and what stands against them."""

    recorded: tuple[Recorded, ...]
    kernel: Kernel
    findings: tuple[Finding, ...]


def verify_tree(
    config: Config,
    recorded: Sequence[Recorded],
    further: Iterable[Finding] = (),
    has_owners: bool = False,
) -> Verification:
    """Compare a tree with what find_recorded gave, and judge its kmods; further findings count."""
    findings = [*compare_tree(config.destdir, recorded, has_owners)]
    if load_own_receipts(config) and config.metalog.is_file():
        lines = parse_metalog(read_whole(config.metalog))
        known = {file.target for file in recorded}
        findings += compare_metalog(config.metalog, recorded, from_metalog(lines, known))
    findings += further
    kernel = find_tree_kernel(config)
    broken = {finding.path for finding in findings if finding.severity is Severity.ERROR}
    findings += _judge(config, kernel, recorded, broken)
    return Verification(tuple(recorded), kernel, tuple(findings))


def load_own_receipts(config: Config) -> tuple[Receipt, ...]:
    """Load the receipts of this DESTDIR, of all machines and versions."""
    directories = sorted(config.objdir.glob("*/receipts/*"))
    found = (receipt for directory in directories for receipt in load_receipts(directory))
    return tuple(receipt for receipt in found if receipt.destdir == config.destdir)


def find_recorded(config: Config) -> tuple[Recorded, ...]:
    """Find what was installed: by the receipts, else by METALOG."""
    if receipts := load_own_receipts(config):
        return from_receipts(file for receipt in receipts for file in receipt.files)
    if not config.metalog.is_file():
        raise BuildsysError(
            f"nothing tells what is installed there: no receipt in {config.objdir}, and no"
            f" {config.metalog}",
            config.destdir,
        )
    return from_metalog(parse_metalog(read_whole(config.metalog)))


def has_known_kernel(config: Config) -> bool:
    """Tell whether the tree's kernel is known: given, or in the tree."""
    return config.kernel is not None or (config.destdir / _KERNEL).is_file()


def find_tree_kernel(config: Config) -> Kernel:
    """Take the kernel that is given, else the tree's own, else what else is known of it."""
    if config.kernel is None and has_known_kernel(config):
        own = config.destdir / _KERNEL
        machine = load_machine(config.machine, config.machine_arch or None)
        return load_kernel(own, machine.module_directory, None, machine.arch)
    target = load_target(config)
    machine = target.machine
    number = target.version.number
    return find_kernel(target.kernel, machine.module_directory, machine.arch, number)


def _judge(
    config: Config, kernel: Kernel, recorded: Iterable[Recorded], broken: set[Path]
) -> Iterable[Finding]:
    """Judge the kmods that this kernel will look for; a kernel newer than all has none."""
    directory = config.destdir / kernel.modules_directory.lstrip("/")
    paths = [config.destdir / file.target for file in recorded]
    ours = [path for path in paths if path.suffix == ".kmod" and directory in path.parents]
    if not ours:
        releases = sorted({path.parts[-4] for path in paths if path.suffix == ".kmod"})
        yield Finding(
            "no-modules-for-kernel",
            Severity.ERROR,
            directory,
            f"the kernel is {kernel.label}, and the modules that are installed are for"
            f" {', '.join(releases) or 'none'}",
        )
        return
    found = sorted(path for path in directory.glob("*/*.kmod") if path.is_file())
    for verdict in check_set(found, kernel, policy=parse_policy(config.drift)):
        if verdict.path not in broken:
            yield from (f for f in verdict.findings if f.severity is Severity.ERROR)
