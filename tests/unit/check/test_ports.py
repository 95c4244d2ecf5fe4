"""What each port's linker takes, on objects of its own machine."""

from pathlib import Path
from typing import Any

import pytest

from buildsys.check.check import check_kmod
from buildsys.check.relocations import RELOCATION_RULES, RelHandling, effective_type
from buildsys.check.verdict import Outcome, Verdict
from buildsys.elf.reader import read_elf, relocation_names
from buildsys.kernel.model import Kernel
from buildsys.kernel.port import PORTS
from buildsys.kernel.version import KernelVersion

VERSION = KernelVersion(1099001200)
PLAIN = """
    .text
cmd: {nop}
    .section .rodata,"a"
    .p2align 3
mi: .4byte 1099001200, 1
    {pointer} cmd, nm, 0
nm: .asciz "sample"
    .section link_set_modules,"a"
    .p2align 3
    {pointer} mi
    .text
    {extra}
"""
QUAD, LONG = ".8byte", ".4byte"
# machine, machine_arch, clang target, pointer directive
MACHINES = {
    "amd64": ("x86_64", "x86_64--netbsd", QUAD),
    "i386": ("i386", "i386--netbsd", LONG),
    "evbarm": ("aarch64", "aarch64--netbsd", QUAD),
    "macppc": ("powerpc", "powerpc--netbsd", LONG),
    "sparc64": ("sparc64", "sparc64--netbsd", ".xword"),
    "sparc": ("sparc", "sparc--netbsd", ".word"),
    "evbmips": ("mips64eb", "mips64--netbsd", QUAD),
    "riscv": ("riscv64", "riscv64--netbsd", QUAD),
    "shark": ("earmv4", "armv4--netbsd-eabi", LONG),
}


def judge(
    factory: Any, machine: str, extra: str, changes: dict[int, bytes] | None = None
) -> Verdict:
    arch, target, pointer = MACHINES[machine]
    text = PLAIN.format(nop="nop", pointer=pointer, extra=extra)
    path = factory.write(factory.assemble(text, target))
    for at, content in (changes or {}).items():
        path = factory.patched(path, at, content)
    return check_kmod(path, Kernel(machine, VERSION, arch), {})


def rules_of(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings} - {"symbols-unknown"}


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_a_plain_module_of_each_machine_loads(factory: Any, machine: str) -> None:
    verdict = judge(factory, machine, "")
    assert rules_of(verdict) == set(), verdict.findings
    assert verdict.outcome is Outcome.LOADS


@pytest.mark.parametrize(
    ("machine", "taken", "refused"),
    [
        ("amd64", "call f", "callq *f@GOTPCREL(%rip)"),
        ("i386", "call f", "movl f@GOT(%ebx), %eax"),
        ("i386", ".long f - .", "call f@PLT"),
        ("evbarm", "bl f\nadrp x0, f\nadd x0, x0, :lo12:f", "cbz x0, f"),
        ("evbarm", "ldr x0, [x0, :lo12:f]", "ldr q0, [x0, :lo12:f]"),
        ("macppc", "lis 3, f@ha\naddi 3, 3, f@l", "bl f"),
        ("sparc64", "sethi %hi(f), %g1\ncall f", ".data\n.byte 0\n.uaword f"),
        ("sparc64", "sethi %h44(f), %g1", "jmpl %g1 + %tle_lox10(f), %g0"),
        ("evbmips", "lui $2, %highest(f)\nlui $3, %hi(f)", "lw $2, %got(f)($3)"),
        ("evbmips", "daddiu $2, $2, %lo(f)", "lui $1, %hi(%neg(%gp_rel(f)))"),
        ("riscv", "call f", ".data\n.4byte f"),
        ("riscv", "lui a0, %hi(f)\naddi a0, a0, %lo(f)", "la.tls.ie a0, f"),
        ("shark", "bl f", ".data\n.long f(GOT)"),
        ("shark", "b f", ".data\n.long f(prel31)"),
    ],
)
def test_a_port_takes_what_its_table_has_and_nothing_else(
    factory: Any, machine: str, taken: str, refused: str
) -> None:
    assert rules_of(judge(factory, machine, taken)) == set()
    verdict = judge(factory, machine, refused)
    assert rules_of(verdict) == {"relocation-type"}, verdict.findings
    assert verdict.errno == 8
    source = verdict.findings[0].source
    assert source.startswith("sys/arch/")
    assert source.endswith("kobj_machdep.c, kobj_reloc")


def test_32_bit_mips_has_no_addends_and_is_refused(factory: Any) -> None:
    text = PLAIN.format(nop="nop", pointer=LONG, extra="")
    path = factory.write(factory.assemble(text, "mips--netbsd"))
    verdict = check_kmod(path, Kernel("evbmips", VERSION, "mipseb"), {})
    assert rules_of(verdict) == {"relocation-unaddended"}
    assert verdict.outcome is Outcome.REFUSED


def test_little_endian_64_bit_mips_is_misread_by_its_kernel(factory: Any) -> None:
    text = PLAIN.format(nop="nop", pointer=QUAD, extra="")
    path = factory.write(factory.assemble(text, "mips64el--netbsd"))
    verdict = check_kmod(path, Kernel("evbmips", VERSION, "mips64el"), {})
    assert rules_of(verdict) == {"modinfo-pointer"}
    assert "misreads" in verdict.findings[0].message


def section_kind_at(path: Path, name: str) -> int:
    elf = read_elf(path)
    size = 64 if elf.layout.width_bits == 64 else 40
    section = elf.find_section(name)
    assert section is not None
    return elf.header.section_offset + size * section.index + 4


@pytest.mark.parametrize(
    ("machine", "rule", "outcome"),
    [
        ("macppc", "relocation-panic", Outcome.PANICS),
        ("riscv", "relocation-panic", Outcome.PANICS),
        ("evbarm", "relocation-unaddended", Outcome.REFUSED),
        ("sparc64", "relocation-unaddended", Outcome.REFUSED),
    ],
)
def test_ports_differ_on_relocations_without_addend(
    factory: Any, machine: str, rule: str, outcome: Outcome
) -> None:
    arch, target, pointer = MACHINES[machine]
    path = factory.write(
        factory.assemble(PLAIN.format(nop="nop", pointer=pointer, extra=""), target)
    )
    elf = read_elf(path)
    for name in (".rela.rodata", ".relalink_set_modules"):
        kind = (9).to_bytes(4, elf.layout.order)  # SHT_REL
        path = factory.patched(path, section_kind_at(path, name), kind)
    verdict = check_kmod(path, Kernel(machine, VERSION, arch), {})
    assert rules_of(verdict) == {rule}
    assert verdict.outcome is outcome


def test_amd64_takes_relocations_without_addend(factory: Any) -> None:
    content = factory.assemble(PLAIN.format(nop="nop", pointer=QUAD, extra=""), "x86_64--netbsd")
    path = factory.write(content)
    elf = read_elf(path)
    table = elf.find_section(".relalink_set_modules")
    assert table is not None
    info = content[table.offset + 8 : table.offset + 16]
    # one Elf64_Rel where the Elf64_Rela was; its addend of 0 stands in the section already
    path = factory.patched(path, section_kind_at(path, ".relalink_set_modules"), b"\x09\0\0\0")
    path = factory.patched(path, section_kind_at(path, ".relalink_set_modules") + 28, b"\x10")
    path = factory.patched(path, table.offset + 8, info)
    assert check_kmod(path, Kernel("amd64", VERSION), {}).outcome is Outcome.LOADS


def test_sparc_looks_some_types_up_beyond_its_table(factory: Any) -> None:
    verdict = judge(factory, "sparc", "a: nop\n.reloc a, R_SPARC_64, f\n")
    assert rules_of(verdict) == {"relocation-unsafe"}
    assert verdict.outcome is Outcome.UNKNOWN
    assert not verdict.is_fit


def test_riscv_wants_the_high_half_of_a_pair(factory: Any) -> None:
    pair = "1: auipc a0, %pcrel_hi(f)\naddi a0, a0, %pcrel_lo(1b)"
    assert rules_of(judge(factory, "riscv", pair)) == set()
    alone = "lab: nop\nb: nop\n.reloc b, R_RISCV_PCREL_LO12_I, lab"
    verdict = judge(factory, "riscv", alone)
    assert rules_of(verdict) == {"relocation-unpaired"}
    assert verdict.errno == 8


def test_a_machine_without_a_table_is_said_not_to_be_judged(factory: Any) -> None:
    content = factory.assemble(PLAIN.format(nop="nop", pointer=QUAD, extra=""), "x86_64--netbsd")
    path = factory.patched(factory.write(content), 18, b"\x32")  # EM_IA_64
    elf = read_elf(path)
    for section in elf.sections:
        if section.kind == 4:  # SHT_RELA
            for at in range(section.offset, section.offset + section.size, 24):
                path = factory.patched(path, at + 8, b"\x27\0\0\0")  # R_IA_64_DIR64LSB
    verdict = check_kmod(path, Kernel("ia64", VERSION), {})
    assert rules_of(verdict) == {"port-unknown"}
    assert verdict.outcome is Outcome.UNKNOWN


def test_a_file_of_another_byte_order_is_refused_as_the_kernel_reads_it(factory: Any) -> None:
    text = PLAIN.format(nop="nop", pointer=".xword", extra="")
    path = factory.write(factory.assemble(text, "sparc64--netbsd"))
    verdict = check_kmod(path, Kernel("amd64", VERSION), {})
    assert rules_of(verdict) == {"elf-version"}
    assert "the file says 64-bit big-endian, the kernel is 64-bit little-endian" in (
        verdict.findings[0].message
    )


def test_a_file_of_another_machine_is_refused(factory: Any) -> None:
    text = PLAIN.format(nop="nop", pointer=LONG, extra="")
    path = factory.write(factory.assemble(text, "i386--netbsd"))
    verdict = check_kmod(path, Kernel("amd64", VERSION), {})
    assert rules_of(verdict) == {"elf-machine"}


def test_a_file_without_code_or_without_content_is_refused(factory: Any) -> None:
    empty = factory.write(factory.assemble(".globl f\n.set f, 1\n"))
    assert rules_of(check_kmod(empty, Kernel("amd64", VERSION), {})) == {"no-text"}
    path = empty
    for section in read_elf(empty).sections:
        if section.is_loaded:
            kind = section_kind_at(path, section.name)
            path = factory.patched(path, kind, bytes(4))
    assert rules_of(check_kmod(path, Kernel("amd64", VERSION), {})) == {"no-content"}


def test_relocations_outside_their_section_or_table(factory: Any) -> None:
    content = factory.assemble(PLAIN.format(nop="nop", pointer=QUAD, extra="call f"),
                               "x86_64--netbsd")  # fmt: skip
    path = factory.write(content)
    elf = read_elf(path)
    table, rodata = elf.find_section(".rela.rodata"), elf.find_section(".rodata")
    assert table is not None
    assert rodata is not None
    kernel = Kernel("amd64", VERSION)
    outside = factory.patched(path, table.offset, rodata.size.to_bytes(8, "little"))
    assert rules_of(check_kmod(outside, kernel, {})) == {"relocation-outside"}
    text = elf.find_section(".rela.text")
    assert text is not None
    skipped = factory.patched(path, text.offset + 12, (5000).to_bytes(4, "little"))
    assert rules_of(check_kmod(skipped, kernel, {})) == {"relocation-skipped"}


def test_tables_larger_than_the_check_reads_are_said_to_be(factory: Any) -> None:
    body = "a: .zero 16\n" + ".rept 720000\n.reloc a, R_X86_64_64, cmd\n.endr\n"
    text = PLAIN.format(nop="nop", pointer=QUAD, extra=".data\n" + body)
    path = factory.write(factory.assemble(text))
    verdict = check_kmod(path, Kernel("amd64", VERSION), {})
    assert rules_of(verdict) == {"table-size"}
    assert not verdict.is_fit


def test_the_tables_cover_all_ports_with_a_linker_and_name_their_source() -> None:
    assert set(RELOCATION_RULES) == {port.name for port in PORTS} - {"ia64", "or1k"}
    for name, rules in RELOCATION_RULES.items():
        assert rules.source.startswith("sys/arch/")
        assert rules.source.endswith("/kobj_machdep.c")
        assert not rules.symbolic & (rules.plain | rules.unsafe), name
        assert not rules.plain & rules.unsafe


def test_every_accepted_type_is_one_of_the_processor() -> None:
    for port in PORTS:
        rules = RELOCATION_RULES.get(port.name)
        if rules is None:
            continue
        known = relocation_names(port.elf_machines[-1])
        for kind in rules.symbolic | rules.plain:
            assert kind in known, (port.name, kind)


def test_sparc64_drops_what_rides_on_olo10() -> None:
    assert effective_type("sparc64", 33 | 77 << 8) == 33
    assert effective_type("sparc64", 34) == 34
    assert effective_type("amd64", 33 | 77 << 8) == 33 | 77 << 8
    assert RELOCATION_RULES["amd64"].rel is RelHandling.TAKEN
