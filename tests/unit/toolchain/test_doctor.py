"""The doctor: what it finds, what it builds with it, and how it tells."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from buildsys.base.value import replace
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.doctor import examine_toolchains, render_doctor, render_doctor_json
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.trial import describe_mismatch, run_trial

Script = Callable[[Path, str], Path]


def test_embedded_toolchain_works_and_tells_its_versions() -> None:
    machine = load_machine("sparc64")
    (zig,) = examine_toolchains(machine, "zig", None, os.environ, ("zig",))
    assert zig.is_working
    assert zig.trouble == ""
    versions = {tool.role: tool.version for tool in zig.tools}
    assert versions["cc"].startswith("clang version ")
    assert versions["ld"].startswith("LLD ")


def test_report_says_what_works_what_is_missing_and_how_to_get_it() -> None:
    machine = load_machine("evbmips-mips64eb")
    environment = {"PATH": ""}
    examined = examine_toolchains(machine, "zig", None, environment, ("zig", "tooldir"))
    text = render_doctor(machine, examined)
    assert text.startswith("machine evbmips-mips64eb: MACHINE evbmips, MACHINE_ARCH mips64eb, ")
    assert "  limits: clang has no -ffixed-24" in text
    assert "package ziglang), chosen: works (a module built in " in text
    assert "  make       none (nbmake-evbmips or nbmake or bmake): apt install bmake, or " in text
    assert "toolchain tooldir (a TOOLDIR made by build.sh): not there:\n" in text
    assert "run './build.sh -m evbmips -a mips64eb tools' and set TOOLDIR" in text
    assert text.endswith("\n")


def test_report_for_programs_says_the_same() -> None:
    machine = load_machine("amd64")
    examined = examine_toolchains(machine, "zig", None, {"PATH": ""}, ("zig", "llvm"))
    document = json.loads(render_doctor_json(machine, examined))
    assert document["format"] == 1
    assert document["machine"]["triple"] == "x86_64--netbsd"
    zig, llvm = document["toolchains"]
    assert (zig["kind"], zig["chosen"], zig["found"], zig["works"]) == ("zig", True, True, True)
    assert (llvm["found"], llvm["works"]) == (False, False)
    assert llvm["trouble"].startswith("toolchain llvm: no cc found: looked for clang or ")
    roles = [tool["role"] for tool in zig["missing"]]
    assert roles == [
        "objcopy", "nm", "objdump", "config", "make", "genassym", "ctfconvert", "ctfmerge",
        "awk",
    ]  # fmt: skip


def test_compiler_that_fails_is_told_with_its_command_and_output(
    tmp_path: Path, make_script: Script
) -> None:
    machine = load_machine("amd64")
    make_script(tmp_path / "clang", "echo no such target; exit 3")
    make_script(tmp_path / "ld.lld", "exit 0")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    (llvm,) = examine_toolchains(machine, "llvm", None, environment, ("llvm",))
    assert not llvm.is_working
    assert (
        f"{tmp_path}/clang -fno-crash-diagnostics -fintegrated-as -target x86_64--netbsd"
        in llvm.trouble
    )
    assert llvm.trouble.endswith("no such target\nexit status 3")
    assert "there, but FAILS to build a module:\n" in render_doctor(machine, (llvm,))


def test_output_for_another_machine_is_found_out(tmp_path: Path) -> None:
    amd64 = load_machine("amd64")
    toolchain = load_toolchain("zig", load_machine("macppc"), None, os.environ)
    mistaken = replace(toolchain, machine=replace(toolchain.machine, elf=amd64.elf))
    trial = run_trial(mistaken, tmp_path, os.environ)
    assert not trial.is_success
    assert trial.output == (
        "expected ELF64, little-endian, e_machine 62 for macppc-powerpc, "
        "got ELF32, big-endian, e_machine 20"
    )


def test_output_that_is_no_elf_file_is_found_out() -> None:
    assert describe_mismatch(load_machine("amd64"), b"!<arch>\n") == "the linker wrote no ELF file"
