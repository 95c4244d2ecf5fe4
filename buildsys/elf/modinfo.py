"""A module's description of itself: the modinfo_t behind link_set_modules."""

from buildsys.base.value import frozen
from buildsys.elf.memory import Memory, Pointer
from buildsys.elf.model import ElfObject, Section, show_name

LINK_SET = "link_set_modules"
CLASS_NAMES = ("any", "misc", "vfs", "driver", "exec", "secmodel", "bufq")  # sys/sys/module.h
CLASS_MAXIMUM = len(CLASS_NAMES)  # MODULE_CLASS_MAX: the first number that is no class
_MAXIMUM_MODULES = 4096  # a kernel has some hundred built in


@frozen
class ModInfo:
    """modinfo_t of sys/sys/module.h; None stands for a null (or not yet relocated) pointer."""

    version: int
    module_class: int
    modcmd: Pointer
    name: str | None
    required: str | None
    name_pointer: Pointer

    @property
    def class_name(self) -> str:
        """Name the class as module(9) does, in lower case; a number when there is no such."""
        if self.module_class < CLASS_MAXIMUM:
            return CLASS_NAMES[self.module_class]
        return str(self.module_class)


def find_link_set(elf: ElfObject) -> Section | None:
    """Find the section that points to modinfo: sys/kern/subr_kobj.c, kobj_find_section()."""
    return next((s for s in elf.sections if s.is_loaded and s.name == LINK_SET), None)


def read_modinfo(memory: Memory) -> ModInfo:
    """Read the one modinfo_t of a module; raises when there is none, several, or a broken one."""
    modinfos = read_modinfos(memory)
    if len(modinfos) != 1:
        raise memory.elf.fail(
            f"expected one module description (MODULE() in its source), found {len(modinfos)}"
        )
    return modinfos[0]


def read_modinfos(memory: Memory) -> tuple[ModInfo, ...]:
    """Read every modinfo_t that link_set_modules points to; a null entry is left out."""
    elf = memory.elf
    section = find_link_set(elf)
    if section is None:
        return ()
    unit = elf.layout.pointer_bytes
    if section.size > unit * _MAXIMUM_MODULES:
        raise elf.fail(f"{LINK_SET}: {section.size} bytes, too many for a list of modules")
    modinfos = []
    for offset in range(0, section.size // unit * unit, unit):
        pointer = memory.pointer(section.index, offset)
        if pointer is None:
            raise elf.fail(f"{LINK_SET}: the section lies outside the file; it is cut short")
        if pointer.is_null:
            continue
        modinfo = modinfo_at(memory, pointer)
        if modinfo is None:
            raise elf.fail(f"{LINK_SET}: entry {offset // unit} points to no modinfo_t")
        if modinfo.name is not None:  # the kernel's own dummy entry is all zero
            modinfos.append(modinfo)
    return tuple(modinfos)


def modinfo_at(memory: Memory, pointer: Pointer) -> ModInfo | None:
    """Read the modinfo_t at a place; None when it does not lie within a section."""
    section, at = pointer.section, pointer.offset
    if section is None:
        return None
    unit = memory.elf.layout.pointer_bytes
    version, module_class = memory.word(section, at), memory.word(section, at + 4)
    modcmd = memory.pointer(section, at + 8)
    name = memory.pointer(section, at + 8 + unit)
    required = memory.pointer(section, at + 8 + 2 * unit)
    if version is None or module_class is None or modcmd is None or name is None:
        return None
    return ModInfo(
        version,
        module_class,
        modcmd,
        memory.string(name),
        None if required is None else memory.string(required),
        name,
    )


def show_class(module_class: int) -> str:
    """Name a class for a message."""
    name = CLASS_NAMES[module_class] if module_class < CLASS_MAXIMUM else "no such class"
    return f"{module_class} ({show_name(name)})"
