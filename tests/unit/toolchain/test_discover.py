"""Finding tools: the embedded one, a TOOLDIR, versioned names, foreign GNU tools, and none."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.elf.notes import ident_version, read_notes
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import CompilerFamily, LinkerFamily, LinkStyle, Toolchain

Script = Callable[[Path, str], Path]


def test_embedded_toolchain_needs_nothing_on_the_path() -> None:
    toolchain = load_toolchain("zig", load_machine("evbarm64"), None, {"PATH": ""})
    assert toolchain.cc.argv[1:] == (
        "clang", "--no-default-config", "-fno-crash-diagnostics", "-target", "aarch64--netbsd",
    )  # fmt: skip
    assert toolchain.link == toolchain.ld
    assert toolchain.link.argv[1:] == ("ld.lld",)
    assert [path.name for path in toolchain.cc.files] == ["zig"]
    assert toolchain.objcopy is None
    assert {missing.role for missing in toolchain.missing} >= {"objcopy", "make", "config"}


def test_tooldir_is_found_by_the_names_that_build_sh_gives(tooldir: Path) -> None:
    toolchain = load_toolchain("tooldir", load_machine("amd64"), tooldir, os.environ)
    names = tooldir / "bin"
    assert toolchain.compiler is CompilerFamily.CLANG
    assert toolchain.linker is LinkerFamily.GNU
    assert toolchain.link_style is LinkStyle.THROUGH_CC
    assert toolchain.cc.argv == (str(names / "x86_64--netbsd-clang"),)
    assert toolchain.require("ld").argv == (str(names / "x86_64--netbsd-ld"),)
    assert toolchain.require("objcopy").argv == (str(names / "x86_64--netbsd-objcopy"),)
    assert toolchain.require("config").argv == (str(names / "nbconfig"),)
    assert toolchain.require("make").argv == (str(names / "nbmake-amd64"),)
    assert toolchain.require("genassym").argv == (str(names / "nbgenassym"),)
    assert toolchain.require("ctfconvert").argv == (str(names / "nbctfconvert"),)
    assert toolchain.missing == ()


def test_tooldir_with_gcc_prefers_it(tooldir: Path, make_script: Script) -> None:
    make_script(tooldir / "bin/x86_64--netbsd-gcc", "exit 0")
    toolchain = load_toolchain("tooldir", load_machine("amd64"), tooldir, os.environ)
    assert toolchain.compiler is CompilerFamily.GCC


def test_tooldirs_programs_serve_other_kinds_too(tooldir: Path) -> None:
    toolchain = load_toolchain("zig", load_machine("amd64"), tooldir, os.environ)
    assert toolchain.require("config").argv == (str(tooldir / "bin/nbconfig"),)


def test_identity_of_a_wrapper_holds_the_compiler_behind_it(tooldir: Path) -> None:
    machine = load_machine("amd64")
    toolchain = load_toolchain("tooldir", machine, tooldir, os.environ)
    zig = load_toolchain("zig", machine, None, os.environ).cc.files[0]
    assert (tooldir / "bin/x86_64--netbsd-clang").resolve() in toolchain.cc.files
    assert zig in toolchain.cc.files
    # What is joined by the compiler depends on it and on the linker that it calls.
    assert set(toolchain.cc.files) < set(toolchain.link.files)
    assert (tooldir / "lib/ld").resolve() in toolchain.link.files


def test_module_of_a_tooldir_is_linked_through_its_compiler(
    tooldir: Path, tmp_path: Path, build: Callable[[Toolchain, Path], object]
) -> None:
    # lld stands in for GNU ld here, and lld knows no -d.
    script = tooldir / "bin/x86_64--netbsd-ld"
    text = script.read_text().replace('"$@"', '$(echo " $@ " | sed "s/ -d / /")')
    script.write_text(text)
    toolchain = load_toolchain("tooldir", load_machine("amd64"), tooldir, os.environ)
    elf = build(toolchain, tmp_path).elf
    assert ident_version(elf, read_notes(elf)) == 1099001200


@pytest.mark.parametrize("compiler", ["clang", "gcc"])
def test_host_programs_under_a_tooldirs_names_make_a_module(
    compiler: str, tmp_path: Path, build: Callable[[Toolchain, Path], object]
) -> None:
    names = tmp_path / "tooldir/bin"
    names.mkdir(parents=True)
    for name in (compiler, "ld"):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"the host has no {name}")
        (names / f"x86_64--netbsd-{name}").symlink_to(program)
    toolchain = load_toolchain("tooldir", load_machine("amd64"), names.parent, os.environ)
    assert toolchain.cc.argv == (str(names / f"x86_64--netbsd-{compiler}"),)
    assert all(path.is_file() and not path.is_symlink() for path in toolchain.link.files)
    elf = build(toolchain, tmp_path).elf
    assert ident_version(elf, read_notes(elf)) == 1099001200


def test_missing_tooldir_is_one_error_with_names_place_and_mend() -> None:
    with pytest.raises(BuildsysError) as caught:
        load_toolchain("tooldir", load_machine("sparc64"), None, os.environ)
    assert str(caught.value) == (
        "toolchain tooldir: no cc found: looked for sparc64--netbsd-gcc or sparc64--netbsd-clang "
        "in TOOLDIR (not set); run './build.sh -m sparc64 -a sparc64 tools' and set TOOLDIR, or "
        "choose another kind with --toolchain"
    )


def test_missing_host_compiler_is_one_error_with_names_place_and_mend(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError) as caught:
        load_toolchain("llvm", load_machine("amd64"), None, {"PATH": f"{tmp_path}:{tmp_path}"})
    assert str(caught.value) == (
        f"toolchain llvm: no cc found: looked for clang or clang-* in PATH ({tmp_path}); "
        "apt install clang, or pkgin install clang"
    )


def test_missing_cross_compiler_names_debians_package(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match=r"; apt install gcc-aarch64-linux-gnu, or choose"):
        load_toolchain("gnu", load_machine("evbarm64"), None, {"PATH": str(tmp_path)})
    with pytest.raises(BuildsysError, match=r"\); choose another kind with --toolchain$"):
        load_toolchain("gnu", load_machine("evbarm-aarch64eb"), None, {"PATH": str(tmp_path)})


def test_newest_of_versioned_names_is_taken(tmp_path: Path, make_script: Script) -> None:
    for name in ("clang-9", "clang-19", "clang-format-20", "ld.lld-19", "llvm-nm-9", "llvm-nm-14"):
        make_script(tmp_path / name, "exit 0")
    (tmp_path / "clang-21").write_text("not executable")
    toolchain = load_toolchain("llvm", load_machine("amd64"), None, {"PATH": str(tmp_path)})
    assert toolchain.cc.argv[0] == str(tmp_path / "clang-19")
    assert toolchain.require("nm").argv == (str(tmp_path / "llvm-nm-14"),)


def test_plain_name_goes_before_versioned_ones(tmp_path: Path, make_script: Script) -> None:
    for name in ("clang", "clang-99", "ld.lld"):
        make_script(tmp_path / name, "exit 0")
    toolchain = load_toolchain("llvm", load_machine("amd64"), None, {"PATH": str(tmp_path)})
    assert toolchain.cc.argv[0] == str(tmp_path / "clang")


def test_gcc_for_another_system_is_told_that_this_is_netbsd(
    tmp_path: Path, make_script: Script
) -> None:
    for name in ("x86_64-linux-gnu-gcc", "x86_64-linux-gnu-ld"):
        make_script(tmp_path / name, "exit 0")
    toolchain = load_toolchain("gnu", load_machine("i386"), None, {"PATH": str(tmp_path)})
    assert toolchain.cc.argv[1:3] == ("-m32", "-U__linux__")
    assert "-D__NetBSD__=1" in toolchain.cc.argv
    assert toolchain.require("ld").argv[1:] == ("-m", "elf_i386")


def test_gcc_for_netbsd_goes_before_one_for_another_system(
    tmp_path: Path, make_script: Script
) -> None:
    for name in ("x86_64-linux-gnu-gcc", "i486--netbsdelf-gcc", "i486--netbsdelf-ld"):
        make_script(tmp_path / name, "exit 0")
    toolchain = load_toolchain("gnu", load_machine("i386"), None, {"PATH": str(tmp_path)})
    assert toolchain.cc.argv == (str(tmp_path / "i486--netbsdelf-gcc"),)


def test_linker_has_the_prefix_of_the_compiler(tmp_path: Path, make_script: Script) -> None:
    for name in ("x86_64-linux-gnu-gcc", "i486--netbsdelf-ld"):
        make_script(tmp_path / name, "exit 0")
    with pytest.raises(BuildsysError, match=r"no ld found: looked for x86_64-linux-gnu-ld in"):
        load_toolchain("gnu", load_machine("i386"), None, {"PATH": str(tmp_path)})


def test_compiler_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    for name in ("clang", "ld.lld"):
        (tmp_path / name).write_bytes(b"\x7fELF")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(
        BuildsysError, match=r"a tool that was found does not run: .*/clang: cannot"
    ):
        load_toolchain("llvm", load_machine("amd64"), None, {"PATH": str(tmp_path)})
