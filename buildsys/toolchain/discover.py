"""Find the programs of a toolchain on this machine: a Kind and a Machine to a Toolchain."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.identity import compiler_files, linker_behind, program_files, script_files
from buildsys.toolchain.kind import Candidate, Kind, Role, load_kind
from buildsys.toolchain.model import (
    CompilerFamily,
    GnuPrefix,
    LinkerFamily,
    LinkStyle,
    Machine,
    MissingTool,
    Tool,
    Toolchain,
)

_EXTRA_ROLES = (
    "objcopy", "nm", "objdump", "config", "make", "genassym", "ctfconvert", "ctfmerge",
    "awk",
)  # fmt: skip


@frozen
class FoundProgram:
    """A program under one of its names; prefix is the GNU prefix in that name, if any."""

    program: Path
    candidate: Candidate
    prefix: GnuPrefix | None
    arguments: tuple[str, ...]

    @property
    def argv(self) -> tuple[str, ...]:
        """Spell how it is called."""
        return (str(self.program), *self.arguments)


@frozen
class ToolSearch:
    """Where the tools for one machine are looked for."""

    machine: Machine
    tooldir: Path | None
    environment: Mapping[str, str]

    def find(
        self, role: Role, prefixes: tuple[GnuPrefix, ...] | None = None
    ) -> FoundProgram | MissingTool:
        """Find the first candidate of a role; prefixes limits those of the machine."""
        names = []
        places = tuple(self.place_directories(role.search))
        for candidate in role.candidates:
            for prefix in self._prefixes(candidate, prefixes):
                words = self._words(prefix)
                name = candidate.name.format_map(words)
                program = _find_program(name, tuple(directory for _, directory in places))
                if program is not None:
                    filled = (argument.format_map(words) for argument in candidate.arguments)
                    return FoundProgram(program, candidate, prefix, tuple(filled))
                names.append(name)
        words = self._words(None)
        mend = role.mend.format_map(words)
        if role.package and words["foreign_prefix"]:
            mend = f"apt install {role.package.format_map(words)}, or {mend}"
        return MissingTool(role.name, tuple(names), _describe_places(role, places), mend)

    def place_directories(self, search: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
        """Turn search places into directories, each with the word that names it."""
        for place in search:
            if place == "TOOLDIR":
                if self.tooldir is not None:
                    yield place, self.tooldir / "bin"
            elif place == "PATH":
                for entry in self.environment.get("PATH", os.defpath).split(os.pathsep):
                    if entry:
                        yield place, Path(entry)
            else:
                yield from _package_directories(place)

    def _prefixes(
        self, candidate: Candidate, prefixes: tuple[GnuPrefix, ...] | None
    ) -> tuple[GnuPrefix | None, ...]:
        if "{prefix}" not in candidate.name:
            return (None,)
        return self.machine.gnu_prefixes if prefixes is None else prefixes

    def _words(self, prefix: GnuPrefix | None) -> dict[str, str]:
        machine = self.machine
        foreign = [known.prefix for known in machine.gnu_prefixes if known.is_foreign]
        return {
            "clang_target": machine.clang_target,
            "foreign_prefix": foreign[0].replace("_", "-") if foreign else "",
            "machine": machine.name,
            "machine_arch": machine.arch,
            "prefix": prefix.prefix if prefix is not None else machine.triple,
            "triple": machine.triple,
        }


def load_toolchain(
    kind: str, machine: Machine, tooldir: Path | None, environment: Mapping[str, str]
) -> Toolchain:
    """Find the tools of a kind for a machine; a missing compiler or linker is the error."""
    return find_toolchain(load_kind(kind), machine, tooldir, environment)


def find_toolchain(
    kind: Kind, machine: Machine, tooldir: Path | None, environment: Mapping[str, str]
) -> Toolchain:
    """Find the tools that a kind describes."""
    search = ToolSearch(machine, tooldir, tool_environment(environment))
    found_cc = _require(kind, search.find(kind.role("cc")))
    prefixes = () if found_cc.prefix is None else (found_cc.prefix,)
    found_ld = _require(kind, search.find(kind.role("ld"), prefixes))
    cc = _compiler(kind, found_cc, search.environment)
    ld_flags = () if found_ld.prefix is None else found_ld.prefix.ld_flags
    ld = Tool((*found_ld.argv, *ld_flags), _files(found_ld, search.environment))
    extras: dict[str, Tool | None] = dict.fromkeys(_EXTRA_ROLES)
    missing = []
    for role in kind.roles:
        if role.name in extras:
            found = search.find(role, prefixes)
            if isinstance(found, MissingTool):
                missing.append(found)
            else:
                extras[role.name] = Tool(found.argv, script_files(found.program))
    return Toolchain(
        kind=kind.name,
        machine=machine,
        compiler=CompilerFamily(found_cc.candidate.family),
        linker=LinkerFamily(found_ld.candidate.family),
        link_style=kind.link_style,
        cc=cc,
        link=_linking_tool(kind, cc, ld, search.environment),
        ld=ld,
        missing=tuple(missing),
        **extras,
    )


def _require(kind: Kind, found: FoundProgram | MissingTool) -> FoundProgram:
    if isinstance(found, MissingTool):
        raise BuildsysError(f"toolchain {kind.name}: {found.describe()}")
    return found


def _compiler(kind: Kind, found: FoundProgram, environment: Mapping[str, str]) -> Tool:
    flags: tuple[str, ...] = ()
    if found.prefix is not None:
        flags = found.prefix.flags + (kind.foreign_flags if found.prefix.is_foreign else ())
    argv = (*found.argv, *flags)
    if found.candidate.is_self_contained:
        return Tool(argv, (found.program.resolve(),))
    return Tool(argv, compiler_files(argv, environment))


def _files(found: FoundProgram, environment: Mapping[str, str]) -> tuple[Path, ...]:
    if found.candidate.is_self_contained:
        return (found.program.resolve(),)
    return program_files(found.program, environment)


def _linking_tool(kind: Kind, cc: Tool, ld: Tool, environment: Mapping[str, str]) -> Tool:
    if kind.link_style is LinkStyle.DIRECT:
        return ld
    behind = linker_behind(cc.argv, environment)
    files = ld.files
    if behind is not None and behind.resolve() != ld.files[0]:
        files = program_files(behind, environment)
    return Tool(cc.argv, tuple(dict.fromkeys((*cc.files, *files))))


def _describe_places(role: Role, places: tuple[tuple[str, Path], ...]) -> tuple[str, ...]:
    described = []
    for label in dict.fromkeys(label for label, _ in places):
        directories = dict.fromkeys(str(path) for known, path in places if known == label)
        described.append(f"{label} ({':'.join(directories)})")
    known_labels = " ".join(described)
    for place in role.search:
        if place == "TOOLDIR" and "TOOLDIR" not in known_labels:
            described.append("TOOLDIR (not set)")
        elif place.startswith("python:") and "Python" not in known_labels:
            described.append(f"Python package {place.removeprefix('python:')} (not installed)")
    return tuple(described)


def _find_program(name: str, directories: tuple[Path, ...]) -> Path | None:
    for directory in directories:
        if "*" not in name:
            found = shutil.which(name, path=str(directory))
            if found is not None:
                return Path(found)
    if "*" not in name:
        return None
    return _find_newest(name, directories)


def _find_newest(name: str, directories: tuple[Path, ...]) -> Path | None:
    """Find the highest number that stands for the '*' of name."""
    before, _, after = name.partition("*")
    pattern = re.compile(f"{re.escape(before)}([0-9]+){re.escape(after)}")
    newest: tuple[int, Path] | None = None
    for directory in directories:
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        for entry in entries:
            match = pattern.fullmatch(entry)
            if match and (newest is None or int(match[1]) > newest[0]):
                found = shutil.which(entry, path=str(directory))
                if found is not None:
                    newest = (int(match[1]), Path(found))
    return None if newest is None else newest[1]


def _package_directories(place: str) -> Iterator[tuple[str, Path]]:
    package = place.removeprefix("python:")
    spec = importlib.util.find_spec(package)
    if spec is not None:
        for directory in spec.submodule_search_locations or ():
            yield f"Python package {package}", Path(directory)
