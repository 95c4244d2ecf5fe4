"""What a line-by-line reading of the kernel's loader shows and the measured cases do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildsys.base.value import replace
from buildsys.check.check import check_kmod
from buildsys.check.loader import LoaderState
from buildsys.check.verdict import Outcome
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

USE = ".data\n.quad "
Start = Callable[..., LoaderState]


@pytest.fixture
def start(factory: Any, kernel: Kernel) -> Start:
    def make(on: Kernel = kernel, **modules: dict[str, Any]) -> LoaderState:
        paths = {name: factory.module(name, **changes) for name, changes in modules.items()}
        targets = {f"{on.modules_directory}/{n}/{n}.kmod": path for n, path in paths.items()}
        return LoaderState(on, targets.get)

    return make


def test_a_kernel_without_modular_loads_nothing(start: Start, kernel: Kernel) -> None:
    state = start(replace(kernel, is_modular=False), sample={})
    assert state.load("sample").errno == 78
    assert state.load("absent").errno == 78
    assert state.load("ffs").errno == 17  # what is built in is found before the linker is asked


@pytest.mark.parametrize(
    ("name", "errno"),
    [
        ("n" * 255, 2),
        ("n" * 256, 63),
        ("/" + "/".join(["d" * 250] * 4), 2),
        ("/" + "/".join(["d" * 254] * 4) + "/abc", 63),
    ],
)
def test_a_path_may_be_so_long_and_no_longer(start: Start, name: str, errno: int) -> None:
    assert start().load(name).errno == errno


def test_a_name_to_unload_may_have_31_bytes(start: Start) -> None:
    assert start().unload("n" * 31).errno == 2
    assert start().unload("n" * 32).errno == 63


def test_a_built_in_module_comes_back_with_what_it_requires(start: Start) -> None:
    state = start()
    assert state.unload("ffs").outcome is Outcome.UNKNOWN
    assert state.unload("ufs").outcome is Outcome.UNKNOWN
    assert state.load("ffs").errno == 1
    assert state.load("ffs", is_forced=True).outcome is Outcome.LOADS
    assert state.unload("ufs").errno == 16


def test_only_a_load_by_name_says_how_to_bring_a_built_in_module_back(start: Start) -> None:
    state = start(sample={"required": "ufs"})
    state.disable_builtin("ufs")
    assert "use -f" in state.load("ufs").findings[0].kernel_message
    assert state.load("sample").findings[0].kernel_message == ""


def test_a_module_that_is_there_already_is_refused_without_a_message(start: Start) -> None:
    state = start(sample={})
    state.load("sample")
    assert [finding.kernel_message for finding in state.load("sample").findings] == [""]


def test_an_absolute_symbol_of_the_kernel_may_have_the_value_0(start: Start) -> None:
    assert start(sample={"extra": f"{USE}kern_null"}).load("sample").outcome is Outcome.LOADS
    assert start(sample={"extra": f"{USE}kern_zero"}).load("sample").errno == 8


def test_a_symbol_of_a_module_that_has_no_address_cannot_be_used(start: Start) -> None:
    unloaded = '.section .n,"a",@note\n.globl shared\nshared: .quad 1\n'
    state = start(low={"extra": unloaded}, high={"required": "low", "extra": f"{USE}shared"})
    result = state.load("high")
    assert (result.errno, [finding.rule for finding in result.findings]) == (8, ["symbol-zero"])
    absolute = ".globl shared\n.set shared, 0\n"
    state = start(low={"extra": absolute}, high={"required": "low", "extra": f"{USE}shared"})
    assert state.load("high").outcome is Outcome.LOADS


def test_a_damaged_plist_panics_a_kernel_that_asserts(factory: Any, kernel: Kernel) -> None:
    kmod = factory.module()
    kmod.with_suffix(".plist").write_bytes(b"<plist></plist>")
    assert check_kmod(kmod, kernel, {}).errno == 22
    verdict = check_kmod(kmod, replace(kernel, has_diagnostic=True), {})
    assert (verdict.outcome, [f.rule for f in verdict.findings]) == (
        Outcome.PANICS, ["plist-panic"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plist", "is_fit"),
    [
        (b"<plist><dict><key>a</key><integer>0x10</integer></dict></plist>", True),
        (b"<plist><dict><key>a</key><date>2026-01-01T00:00:00Z</date></dict></plist>", False),
        (b"<plist><dict><key>a</key><real>1.0</real></dict></plist>", False),
        (b"<plist version='1.0'><dict/></plist>", False),
    ],
)
def test_a_plist_is_read_as_the_kernel_reads_it(
    plist: bytes, is_fit: bool, factory: Any, kernel: Kernel
) -> None:
    kmod = factory.module()
    kmod.with_suffix(".plist").write_bytes(plist)
    assert check_kmod(kmod, kernel, {}).is_fit is is_fit


def test_a_relocation_section_that_ends_within_an_entry_is_read_as_the_kernel_does(
    factory: Any, tools: Any, kernel: Kernel
) -> None:
    path: Path = factory.module()
    at = tools.section_field(path, ".rela.rodata", 32)
    size = int.from_bytes(path.read_bytes()[at : at + 8], "little")
    odd = factory.patched(path, at, (size + 5).to_bytes(8, "little"))
    assert check_kmod(odd, kernel, {}).outcome is Outcome.LOADS


@pytest.mark.parametrize(("number", "errno"), [(799001000, 22), (1099001200, 0)])
def test_old_kernels_take_nine_requirements(
    number: int, errno: int, start: Start, kernel: Kernel
) -> None:
    names = [f"low{i}" for i in range(10)]
    low: dict[str, Any] = {name: {"version": number} for name in names}
    on = replace(kernel, version=KernelVersion(number))
    state = start(on, **low, many={"version": number, "required": ",".join(names)},
                  nine={"version": number, "required": ",".join(names[:9])})  # fmt: skip
    assert state.load("nine").outcome is Outcome.LOADS
    assert state.load("many").errno == errno
