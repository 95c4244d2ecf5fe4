"""How two object files differ, in words: by section, by symbol, by relocation."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.elf.model import (
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    ElfObject,
    Section,
    show_name,
)
from buildsys.elf.reader import MAGIC, find_symbols, read_elf, read_relocations

_SHOWN = 8
_DERIVED = frozenset({SHT_REL, SHT_RELA, SHT_SYMTAB, SHT_STRTAB})
_DATE = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d"
_CLOCK = rb"[012]\d:[0-5]\d:[0-6]\d"
_TIME = re.compile(rb"%b \d{4}|(?:\w{3} %b )?%b(?: \d{4})?" % (_DATE, _DATE, _CLOCK))
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


def find_first_difference(ours: Path, theirs: Path) -> str:
    """Name the first section that differs between two files, with what stands there in each.

    What the compiler put there comes before what follows from it (relocations, symbols, names).
    '' where every byte is the same; a file that is no ELF file has an offset only.
    """
    first, second = ours.read_bytes(), theirs.read_bytes()
    if first == second:
        return ""
    if first[:4] != MAGIC or second[:4] != MAGIC:
        return f"bytes differ from offset {_first_unequal(first, second):#x} on"
    left, right = read_elf(ours), read_elf(theirs)
    here, there = _by_name(left), _by_name(right)
    for name, section in sorted(here.items(), key=lambda item: item[1].kind in _DERIVED):
        if name not in there:
            return f"section {show_name(name)}: only here"
        contents = _content(left, section), _content(right, there[name])
        if contents[0] != contents[1]:
            at = _first_unequal(*contents)
            texts = (f"{_excerpt(content, at)!r}" for content in contents)
            where = _symbol_at(left, section.index, at)
            return f"section {show_name(name)} at {at:#x}{where}: {' and '.join(texts)}"
    return describe_differences(ours, theirs)[0]


def find_times(ours: Path, theirs: Path) -> tuple[str, str] | None:
    """Find a date or time of day in one file where the other has another; None for no such.

    They are looked for as compilers spell __DATE__, __TIME__ and __TIMESTAMP__.
    """
    first, second = (sorted(set(_TIME.findall(path.read_bytes()))) for path in (ours, theirs))
    here = next((text for text in first if text not in second), None)
    there = next((text for text in second if text not in first), None)
    return None if here is None or there is None else (here.decode(), there.decode())


def _first_unequal(first: bytes, second: bytes) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, pair in pairs if pair[0] != pair[1]), min(len(first), len(second)))


def _excerpt(content: bytes, at: int) -> str:
    """Give the text in which a byte stands, or the bytes from there on."""
    start = content.rfind(b"\0", 0, at) + 1
    end = content.find(b"\0", at)
    text = content[max(start, at - 40) : end if end >= 0 else len(content)][:80]
    if not text or any(byte < 0x20 or byte > 0x7E for byte in text):
        return content[at : at + 8].hex(" ")
    return text.decode("ascii")


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
        at = _first_unequal(first, second)
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
