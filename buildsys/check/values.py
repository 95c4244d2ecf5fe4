"""Relocated values that a port's kobj_reloc() refuses, or takes and gets wrong.

Only what the file itself decides is judged: distances within one section, alignment that the
section's own alignment fixes, and instructions. Where a module lands decides the rest.
"""

from collections.abc import Iterator

from buildsys.check.kobj import Halt, KernelObject, RelocationSet, halt_at
from buildsys.check.relocations import RELOCATION_RULES
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Finding
from buildsys.elf.model import SHN_ABS, SHN_UNDEF, STB_LOCAL, show_name

_ARM_BRANCHES = frozenset({1, 28, 29})  # PC24, CALL, JUMP24
_ARM_MOVES = frozenset({43, 44})  # MOVW_ABS_NC, MOVT_ABS
_AARCH64_SCALES = {284: 2, 285: 4, 286: 8}  # LDST16, LDST32, LDST64_ABS_LO12_NC
_AARCH64_BRANCHES = frozenset({282, 283})  # JUMP26, CALL26
_AARCH64_PREL16 = 262
_POWERPC_HALVES = frozenset({3, 249})  # ADDR16, REL16
_MIPS_26 = 4
_AMD64_32 = 10
_JUDGED = {
    "arm": _ARM_BRANCHES | _ARM_MOVES,
    "aarch64": frozenset(_AARCH64_SCALES) | _AARCH64_BRANCHES | {_AARCH64_PREL16},
    "powerpc": _POWERPC_HALVES,
    "powerpc64": _POWERPC_HALVES,
}


def judge_values(kobj: KernelObject, relocations: RelocationSet, is_local: bool) -> Halt | None:
    """Refuse at the first relocation of a pass whose value does not fit for certain."""
    kinds = _JUDGED.get(kobj.port.name, frozenset())
    if not kinds & relocations.kinds:
        return None
    for entry in _entries(kobj, relocations, kinds, is_local):
        trouble = _trouble(kobj, relocations, entry)
        if trouble:
            place = _place(kobj, relocations, entry)
            source = f"{RELOCATION_RULES[kobj.port.name].source}, kobj_reloc"
            found = finding("relocation-value", kobj.path, f"{place}: {trouble}", source=source)
            return halt_at((found,))
    return None


def warn_of_values(kobj: KernelObject, sets: tuple[RelocationSet, ...]) -> Iterator[Finding]:
    """relocation-truncated, -ignored, -wrong: what the kernel takes and gets wrong; one each."""
    for relocations in sets:
        found = _first_wrong(kobj, relocations)
        if found is not None:
            rule_id, entry, message = found
            place = _place(kobj, relocations, entry)
            yield finding(rule_id, kobj.path, f"{place}: {message}")


def _entries(
    kobj: KernelObject, relocations: RelocationSet, kinds: frozenset[int], is_local: bool
) -> Iterator[int]:
    table, symbols = relocations.table, kobj.symbols
    for entry, kind in enumerate(table.types):
        symbol = table.symbols[entry]
        if kind not in kinds or symbol >= len(symbols):
            continue
        if (symbols.binding(symbol) == STB_LOCAL) == is_local:
            yield entry


def _place(kobj: KernelObject, relocations: RelocationSet, entry: int) -> str:
    table = relocations.table
    return f"{show_name(kobj.elf.sections[table.target].name)}+0x{table.offsets[entry]:x}"


def _trouble(kobj: KernelObject, relocations: RelocationSet, entry: int) -> str:
    """Say why the value of one relocation is refused, '' when it is not."""
    match kobj.port.name:
        case "arm":
            return _arm_trouble(kobj, relocations, entry)
        case "aarch64":
            return _aarch64_trouble(kobj, relocations, entry)
        case _:
            return _powerpc_trouble(kobj, relocations, entry)


def _arm_trouble(kobj: KernelObject, relocations: RelocationSet, entry: int) -> str:
    kind, word = relocations.table.types[entry], _word(kobj, relocations, entry)
    if kind in _ARM_MOVES:
        if word is not None and word & 0x0FB00000 != 0x03000000:
            return f"the instruction 0x{word:08x} is neither movw nor movt"
        return ""
    target = _section_value(kobj, relocations, entry)
    if word is None or target is None or _is_left_alone(kobj, relocations, entry):
        return ""
    section, value = target
    place = relocations.table.offsets[entry]
    if _alignment(kobj, section) >= 4 and (value - place) & 3:
        return "a branch to what is not aligned to 4 bytes"
    addend = (word & 0xFFFFFF) - (0x1000000 if word & 0x800000 else 0)
    if section == relocations.table.target and not _fits(value - place + (addend << 2), 26):
        return "a branch to what is further away than 32 MiB"
    return ""


def _aarch64_trouble(kobj: KernelObject, relocations: RelocationSet, entry: int) -> str:
    table = relocations.table
    kind, addend = table.types[entry], table.addends[entry] if table.is_rela else 0
    target = _section_value(kobj, relocations, entry)
    if target is None:
        is_far = kind in _AARCH64_BRANCHES and _absolute_value(kobj, relocations, entry) is not None
        return "a branch to a bare number, too far away" if is_far else ""
    section, value = target
    value += addend
    scale = _AARCH64_SCALES.get(kind, 4)
    if kind != _AARCH64_PREL16 and _alignment(kobj, section) >= scale and value % scale:
        return f"0x{value:x} in its section is not aligned to {scale} bytes"
    if section != table.target:
        return ""
    distance = value - table.offsets[entry]
    if kind == _AARCH64_PREL16 and not _fits(distance, 17):
        return f"the distance {distance} does not fit 16 bits"
    if kind in _AARCH64_BRANCHES and not _fits(distance >> 2, 27):
        return f"the distance {distance} does not fit a branch"
    return ""


def _powerpc_trouble(kobj: KernelObject, relocations: RelocationSet, entry: int) -> str:
    table = relocations.table
    addend = table.addends[entry] if table.is_rela else 0
    absolute = _absolute_value(kobj, relocations, entry)
    target = _section_value(kobj, relocations, entry)
    if table.types[entry] == 3:  # ADDR16: no address of a kernel fits into 16 bits
        value = None if absolute is None else absolute + addend
        is_fit = (target is None and value is None) or (value is not None and _fits(value, 16))
        return "" if is_fit else "an address does not fit 16 bits"
    if target is None or target[0] != table.target:
        return ""
    distance = target[1] + addend - table.offsets[entry]
    return "" if _fits(distance, 16) else f"the distance {distance} does not fit 16 bits"


def _first_wrong(kobj: KernelObject, relocations: RelocationSet) -> tuple[str, int, str] | None:
    name, table = kobj.port.name, relocations.table
    section = kobj.elf.sections[table.target]
    kinds = relocations.kinds
    if section.name.startswith((".debug", ".stab")):
        return None
    if name == "amd64" and _AMD64_32 in kinds:
        return _first_truncated(kobj, relocations)
    if name == "arm" and kinds & _ARM_BRANCHES:
        for entry in _entries(kobj, relocations, _ARM_BRANCHES, True):
            if _is_left_alone(kobj, relocations, entry):
                return (
                    "relocation-ignored", entry,
                    "the kernel leaves a branch to a local symbol as it is when an offset is in it",
                )  # fmt: skip
    if name in ("mips", "mips64") and _MIPS_26 in kinds:
        entry = next(i for i, kind in enumerate(table.types) if kind == _MIPS_26)
        return "relocation-wrong", entry, "a jump within 256 MiB, whose address the port gets wrong"
    return None


def _first_truncated(kobj: KernelObject, relocations: RelocationSet) -> tuple[str, int, str] | None:
    table = relocations.table
    for entry, kind in enumerate(table.types):
        symbol = table.symbols[entry]
        if kind != _AMD64_32 or not 0 < symbol < len(kobj.symbols):
            continue
        if kobj.symbols.sections[symbol] != SHN_ABS:
            return (
                "relocation-truncated", entry,
                "R_X86_64_32 stores the lower 32 bits of an address that has 64",
            )  # fmt: skip
    return None


def _is_left_alone(kobj: KernelObject, relocations: RelocationSet, entry: int) -> bool:
    """Tell whether arm passes over a branch: to a local symbol, and not by -8 from itself."""
    symbol = relocations.table.symbols[entry]
    word = _word(kobj, relocations, entry)
    is_local = kobj.symbols.binding(symbol) == STB_LOCAL
    return is_local and word is not None and word & 0xFFFFFF != 0xFFFFFE


def _word(kobj: KernelObject, relocations: RelocationSet, entry: int) -> int | None:
    section = kobj.elf.sections[relocations.table.target]
    offset = relocations.table.offsets[entry]
    if offset + 4 > section.size or not kobj.elf.has_content(section):
        return None
    at = section.offset + offset
    return int.from_bytes(kobj.elf.image[at : at + 4], kobj.elf.layout.order)


def _section_value(
    kobj: KernelObject, relocations: RelocationSet, entry: int
) -> tuple[int, int] | None:
    """Give a symbol's section and offset when it stands in a loaded one."""
    symbol = relocations.table.symbols[entry]
    section = kobj.symbols.sections[symbol]
    sections = kobj.elf.sections
    if SHN_UNDEF < section < len(sections) and sections[section].is_loaded:
        return section, kobj.symbols.values[symbol]
    return None


def _absolute_value(kobj: KernelObject, relocations: RelocationSet, entry: int) -> int | None:
    symbol = relocations.table.symbols[entry]
    is_absolute = symbol == 0 or kobj.symbols.sections[symbol] == SHN_ABS
    return kobj.symbols.values[symbol] if is_absolute else None


def _alignment(kobj: KernelObject, section: int) -> int:
    return kobj.elf.sections[section].alignment


def _fits(value: int, bits: int) -> bool:
    """Tell whether a signed number of so many bits holds a value."""
    return -(1 << bits - 1) <= value < 1 << bits - 1
