"""Which files stand for a tool: real compilers, wrappers around wrappers, and tools without any."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.identity import compiler_files, linker_behind, program_files
from buildsys.toolchain.machine import load_machine

Script = Callable[[Path, str], Path]


def embedded() -> Path:
    return load_toolchain("zig", load_machine("amd64"), None, os.environ).cc.files[0]


def test_wrapper_around_a_wrapper_does_not_hide_the_compiler(
    tmp_path: Path, make_script: Script
) -> None:
    inner = make_script(tmp_path / "inner", f'exec {embedded()} clang "$@"')
    outer = make_script(tmp_path / "outer", f'exec {inner} "$@"')
    link = tmp_path / "cc"
    link.symlink_to(outer)
    files = compiler_files((str(link),), os.environ)
    assert files[:3] == (outer.resolve(), inner.resolve(), embedded())


def test_wrapper_around_a_linker_does_not_hide_the_linker(
    tmp_path: Path, make_script: Script
) -> None:
    script = make_script(tmp_path / "ld", f'FLAG=/none/such\nexec "{embedded()}" ld.lld "$@"')
    assert program_files(script, os.environ)[:2] == (script.resolve(), embedded())


def test_scripts_that_name_each_other_come_to_an_end(tmp_path: Path, make_script: Script) -> None:
    one = make_script(tmp_path / "one", f"exec {tmp_path}/two")
    two = make_script(tmp_path / "two", f"exec {one}")
    assert program_files(one, os.environ) == (one.resolve(), two.resolve())


def test_host_compilers_parts_and_libraries_belong_to_it() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("the host has no gcc")
    names = {path.name for path in compiler_files(("gcc",), os.environ)}
    assert "cc1" in names
    assert any(name.endswith("as") for name in names)
    assert not any(name.startswith("libc.") for name in names)


def test_without_ldd_a_program_stands_for_itself(tmp_path: Path, make_script: Script) -> None:
    program = make_script(tmp_path / "ld", "exit 0")
    assert program_files(program, {"PATH": str(tmp_path)}) == (program.resolve(),)


def test_compiler_tells_the_linker_that_it_calls(tmp_path: Path, make_script: Script) -> None:
    ld = make_script(tmp_path / "ld", "exit 0")
    named = make_script(tmp_path / "cc", f"echo {ld}")
    bare = make_script(tmp_path / "cc2", "echo ld")
    lost = make_script(tmp_path / "cc3", f"echo {tmp_path}/none")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert linker_behind((str(named),), environment) == ld
    assert linker_behind((str(bare),), environment) == ld
    assert linker_behind((str(lost),), environment) is None


def test_replacing_what_stands_behind_a_wrapper_changes_the_identity(
    tmp_path: Path, make_script: Script
) -> None:
    for name in ("first", "second"):
        make_script(tmp_path / name, f'exec {embedded()} clang "$@"')
    link = tmp_path / "cc"
    link.symlink_to(tmp_path / "first")
    before = compiler_files((str(link),), os.environ)
    link.unlink()
    link.symlink_to(tmp_path / "second")
    assert compiler_files((str(link),), os.environ) != before
