"""An object file as the in-kernel linker takes it in: sys/kern/subr_kobj.c, kobj_load().

The file is read in the kernel's own layout, whatever its e_ident claims, and reading stops where
the kernel stops. Nothing here knows of other modules.
"""

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.check.rulebook import find_rule, finding
from buildsys.check.verdict import Finding, Outcome
from buildsys.elf.model import (
    EM_MIPS,
    ET_REL,
    SHN_ABS,
    SHN_UNDEF,
    SHT_PROGBITS,
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_GLOBAL,
    ElfHeader,
    ElfObject,
    Layout,
    RelocationTable,
    Section,
    SymbolTable,
    show_name,
    strings_at,
)
from buildsys.elf.reader import (
    MAGIC,
    parse_header,
    parse_sections,
    read_relocations,
    read_symbols,
    section_header_bytes,
)
from buildsys.kernel.port import Port

MAXIMUM_KMOD_BYTES = 64 << 20
_MAXIMUM_SECTIONS = 32768  # sys/sys/exec_elf.h, ELF_MAXSHNUM
MAXIMUM_TABLES_BYTES = 16 << 20  # of all tables together; real modules have 2 MiB at most
_EV_CURRENT = 1
_SIGN = 1 << 31
_ENDLESS_BYTES = 1 << 36  # kmem_alloc() with KM_SLEEP waits for ever for so much


@frozen
class Halt:
    """Where the kernel stops with a module; errno is 0 unless it refuses."""

    outcome: Outcome
    errno: int
    findings: tuple[Finding, ...]


@frozen
class KernelObject:
    """A file that passed the first half of kobj_load(), with its tables read.

    defined and undefined map the names of STB_GLOBAL symbols to their entries (the last of equal
    ones), absolute are those defined in no section; relocation_sections are those that the kernel
    looks at, the ones without addend first.
    """

    path: Path
    port: Port
    elf: ElfObject
    symbols: SymbolTable
    defined: Mapping[str, int]
    undefined: Mapping[str, int]
    absolute: frozenset[str]
    relocation_sections: tuple[Section, ...]


@frozen
class RelocationSet:
    """One relocation table as the kernel reads it, and the distinct types and symbols in it."""

    table: RelocationTable
    kinds: frozenset[int]
    symbols: frozenset[int]

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """Give the distinct (type, symbol), which takes a walk over the whole table."""
        return frozenset(zip(self.table.types, self.table.symbols, strict=True))


def halt(
    rule_id: str, path: Path, message: str, kernel_message: str = "", errno: int | None = None
) -> Halt:
    """Stop at one broken rule."""
    return halt_at((finding(rule_id, path, message, kernel_message, errno),))


def halt_at(findings: tuple[Finding, ...]) -> Halt:
    """Stop at findings of which the first decides."""
    outcome = find_rule(findings[0].rule).outcome
    return Halt(outcome, findings[0].errno, findings)


def parse_object(image: memoryview, path: Path, port: Port, layout: Layout) -> KernelObject | Halt:
    """Take a file in as far as its headers, symbol table and names go."""
    header = parse_header(image, layout)
    if header is None:
        return halt("read-failed", path, f"the file of {len(image)} bytes ends within its ELF "
                    "header; it is cut short", "read failed 22")  # fmt: skip
    stop = _judge_header(image, path, port, layout, header)
    if stop is not None:
        return stop
    sections = parse_sections(image, layout, header)
    if sections is None:
        return halt("read-failed", path, "the section headers lie beyond the end of the file; "
                    "it is cut short", "read failed 22")  # fmt: skip
    elf = ElfObject(path, layout, header, sections, image)
    return _judge_tables(elf) or _read_object(elf, port)


def _judge_header(
    image: memoryview, path: Path, port: Port, layout: Layout, header: ElfHeader
) -> Halt | None:
    if bytes(image[:4]) != MAGIC:
        return halt("not-elf", path, "this is not an ELF file", "not an ELF object")
    if header.ident_version != _EV_CURRENT or header.version != _EV_CURRENT:
        return halt("elf-version", path,
                    f"ELF version {header.ident_version}, {header.version} as a {port.name} kernel "
                    f"reads it{_other_layout(header, layout)}",
                    f"unsupported file version {header.ident_version}")  # fmt: skip
    if header.file_type != ET_REL:
        return halt("elf-type", path, f"the file's type is {header.file_type}, not 1 (ET_REL): "
                    "link with 'ld -r'",
                    f"unsupported file type {header.file_type}")  # fmt: skip
    if header.machine not in port.elf_machines:
        return halt("elf-machine", path,
                    f"built for ELF machine {header.machine}; a {port.name} kernel takes "
                    f"{' or '.join(map(str, port.elf_machines))}",
                    f"unsupported machine {header.machine}")  # fmt: skip
    size = section_header_bytes(layout)
    if (
        header.section_count == 0
        or header.section_count > _MAXIMUM_SECTIONS
        or header.section_offset == 0
        or header.section_entry_bytes != size
    ):
        return halt("section-headers", path,
                    f"{header.section_count} section headers of {header.section_entry_bytes} bytes "
                    f"at {header.section_offset}; the kernel expects 1 to {_MAXIMUM_SECTIONS} of "
                    f"{size}{_other_layout(header, layout)}", "bad sizes")  # fmt: skip
    return None


def _other_layout(header: ElfHeader, layout: Layout) -> str:
    width = {1: 32, 2: 64}.get(header.ident_class)
    order = {1: "little", 2: "big"}.get(header.ident_data)
    if width == layout.width_bits and order == layout.order:
        return ""
    return f"; the file says {width or '?'}-bit {order or '?'}-endian, the kernel is {layout}"


def _judge_tables(elf: ElfObject) -> Halt | None:
    sections, path = elf.sections, elf.path
    if not any(section.is_loaded for section in sections):
        return halt("no-content", path, "no section has content to load", "file has no contents")
    symtabs = [s for s in sections if s.kind == SHT_SYMTAB]
    if len(symtabs) != 1:
        return halt("symbol-table", path,
                    f"the file has {len(symtabs)} symbol tables, the kernel needs one"
                    + ("" if symtabs else " (it was stripped: use strip -g)"),
                    "file has no valid symbol table")  # fmt: skip
    link = symtabs[0].link
    if link >= _SIGN:
        return halt("symbol-strings-index", path, f"the symbol table takes its names from section "
                    f"{link}, which the kernel takes for {link - 2 * _SIGN}")  # fmt: skip
    if not 0 < link < len(sections) or sections[link].kind != SHT_STRTAB:
        return halt("symbol-strings", path, f"the symbol table takes its names from section {link}",
                    "file has invalid symbol strings")  # fmt: skip
    return _judge_symbol_section(elf, symtabs[0], sections[link]) or _judge_claims(
        elf, (symtabs[0], sections[link])
    )


def _judge_claims(elf: ElfObject, symbols: Sequence[Section]) -> Halt | None:
    """Judge what the relocation sections point to, and how much all tables say they hold."""
    path, count = elf.path, len(elf.sections)
    tables = [s for s in elf.sections if s.kind in (SHT_REL, SHT_RELA)]
    for section in tables:
        if section.info >= count:
            return halt("relocation-target", path,
                        f"section {section.index} ({show_name(section.name)}) relocates section "
                        f"{section.info}, there are {count}")  # fmt: skip
    claimed = sum(section.size for section in (*tables, *symbols) if elf.has_content(section))
    if claimed > MAXIMUM_TABLES_BYTES:
        return halt("table-size", path, f"its tables have {claimed} bytes; this check reads up to "
                    f"{MAXIMUM_TABLES_BYTES}")  # fmt: skip
    return None


def symbol_bytes(layout: Layout) -> int:
    """Give the size of one entry of a symbol table."""
    return 24 if layout.width_bits == 64 else 16


def relocation_bytes(layout: Layout, kind: int) -> int:
    """Give the size of one entry of a SHT_REL or SHT_RELA section."""
    return (3 if kind == SHT_RELA else 2) * layout.pointer_bytes


def _whole_entries(section: Section, unit: int) -> Section:
    rest = section.size % unit
    return replace(section, size=section.size - rest) if rest else section


def _is_endless(section: Section) -> bool:
    return section.size >= _ENDLESS_BYTES


def _judge_symbol_section(elf: ElfObject, symtab: Section, strings: Section) -> Halt | None:
    path = elf.path
    if symtab.size < symbol_bytes(elf.layout):
        return halt("symbol-table-empty", path, "the symbol table is empty", "no symbol table")
    if _is_endless(symtab) or _is_endless(strings):
        return halt("table-memory", path, "its symbol table or the names in it say that they have "
                    f"{max(symtab.size, strings.size)} bytes")  # fmt: skip
    if not elf.has_content(_whole_entries(symtab, symbol_bytes(elf.layout))):
        return halt("read-failed", path, "the symbol table lies beyond the end of the file",
                    "read failed 22")  # fmt: skip
    if strings.size == 0:
        return halt("symbol-strings", path, "the symbol table's strings are empty",
                    "no symbol strings")  # fmt: skip
    if not elf.has_content(strings):
        return halt("read-failed", path, "the symbol names lie beyond the end of the file",
                    "read failed 22")  # fmt: skip
    index = elf.header.name_section
    if index >= len(elf.sections):
        return halt("section-names", path, f"e_shstrndx is {index}, there are "
                    f"{len(elf.sections)} sections", "bad shstrndx")  # fmt: skip
    names = elf.sections[index]
    if index and names.kind == SHT_STRTAB and names.size and not elf.has_content(names):
        return halt("read-failed", path, "the section names lie beyond the end of the file",
                    "read failed 22")  # fmt: skip
    return None


def _read_object(elf: ElfObject, port: Port) -> KernelObject | Halt:
    symtab = next(s for s in elf.sections if s.kind == SHT_SYMTAB)
    # the kernel reads whole entries, and knows nothing of SHT_SYMTAB_SHNDX
    symtab = _whole_entries(symtab, symbol_bytes(elf.layout))
    symbols = replace(read_symbols(elf, symtab), extended=())
    offsets, limit = symbols.name_offsets, len(symbols.strings)
    entries = [i for i, info in enumerate(symbols.infos) if info >> 4 == STB_GLOBAL and offsets[i]]
    for entry in entries:
        if offsets[entry] >= limit:
            return halt("symbol-name", elf.path,
                        f"the name of symbol {entry} is at {offsets[entry]}, beyond the strings "
                        f"({limit} bytes); the kernel would read foreign memory")  # fmt: skip
    defined: dict[str, int] = {}
    undefined: dict[str, int] = {}
    sections, strings = symbols.sections, symbols.strings
    names_read = strings_at(strings, [offsets[entry] for entry in entries])
    for entry, name in zip(entries, names_read, strict=True):
        into = undefined if sections[entry] == SHN_UNDEF else defined
        into[name] = entry
    looked_at = tuple(
        section
        for kind in (SHT_REL, SHT_RELA)
        for section in elf.sections
        if section.kind == kind and elf.sections[section.info].kind == SHT_PROGBITS
    )
    absolute = frozenset(name for name, entry in defined.items() if sections[entry] == SHN_ABS)
    return KernelObject(elf.path, port, elf, symbols, defined, undefined, absolute, looked_at)


def read_relocation_sets(kobj: KernelObject) -> tuple[RelocationSet, ...]:
    """Read the relocations that the kernel looks at; their sections lie within the file."""
    sets = []
    for section in kobj.relocation_sections:
        whole = _whole_entries(section, relocation_bytes(kobj.elf.layout, section.kind))
        table = _as_kernel_reads(kobj, read_relocations(kobj.elf, whole))
        sets.append(RelocationSet(table, frozenset(table.types), frozenset(table.symbols)))
    return tuple(sets)


def _as_kernel_reads(kobj: KernelObject, table: RelocationTable) -> RelocationTable:
    """Undo what 64-bit little-endian MIPS does to r_info: the kernel does not know of it.

    sys/sys/exec_elf.h, ELF64_R_SYM and ELF64_R_TYPE are the plain ones on every port.
    """
    layout = kobj.elf.layout
    if kobj.elf.header.machine != EM_MIPS or layout.width_bits != 64 or not layout.is_little:
        return table
    symbols = array("I", table.types)
    symbols.byteswap()
    return replace(table, types=table.symbols, symbols=symbols)
