"""What a machine asks of its compiler, and the tools that were found; knows nothing of files."""

import enum
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen


class CompilerFamily(enum.Enum):
    """How a compiler reads its flags."""

    CLANG = "clang"
    GCC = "gcc"


class LinkerFamily(enum.Enum):
    """How a linker reads its flags, and what it does with -r."""

    LLD = "lld"
    GNU = "gnu"


class LinkStyle(enum.Enum):
    """Whether the linker is called itself, or by the compiler as bsd.kmodule.mk does."""

    DIRECT = "direct"
    THROUGH_CC = "through-cc"


class FlagUse(enum.Enum):
    """Which command a flag is for: NetBSD's CFLAGS, AFLAGS, CPPFLAGS or LDFLAGS."""

    C = "c"
    ASSEMBLY = "asm"
    PREPROCESSOR = "cpp"
    LINK = "link"


@frozen
class FlagGroup:
    """Flags that one file of NetBSD asks for; compiler None is any, source names that file."""

    use: FlagUse
    flags: tuple[str, ...]
    compiler: CompilerFamily | None
    source: str


@frozen
class ElfKind:
    """What the ELF header of this machine's objects says."""

    bits: int  # 32 or 64
    is_big_endian: bool
    e_machine: int


@frozen
class ObjectLink:
    """A link of the object directory, so that <machine/cpu.h> is found; target is below sys/."""

    name: str
    target: PurePosixPath


@frozen
class GnuPrefix:
    """A GNU toolchain for this machine by its prefix; is_foreign when made for another system."""

    prefix: str  # 'x86_64--netbsd'
    flags: tuple[str, ...]  # the compiler's, such as -m32
    ld_flags: tuple[str, ...]  # the linker's, such as -m elf_i386
    is_foreign: bool


@frozen
class Machine:
    """One port and processor, with NetBSD's words: MACHINE, MACHINE_ARCH, MACHINE_CPU."""

    name: str
    arch: str
    variant: str  # '' but for a port that has several kinds of kernel, 'n32'
    cpu: str
    aliases: tuple[str, ...]  # as build.sh -m knows them
    is_default: bool  # meant by a bare -m MACHINE
    triple: str  # MACHINE_GNU_PLATFORM, 'x86_64--netbsd'
    clang_target: str
    elf: ElfKind
    links: tuple[ObjectLink, ...]
    module_directory: str  # the kernel's module_machine: /stand/THIS/10.99.12/modules
    flags: tuple[FlagGroup, ...]  # those of every machine first
    gnu_prefixes: tuple[GnuPrefix, ...]
    limits: str  # what does not work, '' when nothing is known

    @property
    def label(self) -> str:
        """Name this machine so that no other has the name: 'evbarm-aarch64'."""
        return "-".join(filter(None, (self.name, self.arch, self.variant)))


@frozen
class Tool:
    """A program that was found: how to call it, and the files that decide what it does."""

    argv: tuple[str, ...]
    files: tuple[Path, ...]  # the content of these is the tool's identity


@frozen
class MissingTool:
    """A role for which nothing was found: the names tried, the places, and the mend."""

    role: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    mend: str

    def describe(self) -> str:
        """Say what is missing, where it was looked for and how to get it."""
        names = " or ".join(self.names)
        places = ", ".join(self.places) or "nowhere (no place is given)"
        return f"no {self.role} found: looked for {names} in {places}; {self.mend}"


@frozen
class Toolchain:
    """The tools of one kind for one machine; cc and link are always there."""

    kind: str
    machine: Machine
    compiler: CompilerFamily
    linker: LinkerFamily
    link_style: LinkStyle
    cc: Tool
    link: Tool  # what link_argv calls: the linker itself, or the compiler with the linker behind
    ld: Tool | None = None
    objcopy: Tool | None = None
    nm: Tool | None = None
    objdump: Tool | None = None
    config: Tool | None = None
    make: Tool | None = None
    genassym: Tool | None = None
    ctfconvert: Tool | None = None
    ctfmerge: Tool | None = None
    awk: Tool | None = None
    missing: tuple[MissingTool, ...] = ()

    def tools(self) -> Iterator[tuple[str, Tool | None]]:
        """Go through all roles with their tools."""
        yield "cc", self.cc
        yield "link", self.link
        yield "ld", self.ld
        yield "objcopy", self.objcopy
        yield "nm", self.nm
        yield "objdump", self.objdump
        yield "config", self.config
        yield "make", self.make
        yield "genassym", self.genassym
        yield "ctfconvert", self.ctfconvert
        yield "ctfmerge", self.ctfmerge
        yield "awk", self.awk

    def require(self, role: str) -> Tool:
        """Give the tool of a role, or the error that says how to get it."""
        tool = dict(self.tools())[role]
        if tool is not None:
            return tool
        for missing in self.missing:
            if missing.role == role:
                raise BuildsysError(f"toolchain {self.kind}: {missing.describe()}")
        raise BuildsysError(
            f"toolchain {self.kind} has no {role}; choose another with --toolchain, "
            "or give a TOOLDIR made by 'build.sh tools'"
        )
