"""Facts of one ELF object file as frozen values; knows nothing of how they are read or judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen

SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_RELA = 4
SHT_NOTE = 7
SHT_NOBITS = 8
SHT_REL = 9
SHT_SYMTAB_SHNDX = 18
SHF_WRITE = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2
SHN_XINDEX = 0xFFFF
STB_LOCAL = 0
STB_GLOBAL = 1
STB_WEAK = 2
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3
STT_FILE = 4
ET_REL = 1
ET_EXEC = 2
ET_DYN = 3
EM_MIPS = 8
EM_SPARCV9 = 43
EM_AARCH64 = 183
_SHOWN_CHARACTERS = 120
_STRING_BYTES = 4096  # the longest name read from a section


def show_name(name: str) -> str:
    """Give a name from a file so that it can stand in a message: printable and not too long."""
    if len(name) <= _SHOWN_CHARACTERS and name.isprintable():
        return name
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


@frozen
class Layout:
    """How the numbers of a file are laid out: 32 or 64 bits wide, which byte first."""

    width_bits: int
    is_little: bool

    @property
    def order(self) -> Literal["little", "big"]:
        """Name the byte order as int.from_bytes does."""
        return "little" if self.is_little else "big"

    @property
    def pointer_bytes(self) -> int:
        """Give the size of a pointer."""
        return self.width_bits // 8

    def __str__(self) -> str:
        return f"{self.width_bits}-bit {self.order}-endian"


@frozen
class ElfHeader:
    """The file header; ident_class and ident_data are what e_ident claims (1 or 2 when sane)."""

    ident_class: int
    ident_data: int
    ident_version: int
    os_abi: int
    file_type: int
    machine: int
    version: int
    entry: int
    flags: int
    section_offset: int
    section_entry_bytes: int
    section_count: int
    name_section: int


@frozen
class Section:
    """One section header; name_offset counts into the section-name table."""

    index: int
    name: str
    name_offset: int
    kind: int  # SHT_*
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_bytes: int

    @property
    def is_loaded(self) -> bool:
        """Tell whether the kernel puts it into memory: sys/kern/subr_kobj.c, kobj_load()."""
        return self.kind in (SHT_PROGBITS, SHT_NOBITS)

    @property
    def is_executable(self) -> bool:
        """Tell whether it goes with the text."""
        return bool(self.flags & SHF_EXECINSTR)

    @property
    def is_writable(self) -> bool:
        """Tell whether its flags ask for writing."""
        return bool(self.flags & SHF_WRITE)


@frozen
class SymbolTable:
    """A symbol table as columns: entry i has name_offsets[i], infos[i] and so on.

    sections holds st_shndx as it stands in the file; extended (SHT_SYMTAB_SHNDX) is empty or as
    long as the table and says where SHN_XINDEX points. Columns are not to be written to.
    """

    name_offsets: Sequence[int]
    infos: bytes
    others: bytes
    sections: Sequence[int]
    values: Sequence[int]
    sizes: Sequence[int]
    strings: bytes
    extended: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.infos)

    def name(self, index: int) -> str:
        """Give an entry's name; '' when it has none or its offset lies outside the strings."""
        return string_at(self.strings, self.name_offsets[index])

    def has_name(self, index: int) -> bool:
        """Tell whether an entry has a name, without reading it."""
        offset = self.name_offsets[index]
        return offset < len(self.strings) and self.strings[offset] != 0

    def binding(self, index: int) -> int:
        """Give STB_* of an entry."""
        return self.infos[index] >> 4

    def kind(self, index: int) -> int:
        """Give STT_* of an entry."""
        return self.infos[index] & 15

    def section(self, index: int) -> int:
        """Give an entry's section, SHN_XINDEX followed."""
        section = self.sections[index]
        if section == SHN_XINDEX and self.extended:
            return self.extended[index]
        return section


EMPTY_SYMBOLS = SymbolTable((), b"", b"", (), (), (), b"")


@frozen
class RelocationTable:
    """One SHT_REL or SHT_RELA section as columns; addends is empty for REL.

    types holds the whole type field: on 64-bit MIPS up to three types, the first in the low byte.
    """

    index: int
    target: int
    is_rela: bool
    offsets: Sequence[int]
    types: Sequence[int]
    symbols: Sequence[int]
    addends: Sequence[int]

    def __len__(self) -> int:
        return len(self.offsets)


@frozen
class Note:
    """One entry of a note section."""

    section: str
    owner: str
    kind: int
    content: bytes


@frozen
class ElfObject:
    """An ELF file: header, sections and the bytes themselves; tables are read on demand."""

    path: Path
    layout: Layout
    header: ElfHeader
    sections: tuple[Section, ...]
    image: memoryview

    def fail(self, message: str) -> BuildsysError:
        """Give the error that says what is wrong with this file; the caller raises it."""
        return BuildsysError(message, self.path)

    def find_section(self, name: str) -> Section | None:
        """Find the first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def has_content(self, section: Section) -> bool:
        """Tell whether a section's bytes lie within the file."""
        if section.kind == SHT_NOBITS or section.size == 0:
            return True
        return section.offset + section.size <= len(self.image)

    def content(self, section: Section) -> memoryview:
        """Give a section's bytes; raises when they lie outside the file."""
        if section.kind == SHT_NOBITS:
            return memoryview(b"")
        if not self.has_content(section):
            raise self.fail(
                f"section {section.index} ({show_name(section.name)}) says that it ends at byte "
                f"{section.offset + section.size}, but the file has {len(self.image)}; "
                "the file is cut short or damaged, make it again"
            )
        return self.image[section.offset : section.offset + section.size]


def string_at(strings: bytes | memoryview, offset: int) -> str:
    """Read a NUL-ended string; '' when offset lies outside, the rest when nothing ends it."""
    if not 0 <= offset < len(strings):
        return ""
    if isinstance(strings, memoryview):
        strings = bytes(strings[offset : offset + _STRING_BYTES])
        offset = 0
    end = strings.find(b"\0", offset)
    return decode_name(strings[offset:] if end < 0 else strings[offset:end])


def strings_at(strings: bytes, offsets: Sequence[int]) -> list[str]:
    """Read what string_at would, of many offsets that lie inside."""
    find = strings.find
    ends = [find(b"\0", offset) for offset in offsets]
    return [
        strings[offset : end if end >= 0 else None].decode("utf-8", "backslashreplace")
        for offset, end in zip(offsets, ends, strict=True)
    ]


def decode_name(name: bytes | memoryview) -> str:
    """Turn the bytes of a name into text; what is not UTF-8 is spelled as hexadecimal escapes."""
    return bytes(name).decode("utf-8", "backslashreplace")
