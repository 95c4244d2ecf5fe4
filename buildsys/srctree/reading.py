"""From what make said of one directory to a Module with a complete recipe."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError, Place
from buildsys.base.value import field, frozen
from buildsys.module.model import (
    CompileUnit,
    Language,
    Module,
    ModuleClass,
    ParserSource,
    Recipe,
    Trampolines,
)
from buildsys.srctree.environment import NO_TOOLDIR
from buildsys.srctree.query import Evaluation, split_words
from buildsys.srctree.sources import Announcement, SourcePath

_LANGUAGES = {".c": Language.C, ".S": Language.ASSEMBLY, ".s": Language.ASSEMBLY}
_PARSERS = {".y": "YACC", ".l": "LEX"}
_IOCONF_NAMES = ("ioconf.c", "ioconf.h", "locators.h")
_ASSYM = "assym.h"
# A directory and a file of this name are made: no '/', and nothing that hides them.
_NAME = re.compile(r"[\w+][\w+.-]*")

FindAnnouncement = Callable[[str], Announcement | None]


@frozen
class _SourceEntry:
    name: str
    assembly_flags: tuple[str, ...]
    flags: tuple[str, ...]


@frozen
class ModuleReader:
    """Turns evaluations into modules; objects says where a module's object directory is.

    Made for one run: each directory in which sources are looked for is listed once.
    """

    objects: Callable[[str], Path]
    announce: FindAnnouncement
    listings: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def read(self, said: Evaluation) -> Module:
        """Make the Module of a directory with KMOD; raises where it cannot be built, and why."""
        values = said.values
        suffixes = {suffix: tuple(values[f".PATH{suffix}"].split()) for suffix in (".c", ".S")}
        general = tuple(values[".PATH"].split())
        path = SourcePath(values[".CURDIR"], general, suffixes, self.listings)
        return _Reading(said, self.objects(values["KMOD"]), self.announce, path).module()


@frozen
class _Reading:
    said: Evaluation
    objects: Path
    announce: FindAnnouncement
    source_path: SourcePath

    def module(self) -> Module:
        values = self.said.values
        name = values["KMOD"]
        if not _NAME.fullmatch(name):
            raise self.fail(
                f"KMOD is {name!r}, expected a name of letters, digits, _ + . -", "KMOD"
            )
        if values["PROG"] != f"{name}.kmod":
            raise self.fail(f"PROG is {values['PROG']}, expected {name}.kmod")
        entries = tuple(self.source_entries())
        units = tuple(self.units(entries))
        self.refuse_unknown_generated()
        kmod_class, requires = self.announcement(units)
        ioconf = values["IOCONF"]
        return Module(
            name=name,
            place=Place(Path(self.said.directory) / "Makefile"),
            directory=Path(values[".CURDIR"]),
            kmod_class=kmod_class,
            description="",
            units=units,
            requires=tuple(other for other in requires if other != name),
            cppflags=(),
            include_path=(),
            warnings=(),
            cflags=(),
            ioconf=Path(values["IOCONFDIR"], ioconf) if ioconf else None,
            properties=(),
            machines=(),
            has_ident_note=False,
            recipe=self.recipe(entries),
        )

    def recipe(self, entries: tuple[_SourceEntry, ...]) -> Recipe:
        values = self.said.values
        # Before 7.99 a Makefile could ask for it and bsd.kmodule.mk knew nothing of it.
        has_sets = values["MKLDSCRIPT"] == "yes" and "/" not in values["KMODSCRIPT"]
        system = Path(values["S"])
        has_assym = _ASSYM in self.said.words("DPSRCS")
        script = values["KMODSCRIPTSRC" if has_sets else "KMODSCRIPT"]
        return Recipe(
            system=system,
            cflags=self.flags("CFLAGS"),
            aflags=self.flags("AFLAGS"),
            cppflags=self.flags("CPPFLAGS"),
            ldflags=self.flags("LDFLAGS"),
            link_script=Path(script),
            assembly_flags=self.flags("ASSEMBLY_FLAGS"),
            link_sets=Path(f"{system}/conf/mkldscript.sh") if has_sets else None,
            assym=self.assym() if has_assym else None,
            assym_flags=self.flags("ASSYM_FLAGS") if has_assym else (),
            config_options=self.flags("CONFIGOPTS"),
            parsers=tuple(self.parsers(entries)),
            trampolines=self.trampolines(),
            ctf_convert=self.flags("CTFFLAGS") if values["CTFCONVERT"] else None,
            ctf_merge=self.flags("CTFMFLAGS") if self.has_merge() else None,
            debug=self.debug(),
            debug_directory=PurePosixPath(values["DEBUGDIR"]) if values["PROGDEBUG"] else None,
            install_directory=self.install_directory(),
        )

    def source_entries(self, name: str = "SOURCES") -> Iterator[_SourceEntry]:
        for record in self.said.values[name].split("%file ")[1:]:
            name, _, rest = record.partition(" ")
            assembly, _, flags = rest.removeprefix("%a").partition("%f")
            yield _SourceEntry(name, self.words(assembly), self.words(flags))

    def units(self, entries: tuple[_SourceEntry, ...]) -> Iterator[CompileUnit]:
        made = {f"{os.path.splitext(entry.name)[0]}.o": entry for entry in entries}
        others = {entry.name: entry for entry in self.source_entries("OTHER_SOURCES")}
        objects = self.said.words("OBJS")
        if not objects:
            raise self.fail("SRCS names no source")
        for name in self.said.words("OWN_RULES"):
            raise self.fail(f"{name} has a rule of its own, which is not followed here", name)
        for name in objects:
            entry = made.get(name)
            if entry is None:
                raise self.fail(f"OBJS: nothing in SRCS makes {name}", name)
            yield self.unit(self.choose(entry, others), name)

    def choose(self, entry: _SourceEntry, others: dict[str, _SourceEntry]) -> _SourceEntry:
        """Choose as make does for an object: .S comes before .c in .SUFFIXES, if it is there."""
        stem, suffix = os.path.splitext(entry.name)
        other = others.get(stem + (".c" if suffix == ".S" else ".S"))
        if other is None or suffix not in (".c", ".S"):
            return entry
        wanted = (entry, other) if suffix == ".S" else (other, entry)
        find = self.source_path.find
        return next((item for item in wanted if find(item.name) is not None), entry)

    def unit(self, entry: _SourceEntry, name: str) -> CompileUnit:
        stem, suffix = os.path.splitext(entry.name)
        if "/" in name:
            raise self.fail(f"{entry.name}: an object in a directory of its own", entry.name)
        if suffix in _PARSERS:
            return CompileUnit(self.objects / f"{stem}.c", name, Language.C, entry.flags)
        language = _LANGUAGES.get(suffix)
        if language is None:
            raise self.fail(f"{entry.name}: expected a source ending in .c, .S, .y or .l")
        early = entry.assembly_flags if language is Language.ASSEMBLY else ()
        path = self.find(entry.name)
        return CompileUnit(Path(path), name, language, entry.flags, spell(path), early)

    def parsers(self, entries: tuple[_SourceEntry, ...]) -> Iterator[ParserSource]:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix in _PARSERS:
                names = [f"{stem}.c"]
                if suffix == ".y" and self.said.values["YHEADER"]:
                    names.append(f"{stem}.h")
                argv = self.flags(_PARSERS[suffix])
                yield ParserSource(Path(self.find(entry.name)), argv, tuple(names))

    def find(self, name: str) -> str:
        path = self.source_path.find(name)
        if path is None:
            raise self.fail(f"{name} does not exist in any directory of .PATH", name)
        return path

    def refuse_unknown_generated(self) -> None:
        known = {*_IOCONF_NAMES, _ASSYM}
        for name in self.said.words("DPSRCS"):
            is_parsed = os.path.splitext(name)[1] in (".c", ".h")
            is_known = name in known or (is_parsed and self.is_from_parser(name))
            if not is_known and self.source_path.find(name) is None:
                raise self.fail(f"DPSRCS: nothing here makes {name}", name)

    def is_from_parser(self, name: str) -> bool:
        stem = os.path.splitext(name)[0]
        names = {entry.name for entry in self.source_entries()}
        return any(f"{stem}{suffix}" in names for suffix in _PARSERS)

    def assym(self) -> Path:
        directory = self.said.values["GENASSYM_DIR"]
        if not directory:
            raise self.fail("assym.h: this machine has no genassym.cf", "assym")
        return Path(directory, "genassym.cf")

    def trampolines(self) -> Trampolines | None:
        if self.said.values["MACHINE_CPU"] != "arm" or not self.said.values["ARCHDIR"]:
            return None
        directory = Path(self.said.values["ARCHDIR"])
        hide = directory / "kmodhide.awk"
        awk = self.said.values["TOOL_AWK"]
        return Trampolines(
            directory / "kmodwrap.awk",
            directory / "kmodtramp.awk",
            hide if hide.exists() else None,
            "awk" if awk.startswith(f"{NO_TOOLDIR}/") else awk,  # without TOOLDIR: this machine's
        )

    def debug(self) -> tuple[str, ...] | None:
        """Give what objcopy --only-keep-debug gets more; the rule's text alone says it."""
        if not self.said.values["PROGDEBUG"]:
            return None
        option = "--compress-debug-sections"
        return (option,) if option in self.rules() else ()

    def has_merge(self) -> bool:
        """Tell whether a finished kmod goes through ctfmerge: the rule's text alone says it."""
        return bool(self.said.values["CTFMERGE"]) and "${CTFMERGE}" in self.rules()

    def rules(self) -> str:
        names = (path for path in self.said.makefiles if path.endswith("/bsd.kmodule.mk"))
        return "".join(Path(path).read_text(errors="replace") for path in names)

    def install_directory(self) -> PurePosixPath | None:
        """Give the modules directory; one that defines the target kmodinstall has none."""
        directory = self.said.values["KMODULEDIR"]
        if not directory:
            return None
        path = PurePosixPath(directory)
        if path.name != self.said.values["KMOD"]:
            raise self.fail(f"KMODULEDIR is {directory}, expected a directory named as KMOD")
        return path.parent.relative_to("/") if path.is_absolute() else path.parent

    def announcement(
        self, units: tuple[CompileUnit, ...]
    ) -> tuple[ModuleClass | None, tuple[str, ...]]:
        for unit in units:
            said = self.announce(str(unit.source))
            if said is not None:
                return said.kmod_class, said.requires
        return None, ()

    def flags(self, name: str) -> tuple[str, ...]:
        return self.words(self.said.values[name])

    def words(self, text: str) -> tuple[str, ...]:
        """Split a value into words, with our object directory in place of make's."""
        objdir = self.said.values[".OBJDIR"]
        if objdir not in (self.said.values[".CURDIR"], "") and objdir in text:
            text = text.replace(objdir, str(self.objects))
        return split_words(text, Path(self.said.directory) / "Makefile")

    def fail(self, message: str, word: str = "SRCS") -> BuildsysError:
        """Give the error with the line of a makefile of this directory that has the word."""
        pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?![\w.])")
        for path in self.own_makefiles():
            for number, line in enumerate(_read_lines(path), start=1):
                if pattern.search(line.partition("#")[0]):
                    return BuildsysError(message, Place(Path(path), number))
        return BuildsysError(message, Place(Path(self.said.directory) / "Makefile"))

    def own_makefiles(self) -> list[str]:
        """List the makefiles outside share/mk, the directory's own first."""
        own = f"{self.said.directory}/"
        return sorted(
            (path for path in self.said.makefiles if "/share/mk/" not in path),
            key=lambda path: not path.startswith(own),
        )


def spell(path: str) -> str:
    """Give a path's spelling where Path would change it, '' where it would not."""
    return "" if str(Path(path)) == path else path


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
