"""Notes on what neither the file nor the kernel that was given can tell."""

from collections.abc import Iterator
from pathlib import Path

from buildsys.check.kobj import KernelObject
from buildsys.check.relocations import RELOCATION_RULES
from buildsys.check.rulebook import finding
from buildsys.check.segments import LARGE_BYTES, loaded_bytes
from buildsys.check.verdict import Finding
from buildsys.elf.model import show_name


def note_limits(kobj: KernelObject, has_unknown_symbols: bool) -> Iterator[Finding]:
    """port-unknown, size-at-run-time, symbols-unknown: what cannot be told of one module."""
    if kobj.port.name not in RELOCATION_RULES:
        yield finding(
            "port-unknown",
            kobj.path,
            f"its relocations could not be judged: what {kobj.port.name} kernels take is not known",
        )
    if loaded_bytes(kobj) >= LARGE_BYTES:
        yield finding(
            "size-at-run-time",
            kobj.path,
            f"asks for {loaded_bytes(kobj)} bytes; whether the kernel has them is decided at run "
            "time",
        )
    if has_unknown_symbols:
        yield finding(
            "symbols-unknown",
            kobj.path,
            "its undefined symbols could not all be checked, because the symbols of this kernel "
            "are not known",
        )


def note_requirement(path: Path, name: str) -> Finding:
    """requirement-unknown: no file was given for it, and the kernel may have it built in."""
    return finding(
        "requirement-unknown",
        path,
        f"requires {show_name(name)}, of which no file was given; whether this kernel has it built "
        "in is not known",
    )
