"""Relocated values that ports refuse, or take and get wrong: real objects of their machines."""

from pathlib import Path
from typing import Any

import pytest

from buildsys.check.check import check_kmod
from buildsys.check.verdict import Verdict
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

MODULE = """
    .text
    .p2align 3
cmd: nop
    .section .rodata,"a"
    .p2align 3
mi: .4byte 1099001200, 1
    {pointer} cmd, nm, 0
nm: .asciz "sample"
    .section link_set_modules,"a"
    .p2align 3
    {pointer} mi
{extra}
"""
MACHINES = {
    "evbarm": ("aarch64", "aarch64--netbsd", ".8byte"),
    "macppc": ("powerpc", "powerpc--netbsd", ".4byte"),
    "evbmips": ("mips64eb", "mips64--netbsd", ".8byte"),
    "shark": ("earmv4", "armv6t2--netbsd-eabi", ".4byte"),
}
ODD = '.section .two,"ax"\n.p2align 3\n.byte 1\nodd: .byte 2,3,4\n.text\n'
TWO = '.section .two,"ax"\n.p2align 2\n'


def judge(factory: Any, machine: str, extra: str) -> Verdict:
    arch, target, pointer = MACHINES[machine]
    path: Path = factory.write(
        factory.assemble(MODULE.format(pointer=pointer, extra=extra), target)
    )
    return check_kmod(path, Kernel(machine, KernelVersion(1099001200), arch), {})


def rules_of(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings} - {"symbols-unknown"}


@pytest.mark.parametrize(
    ("machine", "passing", "broken"),
    [
        ("evbarm", f"{ODD}ldr w0, [x0, :lo12:odd + 3]", f"{ODD}ldr w0, [x0, :lo12:odd]"),
        ("evbarm", f"{ODD}ldrb w0, [x0, :lo12:odd]", f"{ODD}ldr x0, [x0, :lo12:odd + 4]"),
        ("evbarm", f"{ODD}bl odd + 3", f"{ODD}bl odd"),
        ("macppc", f"{TWO}bit: .long 1\n.text\nli 3, 5",
         f"{TWO}bit: .long 1\n.text\nli 3, bit"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_where_the_file_decides_it(
    machine: str, passing: str, broken: str, factory: Any
) -> None:
    assert "relocation-value" not in rules_of(judge(factory, machine, passing))
    verdict = judge(factory, machine, broken)
    assert rules_of(verdict) == {"relocation-value"}, verdict.findings
    assert verdict.errno == 8
    assert verdict.findings[0].source.endswith("kobj_machdep.c, kobj_reloc")


def test_a_distance_of_16_bits_is_refused_when_it_is_greater(factory: Any) -> None:
    pushed = (
        '.section .n,"aw"\n.p2align 3\n.reloc 0, R_AARCH64_PREL16, end\n.zero {0}\nend: .8byte 1'
    )
    assert "relocation-value" not in rules_of(judge(factory, "evbarm", pushed.format(65528)))
    assert rules_of(judge(factory, "evbarm", pushed.format(65536))) == {"relocation-value"}


def test_arm_wants_its_move_instructions(factory: Any) -> None:
    good = judge(factory, "shark", ".text\nmovw r0, #:lower16:cmd\nmovt r0, #:upper16:cmd\n")
    assert "relocation-value" not in rules_of(good)
    bad = judge(factory, "shark", '.section .n,"aw"\n.reloc 0, R_ARM_MOVW_ABS_NC, cmd\n.4byte 0\n')
    assert rules_of(bad) == {"relocation-value"}


def test_arm_leaves_branches_with_an_offset_to_local_symbols_alone(factory: Any) -> None:
    plain = judge(factory, "shark", f"{TWO}target: nop\n.text\nbl target\n")
    assert rules_of(plain) == set()
    offset = judge(factory, "shark", f"{TWO}target: nop\nnop\n.text\nbl target + 4\n")
    assert rules_of(offset) == {"relocation-ignored"}


def test_short_jumps_of_mips_are_warned_of(factory: Any) -> None:
    verdict = judge(
        factory, "evbmips", '.section .t,"ax"\n.option pic0\n.set noreorder\njal other\nnop\n'
    )
    assert rules_of(verdict) == {"relocation-wrong"}
    assert verdict.is_fit
