"""What a kernel module is made of, whichever way it was described."""

import enum
from dataclasses import dataclass
from pathlib import Path

from buildsys.base.errors import Place

MAXIMUM_NAME_BYTES = 31  # sys/sys/module.h MAXMODNAME less the NUL; kern_module.c refuses more

PropertyValue = str | bool | int


class ModuleClass(enum.Enum):
    """The class of a module, in the words of module(7); number is modclass_t of sys/module.h."""

    MISC = "misc"
    VFS = "vfs"
    DRIVER = "driver"
    EXEC = "exec"
    SECMODEL = "secmodel"
    BUFQ = "bufq"

    @property
    def number(self) -> int:
        """Give modclass_t of sys/sys/module.h (MODULE_CLASS_ANY is 0)."""
        return _CLASS_NUMBERS[self]


_CLASS_NUMBERS = {kmod_class: number for number, kmod_class in enumerate(ModuleClass, start=1)}


class Language(enum.Enum):
    """What a source file is written in."""

    C = "c"
    ASSEMBLY = "assembly"


@dataclass(frozen=True, slots=True)
class CompileUnit:
    """One source file that becomes one object file; object is a name in the object directory."""

    source: Path
    object: str
    language: Language
    flags: tuple[str, ...]  # of this file alone, after the module's


@dataclass(frozen=True, slots=True)
class Module:
    """One kernel module: directory is where its description stands (make's .CURDIR).

    machines names the machines that it is for, () meaning all; cppflags are -D and -I in the
    order given, include_path the directories of -I alone.
    """

    name: str
    place: Place
    directory: Path
    kmod_class: ModuleClass
    description: str
    units: tuple[CompileUnit, ...]
    requires: tuple[str, ...]
    cppflags: tuple[str, ...]
    include_path: tuple[Path, ...]
    warnings: tuple[str, ...]
    cflags: tuple[str, ...]
    ioconf: Path | None
    properties: tuple[tuple[str, PropertyValue], ...]
    machines: tuple[str, ...]
    has_ident_note: bool

    def is_for(self, machine: str, machine_arch: str) -> bool:
        """Tell whether the module is meant for a machine."""
        names = (machine, machine_arch, f"{machine}-{machine_arch}")
        return not self.machines or any(name in self.machines for name in names)
