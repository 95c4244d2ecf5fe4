"""What the kernel decides from a module's description: sys/kern/kern_module.c."""

import os
from pathlib import Path

from buildsys.check.kmodfile import Linkable
from buildsys.check.kobj import Halt, halt
from buildsys.elf.memory import Memory, Pointer
from buildsys.elf.model import EM_MIPS, SHN_ABS, SHN_UNDEF, SHT_NOBITS, Section, show_name
from buildsys.elf.modinfo import CLASS_MAXIMUM, LINK_SET, ModInfo, modinfo_at, show_class
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

NAME_BYTES = 32  # sys/sys/module.h, MAXMODNAME, the ending NUL counted
_MAXIMUM_REQUIRED = 9  # MAXMODDEPS - 1; later kernels make room as it is needed
_LIMITED_UP_TO = 799001000  # the last version of which the limit was read in the source
_PATH_BYTES = 1024  # sys/sys/syslimits.h, PATH_MAX, the ending NUL counted
_COMPONENT_BYTES = 255  # and NAME_MAX
_MISREAD = "64-bit little-endian"  # sys/sys/exec_elf.h: no ELF64_R_TYPE of its own for it
# Whose kernels map a module's data so that it cannot be run: sys/kern/subr_kobj.c asks
# uvm_km_alloc() for UVM_KMF_EXEC for text only, and these processors hold to it.
_GUARDED_PORTS = frozenset({"amd64", "aarch64"})
_CALLED_LINK_SETS = ("link_set_sysctl_funcs", "link_set_evcnts")


def judge_length(name: str, directory: str) -> Halt | None:
    """Refuse a name or path that is too long for modload(2) or for the file system."""
    path = name if "/" in name else f"{directory}/{name}"
    longest = max(len(os.fsencode(part)) for part in path.split("/"))
    if len(os.fsencode(name)) < _PATH_BYTES and longest <= _COMPONENT_BYTES:
        return None
    return halt("path-length", Path(name), f"a path has at most {_PATH_BYTES - 1} bytes, each part "
                f"of it at most {_COMPONENT_BYTES}")  # fmt: skip


def read_description(file: Linkable) -> ModInfo | Halt:
    """Read modinfo as it is before global relocations: module_fetch_info()."""
    path, unit = file.path, file.kobj.elf.layout.pointer_bytes
    section = file.find_section(LINK_SET)
    if section is None:
        return halt("modinfo-missing", path, f"there is no section {LINK_SET}: no MODULE() in its "
                    "sources", f"`{LINK_SET}' section not present, error 2")  # fmt: skip
    if section.size != unit:
        count = section.size // unit
        detail = (
            f"{count} different MODULE declarations?"
            if section.size > unit and section.size % unit == 0
            else f"got {section.size}, wanted {unit}"
        )
        return halt("modinfo-size", path, f"{LINK_SET} has {section.size} bytes, the kernel wants "
                    f"{unit}: one MODULE() in a module",
                    f"`{LINK_SET}' section wrong size ({detail})")  # fmt: skip
    memory = file.memory(is_before_affix=True)
    pointer = memory.pointer(section.index, 0)
    modinfo = (
        None if pointer is None or not _is_set(memory, pointer) else modinfo_at(memory, pointer)
    )
    if modinfo is None:
        layout = file.kobj.elf.layout
        is_misread = file.kobj.elf.header.machine == EM_MIPS and str(layout) == _MISREAD
        mend = (
            f"the kernel misreads the relocations of {_MISREAD} MIPS"
            if is_misread
            else "the structure must be static, as MODULE() makes it"
        )
        return halt("modinfo-pointer", path, f"{LINK_SET} points to no modinfo_t when the kernel "
                    f"reads it: {mend}")  # fmt: skip
    if modinfo.name is None or not _is_set(memory, modinfo.name_pointer):
        return halt("modinfo-name", path, "mi_name points to no string when the kernel reads it: "
                    "it must not be a global symbol")  # fmt: skip
    return modinfo


def judge_description(
    file: Linkable, modinfo: ModInfo, kernel: Kernel, is_forced: bool, module_class: int
) -> Halt | None:
    """Judge name, class and version; module_class is the class asked for, 0 for any."""
    path, name = file.path, show_name(modinfo.name or "")
    if len((modinfo.name or "").encode()) >= NAME_BYTES:
        return halt("name-length", path, f"the name {name} is longer than {NAME_BYTES - 1} bytes",
                    f"module name `{name}' longer than {NAME_BYTES}")  # fmt: skip
    if not 0 < modinfo.module_class < CLASS_MAXIMUM:
        number = _signed(modinfo.module_class)
        return halt("class-invalid", path, f"class {show_class(modinfo.module_class)}",
                    f"module `{name}' has invalid class {number}")  # fmt: skip
    version = _signed(modinfo.version)
    if not kernel.version.accepts(version) and not is_forced:
        return halt("version-mismatch", path,
                    f"built for NetBSD {_show_version(version)}, the kernel is {kernel.version}: "
                    f"build it for {kernel.version}",
                    f"module `{name}' built for `{version}', system `{kernel.version.number}'"
                    )  # fmt: skip
    if module_class not in (0, modinfo.module_class):
        return halt("class-other", path,
                    f"class {show_class(modinfo.module_class)}, asked for was "
                    f"{show_class(module_class)}",
                    f"incompatible module class {modinfo.module_class} for `{name}' (wanted "
                    f"{module_class})")  # fmt: skip
    return None


def judge_requirement_name(
    path: Path, required: str, name: str, count: int, kernel: Kernel
) -> Halt | None:
    """Judge one name out of mi_required before it is looked for; count precede it."""
    shown = show_name(required)
    if len(required.encode()) + 1 >= NAME_BYTES:
        return halt("required-name-length", path,
                    f"the required name {shown} is longer than {NAME_BYTES - 2} bytes",
                    f"required module name `{shown}' longer than {NAME_BYTES}")  # fmt: skip
    if count == _MAXIMUM_REQUIRED and kernel.version.number <= _LIMITED_UP_TO:
        return halt("requirement-count", path, f"requires more than {_MAXIMUM_REQUIRED} modules",
                    f"too many required modules {count} >= {_MAXIMUM_REQUIRED}")  # fmt: skip
    if required == name:
        return halt("requirement-cycle", path, f"{shown} requires itself",
                    f"self-dependency detected for `{shown}'")  # fmt: skip
    return None


def judge_commands(file: Linkable) -> Halt | None:
    """Judge what is called once all relocations are done: link sets, then the command function."""
    memory = file.memory(is_before_affix=False)
    unit = file.kobj.elf.layout.pointer_bytes
    for name in _CALLED_LINK_SETS:
        section = file.find_section(name)
        if section is not None and _has_null(memory, section, unit):
            return halt("link-set-null", file.path, f"{name} has a null pointer, which the kernel "
                        "follows")  # fmt: skip
    section = file.find_section(LINK_SET)
    pointer = None if section is None else memory.pointer(section.index, 0)
    modinfo = None if pointer is None else modinfo_at(memory, pointer)
    return None if modinfo is None else _judge_command(file, modinfo.modcmd)


def _judge_command(file: Linkable, modcmd: Pointer) -> Halt | None:
    """Judge where mi_modcmd leads: what is in no section stands at a low address."""
    if modcmd.is_null:
        return halt("modcmd-null", file.path, "mi_modcmd is a null pointer, which the kernel calls")
    kobj = file.kobj
    if modcmd.section is None:
        index = kobj.symbols.sections[modcmd.symbol] if modcmd.symbol else SHN_ABS
        where = None if index == SHN_UNDEF else "nowhere in the module"
    else:
        section = kobj.elf.sections[modcmd.section]
        is_run = section.is_executable or kobj.port.name not in _GUARDED_PORTS
        where = None if section.is_loaded and is_run else f"to {show_name(section.name)}"
    if where is None:
        return None
    return halt("modcmd-address", file.path, f"mi_modcmd leads {where}, which is no code: the "
                "kernel calls it")  # fmt: skip


def _has_null(memory: Memory, section: Section, unit: int) -> bool:
    relocated = {
        offset
        for table in memory.relocations
        if table.target == section.index
        for offset in table.offsets
    }
    if section.kind == SHT_NOBITS:
        return section.size >= unit
    content = bytes(memory.elf.content(section))
    null = bytes(unit)
    return any(
        content[at : at + unit] == null and at not in relocated
        for at in range(0, len(content) - unit + 1, unit)
    )


def _is_set(memory: Memory, pointer: Pointer) -> bool:
    return pointer.section is not None and memory.elf.sections[pointer.section].is_loaded


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 1 << 31 else number


def _show_version(number: int) -> str:
    return f"{KernelVersion(number)} ({number})" if number > 0 else str(number)
