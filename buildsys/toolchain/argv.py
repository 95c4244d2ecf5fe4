"""Commands spelled for a toolchain: pure, from values to argv tuples."""

from collections.abc import Sequence
from pathlib import Path

from buildsys.toolchain.model import (
    CompilerFamily,
    FlagUse,
    LinkerFamily,
    LinkStyle,
    Machine,
    Toolchain,
)


def module_cflags(machine: Machine, family: CompilerFamily) -> tuple[str, ...]:
    """Give the C flags that code of a module needs on this machine (NetBSD's CFLAGS)."""
    return _select_flags(machine, family, FlagUse.C)


def module_aflags(machine: Machine, family: CompilerFamily) -> tuple[str, ...]:
    """Give the flags for assembly sources (NetBSD's AFLAGS)."""
    return _select_flags(machine, family, FlagUse.ASSEMBLY)


def module_cppflags(machine: Machine, family: CompilerFamily) -> tuple[str, ...]:
    """Give the flags of the preprocessor, for C and assembly (NetBSD's CPPFLAGS)."""
    return _select_flags(machine, family, FlagUse.PREPROCESSOR)


def module_ldflags(toolchain: Toolchain) -> tuple[str, ...]:
    """Give the flags for link_argv (NetBSD's LDFLAGS); a linker called itself needs none."""
    if toolchain.link_style is LinkStyle.DIRECT:
        return ()
    return _select_flags(toolchain.machine, toolchain.compiler, FlagUse.LINK)


def compile_argv(
    toolchain: Toolchain,
    flags: Sequence[str],
    source: str | Path,
    output: str | Path,
    depfile: str | Path | None = None,
) -> tuple[str, ...]:
    """Spell the command that compiles one C or assembly source; nothing is added to flags.

    flags are complete, in NetBSD's order (CFLAGS or AFLAGS, then CPPFLAGS); with depfile the
    compiler writes there which files it read, as a make rule whose target is output.
    """
    dependencies = () if depfile is None else ("-MD", "-MF", str(depfile), "-MT", str(output))
    return (*toolchain.cc.argv, *flags, *dependencies, "-c", str(source), "-o", str(output))


def link_argv(
    toolchain: Toolchain,
    objects: Sequence[str | Path],
    output: str | Path,
    script: str | Path,
    map_file: str | Path | None = None,
    flags: Sequence[str] = (),
) -> tuple[str, ...]:
    """Spell the command that joins objects into one relocatable module.

    flags are LDFLAGS: the linker's own where it is called itself, the compiler's (-Wl,...) where
    that calls it.
    """
    # GNU ld gives common symbols their place under -r with -d only; lld has dropped that flag
    # and leaves them, which is why C is compiled with -fno-common.
    define = ("-d",) if toolchain.linker is LinkerFamily.GNU else ()
    names = tuple(str(path) for path in objects)
    if toolchain.link_style is LinkStyle.DIRECT:
        maps = () if map_file is None else (f"-Map={map_file}",)
        return (
            *toolchain.link.argv, *flags, "-r", "-T", str(script), *define, *maps,
            "-o", str(output), *names,
        )  # fmt: skip
    passed = ",".join(("-Wl", "-T", str(script), *define))
    maps = () if map_file is None else (f"-Wl,-Map={map_file}",)
    return (
        *toolchain.link.argv, *flags, "-nostdlib", "-r", passed, *maps,
        "-o", str(output), *names,
    )  # fmt: skip


def _select_flags(machine: Machine, family: CompilerFamily, use: FlagUse) -> tuple[str, ...]:
    return tuple(
        flag
        for group in machine.flags
        if group.use is use and group.compiler in (None, family)
        for flag in group.flags
    )
