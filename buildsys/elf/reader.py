"""ELF files to facts: the one importer of elftools.

pyelftools gives the file header and the section headers; symbol and relocation tables are taken
as whole arrays, because reading them entry by entry is some hundred times slower. Whatever a
file claims is held against its size before memory is spent on it. What a fact means for a kernel
is decided elsewhere.
"""

import contextlib
import functools
import mmap
import os
import stat
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.standin import standing_in
from buildsys.base.value import frozen
from buildsys.elf.model import (
    EM_MIPS,
    SHT_NOTE,
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
    ElfHeader,
    ElfObject,
    Layout,
    RelocationTable,
    Section,
    SymbolTable,
    show_name,
    string_at,
)
from buildsys.elf.relocnames import relocation_names as own_relocation_names

with standing_in("inspect", "pdb", "traceback"):
    from elftools.elf import enums
    from elftools.elf.structs import ELFStructs

MAGIC = b"\x7fELF"
MAXIMUM_TABLE_BYTES = 16 << 20  # the largest symbol or relocation table that is read
_IDENT_BYTES = 16
_MAXIMUM_SECTIONS = 65536
_MINIMUM_CLAIM = 4096  # below this, overlapping tables cost nothing
_TABLES = (SHT_SYMTAB, SHT_REL, SHT_RELA, SHT_NOTE)
_MAPPED_FROM_BYTES = 1 << 20  # below, one read is quicker than a mapping
_RELOCATION_NAMES: dict[int, Mapping[str, Any]] = {
    3: enums.ENUM_RELOC_TYPE_i386,
    6: enums.ENUM_RELOC_TYPE_i386,
    8: enums.ENUM_RELOC_TYPE_MIPS,
    20: enums.ENUM_RELOC_TYPE_PPC,
    21: enums.ENUM_RELOC_TYPE_PPC64,
    40: enums.ENUM_RELOC_TYPE_ARM,
    62: enums.ENUM_RELOC_TYPE_x64,
    183: enums.ENUM_RELOC_TYPE_AARCH64,
}
_WIDTHS = {1: 32, 2: 64}
_IS_LITTLE = {1: True, 2: False}


def read_image(path: Path, maximum_bytes: int | None = None) -> memoryview:
    """Give the bytes of a regular file; large ones are mapped, not read."""
    with _opened(path, maximum_bytes) as (descriptor, size):
        if size >= _MAPPED_FROM_BYTES:
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            return memoryview(stream.read())


def refuse_unreadable(path: Path, maximum_bytes: int | None = None) -> None:
    """Raise what read_image would raise before it reads."""
    with _opened(path, maximum_bytes):
        pass


@contextlib.contextmanager
def _opened(path: Path, maximum_bytes: int | None) -> Iterator[tuple[int, int]]:
    """Open a regular file for the block; give its descriptor and size in bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise BuildsysError(f"expected an ELF file, this is {what}", path)
        if maximum_bytes is not None and status.st_size > maximum_bytes:
            raise BuildsysError(
                f"expected at most {maximum_bytes >> 20} MiB, the file has {status.st_size} bytes",
                path,
            )
        yield descriptor, status.st_size
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    finally:
        os.close(descriptor)


def read_elf(path: Path, maximum_bytes: int | None = None) -> ElfObject:
    """Read an ELF file of any width and byte order; anything else is one clear error."""
    return parse_elf(read_image(path, maximum_bytes), path)


def parse_elf(image: memoryview, path: Path) -> ElfObject:
    """Take the bytes of an ELF file apart; path only names them."""
    layout = find_layout(image, path)
    header = parse_header(image, layout)
    if header is None:
        raise BuildsysError(f"the file ends within its ELF header, at byte {len(image)}", path)
    sections = parse_sections(image, layout, _follow_extended(image, layout, header))
    if sections is None:
        raise BuildsysError(
            f"the section headers ({header.section_count} at byte {header.section_offset}) do not "
            f"lie within the file of {len(image)} bytes; the file is cut short or damaged",
            path,
        )
    elf = ElfObject(path, layout, header, sections, image)
    claimed = sum(section.size for section in sections if section.kind in _TABLES)
    if claimed > max(2 * len(image), _MINIMUM_CLAIM):
        raise elf.fail(
            f"its tables claim {claimed} bytes, the file has {len(image)}; it is damaged"
        )
    return elf


def find_layout(image: memoryview, path: Path) -> Layout:
    """Read from e_ident how the file is laid out; refuse what is no ELF file."""
    if bytes(image[:4]) != MAGIC or len(image) < 16:
        raise BuildsysError(f"expected an ELF file, this is {_describe_start(image)}", path)
    width, is_little = _WIDTHS.get(image[4]), _IS_LITTLE.get(image[5])
    if width is None or is_little is None:
        raise BuildsysError(
            f"expected ELF class 1 or 2 and data 1 or 2, got {image[4]} and {image[5]}", path
        )
    return Layout(width, is_little)


def parse_header(image: memoryview, layout: Layout) -> ElfHeader | None:
    """Read the file header as that layout has it; None when the file is shorter."""
    fields = _file_header(layout)
    if len(image) < _IDENT_BYTES + fields.size:
        return None
    raw = dict(zip(fields.names, fields.layout.unpack_from(image, _IDENT_BYTES), strict=True))
    return ElfHeader(
        ident_class=image[4],
        ident_data=image[5],
        ident_version=image[6],
        os_abi=image[7],
        file_type=raw["e_type"],
        machine=raw["e_machine"],
        version=raw["e_version"],
        entry=raw["e_entry"],
        flags=raw["e_flags"],
        section_offset=raw["e_shoff"],
        section_entry_bytes=raw["e_shentsize"],
        section_count=raw["e_shnum"],
        name_section=raw["e_shstrndx"],
    )


def section_header_bytes(layout: Layout) -> int:
    """Give the size of one section header."""
    return _section_header(layout).size


def parse_sections(
    image: memoryview, layout: Layout, header: ElfHeader
) -> tuple[Section, ...] | None:
    """Read the section headers; None when they do not lie within the file."""
    fields = _section_header(layout)
    size = fields.size
    count, start = header.section_count, header.section_offset
    if count == 0:
        return ()
    if start + count * size > len(image) or count > _MAXIMUM_SECTIONS or start == 0:
        return None
    headers = list(fields.layout.iter_unpack(image[start : start + count * size]))
    names = _section_names(image, headers, header.name_section)
    return tuple(
        Section(index, string_at(names, raw[0]), *raw) for index, raw in enumerate(headers)
    )


def find_symbols(elf: ElfObject) -> SymbolTable | None:
    """Read the (first) symbol table of a file; None when it has none."""
    section = next((s for s in elf.sections if s.kind == SHT_SYMTAB), None)
    if section is None:
        return None
    if section.link >= len(elf.sections) or elf.sections[section.link].kind != SHT_STRTAB:
        raise elf.fail(f"the symbol table's strings should be in section {section.link}; not so")
    return read_symbols(elf, section)


def read_symbols(elf: ElfObject, section: Section) -> SymbolTable:
    """Read one symbol table as columns; its strings are those of section.link."""
    content = _table(elf, section)
    is_little = elf.layout.is_little
    strings = bytes(_table(elf, elf.sections[section.link]))
    if elf.layout.width_bits == 64:
        count = len(content) // 24
        content = content[: count * 24]
        words, halves = _array("I", content, is_little), _array("H", content, is_little)
        longs = _array("Q", content, is_little)
        raw = bytes(content)
        return SymbolTable(
            words[0::6], raw[4::24], raw[5::24], halves[3::12], longs[1::3], longs[2::3],
            strings, _read_extended(elf, section, count),
        )  # fmt: skip
    count = len(content) // 16
    content = content[: count * 16]
    words, halves = _array("I", content, is_little), _array("H", content, is_little)
    raw = bytes(content)
    return SymbolTable(
        words[0::4], raw[12::16], raw[13::16], halves[7::8], words[1::4], words[2::4],
        strings, _read_extended(elf, section, count),
    )  # fmt: skip


def read_relocations(elf: ElfObject, section: Section) -> RelocationTable:
    """Read one SHT_REL or SHT_RELA section as columns, r_info taken apart."""
    is_rela = section.kind == SHT_RELA
    content = _table(elf, section)
    unit = (3 if is_rela else 2) * elf.layout.pointer_bytes
    content = content[: len(content) // unit * unit]
    step = 3 if is_rela else 2
    is_little = elf.layout.is_little
    if elf.layout.width_bits == 32:
        words = _array("I", content, is_little)
        info = words[1::step]
        return RelocationTable(
            section.index, section.info, is_rela, words[0::step],
            bytes(i & 255 for i in info), array("I", [i >> 8 for i in info]),
            _array("i", content, is_little)[2::3] if is_rela else array("i"),
        )  # fmt: skip
    halves = _array("I", content, is_little)
    low, high = (2, 3) if is_little else (3, 2)
    types, symbols = halves[low :: 2 * step], halves[high :: 2 * step]
    if elf.header.machine == EM_MIPS:
        types, symbols = _mips_types(content, 8 * step, halves[2 :: 2 * step])
    return RelocationTable(
        section.index, section.info, is_rela, _array("Q", content, is_little)[0::step],
        types, symbols,
        _array("q", content, is_little)[2::3] if is_rela else array("q"),
    )  # fmt: skip


@functools.cache
def relocation_names(machine: int) -> Mapping[int, str]:
    """Give number and name of a machine's relocation types, as readelf(1) spells them."""
    known = _RELOCATION_NAMES.get(machine, {})
    names = {number: name for name, number in known.items() if isinstance(number, int)}
    return own_relocation_names(machine) | names


def _mips_types(
    content: memoryview, unit: int, symbols: "array[int]"
) -> tuple["array[int]", "array[int]"]:
    """Take apart the r_info of 64-bit MIPS: a symbol word, then four bytes in file order.

    The bytes are a special symbol, the third, the second and the first type, whatever the order.
    """
    raw = bytes(content)
    first, second, third = raw[15::unit], raw[14::unit], raw[13::unit]
    special = raw[12::unit]
    types = array("I", [a | b << 8 | c << 16 | s << 24 for a, b, c, s in
                        zip(first, second, third, special, strict=True)])  # fmt: skip
    return types, symbols


def _read_extended(elf: ElfObject, symbols: Section, count: int) -> "array[int] | tuple[()]":
    for section in elf.sections:
        if section.kind == SHT_SYMTAB_SHNDX and section.link == symbols.index:
            content = _table(elf, section)
            indexes = _array("I", content[: len(content) // 4 * 4], elf.layout.is_little)
            if len(indexes) == count:
                return indexes
            raise elf.fail(
                f"section {section.index} ({show_name(section.name)}): expected {count} entries, "
                f"one for each symbol, got {len(indexes)}"
            )
    return ()


def _table(elf: ElfObject, section: Section) -> memoryview:
    if section.size > MAXIMUM_TABLE_BYTES:
        raise elf.fail(
            f"section {section.index} ({show_name(section.name)}): expected a table of at most "
            f"{MAXIMUM_TABLE_BYTES >> 20} MiB, it says {section.size} bytes"
        )
    return elf.content(section)


def _array(kind: str, content: memoryview, is_little: bool) -> "array[Any]":
    values = array(kind)
    values.frombytes(content)
    if is_little != (sys.byteorder == "little"):
        values.byteswap()
    return values


@functools.cache
def _structs(layout: Layout) -> Any:
    structs = ELFStructs(little_endian=layout.is_little, elfclass=layout.width_bits)
    structs.create_basic_structs()
    structs.create_advanced_structs(None, None, None)
    return structs


@frozen
class _Fields:
    """The fields of a header in their order, as numbers; size is bytes."""

    names: tuple[str, ...]
    layout: struct.Struct

    @property
    def size(self) -> int:
        return self.layout.size


def _flatten(parts: Iterable[Any]) -> _Fields:
    """Take from pyelftools how a header is laid out, to unpack many of them at once."""
    names, formats = [], []
    for part in parts:
        names.append(part.name)
        inner = part  # an enumeration stands around its number
        while not hasattr(inner, "packer"):
            inner = inner.subcon
        formats.append(inner.packer.format)
    return _Fields(tuple(names), struct.Struct(formats[0][0] + "".join(f[1:] for f in formats)))


@functools.cache
def _file_header(layout: Layout) -> _Fields:
    """Give what comes after e_ident."""
    return _flatten(_structs(layout).Elf_Ehdr.subcons[1:])


@functools.cache
def _section_header(layout: Layout) -> _Fields:
    """Give a section header's fields, in the order of Section's from name_offset on."""
    return _flatten(_structs(layout).Elf_Shdr.subcons)


def _follow_extended(image: memoryview, layout: Layout, header: ElfHeader) -> ElfHeader:
    """Find the counts that do not fit the header: they stand in section 0."""
    size = section_header_bytes(layout)
    start = header.section_offset
    is_small = header.section_count != 0 and header.name_section != 0xFFFF
    if is_small or start == 0 or start + size > len(image):
        return header
    fields = _section_header(layout)
    first = dict(zip(fields.names, fields.layout.unpack_from(image, start), strict=True))
    return ElfHeader(
        header.ident_class, header.ident_data, header.ident_version, header.os_abi,
        header.file_type, header.machine, header.version, header.entry, header.flags, start,
        header.section_entry_bytes, header.section_count or first["sh_size"],
        first["sh_link"] if header.name_section == 0xFFFF else header.name_section,
    )  # fmt: skip


def _section_names(image: memoryview, headers: list[tuple[int, ...]], index: int) -> bytes:
    """Give the section names, as the kernel would have them: none unless a string table."""
    if not 0 < index < len(headers):
        return b""
    _, kind, _, _, offset, size, *_ = headers[index]
    if kind != SHT_STRTAB or offset + size > len(image) or size > MAXIMUM_TABLE_BYTES:
        return b""
    return bytes(image[offset : offset + size])


def _describe_start(image: memoryview) -> str:
    if len(image) == 0:
        return "an empty file"
    start = bytes(image[:8])
    for magic, what in (
        (b"!<arch>", "an archive"), (b"#!", "a script"), (b"\x1f\x8b", "a gzip file"),
        (b"MZ", "a Windows program"), (b"BC\xc0\xde", "LLVM bitcode (compile without -flto)"),
        (MAGIC, "cut short within its first 16 bytes"),
    ):  # fmt: skip
        if start.startswith(magic):
            return what
    return f"a file that starts with the bytes {start[:4].hex(' ')}"
