"""What stands against a module beyond the kernel's own judgement: broken promises and dangers."""

import re
from collections.abc import Iterator

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.check.kmodfile import Linkable
from buildsys.check.kobj import KernelObject
from buildsys.check.loaded import LoadedModule
from buildsys.check.loader import LoaderState
from buildsys.check.rulebook import finding
from buildsys.check.values import warn_of_values
from buildsys.check.verdict import Finding
from buildsys.elf.model import (
    SHN_ABS,
    SHN_COMMON,
    SHN_UNDEF,
    SHT_PROGBITS,
    STB_WEAK,
    decode_name,
    show_name,
)
from buildsys.elf.modinfo import LINK_SET, ModInfo, modinfo_at
from buildsys.elf.notes import ident_version, read_notes
from buildsys.kernel.model import split_required
from buildsys.kernel.version import KernelVersion

_STT_GNU_IFUNC = 10
# Further common symbols by ELF machine, from the processors' ABIs: MIPS ACOMMON and SCOMMON,
# PA-RISC ANSI_COMMON and HUGE_COMMON, IA-64 ANSI_COMMON, x86-64 LCOMMON.
_COMMONS = {8: (0xFF00, 0xFF03), 15: (0xFF00, 0xFF01), 50: (0xFF00,), 62: (0xFF02,)}
_CONSTRUCTORS = (".init_array", ".ctors", ".preinit_array", ".fini_array", ".dtors")
_SOURCE_PATH = re.compile(rb"(?<![^\0])/[^\0\n]{1,1000}?\.[chSsyl]\0")
_SOURCE_ENDINGS = tuple(f".{letter}\0".encode() for letter in "chSsyl")
_SHOWN = 5


@frozen
class Expected:
    """What the module's descriptor promises; None leaves a thing open.

    name is also the name under which the module will be installed; module_class is a word (vfs).
    """

    name: str
    module_class: str | None = None
    version: KernelVersion | None = None
    requires: tuple[str, ...] | None = None


def check_promises(
    file: Linkable, modinfo: ModInfo, expected: Expected | None, name: str
) -> Iterator[Finding]:
    """*-expected, name-file: modinfo says what descriptor and file name say."""
    path, actual = file.path, show_name(modinfo.name or "")
    if modinfo.name != name:
        rule_id = "name-file" if expected is None else "name-expected"
        yield finding(rule_id, path, f"the module's name is {actual}, expected {show_name(name)}")
    if expected is None:
        return
    wanted_class = expected.module_class
    if wanted_class is not None and modinfo.class_name != wanted_class:
        yield finding(
            "class-expected", path, f"the class is {modinfo.class_name}, expected {wanted_class}"
        )
    requires = split_required(modinfo.required or "")
    if expected.requires is not None and requires != expected.requires:
        yield finding(
            "requires-expected",
            path,
            f"requires {_join(requires)} in MODULE(), expected {_join(expected.requires)}",
        )
    if expected.version is not None and modinfo.version != expected.version.number:
        yield finding(
            "version-expected",
            path,
            f"its version is {modinfo.version}, built was for {expected.version.number}",
        )


def check_ident(file: Linkable, modinfo: ModInfo) -> Iterator[Finding]:
    """ident-mismatch, note-damaged: the version note, where there is one, agrees with modinfo."""
    try:
        version = ident_version(file.kobj.elf, read_notes(file.kobj.elf))
    except BuildsysError as error:
        yield finding("note-damaged", file.path, f"a note cannot be read: {error}")
        return
    if version is not None and version != modinfo.version:
        yield finding(
            "ident-mismatch",
            file.path,
            f".note.netbsd.ident says {version}, MODULE() says {modinfo.version}: the objects were "
            "built for different versions",
        )


def check_dangers(module: LoadedModule, file: Linkable, state: LoaderState) -> Iterator[Finding]:
    """All warnings on a module that loads."""
    if module.modinfo is not None:
        yield from _check_late_requirements(file, module.modinfo)
    yield from _check_symbols(file)
    yield from _check_sections(file.kobj)
    yield from _check_skipped(file)
    yield from warn_of_values(file.kobj, file.relocations)
    yield from _check_paths(file.kobj)
    yield from _check_values(file.kobj, state)
    yield from _check_requirements(module, file.kobj, state)


def _check_late_requirements(file: Linkable, modinfo: ModInfo) -> Iterator[Finding]:
    section = file.find_section(LINK_SET)
    memory = file.memory(is_before_affix=False)
    pointer = None if section is None else memory.pointer(section.index, 0)
    late = None if pointer is None else modinfo_at(memory, pointer)
    if late is not None and late.required and late.required != modinfo.required:
        yield finding(
            "requirement-invisible",
            file.path,
            f"mi_required ({show_name(late.required)}) is a global symbol, which the kernel has "
            "not relocated when it reads the requirements: it sees none",
        )


def _check_symbols(file: Linkable) -> Iterator[Finding]:
    kobj, symbols = file.kobj, file.kobj.symbols
    used = frozenset[int]().union(*(relocations.symbols for relocations in file.relocations))
    weak = [
        symbols.name(i)
        for i, info in enumerate(symbols.infos)
        if info >> 4 == STB_WEAK and symbols.sections[i] == SHN_UNDEF and i not in used
    ]
    if weak:
        yield finding("weak-unused", kobj.path, f"{_shorten(weak)}: undefined, weak and not used")
    places, infos, count = symbols.sections, symbols.infos, len(symbols)
    usual = {SHN_UNDEF, SHN_ABS, *(s.index for s in kobj.elf.sections if s.is_loaded)}
    for symbol in sorted(used):
        if 0 < symbol < count and (
            places[symbol] not in usual or infos[symbol] & 15 == _STT_GNU_IFUNC
        ):
            yield from _check_place(kobj, symbol)


def _check_place(kobj: KernelObject, symbol: int) -> Iterator[Finding]:
    """symbol-common, symbol-not-loaded, indirect-function: a symbol that a relocation uses.

    sys/kern/subr_kobj.c, kobj_load() adds an address to the symbols of loaded sections only, and
    kobj_sym_lookup() takes the value of every other one that is not undefined as it stands.
    """
    symbols, sections = kobj.symbols, kobj.elf.sections
    section, name = symbols.sections[symbol], show_name(symbols.name(symbol))
    if section == SHN_COMMON or section in _COMMONS.get(kobj.elf.header.machine, ()):
        yield finding(
            "symbol-common",
            kobj.path,
            f"{name} is a common symbol, which the kernel gives no memory: compile with "
            "-fno-common or link with -d",
        )
    elif section >= len(sections) and section != SHN_ABS:
        text = f"{name or symbol} stands in section {section:#x}, which there is not"
        yield finding("symbol-not-loaded", kobj.path, f"{text}: its address is wrong")
    elif SHN_UNDEF < section < len(sections) and not sections[section].is_loaded:
        text = f"{name or symbol} stands in {show_name(sections[section].name)}, which is not"
        yield finding("symbol-not-loaded", kobj.path, f"{text} loaded: its address is wrong")
    if symbols.kind(symbol) == _STT_GNU_IFUNC:
        text = f"{name}: its resolver is called in its place"
        yield finding("indirect-function", kobj.path, text)


def _check_sections(kobj: KernelObject) -> Iterator[Finding]:
    debugging = 0
    for section in kobj.elf.sections:
        if section.name.startswith(_CONSTRUCTORS) and section.size:
            yield finding(
                "constructor", kobj.path, f"{show_name(section.name)}: the kernel never runs it"
            )
        if section.is_loaded and section.name.startswith(".debug"):
            debugging += section.size
    if debugging:
        yield finding(
            "debugging",
            kobj.path,
            f"{debugging} bytes of debugging are loaded into the kernel's memory: strip -g",
        )


def _check_paths(kobj: KernelObject) -> Iterator[Finding]:
    """build-path: absolute names of source files, from __FILE__ and the like."""
    found: dict[str, None] = {}
    for section in kobj.elf.sections:
        if section.kind != SHT_PROGBITS or section.is_executable:
            continue
        if not section.name.startswith(".debug"):
            content = bytes(kobj.elf.content(section))
            if any(ending in content for ending in _SOURCE_ENDINGS):  # far faster to find
                paths = _SOURCE_PATH.findall(content)
                found.update((decode_name(path[:-1]), None) for path in paths)
    if found:
        yield finding("build-path", kobj.path, _shorten(list(found)))


def _check_skipped(file: Linkable) -> Iterator[Finding]:
    count = len(file.kobj.symbols)
    if any(max(table.symbols, default=0) >= count for table in file.relocations):
        yield finding(
            "relocation-skipped",
            file.path,
            "a relocation names a symbol beyond the table; the kernel leaves it out",
        )


def _check_values(kobj: KernelObject, state: LoaderState) -> Iterator[Finding]:
    for name, entry in kobj.defined.items():
        found = state.find(name) if kobj.symbols.sections[entry] == SHN_ABS else None
        if found is not None and not found.provider and found.value is None and found.is_absolute:
            yield finding(
                "value-unknown",
                kobj.path,
                f"{show_name(name)} is an absolute symbol here and in the kernel; the module loads "
                "if the values are equal, and the kernel's is not known",
            )


def _check_requirements(
    module: LoadedModule, kobj: KernelObject, state: LoaderState
) -> Iterator[Finding]:
    """requirement-unused, requirement-indirect: what is used is what is required."""
    used = frozenset(
        found.provider
        for name in frozenset(kobj.undefined) - state.of_kernel(kobj.undefined)
        if (found := state.find(name)) is not None
    )
    for required in filter(None, map(state.find_module, module.required)):
        if required.file is not None and required.name not in used:
            yield finding(
                "requirement-unused",
                kobj.path,
                f"requires {show_name(required.name)} and uses none of its symbols",
                subject=required.name,
            )
    for name in sorted(used - {"", module.name, *module.required}):
        yield finding(
            "requirement-indirect",
            kobj.path,
            f"uses symbols of {show_name(name)}, which only others require for it",
            subject=name,
        )


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(map(show_name, names)) or "nothing"


def _shorten(names: list[str]) -> str:
    shown = ", ".join(show_name(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
