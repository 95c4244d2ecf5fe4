"""Each rule: one real module that breaks it, and one that just passes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buildsys.base.value import replace
from buildsys.check.beyond import Expected
from buildsys.check.check import check_kmod
from buildsys.check.rulebook import RULES, find_rule
from buildsys.check.verdict import Outcome, Verdict
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

CURRENT = 1099001200
OFFSET, SIZE, LINK, INFO, ALIGN, KIND = 24, 32, 40, 44, 48, 4
NOTE = '.section .note.netbsd.ident,"a",@note\n.4byte 7,4,1\n.asciz "NetBSD"\n.byte 0\n.4byte '


@dataclass(frozen=True, slots=True)
class Case:
    """A rule and two ways to make a module: broken, and just passing that rule."""

    rule: str
    broken: Callable[[Any, Any], Path]
    passing: Callable[[Any, Any], Path]


def text(**changes: str | int | None) -> Callable[[Any, Any], Path]:
    return lambda factory, _: Path(factory.module(**changes))


def header(at: int, content: bytes, **changes: str) -> Callable[[Any, Any], Path]:
    return lambda factory, _: Path(factory.patched(factory.module(**changes), at, content))


def section(
    name: str, at: int, value: int, size: int = 8, **changes: str | int
) -> Callable[[Any, Any], Path]:
    def make(factory: Any, tools: Any) -> Path:
        path = factory.module(**changes)
        where = tools.section_field(path, name, at)
        return Path(factory.patched(path, where, value.to_bytes(size, "little")))

    return make


def symbol(name: str, at: int, content: bytes, **changes: str) -> Callable[[Any, Any], Path]:
    def make(factory: Any, tools: Any) -> Path:
        path = factory.module(**changes)
        return Path(factory.patched(path, tools.symbol_at(path, name) + at, content))

    return make


def overlapping(factory: Any, tools: Any) -> Path:
    path = factory.module()
    at = tools.section_field(path, ".rela.rodata", OFFSET)
    size = path.stat().st_size // 24 * 24
    return Path(factory.patched(path, at, bytes(8) + size.to_bytes(8, "little")))


def cut(part: float) -> Callable[[Any, Any], Path]:
    def make(factory: Any, _: Any) -> Path:
        content = factory.module().read_bytes()
        return Path(factory.write(content[: int(len(content) * part)]))

    return make


def raw(content: bytes) -> Callable[[Any, Any], Path]:
    return lambda factory, _: Path(factory.write(content))


PASSES = text()
USE = ".data\n.quad "
PLACED = ".data\n.globl shared\nshared: .quad shared\n"
GLOBAL = ".globl {0}\n{0}: .byte 1\n"

CASES = (
    Case("read-failed", cut(0.5), PASSES),
    Case("read-failed", raw(b"\x7fELF\2\1\1"), PASSES),
    Case("read-failed", section(".symtab", OFFSET, 1 << 40), PASSES),
    Case("read-failed", section(".strtab", OFFSET, 1 << 63), PASSES),
    Case("read-failed", section(".rodata", SIZE, 1 << 20), PASSES),
    Case("read-failed", section(".rela.rodata", OFFSET, 1 << 33), PASSES),
    Case("not-elf", raw(bytes(200)), PASSES),
    Case("elf-version", header(6, b"\0"), header(7, b"\3")),
    Case("elf-version", header(20, b"\2"), header(4, b"\1")),
    Case("elf-type", header(16, b"\3"), header(5, b"\2")),
    Case("elf-machine", header(18, b"\3"), header(24, b"\1")),
    Case("section-headers", header(60, b"\0\0"), PASSES),
    Case("section-headers", header(58, b"\x28"), PASSES),
    Case("section-headers", header(40, bytes(8)), PASSES),
    Case("section-headers", header(60, b"\1\x80"), PASSES),
    Case("symbol-table", section(".symtab", KIND, 0, 4), PASSES),
    Case("symbol-strings", section(".symtab", LINK, 0, 4), PASSES),
    Case("symbol-strings", section(".symtab", LINK, 999, 4), PASSES),
    Case("symbol-strings", section(".strtab", SIZE, 0), PASSES),
    Case("symbol-table-empty", section(".symtab", SIZE, 23), PASSES),
    Case("section-names", header(62, b"\xff\0"), PASSES),
    Case("modinfo-missing", header(62, b"\0\0"), PASSES),
    Case("too-large", section(".bss", SIZE, 1 << 31, extra='.section .bss,"aw",@nobits\n.zero 8'),
         section(".bss", SIZE, 1 << 24, extra='.section .bss,"aw",@nobits\n.zero 8')),
    Case("alignment", section(".text", ALIGN, 65536), section(".text", ALIGN, 4096)),
    Case("alignment", section(".rodata", ALIGN, 0), section(".rodata", ALIGN, 1)),
    Case("alignment-panic", section(".data", ALIGN, 8192, extra=".data\n.quad 1"),
         section(".data", ALIGN, 4096, extra=".data\n.quad 1")),
    Case("relocation-target", section(".rela.rodata", INFO, 200, 4), PASSES),
    Case("symbol-name", symbol("used", 0, b"\xff\xff\0\0", extra=GLOBAL.format("used")),
         text(extra=GLOBAL.format("used"))),
    Case("symbol-strings-index", section(".symtab", LINK, 0xFFFFFFFE, 4), PASSES),
    Case("table-memory", section(".symtab", SIZE, 1 << 40), PASSES),
    Case("read-failed", section(".symtab", SIZE, 1 << 20), overlapping),
    Case("relocation-lost", section(".data", SIZE, 0, extra=f"{USE}cmd"),
         section(".data", SIZE, 0, extra=".data\n.quad 1")),
    Case("redefined-symbol", text(extra=GLOBAL.format("printf")),
         text(extra=GLOBAL.format("kern_static") + GLOBAL.format("_end")
              + GLOBAL.format("__start_link_set_x"))),
    Case("redefined-symbol", text(extra=".globl kern_absolute\n.set kern_absolute, 4097"),
         text(extra=".globl kern_absolute\n.set kern_absolute, 4096")),
    Case("undefined-symbol", text(extra=f"{USE}nothing"), text(extra=f"{USE}printf")),
    Case("undefined-symbol", text(extra=f"{USE}kern_weak"), text(extra=".weak kern_weak")),
    Case("relocation-type", text(extra=".data\n.word printf"), text(extra=".data\n.long printf")),
    Case("relocation-type", text(extra="movq printf@GOTPCREL(%rip), %rax"),
         text(extra="call printf")),
    Case("weak-undefined", text(extra=f".weak printf\n{USE}printf"), text(extra=".weak printf")),
    Case("local-undefined", symbol("used", 4, b"\1", extra=f"{USE}used"),
         text(extra=f"used: nop\n{USE}used")),
    Case("symbol-binding", symbol("used", 4, b"\xa0", extra=f"{USE}used"),
         symbol("used", 4, b"\xa0", extra=f"{GLOBAL.format('used')}{USE}used")),
    Case("symbol-nameless", symbol("printf", 0, bytes(4), extra=f"{USE}printf"),
         text(extra=f"{USE}printf")),
    Case("symbol-zero", text(extra=f"{USE}kern_zero"), text(extra=f"{USE}kern_null")),
    Case("modinfo-size", text(link_set=".quad mi, mi"), PASSES),
    Case("modinfo-size", text(link_set=".long 0"), PASSES),
    Case("modinfo-pointer", text(link_set=".quad 0"), PASSES),
    Case("modinfo-pointer", text(before=".globl mi"), PASSES),
    Case("modinfo-name", text(name_pointer="0"), PASSES),
    Case("modinfo-name", text(before=".globl nm"), text(before=".globl rq", required="ffs")),
    Case("name-length", text(name="n" * 32), text(name="n" * 31)),
    Case("class-invalid", text(module_class=0), text(module_class=1)),
    Case("class-invalid", text(module_class=7), text(module_class=6)),
    Case("class-invalid", text(module_class=-1), text(module_class=5)),
    Case("version-mismatch", text(version=CURRENT + 1), text(version=CURRENT)),
    Case("required-name-length", text(required="r" * 31), text(required="ffs")),
    Case("requirement-cycle", text(required="sample"), text(required="ufs")),
    Case("requirement-failed", text(required="absent"), text(required="ufs,")),
    Case("file-missing", text(required="a/b"), text(required="ffs,ufs")),
    Case("modcmd-null", text(modcmd="0"), text(modcmd="printf")),
    Case("modcmd-address", text(modcmd="nm"), text(modcmd="cmd")),
    Case("modcmd-address", text(modcmd="low", extra=".globl low\n.set low, 64"), text()),
    Case("link-set-null", text(extra='.section link_set_sysctl_funcs,"a"\n.quad cmd, 0'),
         text(extra='.section link_set_sysctl_funcs,"a"\n.quad cmd, printf')),
    Case("link-set-null", text(extra='.section link_set_evcnts,"aw",@nobits\n.zero 8'),
         text(extra='.section link_set_other,"aw",@nobits\n.zero 8')),
    Case("ident-mismatch", text(extra=NOTE + str(CURRENT - 100)), text(extra=NOTE + str(CURRENT))),
    Case("note-damaged", text(extra=NOTE.replace("7,4,1", "7,4000,1") + "1"),
         text(extra=NOTE.replace("NetBSD", "PaX\\0\\0\\0") + "1")),
    Case("name-file", lambda f, t: Path(f.write(f.assemble(t.module_text("sample")), "other")),
         PASSES),
    Case("built-in", text(name="ffs"), text(name="fifofs")),
    Case("weak-unused", text(extra=".weak optional"), PASSES),
    Case("constructor", text(extra='.section .init_array,"aw",@init_array\n.quad cmd'),
         text(extra='.section .init_data,"aw"\n.quad cmd')),
    Case("symbol-not-loaded", text(extra='.section .n,"a",@note\nhere: .quad 1\n.text\n'
                                         ".globl here\n.data\n.quad here"),
         text(extra='.section .n,"a"\nhere: .quad 1\n.text\n.globl here\n.data\n.quad here')),
    Case("symbol-common", text(extra=".comm shared, 4, 4\n.data\n.quad shared"),
         text(extra=".lcomm shared, 4\n.data\n.quad shared")),
    Case("symbol-common", symbol("shared", 6, b"\2\xff", extra=PLACED),
         symbol("shared", 6, b"\xf1\xff", extra=PLACED)),  # SHN_ABS
    Case("symbol-not-loaded", symbol("shared", 6, b"\0\xff", extra=PLACED), text(extra=PLACED)),
    Case("symbol-not-loaded", symbol("shared", 6, b"\x70\0", extra=PLACED), text(extra=PLACED)),
    Case("redefined-symbol", text(extra=".comm printf, 4, 4"), text(extra=".comm shared, 4, 4")),
    Case("indirect-function", text(extra=".type f, @gnu_indirect_function\nf: nop\n.data\n.quad f\n"
                                         ".globl f"),
         text(extra=".type f, @function\nf: nop\n.data\n.quad f\n.globl f")),
    Case("relocation-truncated", text(extra="movl $cmd, %edi"), text(extra="movq $cmd, %rdi")),
    Case("build-path", text(extra='.data\n.asciz "/home/me/module.c"'),
         text(extra='.data\n.asciz "module.c"\n.asciz "/etc/rc.conf"')),
    Case("requirement-invisible", text(before=".globl rq", required="ffs"), text(required="ffs")),
    Case("debugging", text(extra='.section .debug_info,"",@progbits\n.quad 1'),
         text(extra='.section .comment,"",@progbits\n.quad 1')),
    Case("size-at-run-time",
         section(".bss", SIZE, 40 << 20, extra='.section .bss,"aw",@nobits\n.zero 8'),
         section(".bss", SIZE, 20 << 20, extra='.section .bss,"aw",@nobits\n.zero 8')),
)  # fmt: skip


def rules_of(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_module_that_breaks_a_rule_is_found(
    case: Case, factory: Any, tools: Any, kernel: Kernel
) -> None:
    verdict = check_kmod(case.broken(factory, tools), kernel, {})
    rule = find_rule(case.rule)
    found = next((f for f in verdict.findings if f.rule == case.rule), None)
    assert found is not None, verdict.findings
    assert found.severity is rule.severity
    assert found.message
    if rule.outcome is not Outcome.LOADS:
        assert verdict.outcome is rule.outcome
    if rule.outcome is Outcome.REFUSED and rule.errno:
        assert found.errno == rule.errno
        assert verdict.errno == rule.errno
    assert found.source == rule.source or rule.id.startswith("relocation-")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_module_that_just_passes_a_rule_is_not_found(
    case: Case, factory: Any, tools: Any, kernel: Kernel
) -> None:
    verdict = check_kmod(case.passing(factory, tools), kernel, {})
    assert case.rule not in rules_of(verdict), verdict.findings


def test_the_plain_module_has_no_finding_at_all(factory: Any, kernel: Kernel) -> None:
    path = factory.module(extra=".data\n.quad printf")
    verdict = check_kmod(path, kernel, {})
    assert verdict.findings == ()
    assert verdict.outcome is Outcome.LOADS
    assert verdict.is_fit
    assert verdict.inputs == (path,)
    assert verdict.kernel == "amd64 10.99.12 (TEST)"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("name-expected", Expected("other")),
        ("class-expected", Expected("sample", "vfs")),
        ("version-expected", Expected("sample", version=KernelVersion(CURRENT - 100))),
        ("requires-expected", Expected("sample", requires=("ufs",))),
        ("requires-expected", Expected("sample", requires=("ufs", "ffs"))),
        (None, Expected("sample", "misc", KernelVersion(CURRENT), ("ffs", "ufs"))),
        (None, Expected("sample")),
    ],
)
def test_what_the_descriptor_promises_is_held_against_the_module(
    rule: str | None, expected: Expected, factory: Any, kernel: Kernel
) -> None:
    verdict = check_kmod(factory.module(required="ffs,ufs"), kernel, {}, expected)
    wrong = {r for r in rules_of(verdict) if r.endswith("-expected")}
    assert wrong == (set() if rule is None else {rule})
    assert verdict.is_fit == (rule is None)


def test_a_module_that_is_built_in_is_refused_and_yet_fit(factory: Any, kernel: Kernel) -> None:
    verdict = check_kmod(factory.module("ffs", extra=GLOBAL.format("printf")), kernel, {})
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.errno == 17
    assert rules_of(verdict) == {"built-in"}
    assert verdict.is_fit
    broken = check_kmod(factory.module("ffs", extra=f"{USE}nothing"), kernel, {})
    assert not broken.is_fit


def test_all_undefined_symbols_are_reported_in_one_run(factory: Any, kernel: Kernel) -> None:
    verdict = check_kmod(factory.module(extra=f"{USE}one\n.quad two\n.quad printf"), kernel, {})
    assert [f.message for f in verdict.findings] == ["nothing offers one", "nothing offers two"]


@pytest.mark.parametrize(
    ("extra", "rule"),
    [
        (".data\n" + "".join(f".quad u{i}\n" for i in range(230)), "undefined-symbol"),
        ("".join(GLOBAL.format(f"g{i}") for i in range(230)), "redefined-symbol"),
    ],
)
def test_findings_of_one_rule_are_counted_after_two_hundred(
    extra: str, rule: str, factory: Any, kernel: Kernel
) -> None:
    assert kernel.symbols is not None
    names = kernel.symbols.globals | {f"g{i}" for i in range(230)}
    crowded = replace(kernel, symbols=replace(kernel.symbols, globals=names))
    verdict = check_kmod(factory.module(extra=extra), crowded, {})
    assert rules_of(verdict) == {rule}
    assert len(verdict.findings) == 201
    assert verdict.findings[-1].message == "and 30 more symbols"


def test_without_symbols_of_the_kernel_nothing_is_passed_silently(
    factory: Any, kernel: Kernel
) -> None:
    bare = Kernel("amd64", kernel.version)
    verdict = check_kmod(factory.module(extra=f"{USE}printf"), bare, {})
    assert verdict.outcome is Outcome.UNKNOWN
    assert rules_of(verdict) == {"symbols-unknown"}
    assert verdict.is_fit
    assert verdict.kernel == "amd64 10.99.12, symbols unknown"
    assert check_kmod(factory.module(), bare, {}).outcome is Outcome.LOADS
    required = check_kmod(factory.module(required="ffs"), bare, {})
    assert rules_of(required) == {"requirement-unknown"}


def test_without_symbols_what_a_requirement_offers_is_still_checked(
    factory: Any, kernel: Kernel
) -> None:
    bare = Kernel("amd64", kernel.version)
    provider = factory.module("provider", extra=GLOBAL.format("offered"))
    user = factory.module("user", required="provider", extra=f"{USE}offered")
    assert check_kmod(user, bare, {"provider": provider}).outcome is Outcome.LOADS
    clash = factory.module("user", extra=GLOBAL.format("offered"), required="provider")
    loaded_first = {"provider": provider, "clash": clash}
    assert check_kmod(clash, bare, loaded_first).outcome is Outcome.LOADS


def test_an_absolute_symbol_whose_value_is_not_known_is_noted(factory: Any, kernel: Kernel) -> None:
    assert kernel.symbols is not None
    vague = replace(kernel, symbols=replace(kernel.symbols, values={}))
    path = factory.module(extra=".globl kern_absolute\n.set kern_absolute, 4096")
    verdict = check_kmod(path, vague, {})
    assert rules_of(verdict) == {"value-unknown"}
    assert verdict.outcome is Outcome.UNKNOWN


def test_a_release_kernel_takes_a_module_of_another_patch_level(
    factory: Any, kernel: Kernel
) -> None:
    release = replace(kernel, version=KernelVersion(1001000000))
    assert check_kmod(factory.module(version=1001000200), release, {}).is_fit
    assert not check_kmod(factory.module(version=1001010000), release, {}).is_fit


def test_diagnostic_kernels_panic_where_others_refuse(
    factory: Any, tools: Any, kernel: Kernel
) -> None:
    path = section(".text", ALIGN, 65536)(factory, tools)
    assert check_kmod(path, kernel, {}).outcome is Outcome.REFUSED
    diagnostic = replace(kernel, has_diagnostic=True)
    assert check_kmod(path, diagnostic, {}).outcome is Outcome.PANICS


ELSEWHERE = {  # rules that need a sequence, another machine or more than one file
    "no-content", "no-text", "relocation-panic", "relocation-unaddended", "relocation-unsafe",
    "relocation-unpaired",
    "relocation-outside", "relocation-skipped", "class-other", "dependency-name", "already-loaded",
    "builtin-disabled", "autoload-disallowed", "plist-size", "plist-invalid", "not-loaded",
    "still-required", "builtin-secmodel", "requirement-depth", "table-size",
    "requirement-unused", "unload-at-run-time", "port-unknown", "kernel-not-modular", "path-length",
    "unload-name", "plist-panic", "relocation-value", "relocation-ignored", "relocation-wrong",
    "requirement-indirect", "requirement-missing", "name-clash", "symbol-clash", "option-drift",
    "option-refused", "root-missing", "root-handover", "root-unnamed", "root-refused",
    "root-to-name", "requirement-count",
}  # fmt: skip
IN_THIS_FILE = {
    "name-expected", "class-expected", "version-expected", "requires-expected", "symbols-unknown",
    "requirement-unknown", "value-unknown",
}  # fmt: skip


def test_every_rule_is_tested() -> None:
    tested = {case.rule for case in CASES} | ELSEWHERE | IN_THIS_FILE
    assert tested == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_rule_of_the_kernel_names_its_file_and_function() -> None:
    for rule in RULES:
        decides = rule.outcome is not Outcome.LOADS
        if decides and rule.id != "port-unknown":
            assert rule.source.startswith("sys/"), rule.id


def test_the_documentation_has_every_rule_as_it_is() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "check.md"
    rows = {
        line.split("`")[1]: [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in page.read_text().splitlines()
        if line.startswith("| `") and line.count(" | ") == 4
    }
    assert list(rows) == [rule.id for rule in RULES]
    for rule in RULES:
        _, severity, kernel_does, meaning, source = rows[rule.id]
        assert severity == rule.severity.value
        assert meaning == rule.meaning
        assert source == (f"`{rule.source}`" if rule.source else "ours")
        if rule.errno:
            assert kernel_does == f"errno {rule.errno}"
        if rule.outcome is Outcome.PANICS:
            assert kernel_does == "panic"
