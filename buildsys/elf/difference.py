"""How two object files differ, in words: by section, by symbol, by relocation."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.elf.model import SHT_REL, SHT_RELA, ElfObject, Section, show_name
from buildsys.elf.reader import find_symbols, read_elf, read_relocations

_SHOWN = 8
_TABLES = (".symtab", ".strtab", ".shstrtab")

Symbol = tuple[int, int, str, int, int]  # binding, kind, section, value, size


def describe_differences(ours: Path, theirs: Path) -> tuple[str, ...]:
    """Say what differs between two ELF files; () where every byte is the same."""
    if ours.read_bytes() == theirs.read_bytes():
        return ()
    left, right = read_elf(ours), read_elf(theirs)
    lines = [
        *_compare_headers(left, right),
        *_compare_sections(left, right),
        *_compare_symbols(left, right),
    ]
    return tuple(lines or ["only bytes between the sections, or their order, differ"])


def _compare_headers(left: ElfObject, right: ElfObject) -> Iterator[str]:
    if left.layout != right.layout or left.header.machine != right.header.machine:
        yield f"header: for another machine ({left.layout} here, {right.layout} there)"
    elif left.header.flags != right.header.flags:
        yield f"header: e_flags {left.header.flags:#x} here, {right.header.flags:#x} there"


def _compare_sections(left: ElfObject, right: ElfObject) -> Iterator[str]:
    here, there = _by_name(left), _by_name(right)
    for name in here.keys() - there.keys():
        yield f"section {show_name(name)}: only here"
    for name in there.keys() - here.keys():
        yield f"section {show_name(name)}: only there"
    for name, section in here.items():
        if name in there and name not in _TABLES:
            yield from _compare_section(left, section, right, there[name])


def _by_name(elf: ElfObject) -> dict[str, Section]:
    """Give the sections by name; a second one of a name gets a number after it."""
    found: dict[str, Section] = {}
    for section in elf.sections[1:]:
        name, number = section.name, 2
        while name in found:
            name, number = f"{section.name} ({number})", number + 1
        found[name] = section
    return found


def _compare_section(
    left: ElfObject, ours: Section, right: ElfObject, theirs: Section
) -> Iterator[str]:
    name = show_name(ours.name)
    if (ours.kind, ours.flags) != (theirs.kind, theirs.flags):
        yield f"section {name}: another type or other flags"
    if ours.size != theirs.size:
        yield f"section {name}: {ours.size} bytes here, {theirs.size} there"
        if ours.kind not in (SHT_REL, SHT_RELA):
            return
    if ours.kind in (SHT_REL, SHT_RELA):
        yield from _compare_relocations(left, ours, right, theirs)
        return
    first, second = _content(left, ours), _content(right, theirs)
    if first != second:
        at = next(
            i for i, pair in enumerate(zip(first, second, strict=False)) if len(set(pair)) > 1
        )
        where = _symbol_at(left, ours.index, at)
        yield f"section {name}: bytes differ from offset {at:#x} on{where}"


def _content(elf: ElfObject, section: Section) -> bytes:
    if not elf.has_content(section):
        return b""
    return bytes(elf.image[section.offset : section.offset + section.size])


def _symbol_at(elf: ElfObject, section: int, offset: int) -> str:
    table = find_symbols(elf)
    if table is None:
        return ""
    for index in range(len(table)):
        start = table.values[index]
        if table.section(index) == section and start <= offset < start + table.sizes[index]:
            return f", in {show_name(table.name(index))}"
    return ""


def _compare_relocations(
    left: ElfObject, ours: Section, right: ElfObject, theirs: Section
) -> Iterator[str]:
    here, there = _relocations(left, ours), _relocations(right, theirs)
    name = show_name(ours.name)
    if len(here) != len(there):
        yield f"section {name}: {len(here)} relocations here, {len(there)} there"
    elif here != there:
        place = next(a for a, b in zip(here, there, strict=True) if a != b)
        yield f"section {name}: relocations differ from offset {place[0]:#x} on ({place[2]})"


def _relocations(elf: ElfObject, section: Section) -> list[tuple[int, int, str, int]]:
    table, symbols = read_relocations(elf, section), find_symbols(elf)
    rows = []
    for index in range(len(table)):
        number = table.symbols[index]
        name = "" if symbols is None or number >= len(symbols) else symbols.name(number)
        addend = table.addends[index] if table.is_rela else 0
        rows.append((table.offsets[index], table.types[index], show_name(name), addend))
    return rows


def _compare_symbols(left: ElfObject, right: ElfObject) -> Iterator[str]:
    here, there = _symbols(left), _symbols(right)
    only_here, only_there = sorted(here.keys() - there.keys()), sorted(there.keys() - here.keys())
    if only_here:
        yield f"symbols only here: {_some(only_here)}"
    if only_there:
        yield f"symbols only there: {_some(only_there)}"
    moved = sorted(name for name in here.keys() & there.keys() if here[name] != there[name])
    if moved:
        yield f"symbols with another place, size or kind: {_some(moved)}"


def _symbols(elf: ElfObject) -> Mapping[str, Symbol]:
    table = find_symbols(elf)
    if table is None:
        return {}
    found: dict[str, Symbol] = {}
    for index in range(len(table)):
        number = table.section(index)
        section = elf.sections[number].name if number < len(elf.sections) else str(number)
        kind = (table.binding(index), table.kind(index), section)
        name = show_name(table.name(index))
        if name:
            found[name] = (*kind, table.values[index], table.sizes[index])
    return found


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
