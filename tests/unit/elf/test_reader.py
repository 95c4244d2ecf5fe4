"""The reader against pyelftools' own iterators, for both widths, both byte orders, REL and RELA."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE, ENUM_SH_TYPE_BASE, ENUM_ST_INFO_BIND
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from buildsys.base.errors import BuildsysError
from buildsys.elf.model import (
    SHN_XINDEX,
    SHT_REL,
    SHT_RELA,
    ElfObject,
    string_at,
    strings_at,
)
from buildsys.elf.reader import (
    find_symbols,
    parse_elf,
    read_elf,
    read_image,
    read_relocations,
    relocation_names,
)

_SPECIAL = {"SHN_UNDEF": 0, "SHN_ABS": 0xFFF1, "SHN_COMMON": 0xFFF2}


def reparse(content: bytes, path: Path = Path("changed.o")) -> ElfObject:
    return parse_elf(memoryview(content), path)


def test_headers_and_sections_are_those_of_pyelftools(sample: Path) -> None:
    elf = read_elf(sample)
    with sample.open("rb") as stream:
        oracle = ELFFile(stream)
        assert elf.layout.width_bits == oracle.elfclass
        assert elf.layout.is_little == oracle.little_endian
        machine = oracle.header.e_machine
        assert elf.header.machine == (
            machine if isinstance(machine, int) else ENUM_E_MACHINE[machine]
        )
        assert elf.header.flags == oracle.header.e_flags
        assert len(elf.sections) == oracle.num_sections()
        for section, expected in zip(elf.sections, oracle.iter_sections(), strict=True):
            kind = expected["sh_type"]
            number = kind if isinstance(kind, int) else ENUM_SH_TYPE_BASE.get(kind, section.kind)
            assert section.name == expected.name
            assert section.kind == number
            assert (section.flags, section.size, section.offset, section.alignment) == (
                expected["sh_flags"], expected["sh_size"], expected["sh_offset"],
                expected["sh_addralign"],
            )  # fmt: skip


def test_symbols_are_those_of_pyelftools(sample: Path) -> None:
    symbols = find_symbols(read_elf(sample))
    assert symbols is not None
    with sample.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        entries = list(table.iter_symbols())
    assert len(symbols) == len(entries) > 5
    for index, entry in enumerate(entries):
        section = entry["st_shndx"]
        assert symbols.values[index] == entry["st_value"]
        assert symbols.sizes[index] == entry["st_size"]
        assert symbols.section(index) == _SPECIAL.get(section, section)
        assert symbols.binding(index) == ENUM_ST_INFO_BIND[entry["st_info"]["bind"]]
        if entry["st_info"]["type"] != "STT_SECTION":
            assert symbols.name(index) == entry.name


def test_relocations_are_those_of_pyelftools(sample: Path) -> None:
    elf = read_elf(sample)
    count = 0
    with sample.open("rb") as stream:
        oracle = ELFFile(stream)
        for index, section in enumerate(oracle.iter_sections()):
            if not isinstance(section, RelocationSection):
                continue
            table = read_relocations(elf, elf.sections[index])
            entries = list(section.iter_relocations())
            assert list(table.offsets) == [entry["r_offset"] for entry in entries]
            assert list(table.symbols) == [entry["r_info_sym"] for entry in entries]
            assert [kind & 255 for kind in table.types] == [
                entry["r_info_type"] & 255 for entry in entries
            ]
            if section.is_RELA():
                assert list(table.addends) == [entry["r_addend"] for entry in entries]
            else:
                assert len(table.addends) == 0
            count += len(entries)
    assert count > 5


def test_relocation_types_have_the_names_of_the_processor(sample: Path) -> None:
    elf = read_elf(sample)
    names = relocation_names(elf.header.machine)
    for section in elf.sections:
        if section.kind in (SHT_REL, SHT_RELA):
            for kind in read_relocations(elf, section).types:
                assert names[kind & 255 if elf.header.machine == 8 else kind].startswith("R_")


def test_composite_relocations_of_64_bit_mips_keep_their_three_types(
    build: Callable[..., Path],
) -> None:
    for machine in ("mips64", "mips64el"):
        path = build(machine, "lui $1, %hi(%neg(%gp_rel(f)))\n.globl f\n", ".s")
        elf = read_elf(path)
        section = next(s for s in elf.sections if s.kind == SHT_RELA)
        table = read_relocations(elf, section)
        assert list(table.types) == [7 | 24 << 8 | 5 << 16]  # GPREL16, SUB, HI16
        symbols = find_symbols(elf)
        assert symbols is not None
        assert symbols.name(table.symbols[0]) == "f"


def test_more_sections_than_the_header_can_count_are_followed(build: Callable[..., Path]) -> None:
    text = "".join(f'.section .s{i},"a"\n.globl g{i}\ng{i}: .byte 1\n' for i in range(0xFF10))
    elf = read_elf(build("x86_64", text, ".s"))
    symbols = find_symbols(elf)
    assert symbols is not None
    assert elf.header.section_count == 0
    assert len(elf.sections) > 0xFF10
    last = next(i for i in range(len(symbols)) if symbols.name(i) == f"g{0xFF0F}")
    assert symbols.sections[last] == SHN_XINDEX
    assert elf.sections[symbols.section(last)].name == f".s{0xFF0F}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"#!/bin/sh\n", "a script"),
        (b"\x1f\x8b\x08\0", "a gzip file"),
        (b"!<arch>\n", "an archive"),
        (b"BC\xc0\xde....", "LLVM bitcode"),
        (b"\x7fELF", "cut short"),
        (b"hello, world", "starts with the bytes 68 65 6c 6c"),
        (b"\x7fELF\3\1\1" + bytes(60), "ELF class 1 or 2"),
        (b"\x7fELF\2\1\1" + bytes(20), "ends within its ELF header"),
    ],
)
def test_what_is_no_elf_file_is_one_clear_error(content: bytes, says: str) -> None:
    with pytest.raises(BuildsysError, match=f"^changed.o: .*{says}"):
        reparse(content)


def test_a_directory_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="this is a directory"):
        read_image(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(BuildsysError, match="not a regular file"):
        read_image(fifo)
    with pytest.raises(BuildsysError, match="cannot read"):
        read_image(tmp_path / "nothing")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(3 << 20)
    assert len(read_image(path, 3 << 20)) == 3 << 20
    with pytest.raises(BuildsysError, match="at most 2 MiB"):
        read_image(path, 2 << 20)


def test_every_shorter_file_is_read_or_refused_with_its_name(build: Callable[..., Path]) -> None:
    content = build("x86_64", "int f(void) { return 1; }\n").read_bytes()
    for size in range(len(content)):
        with pytest.raises(BuildsysError, match=r"^changed\.o: "):
            reparse(content[:size])


def test_tables_that_claim_gigabytes_are_refused_before_memory_is_spent(
    build: Callable[..., Path],
) -> None:
    path = build("x86_64", "int f(void) { return 1; }\n")
    elf = read_elf(path)
    symtab = next(s for s in elf.sections if s.name == ".symtab")
    for size in (1 << 32, (1 << 64) - 1):
        content = bytearray(path.read_bytes())
        at = elf.header.section_offset + symtab.index * 64 + 32
        content[at : at + 8] = struct.pack("<Q", size)
        with pytest.raises(BuildsysError, match="it is damaged"):
            reparse(bytes(content))


def test_sections_beyond_the_limit_are_refused(build: Callable[..., Path]) -> None:
    content = bytearray(build("x86_64", "int f(void) { return 1; }\n").read_bytes())
    content[60:62] = struct.pack("<H", 0xFFFE)
    with pytest.raises(BuildsysError, match="section headers"):
        reparse(bytes(content))


def test_names_read_at_once_are_those_read_one_by_one() -> None:
    strings = b"\0first\0\xffodd\0last without end"
    offsets = [0, 1, 3, 7, 8, len(strings) - 1]
    assert strings_at(strings, offsets) == [string_at(strings, offset) for offset in offsets]
