"""Linking as the kernel does it: duplicate and undefined globals, then relocations in two passes.

sys/kern/subr_kobj.c, kobj_checksyms(), kobj_relocate(), kobj_sym_lookup(), and each port's
kobj_reloc(). What names exist elsewhere is asked of a Scope.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from buildsys.base.value import frozen
from buildsys.check.kobj import Halt, KernelObject, RelocationSet, halt, halt_at
from buildsys.check.relocations import (
    RELOCATION_RULES,
    RelHandling,
    RelocationRules,
    effective_type,
)
from buildsys.check.rulebook import finding
from buildsys.check.segments import segment_of
from buildsys.check.values import judge_values
from buildsys.check.verdict import Finding
from buildsys.elf.describe import show_relocation
from buildsys.elf.model import (
    SHN_ABS,
    SHN_UNDEF,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    Section,
    show_name,
)

# sys/kern/subr_kobj.c, kobj_checksyms(): these may be defined twice
_TOLERATED = frozenset({
    "_bss_start", "__bss_start", "_bss_end__", "__bss_end__", "_edata", "_end", "__end", "__end__",
})  # fmt: skip
_TOLERATED_PREFIXES = ("__start_link_set_", "__stop_link_set_")
_MAXIMUM_FINDINGS = 200  # of one rule in one file
_RISCV_PAIRED = frozenset({23, 24, 25, 26})  # PCREL_HI20, PCREL_LO12_I/S, HI20: seen twice
_RISCV_LOW = frozenset({24, 25})
_RISCV_BRANCHES = frozenset({16, 17})


@frozen
class Definition:
    """A global that exists: who offers it, and its value where that is known for certain."""

    provider: str  # '' is the kernel
    value: int | None
    is_absolute: bool


class Scope(Protocol):
    """The names that the kernel and the loaded modules offer."""

    has_symbols: bool  # False when the kernel's own names are not known

    def find(self, name: str) -> Definition | None:
        """Find a global as sys/kern/kern_ksyms.c, ksyms_getval_unlocked() would."""

    def offered(self, names: Iterable[str]) -> frozenset[str]:
        """Choose those that find would find."""

    def explain(self, name: str) -> str:
        """Say why a name is not offered, to end a sentence with; '' when there is no reason."""


def known_value(kobj: KernelObject, entry: int) -> int | None:
    """Give a defined symbol's value when loading does not move it."""
    section = kobj.symbols.sections[entry]
    sections = kobj.elf.sections
    if section < len(sections) and sections[section].is_loaded:
        return None
    return kobj.symbols.values[entry]


def is_tolerated(name: str) -> bool:
    """Tell whether a global may be defined by several modules."""
    return name in _TOLERATED or name.startswith(_TOLERATED_PREFIXES)


def is_zero(kobj: KernelObject, entry: int) -> bool:
    """Tell whether the kernel finds a defined symbol and then takes its value for none."""
    symbols = kobj.symbols
    if symbols.values[entry] != 0 or symbols.sections[entry] == SHN_ABS:
        return False
    return known_value(kobj, entry) == 0


def judge_duplicates(kobj: KernelObject, scope: Scope, ignored: frozenset[str]) -> Halt | None:
    """Refuse globals that exist already; those in ignored are let pass if the kernel has them."""
    findings: list[Finding] = []
    count = 0
    twice = scope.offered(kobj.defined)
    for name, entry in kobj.defined.items() if twice else ():
        definition = scope.find(name) if name in twice else None
        if definition is None or (name in ignored and not definition.provider):
            continue
        value = known_value(kobj, entry)
        if value is not None and value == definition.value:
            continue
        if is_tolerated(name):
            continue
        if value is not None and definition.is_absolute and definition.value is None:
            continue  # beyond.py notes that this cannot be told
        count += 1
        if count > _MAXIMUM_FINDINGS:
            continue
        who = f"module {definition.provider}" if definition.provider else "the kernel"
        findings.append(
            finding(
                "redefined-symbol",
                kobj.path,
                f"{show_name(name)} is defined here and in {who}",
                f"global symbol `{show_name(name)}' redefined",
                subject=name,
            )
        )
    findings += _rest("redefined-symbol", kobj.path, count)
    return halt_at(tuple(findings)) if findings else None


def _rest(rule_id: str, path: Path, count: int) -> tuple[Finding, ...]:
    """Say how many more symbols there are than findings are made for."""
    if count <= _MAXIMUM_FINDINGS:
        return ()
    return (finding(rule_id, path, f"and {count - _MAXIMUM_FINDINGS} more symbols"),)


def judge_undefined(kobj: KernelObject, scope: Scope) -> tuple[Halt | None, tuple[str, ...]]:
    """Refuse globals that nothing offers; also give those of which that cannot be said."""
    offered = scope.offered(kobj.undefined)
    if len(offered) == len(kobj.undefined):
        return None, ()
    missing = [name for name in kobj.undefined if name not in offered]
    if not scope.has_symbols:
        return None, tuple(missing)
    findings = tuple(
        finding(
            "undefined-symbol",
            kobj.path,
            f"nothing offers {show_name(name)}{scope.explain(name)}",
            f"symbol `{show_name(name)}' not found",
            subject=name,
        )
        for name in missing[:_MAXIMUM_FINDINGS]
    )
    return halt_at((*findings, *_rest("undefined-symbol", kobj.path, len(missing)))), ()


def judge_relocations(
    kobj: KernelObject, sets: Sequence[RelocationSet], is_local: bool, zero: frozenset[str]
) -> Halt | None:
    """Do one of the two passes: over relocations against local symbols, or over all others.

    zero names the undefined globals that are found with the value 0.
    """
    rules = RELOCATION_RULES.get(kobj.port.name)
    if rules is None:
        return None
    infos, count = kobj.symbols.infos, len(kobj.symbols)
    for relocations in sets:
        lost = _lost_base(kobj, relocations)
        if lost is not None:
            return lost
        bad = (
            [
                pair
                for pair in relocations.pairs
                if pair[1] < count
                and (infos[pair[1]] >> 4 == STB_LOCAL) == is_local
                and _trouble(kobj, rules, relocations, pair, is_local, zero) is not None
            ]
            if _is_suspicious(kobj, rules, relocations, is_local, zero)
            else ()
        )
        if bad:
            return _halt_at_first(kobj, rules, relocations, bad, is_local, zero)
        stop = _judge_places(kobj, relocations) if is_local else None
        stop = stop or judge_values(kobj, relocations, is_local)
        if stop is not None:
            return stop
    return None


def _is_suspicious(
    kobj: KernelObject,
    rules: RelocationRules,
    relocations: RelocationSet,
    is_local: bool,
    zero: frozenset[str],
) -> bool:
    """Tell whether a look at each (type, symbol) of a table is worth while: something may be wrong.

    It is not where the port takes every type, and every symbol can be looked up.
    """
    if not relocations.table.is_rela and rules.rel is not RelHandling.TAKEN:
        return True
    kinds = {effective_type(kobj.port.name, kind) for kind in relocations.kinds}
    if not kinds <= rules.symbolic | rules.plain:
        return True
    sections, infos, count = kobj.symbols.sections, kobj.symbols.infos, len(kobj.symbols)
    return any(
        symbol < count
        and sections[symbol] == SHN_UNDEF
        and (infos[symbol] >> 4 == STB_LOCAL) == is_local
        and _lookup_trouble(kobj, symbol, zero) is not None
        for symbol in relocations.symbols
    )


def _lost_base(kobj: KernelObject, relocations: RelocationSet) -> Halt | None:
    """Panic over relocations for a section at the address 0: kobj_findbase().

    That is an empty section which is the only one of its segment.
    """
    target = kobj.elf.sections[relocations.table.target]
    if len(relocations.table) == 0 or target.size or target.alignment == 0:
        return None
    segment = segment_of(target)
    if any(s.is_loaded and s.size and segment_of(s) == segment for s in kobj.elf.sections):
        return None
    return halt("relocation-lost", kobj.path,
                f"relocations are for {show_name(target.name)}, which is empty",
                f"lost base for e_rel{'a' * relocations.table.is_rela}tab")  # fmt: skip


def _halt_at_first(
    kobj: KernelObject,
    rules: RelocationRules,
    relocations: RelocationSet,
    bad: Sequence[tuple[int, int]],
    is_local: bool,
    zero: frozenset[str],
) -> Halt | None:
    table = relocations.table
    wrong = frozenset(bad)
    for entry, pair in enumerate(zip(table.types, table.symbols, strict=True)):
        if pair in wrong:
            trouble = _trouble(kobj, rules, relocations, pair, is_local, zero)
            if trouble is None:
                continue
            rule_id, message, kernel_message = trouble
            target = kobj.elf.sections[table.target]
            place = f"{show_name(target.name)}+0x{table.offsets[entry]:x}"
            source = _source(rules, rule_id)
            text = f"{place}: {message}"
            return halt_at((finding(rule_id, kobj.path, text, kernel_message, source=source),))
    return None


def _source(rules: RelocationRules, rule_id: str) -> str | None:
    return f"{rules.source}, kobj_reloc" if rule_id.startswith("relocation-") else None


def _trouble(
    kobj: KernelObject,
    rules: RelocationRules,
    relocations: RelocationSet,
    pair: tuple[int, int],
    is_local: bool,
    zero: frozenset[str],
) -> tuple[str, str, str] | None:
    """Say what is wrong with one relocation: rule, message, the kernel's message."""
    kind, symbol = effective_type(kobj.port.name, pair[0]), pair[1]
    if not relocations.table.is_rela and rules.rel is not RelHandling.TAKEN:
        if kind == 0 and rules.is_none_taken_as_rel:
            return None
        is_panic = rules.rel is RelHandling.PANICS
        rule_id = "relocation-panic" if is_panic else "relocation-unaddended"
        text = f"{_show_type(kobj, kind)} without addend (REL): this port takes RELA only"
        return rule_id, text, "kobj_reloc: REL relocations not supported"
    if kind in rules.symbolic:
        is_riscv = kobj.port.name.startswith("riscv")
        if rules.has_free_lookup or (is_riscv and _is_lenient(pair, is_local)):
            return None
        return _lookup_trouble(kobj, symbol, zero)
    if kind in rules.plain:
        return None
    if kind in rules.unsafe:
        return "relocation-unsafe", f"{_show_type(kobj, kind)} is beyond the port's table", ""
    mend = _MENDS.get((kobj.port.name, kind), "")
    text = f"the kernel does not take {_show_type(kobj, kind)}{mend}"
    return "relocation-type", text, rules.message.format(kind=kind)


def _show_type(kobj: KernelObject, kind: int) -> str:
    return show_relocation(kobj.elf.header.machine, kobj.elf.layout.width_bits, kind)


def _is_lenient(pair: tuple[int, int], is_local: bool) -> bool:
    """Tell whether riscv lets a failed lookup pass: sys/arch/riscv/riscv/kobj_machdep.c."""
    kind, symbol = pair
    if kind in _RISCV_BRANCHES and symbol == 0:
        return True
    return is_local and kind not in _RISCV_PAIRED


def _lookup_trouble(
    kobj: KernelObject, symbol: int, zero: frozenset[str]
) -> tuple[str, str, str] | None:
    symbols = kobj.symbols
    if symbol in (0, SHN_ABS) or symbols.sections[symbol] != SHN_UNDEF:
        return None
    binding = symbols.binding(symbol)
    if binding == STB_LOCAL:
        text, kernel = f"local symbol {symbol} is undefined", f"local symbol @{symbol} undefined"
        return "local-undefined", text, kernel
    if binding == STB_GLOBAL and not zero and symbols.has_name(symbol):
        return None
    name = symbols.name(symbol)
    if binding == STB_GLOBAL and name and name not in zero:
        return None
    shown = show_name(name)
    if binding == STB_WEAK:
        text = f"{shown} is weak and undefined, which the kernel refuses though the name may exist"
        return "weak-undefined", text, f"weak symbol @{symbol} not supported"
    if binding != STB_GLOBAL:
        text = f"{shown} is undefined, its binding is {binding}"
        return "symbol-binding", text, f"bad binding 0x{binding:x} for symbol @{symbol}"
    if not name:
        text = f"undefined symbol {symbol} has no name"
        return "symbol-nameless", text, f"bad symbol @{symbol} name"
    return "symbol-zero", f"{shown} has the value 0", f"{shown} @{symbol}: bad value"


def _judge_places(kobj: KernelObject, relocations: RelocationSet) -> Halt | None:
    if kobj.port.name.startswith("riscv"):
        stop = _judge_pairs(kobj, relocations)
        if stop is not None:
            return stop
    return _writes_outside(kobj, relocations)


def _judge_pairs(kobj: KernelObject, relocations: RelocationSet) -> Halt | None:
    """Refuse a PCREL_LO12 whose label has no relocation: kobj_findhi20() of the riscv port."""
    table, symbols = relocations.table, kobj.symbols
    offsets: frozenset[int] | None = None
    for entry, kind in enumerate(table.types):
        symbol = table.symbols[entry]
        if kind not in _RISCV_LOW or symbol >= len(symbols):
            continue
        offsets = frozenset(table.offsets) if offsets is None else offsets
        if symbols.sections[symbol] != table.target or symbols.values[symbol] not in offsets:
            target = kobj.elf.sections[table.target]
            place = f"{show_name(target.name)}+0x{table.offsets[entry]:x}"
            text = f"{place}: no relocation stands at the label that this low half refers to"
            return halt("relocation-unpaired", kobj.path, text)
    return None


def _writes_outside(kobj: KernelObject, relocations: RelocationSet) -> Halt | None:
    table = relocations.table
    target: Section = kobj.elf.sections[table.target]
    if len(table) == 0 or max(table.offsets) < target.size:
        return None
    entry = next(i for i, offset in enumerate(table.offsets) if offset >= target.size)
    if table.symbols[entry] >= len(kobj.symbols):
        return None
    return halt("relocation-outside", kobj.path,
                f"a relocation writes at {show_name(target.name)}+0x{table.offsets[entry]:x}, the "
                f"section has {target.size} bytes: the kernel overwrites other memory")  # fmt: skip


_MENDS: dict[tuple[str, int], str] = {
    ("amd64", 9): ": compile with -fno-pic -mcmodel=kernel",
    ("amd64", 41): ": compile with -fno-pic -mcmodel=kernel",
    ("amd64", 42): ": compile with -fno-pic -mcmodel=kernel",
    ("i386", 4): ": compile with -fno-pic -fno-plt",
    ("i386", 10): ": compile with -fno-pic",
    ("arm", 42): ": compile with -fno-unwind-tables -fno-asynchronous-unwind-tables",
    ("powerpc", 10): ": compile with -mlongcall",
    ("powerpc64", 10): ": compile with -mlongcall",
    ("aarch64", 311): ": compile with -fno-pic",
    ("riscv64", 43): ": compile with -mno-relax",
    ("riscv64", 1): ": compile with -fno-asynchronous-unwind-tables and without -g",
    ("sparc64", 23): ": compile with -fno-asynchronous-unwind-tables and without -g",
    ("sparc64", 54): ": compile with -fno-asynchronous-unwind-tables and without -g",
}
