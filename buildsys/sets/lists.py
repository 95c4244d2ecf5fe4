"""distrib/sets/lists: what checkflist would say of an installed tree, before it is run.

A list line is 'PATH SET-NAME [KEYWORD,…]' with blanks between, or '-PATH' for what another list
names and this machine has not. Lines of modules stand in lists/modules: mi for all machines,
ad.ARCH (or ad.CPU) for an architecture that has several, md.MACHINE.ARCH (or md.MACHINE) for one
machine (distrib/sets/sets.subr). Some machines have the modules once more for another kind of
kernel (KMODARCHDIRS): lists of 2020 and later name each file once for both.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.base.value import frozen, replace

_MIPS64 = ("mips64eb", "mips64el")
_VARIABLE = re.compile(r"@(\w+)@")
_SET = "base-kernel-modules"
_KMOD = "kmod"
_COMPAT = "compatmodules"  # share/mk/bsd.own.mk, MKCOMPATMODULES
_LEFT_OUT = "-"  # in place of the keywords of a line that takes a path away
_NO_COMPAT = "nocompatmodules"
_STAND = ("stand", "usr/libdata/debug/stand")


@frozen
class ListMachine:
    """For which machine lists are read, in NetBSD's words (powerpc is powerpc64's CPU, too)."""

    machine: str
    arch: str
    cpu: str

    @property
    def has_compat_modules(self) -> bool:
        """Tell whether MKCOMPATMODULES can be yes: share/mk/bsd.own.mk."""
        names = (self.machine, self.arch)
        return self.arch in ("x86_64", "i386", *_MIPS64) or names == ("evbppc", "powerpc")

    @property
    def further(self) -> tuple[str, ...]:
        """Name the directories beside stand/MACHINE that have all its modules once more.

        KMODARCHDIRS: sys/modules/arch/archdirs.mk of 2021 and later.
        """
        if not self.has_compat_modules:
            return ()
        return {"powerpc": ("powerpc-booke",)}.get(
            self.arch, ("mips-n32",) if self.arch in _MIPS64 else ()
        )


@frozen
class ListedFile:
    """One line of a list; target has no leading slash, line counts from 1."""

    target: PurePosixPath
    set_name: str
    keywords: tuple[str, ...]
    list: Path
    line: int
    text: str
    is_repeated: bool = False  # by a line for the machine's own directory

    @property
    def is_obsolete(self) -> bool:
        """Tell whether the file must not be there any more."""
        return "obsolete" in self.keywords


@frozen
class Comparison:
    """What checkflist would complain of: targets installed and not listed, or the reverse.

    obsolete are lines that say a file must not be there, and it is.
    """

    unlisted: tuple[PurePosixPath, ...]
    missing: tuple[ListedFile, ...]
    obsolete: tuple[ListedFile, ...]

    @property
    def is_agreed(self) -> bool:
        """Tell whether checkflist would be content."""
        return not (self.unlisted or self.missing or self.obsolete)


def parse_list(text: str, path: Path, variables: Mapping[str, str]) -> tuple[ListedFile, ...]:
    """Read a set list; @NAME@ stands for a variable (@MODULEDIR@, @OSRELEASE@)."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.partition("#")[0].split()
        if not bare:
            continue
        if bare[0].startswith("-./"):
            bare = [bare[0][1:], "", _LEFT_OUT]
        if len(bare) < 2 or not bare[0].startswith("./"):
            if bare[0] == ".":
                continue
            message = f"{path}:{number}: expected './PATH SET [KEYWORDS]', got {raw.strip()!r}"
            raise BuildsysError(message)
        name = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), bare[0][2:])
        keywords = tuple(bare[2].split(",")) if len(bare) > 2 else ()
        found.append(ListedFile(PurePosixPath(name), bare[1], keywords, path, number, raw))
    return tuple(found)


def load_lists(
    directory: Path, machine: ListMachine, variables: Mapping[str, str]
) -> tuple[ListedFile, ...]:
    """Read the lists of a set that count for a machine; variables stand in them as @NAME@."""
    name, arch = machine.machine, machine.arch
    choices = (
        ("mi",),
        (f"ad.{arch}", f"ad.{machine.cpu}") if name != arch else (),
        (f"md.{name}.{arch}", f"md.{name}"),
    )
    found = ([directory / n for n in names if (directory / n).is_file()] for names in choices)
    paths = [files[0] for files in found if files]
    if not paths:
        message = f"no list 'mi' or 'md.{name}'; expected distrib/sets/lists/modules"
        raise BuildsysError(message, directory)
    entries = [
        entry
        for path in paths
        for entry in parse_list(read_whole(path).decode(errors="replace"), path, variables)
    ]
    gone = {entry.target for entry in entries if _LEFT_OUT in entry.keywords}
    kept = [entry for entry in entries if entry.target not in gone]
    return (*kept, *_repeat(kept, machine, directory))


def _repeat(
    entries: Iterable[ListedFile], machine: ListMachine, directory: Path
) -> Iterator[ListedFile]:
    """Give the lines once more for the machine's further directories, where sets.subr does so."""
    program = directory.parent.parent / "sets.subr"
    if program.is_file() and b"KMODARCHDIRS" not in read_whole(program):
        return
    known = {entry.target for entry in entries}
    roots = [PurePosixPath(stand, machine.machine) for stand in _STAND]
    for further in machine.further:
        places = [(root, root.with_name(further)) for root in roots]
        if not program.is_file() and any(place in known for _, place in places):
            continue  # lists from before, which name each file twice
        for entry in entries:
            own = next((pair for pair in places if entry.target.is_relative_to(pair[0])), None)
            if own and _KMOD in entry.keywords and _NO_COMPAT not in entry.keywords:
                target = own[1] / entry.target.relative_to(own[0])
                keywords = (*entry.keywords, _COMPAT)
                yield replace(entry, target=target, keywords=keywords, is_repeated=True)


def compare_lists(
    there: Iterable[PurePosixPath], listed: Iterable[ListedFile], absent: Collection[str] = ()
) -> Comparison:
    """Compare what is installed, files and directories, with the lines of lists below stand/.

    absent are keywords that do not hold in this build (zfs, dtrace): checkflist leaves out their
    lines, and those that !KEYWORD asks for stay.
    """
    found = set(there)
    entries = [entry for entry in listed if "stand" in entry.target.parts[:4]]
    wanted = [e for e in entries if not e.is_obsolete and _holds(e.keywords, absent)]
    known = {entry.target for entry in wanted} | {PurePosixPath("."), PurePosixPath("stand")}
    return Comparison(
        tuple(sorted(found - known)),
        tuple(entry for entry in wanted if entry.target not in found),
        tuple(entry for entry in entries if entry.is_obsolete and entry.target in found),
    )


def _holds(keywords: Iterable[str], absent: Collection[str]) -> bool:
    return all(
        keyword.startswith("!") == (keyword.removeprefix("!") in absent)
        for keyword in keywords
        if keyword != _NO_COMPAT
    )


def spell_line(target: PurePosixPath, module_directory: PurePosixPath) -> str:
    """Spell the line to add to a list for an installed file or directory."""
    name = str(target)
    if target.is_relative_to(module_directory):
        inner = target.relative_to(module_directory)
        name = "@MODULEDIR@" if str(inner) == "." else f"@MODULEDIR@/{inner}"
    path = f"./{name}"
    return f"{path}{_tabs(path, 48)}{_SET}{_tabs(_SET, 24)}kmod"


def _tabs(text: str, column: int) -> str:
    """Give the tabs that bring what follows text to a column; at least one."""
    return "\t" * max(1, -(-(column - len(text)) // 8))


def spell_obsolete(entry: ListedFile) -> str:
    """Spell a line anew that marks its file as obsolete."""
    path = entry.text.split()[0]
    return f"{path}{_tabs(path, 48)}{entry.set_name}{_tabs(entry.set_name, 24)}obsolete"
