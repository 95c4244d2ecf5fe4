"""What words and strings of an object file will hold once the kernel has loaded it."""

import bisect
from collections.abc import Sequence

from buildsys.base.value import frozen
from buildsys.elf.model import (
    EMPTY_SYMBOLS,
    ET_REL,
    SHF_ALLOC,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NOBITS,
    SHT_REL,
    SHT_RELA,
    STB_LOCAL,
    ElfObject,
    RelocationTable,
    SymbolTable,
    string_at,
)
from buildsys.elf.reader import find_symbols, read_relocations

# The relocation types that store symbol plus addend in a whole pointer, by (ELF machine, width).
# Numbers from the ports' sys/arch/*/include/elf_machdep.h.
POINTER_RELOCATIONS: dict[tuple[int, int], tuple[int, ...]] = {
    (62, 64): (1,),  # R_X86_64_64
    (3, 32): (1,),  # R_386_32
    (6, 32): (1,),  # EM_486 as above
    (183, 64): (257,),  # R_AARCH64_ABS64
    (40, 32): (2,),  # R_ARM_ABS32
    (8, 32): (2,),  # R_MIPS_32
    (8, 64): (18,),  # R_MIPS_64
    (20, 32): (1,),  # R_PPC_ADDR32
    (21, 64): (38,),  # R_PPC_ADDR64
    (2, 32): (3, 23),  # R_SPARC_32, R_SPARC_UA32
    (18, 32): (3, 23),
    (43, 64): (32, 54),  # R_SPARC_64, R_SPARC_UA64
    (243, 64): (2,),  # R_RISCV_64
    (243, 32): (1,),  # R_RISCV_32
    (41, 64): (2,),  # R_ALPHA_REFQUAD
    (36902, 64): (2,),
    (15, 32): (1, 65),  # R_PARISC_DIR32, R_PARISC_PLABEL32
    (4, 32): (1,),  # R_68K_32
    (42, 32): (1,),  # R_SH_DIR32
    (75, 32): (1,),  # R_VAX_32
    (50, 64): (39, 38),  # R_IA_64_DIR64LSB, R_IA_64_DIR64MSB
    (92, 32): (1,),  # R_OR1K_32
}


@frozen
class Pointer:
    """Where a pointer leads: into a section, or (section None) to a bare number.

    symbol is the symbol's index when a relocation through it made the pointer, else 0.
    """

    section: int | None
    offset: int
    symbol: int = 0

    @property
    def is_null(self) -> bool:
        """Tell whether this is the null pointer for certain."""
        return self.section is None and self.offset == 0 and self.symbol == 0


@frozen
class Memory:
    """An object's loaded content.

    With is_before_affix only relocations against local symbols are in effect, as while the
    kernel reads modinfo (sys/kern/subr_kobj.c, kobj_load()); without it those against symbols
    that the file itself defines are too.
    """

    elf: ElfObject
    symbols: SymbolTable
    relocations: Sequence[RelocationTable]
    is_before_affix: bool = False
    ranges: Sequence[tuple[int, int, int]] = ()  # of a linked image: address, size, section

    def word(self, section: int, offset: int) -> int | None:
        """Read an unsigned number of 4 bytes; None when it lies outside the section."""
        return self._number(section, offset, 4)

    def pointer(self, section: int, offset: int) -> Pointer | None:
        """Read a pointer; None when it lies outside the section."""
        value = self._number(section, offset, self.elf.layout.pointer_bytes)
        if value is None:
            return None
        if self.elf.header.file_type != ET_REL:
            return self.at_address(value)
        pointer = Pointer(None, value)
        for table in self.relocations:
            if table.target == section:
                pointer = self._relocate(table, offset, pointer, value)
        return pointer

    def string(self, pointer: Pointer) -> str | None:
        """Read the string that a pointer leads to; None when it leads to no content."""
        if pointer.section is None or pointer.section >= len(self.elf.sections):
            return None
        section = self.elf.sections[pointer.section]
        if section.kind == SHT_NOBITS:
            return "" if 0 <= pointer.offset < section.size else None
        if not (0 <= pointer.offset < section.size and self.elf.has_content(section)):
            return None
        return string_at(self.elf.content(section), pointer.offset)

    def _number(self, index: int, offset: int, size: int) -> int | None:
        if index >= len(self.elf.sections):
            return None
        section = self.elf.sections[index]
        if offset < 0 or offset + size > section.size or not self.elf.has_content(section):
            return None
        if section.kind == SHT_NOBITS:
            return 0
        at = section.offset + offset
        return int.from_bytes(self.elf.image[at : at + size], self.elf.layout.order)

    def _relocate(
        self, table: RelocationTable, offset: int, pointer: Pointer, content: int
    ) -> Pointer:
        elf = self.elf
        kinds = POINTER_RELOCATIONS.get((elf.header.machine, elf.layout.width_bits), ())
        for entry in _entries_at(table, offset):
            symbol = table.symbols[entry]
            if table.types[entry] not in kinds or symbol >= len(self.symbols):
                continue
            if self.is_before_affix and self.symbols.binding(symbol) != STB_LOCAL:
                continue
            addend = table.addends[entry] if table.is_rela else content
            pointer = self._follow(symbol, addend)
        return pointer

    def _follow(self, symbol: int, addend: int) -> Pointer:
        section = self.symbols.section(symbol)
        wrapped = (self.symbols.values[symbol] + addend) % (1 << self.elf.layout.width_bits)
        if symbol == 0:
            return Pointer(None, wrapped)
        if section == SHN_UNDEF or section >= SHN_LORESERVE or section >= len(self.elf.sections):
            return Pointer(None, wrapped, symbol)
        return Pointer(section, wrapped, symbol)

    def at_address(self, address: int) -> Pointer:
        """Turn an address of a linked image into a place in a section."""
        found = bisect.bisect_right(self.ranges, (address, 1 << 64, 0)) - 1
        if found >= 0:
            start, size, index = self.ranges[found]
            if address - start < size:
                return Pointer(index, address - start)
        return Pointer(None, address)


def load_memory(elf: ElfObject) -> Memory:
    """Read what it takes to follow pointers in link_set_modules; raises on a damaged file."""
    symbols = find_symbols(elf)
    tables: tuple[RelocationTable, ...] = ()
    if symbols is not None and elf.header.file_type == ET_REL:
        tables = tuple(
            read_relocations(elf, section)
            for section in elf.sections
            if section.kind in (SHT_REL, SHT_RELA) and _holds_data(elf, section.info)
        )
    ranges = sorted((s.address, s.size, s.index) for s in elf.sections if s.flags & SHF_ALLOC)
    return Memory(elf, symbols or EMPTY_SYMBOLS, tables, ranges=ranges)


def _holds_data(elf: ElfObject, index: int) -> bool:
    """Tell whether pointers may stand in that section: text and debugging are not read."""
    if not 0 < index < len(elf.sections):
        return False
    section = elf.sections[index]
    return section.is_loaded and not section.is_executable and not section.name.startswith(".debug")


def _entries_at(table: RelocationTable, offset: int) -> list[int]:
    entries: list[int] = []
    start = 0
    while True:
        try:
            start = table.offsets.index(offset, start) + 1
        except ValueError:
            return entries
        entries.append(start - 1)
