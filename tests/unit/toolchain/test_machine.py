"""Profiles: all that are shipped load, names mean what build.sh means, mistakes have a place."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.shipped import shipped_path
from buildsys.toolchain.argv import module_cflags, module_cppflags
from buildsys.toolchain.machine import list_machines, load_flags, load_machine, read_machine
from buildsys.toolchain.model import CompilerFamily, Machine

PROFILE = """\
machine: toaster
machine_arch: x86_64
machine_cpu: x86_64
triple: x86_64--netbsd
elf: {bits: 64, byte_order: little, e_machine: 62}
links:
  machine: arch/toaster/include
flags:
  - c: [-mcmodel=kernel]
    source: sys/arch/toaster/include/Makefile.inc
"""


def write_profile(directory: Path, text: str, name: str = "toaster-x86_64.yaml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_every_asked_for_machine_has_a_profile() -> None:
    labels = {machine.label for machine in list_machines()}
    assert labels >= {
        "amd64-x86_64", "i386-i386", "evbarm-aarch64", "evbarm-earmv7hf", "macppc-powerpc",
        "sparc64-sparc64", "evbmips-mips64eb", "riscv-riscv64",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arch", "label"),
    [
        ("amd64", None, "amd64-x86_64"),
        ("amd64", "x86_64", "amd64-x86_64"),
        ("i386", None, "i386-i386"),
        ("evbarm", "aarch64", "evbarm-aarch64"),
        ("evbarm", "earmv7hf", "evbarm-earmv7hf"),
        ("evbarm-earmv7hf", None, "evbarm-earmv7hf"),
        ("evbarm64", None, "evbarm-aarch64"),
        ("evbarm64", "aarch64", "evbarm-aarch64"),
        ("evbearmv7hf-el", None, "evbarm-earmv7hf"),
        ("evbmips64-eb", None, "evbmips-mips64eb"),
        ("evbmips", "mips64eb", "evbmips-mips64eb"),
        ("evbmips-mips64eb-n32", None, "evbmips-mips64eb-n32"),
        ("macppc", None, "macppc-powerpc"),
        ("riscv", None, "riscv-riscv64"),
        ("riscv64", None, "riscv-riscv64"),
        ("sparc64", None, "sparc64-sparc64"),
    ],
)
def test_load_machine_understands_names_as_build_sh_does(
    name: str, arch: str | None, label: str
) -> None:
    assert load_machine(name, arch).label == label


def test_machine_without_a_default_architecture_asks_for_one() -> None:
    with pytest.raises(UsageError, match=r"machine evbarm needs an architecture, one of aarch64, "):
        load_machine("evbarm")


def test_unknown_machine_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"machine vax is not known; known are amd64, evbarm, "):
        load_machine("vax")


def test_unknown_architecture_names_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"macppc has no architecture m68k here; known are powerpc"
    ):
        load_machine("macppc", "m68k")


def test_modules_lie_under_the_name_that_the_ports_kernel_uses() -> None:
    assert load_machine("evbarm64").module_directory == "evbarm"
    assert load_machine("evbmips-mips64eb-n32").module_directory == "mips-n32"


def test_links_of_the_object_directory_are_those_of_klinks() -> None:
    def names(machine: Machine) -> set[str]:
        return {link.name for link in machine.links}

    assert names(load_machine("amd64")) == {"machine", "amd64", "i386", "x86"}
    assert names(load_machine("evbarm64")) == {"machine", "evbarm", "aarch64", "arm"}
    assert names(load_machine("sparc64")) == {"machine", "sparc64", "sparc"}


def test_amd64_has_the_ports_flags_and_those_of_all() -> None:
    machine = load_machine("amd64")
    flags = module_cflags(machine, CompilerFamily.CLANG)
    assert {
        "-mcmodel=kernel", "-mno-red-zone", "-msoft-float", "-mno-mmx", "-mno-sse", "-mno-avx",
        "-fno-omit-frame-pointer", "-ffreestanding", "-fno-strict-aliasing", "-fno-pic",
    } <= set(flags)  # fmt: skip
    assert module_cppflags(machine, CompilerFamily.CLANG) == (
        "-nostdinc", "-D_KERNEL", "-D_MODULE", "-DSYSCTL_INCLUDE_DESCR",
    )  # fmt: skip


def test_compilers_get_only_the_flags_that_they_know() -> None:
    arm = load_machine("evbarm-earmv7hf")
    assert "-mno-movt" in module_cflags(arm, CompilerFamily.CLANG)
    assert "-mno-movt" not in module_cflags(arm, CompilerFamily.GCC)
    assert "-mword-relocations" in module_cflags(arm, CompilerFamily.GCC)
    riscv = load_machine("riscv")
    assert module_cflags(riscv, CompilerFamily.GCC).count("-fPIC") == 1
    assert "-fPIC" not in module_cflags(riscv, CompilerFamily.CLANG)


def test_each_flag_names_where_it_comes_from() -> None:
    for machine in list_machines():
        for group in machine.flags:
            assert group.flags
            assert group.source.startswith(("share/mk/", "sys/", "ours"))


def test_profile_is_read_with_its_defaults(tmp_path: Path) -> None:
    machine = read_machine(write_profile(tmp_path, PROFILE))
    assert machine.clang_target == machine.triple
    assert machine.module_directory == "toaster"
    assert machine.flags[0].compiler is None
    assert (machine.is_default, machine.limits, machine.gnu_prefixes) == (False, "", ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("machine_cpu", "machine_gpu", r":3: machine_gpu: unknown key; expected one of machine, "),
        ("triple: x86_64--netbsd\n", "", r"the key triple is missing"),
        ("bits: 64", "bits: 48", r":5: elf\.bits: expected 32 or 64, got 48"),
        ("little", "middle", r":5: elf\.byte_order: expected one of little, big, got middle"),
        ("e_machine: 62", "e_machine: x86", r":5: elf\.e_machine: expected a whole number"),
        ("  machine: arch/toaster/include", "  - machine", r":6: links: expected a mapping of"),
        ("    source: sys/arch/toaster/include/Makefile.inc\n", "", r":9: flags: .*source is mi"),
        ("  - c: [-mcmodel=kernel]", "  - compiler: gcc", r":9: flags: expected flags under c"),
        ("    source", "    compiler: icc\n    source", r":10: flags\.compiler: expected one of"),
        ("[-mcmodel=kernel]", "-mcmodel=kernel", r":9: flags\.c: expected a list of strings"),
        ("machine: toaster", "machine: kettle", r"expected the file name kettle-x86_64\.yaml, got"),
    ],
)  # fmt: skip
def test_mistake_in_a_profile_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write_profile(tmp_path, PROFILE.replace(old, new, 1))
    with pytest.raises(BuildsysError, match=message) as caught:
        read_machine(path)
    assert str(caught.value).startswith(str(path))


def test_flags_of_all_machines_hold_no_other_key(tmp_path: Path) -> None:
    path = write_profile(tmp_path, "flags: []\nspeed: fast\n", "flags.yaml")
    with pytest.raises(BuildsysError, match=r"flags\.yaml:2: speed: unknown key"):
        load_flags(path)


def test_missing_shipped_file_says_how_to_mend_it() -> None:
    with pytest.raises(
        BuildsysError, match=r"toolchain/none: a file of modbuild itself is missing"
    ):
        shipped_path("toolchain/none")
