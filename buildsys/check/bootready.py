"""Can a kernel mount its root: the file system built in, or handed over by the boot loader.

Before the root is mounted no module can be read from it, so the kernel takes what is built in and
what the boot loader hands over (sys/kern/kern_module.c, module_prime(), and sys/kern/init_main.c,
main(), which starts modules of every class before vfs_mountroot()); else it
says "Cannot mount root, error 79".
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.bootcfg import BootConfiguration
from buildsys.check.judge import read_description
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.loader import LoaderState
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Finding, Outcome
from buildsys.elf.model import show_name
from buildsys.elf.modinfo import ModInfo, show_class
from buildsys.kernel.model import Kernel, split_required
from buildsys.kernel.port import find_ports

# Whose kernels call module_prime(): sys/arch/x86/x86/x86_machdep.c, sys/arch/arm/fdt/arm_fdt.c,
# sys/arch/sandpoint/sandpoint/machdep.c.
_HANDED_TO = frozenset({"amd64", "i386", "evbarm", "sandpoint"})
# What the x86 loaders add for the file system that they read the kernel from: fsmod in
# sys/lib/libsa/{cd9660,dosfs,ext2fs,lfsv1,lfsv2,nfs}.c; nothing for ffs.
_ADDED_BY_ITSELF = {
    "cd9660": ("cd9660",), "msdos": ("msdos",), "ext2fs": ("ufs", "ext2fs"), "lfs": ("lfs",),
    "nfs": ("nfs",),
}  # fmt: skip
_VFS = 2  # sys/sys/module.h, MODULE_CLASS_VFS
_X86 = frozenset({"amd64", "i386"})


@frozen
class RootQuestion:
    """What is asked: the root's file system (ffs), and boot.cfg, None where it is not known."""

    file_system: str
    boot: BootConfiguration | None = None


def check_root(
    question: RootQuestion, kernel: Kernel, kmods: Mapping[str, Path], cache: KmodCache
) -> tuple[Finding, ...]:
    """root-missing, root-handover, root-unnamed, root-to-name, root-refused.

    kmods maps the names of the installed modules to their files. Nothing is found against a kernel
    that has the file system built in.
    """
    return tuple(_check(question, kernel, kmods, cache))


def _check(
    question: RootQuestion, kernel: Kernel, kmods: Mapping[str, Path], cache: KmodCache
) -> Iterator[Finding]:
    name = question.file_system
    if kernel.find_builtin(name) is not None:
        return
    path = kmods.get(name)
    if path is None:
        yield finding(
            "root-missing",
            Path(f"{name}.kmod"),
            f"{show_name(name)} is neither built into this kernel nor among the modules",
            subject=name,
        )
        return
    module_class = _find_class(path, cache)
    if module_class not in (None, _VFS):
        yield finding(
            "root-missing",
            path,
            f"{show_name(name)} is of class {show_class(module_class or 0)}, no file system",
            subject=name,
        )
        return
    if kernel.machine not in _HANDED_TO or not find_ports(kernel.machine):
        yield finding(
            "root-handover",
            path,
            f"boot loaders of {kernel.machine} hand no modules over: {show_name(name)} must be "
            "built in",
            subject=name,
        )
        return
    closure = _close(name, kernel, kmods, cache)
    yield from _check_names(question, kernel, closure, path)
    yield from _check_load(name, kernel, {n: kmods[n] for n in closure if n in kmods}, cache)


def _find_class(path: Path, cache: KmodCache) -> int | None:
    described = _describe(path, cache)
    return None if described is None else described.module_class


def _describe(path: Path | None, cache: KmodCache) -> ModInfo | None:
    file = None if path is None else cache.read(path).result
    described = cache.ask(read_description, file) if isinstance(file, Linkable) else None
    return described if isinstance(described, ModInfo) else None


def _close(
    name: str, kernel: Kernel, kmods: Mapping[str, Path], cache: KmodCache
) -> tuple[str, ...]:
    """Name a module and all that it requires and this kernel has not built in, those first."""
    done: dict[str, None] = {}
    pending: set[str] = set()

    def visit(one: str) -> None:
        if one in done or one in pending or kernel.find_builtin(one) is not None:
            return
        pending.add(one)
        described = _describe(kmods.get(one), cache)
        if described is not None:
            for required in split_required(described.required or ""):
                visit(required)
        done[one] = None

    visit(name)
    return tuple(done)


def _check_names(
    question: RootQuestion, kernel: Kernel, closure: tuple[str, ...], path: Path
) -> Iterator[Finding]:
    """Tell what boot.cfg does not load and the loader does not add by itself."""
    added = _ADDED_BY_ITSELF.get(question.file_system, ()) if kernel.machine in _X86 else ()
    named = () if question.boot is None else question.boot.loaded_by_default
    missing = [name for name in closure if name not in named and name not in added]
    if not missing:
        return
    lines = ", ".join(f"load={show_name(name)}" for name in missing)
    is_known = question.boot is not None
    rule_id = "root-unnamed" if is_known else "root-to-name"
    where = "boot.cfg lacks" if is_known else "boot.cfg must have"
    yield finding(rule_id, path, f"{where} {lines}, in this order", subject=missing[0])


def _check_load(
    name: str, kernel: Kernel, kmods: Mapping[str, Path], cache: KmodCache
) -> Iterator[Finding]:
    directory = kernel.modules_directory
    files = {f"{directory}/{n}/{n}.kmod": path for n, path in kmods.items()}
    state = LoaderState(kernel, files.get, cache)
    result = state.load(name, has_properties=False)
    if result.outcome not in (Outcome.LOADS, Outcome.UNKNOWN) or (
        result.outcome is Outcome.UNKNOWN and result.module is None
    ):
        reason = result.findings[0]
        yield finding(
            "root-refused",
            kmods[name],
            f"{show_name(name)} does not load: {reason.rule}: {reason.message}",
            subject=name,
        )
