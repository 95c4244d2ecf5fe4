"""Everything that a kmod says of itself, for 'modbuild info': as a value, as JSON, as text."""

from collections import Counter
from pathlib import Path

from buildsys.base.digest import digest_bytes
from buildsys.base.value import as_dict, frozen
from buildsys.elf.memory import load_memory
from buildsys.elf.model import (
    EM_MIPS,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_UNDEF,
    SHT_REL,
    SHT_RELA,
    STB_GLOBAL,
    STB_WEAK,
    ElfObject,
    SymbolTable,
    show_name,
)
from buildsys.elf.modinfo import find_link_set, read_modinfo
from buildsys.elf.notes import ident_version, read_notes
from buildsys.elf.reader import read_elf, read_relocations, relocation_names

MAXIMUM_KMOD_BYTES = 64 << 20
_FILE_TYPES = {0: "NONE", 1: "REL", 2: "EXEC", 3: "DYN", 4: "CORE"}
_MACHINES = {
    2: "sparc", 3: "i386", 4: "m68k", 6: "i486", 8: "mips", 15: "hppa", 18: "sparc32plus",
    20: "powerpc", 21: "powerpc64", 40: "arm", 41: "alpha (old)", 42: "sh3", 43: "sparc64",
    50: "ia64", 62: "x86_64", 75: "vax", 92: "or1k", 183: "aarch64", 243: "riscv",
    36902: "alpha",
}  # fmt: skip
_SECTION_TYPES = {
    0: "NULL", 1: "PROGBITS", 2: "SYMTAB", 3: "STRTAB", 4: "RELA", 5: "HASH", 6: "DYNAMIC",
    7: "NOTE", 8: "NOBITS", 9: "REL", 11: "DYNSYM", 14: "INIT_ARRAY", 15: "FINI_ARRAY",
    16: "PREINIT_ARRAY", 17: "GROUP", 18: "SYMTAB SECTION INDICES", 0x6FFFFFF5: "GNU_ATTRIBUTES",
    0x6FFFFFF6: "GNU_HASH",
}  # fmt: skip
_PROCESSOR_TYPES = {
    (40, 0x70000001): "ARM_EXIDX", (40, 0x70000003): "ARM_ATTRIBUTES",
    (62, 0x70000001): "X86_64_UNWIND", (243, 0x70000003): "RISCV_ATTRIBUTES",
    (8, 0x70000005): "MIPS_DEBUG", (8, 0x70000006): "MIPS_REGINFO", (8, 0x7000000D): "MIPS_OPTIONS",
    (8, 0x7000001E): "MIPS_DWARF", (8, 0x7000002A): "MIPS_ABIFLAGS",
}  # fmt: skip
_LOOS, _LOPROC, _LOUSER = 0x60000000, 0x70000000, 0x80000000
_FLAGS = ((SHF_WRITE, "W"), (SHF_ALLOC, "A"), (SHF_EXECINSTR, "X"), (16, "M"), (32, "S"),
          (64, "I"), (128, "L"), (512, "G"), (1024, "T"), (2048, "C"))  # fmt: skip


@frozen
class SectionFacts:
    """One section; size and alignment are bytes, type and flags as readelf(1) spells them."""

    name: str
    type: str
    flags: str
    size: int
    alignment: int


@frozen
class KmodFacts:
    """What a kmod says of itself; version and note_version are MMmmrrpp00, None when absent."""

    path: str
    file_size: int
    sha256: str
    name: str | None
    module_class: str | None
    version: int | None
    requires: str | None
    note_version: int | None
    file_type: str
    machine: str
    machine_number: int
    width_bits: int
    byte_order: str
    sections: tuple[SectionFacts, ...]
    undefined: tuple[str, ...]
    weak_undefined: tuple[str, ...]
    defined: tuple[str, ...]
    relocations: tuple[tuple[str, int], ...]  # type and how many, by name


def describe_kmod(path: Path) -> KmodFacts:
    """Read a kmod; a file without modinfo is described too, a damaged one is an error."""
    elf = read_elf(path, MAXIMUM_KMOD_BYTES)
    memory = load_memory(elf)
    modinfo = read_modinfo(memory) if find_link_set(elf) is not None else None
    symbols = memory.symbols
    machine = elf.header.machine
    return KmodFacts(
        path=str(path),
        file_size=len(elf.image),
        sha256=digest_bytes(bytes(elf.image)).hex(),
        name=None if modinfo is None else modinfo.name,
        module_class=None if modinfo is None else modinfo.class_name,
        version=None if modinfo is None else modinfo.version,
        requires=None if modinfo is None else modinfo.required,
        note_version=ident_version(elf, read_notes(elf)),
        file_type=_FILE_TYPES.get(elf.header.file_type, str(elf.header.file_type)),
        machine=_MACHINES.get(machine, f"machine {machine}"),
        machine_number=machine,
        width_bits=elf.layout.width_bits,
        byte_order=elf.layout.order,
        sections=tuple(
            SectionFacts(
                s.name, _show_type(machine, s.kind), _show_flags(s.flags), s.size, s.alignment
            )
            for s in elf.sections[1:]
        ),
        undefined=_names_of(symbols, STB_GLOBAL, is_undefined=True),
        weak_undefined=_names_of(symbols, STB_WEAK, is_undefined=True),
        defined=_names_of(symbols, STB_GLOBAL, is_undefined=False),
        relocations=_count_relocations(elf),
    )


def describe_document(facts: KmodFacts) -> dict[str, object]:
    """Give the facts as JSON has them, with "format": 1."""
    document: dict[str, object] = {"format": 1}
    document.update(as_dict(facts))
    document["relocations"] = dict(facts.relocations)
    return document


def render_facts(facts: KmodFacts) -> str:
    """Give the facts as lines for people, much as modinfo(8) and readelf(1) would."""
    lines = [
        _line("name", facts.name),
        _line("class", facts.module_class),
        _line("version", facts.version),
        _line("requires", facts.requires or "-"),
        _line("note", facts.note_version),
        _line("machine", f"{facts.machine}, {facts.width_bits}-bit, {facts.byte_order}-endian"),
        _line("type", facts.file_type),
        _line("size", f"{facts.file_size} bytes"),
        _line("sha256", facts.sha256),
        _line(
            "symbols",
            f"{len(facts.defined)} global, {len(facts.undefined)} undefined"
            + (f", {len(facts.weak_undefined)} weak undefined" if facts.weak_undefined else ""),
        ),
        _line("relocs", ", ".join(f"{count} {name}" for name, count in facts.relocations) or "-"),
        "sections",
    ]
    width = max((len(show_name(s.name)) for s in facts.sections), default=0)
    lines += [
        f"  {show_name(s.name):{width}}  {s.type:12} {s.flags:5} {s.size:8} align {s.alignment}"
        for s in facts.sections
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: object) -> str:
    return f"{key:9} {show_name('-' if value is None else str(value))}"


def _show_type(machine: int, kind: int) -> str:
    name = _SECTION_TYPES.get(kind) or _PROCESSOR_TYPES.get((machine, kind))
    if name is not None:
        return name
    for base, word in ((_LOUSER, "LOUSER"), (_LOPROC, "LOPROC"), (_LOOS, "LOOS")):
        if kind >= base:
            return f"{word}+0x{kind - base:x}"
    return f"0x{kind:x}"


def _show_flags(flags: int) -> str:
    return "".join(letter for bit, letter in _FLAGS if flags & bit)


def _names_of(symbols: SymbolTable, binding: int, is_undefined: bool) -> tuple[str, ...]:
    return tuple(
        sorted(
            symbols.name(index)
            for index, info in enumerate(symbols.infos)
            if info >> 4 == binding
            and (symbols.sections[index] == SHN_UNDEF) == is_undefined
            and symbols.name_offsets[index]
        )
    )


def _count_relocations(elf: ElfObject) -> tuple[tuple[str, int], ...]:
    counts: Counter[int] = Counter()
    for section in elf.sections:
        if section.kind in (SHT_REL, SHT_RELA):
            counts.update(read_relocations(elf, section).types)
    named = Counter[str]()
    for kind, count in counts.items():
        named[show_relocation(elf.header.machine, elf.layout.width_bits, kind)] += count
    return tuple(sorted(named.items()))


def show_relocation(machine: int, width_bits: int, kind: int) -> str:
    """Name a relocation type; the up to three of 64-bit MIPS are joined by '/'."""
    names = relocation_names(machine)
    parts = [kind]
    if machine == EM_MIPS and width_bits == 64:
        parts = [part for part in (kind & 255, kind >> 8 & 255, kind >> 16 & 255) if part] or [0]
    return "/".join(names.get(part, f"type {part}") for part in parts)
