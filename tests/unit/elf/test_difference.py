"""Differences between object files, in words."""

import os
import subprocess
from pathlib import Path

import pytest

from buildsys.elf.difference import describe_differences, find_first_difference, find_times
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

BASE = "int f(int);\nint g(int);\nint value = 3;\nint f(int a) { return g(a) + 5; }\n"


def compile_text(path: Path, text: str, *flags: str, label: str = "amd64") -> Path:
    compiler = load_toolchain("zig", load_machine(label, None), None, os.environ).cc.argv
    source = path.with_suffix(".c")
    source.write_text(text)
    words = (*compiler, "-O1", *flags, "-c", source.name, "-o", path.name)
    subprocess.run(words, check=True, cwd=path.parent)
    return path


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        (BASE.replace("+ 5", "+ 6"), (), "section .text: bytes differ from offset 0x"),
        (BASE.replace("value = 3", "value = 4"), (), "section .data: bytes differ from offset 0x0"),
        (BASE + "int more;\n", (), "symbols only there: more"),
        (BASE.replace("g(", "h("), (), "symbols only here: g"),
        (BASE.replace("+ 5", "+ g(a)"), (), "relocations here"),
        (BASE, ("-g",), "section .debug_info: only there"),
        (BASE.replace("int f(int a)", "static int f(int a)").replace("int f(int);\n", "")
         + "int k(int a) { return f(a); }\n", (), "symbols only there: k"),
    ],
)  # fmt: skip
def test_a_difference_is_named(
    tmp_path: Path, text: str, flags: tuple[str, ...], expected: str
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    ours = compile_text(tmp_path / "one/a.o", BASE)
    theirs = compile_text(tmp_path / "two/a.o", text, *flags)
    lines = describe_differences(ours, theirs)
    assert any(expected in line for line in lines), lines


def test_the_function_with_the_first_other_byte_is_named(tmp_path: Path) -> None:
    ours = compile_text(tmp_path / "a.o", BASE)
    (tmp_path / "two").mkdir()
    theirs = compile_text(tmp_path / "two/a.o", BASE.replace("+ 5", "+ 6"))
    assert ", in f" in describe_differences(ours, theirs)[0]


def test_equal_files_have_no_difference(tmp_path: Path) -> None:
    path = compile_text(tmp_path / "a.o", BASE)
    assert describe_differences(path, path) == ()


def test_another_machine_is_told_first(tmp_path: Path) -> None:
    ours = compile_text(tmp_path / "a.o", BASE)
    (tmp_path / "two").mkdir()
    theirs = compile_text(tmp_path / "two/a.o", BASE, label="i386")
    assert describe_differences(ours, theirs)[0].startswith("header: for another machine")


CALLER = 'void f(const char *);\nvoid g(void);\nvoid g(void) { f(%s); f("same"); }\n'


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Nov 23 2026", "Jan  2 1971"),
        ("09:59:01", "10:00:12"),
        ("Mon Nov 23 09:59:01 2026", "Sat Jan  2 00:00:00 1971"),
        ("built Nov 23 2026 09:59:01", "built Nov 23 2026 10:59:01"),
    ],
)
def test_dates_and_times_that_differ_are_found(tmp_path: Path, one: str, two: str) -> None:
    (tmp_path / "two").mkdir()
    ours = compile_text(tmp_path / "a.o", CALLER % f'"{one}"')
    theirs = compile_text(tmp_path / "two/a.o", CALLER % f'"{two}"')
    found = find_times(ours, theirs)
    assert found is not None
    assert all(part in whole for part, whole in zip(found, (one, two), strict=True))
    assert find_first_difference(ours, theirs).startswith("section .rodata")
    assert find_times(ours, ours) is None


def test_what_was_compiled_is_told_before_what_follows_from_it(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    ours = compile_text(tmp_path / "a.o", CALLER % '"some text that is long"')
    theirs = compile_text(tmp_path / "two/a.o", CALLER % '"text"')
    assert ".rela" not in find_first_difference(ours, theirs)
    assert find_times(ours, theirs) is None
