"""What a kernel module is made of, whichever way it was described."""

import enum
from pathlib import Path, PurePosixPath

from buildsys.base.errors import Place
from buildsys.base.value import field, frozen

MAXIMUM_NAME_BYTES = 31  # sys/sys/module.h MAXMODNAME less the NUL; kern_module.c refuses more
IDENT_STEM = "modbuild_ident"  # the version note's source and object, beside a module's own

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


@frozen
class CompileUnit:
    """One source file that becomes one object file; object is a name in the object directory.

    spelling is the source's name for the compiler, which writes it into the object, where that is
    not what Path makes of it ('sys//dev/a.c'); '' is the usual. early_flags are of this file too,
    but stand before CPPFLAGS (AFLAGS.file).
    """

    source: Path
    object: str
    language: Language
    flags: tuple[str, ...]  # of this file alone, after the module's
    spelling: str = ""
    early_flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Give the source as commands name it."""
        return self.spelling or str(self.source)


@frozen
class ParserSource:
    """A grammar (.y) or scanner (.l) that a program turns into C: names are what it makes.

    argv is the program with its flags; it runs in a directory of its own and gets '-o FIRST_NAME
    SOURCE' after them.
    """

    source: Path
    argv: tuple[str, ...]
    names: tuple[str, ...]


@frozen
class Trampolines:
    """arm's way of joining objects (bsd.kmodule.mk): awk scripts over what the objects refer to."""

    wrap: Path
    tramp: Path
    hide: Path | None
    awk: str


@frozen
class Recipe:
    """How NetBSD's makefiles make a module: every flag, in their order; nothing is added to them.

    C gets cflags and cppflags, assembly aflags, cppflags and assembly_flags; then come the flags
    of the file. '-I.' is the object directory, where commands run.
    """

    system: Path  # S: the sys/ of the source tree, as the makefiles spell it
    cflags: tuple[str, ...]
    aflags: tuple[str, ...]
    cppflags: tuple[str, ...]
    ldflags: tuple[str, ...]  # for the compiler, which calls the linker
    link_script: Path
    assembly_flags: tuple[str, ...] = ("-x", "assembler-with-cpp")
    link_sets: Path | None = None  # the mkldscript.sh that adds the link sets to link_script
    assym: Path | None = None  # genassym.cf, from which assym.h is made
    assym_flags: tuple[str, ...] = ()  # after cflags (less -Wa,...) and cppflags
    config_options: tuple[str, ...] = ()
    parsers: tuple[ParserSource, ...] = ()
    trampolines: Trampolines | None = None
    ctf_convert: tuple[str, ...] | None = None  # CTFFLAGS, for each object (MKCTF)
    ctf_merge: tuple[str, ...] | None = None  # CTFMFLAGS, where the finished kmod gets them
    debug: tuple[str, ...] | None = None  # flags of objcopy that split off NAME.kmod.debug
    debug_directory: PurePosixPath | None = None  # where that file goes, from the target's root
    install_directory: PurePosixPath | None = None  # of the NAME/ directory; None: not installed
    base: Path | None = field(default=None, compare=False)  # the file that a descriptor builds on


@frozen
class Module:
    """One kernel module: directory is where its description stands (make's .CURDIR).

    machines names the machines that it is for, () meaning all; cppflags are -D and -I in the
    order given, include_path the directories of -I alone. A module with a recipe has all flags
    there and in its units; kmod_class None is a class that only its source tells.
    """

    name: str
    place: Place
    directory: Path
    kmod_class: ModuleClass | None
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
    recipe: Recipe | None = None

    def is_for(self, machine: str, machine_arch: str) -> bool:
        """Tell whether the module is meant for a machine."""
        names = (machine, machine_arch, f"{machine}-{machine_arch}")
        return not self.machines or any(name in self.machines for name in names)
