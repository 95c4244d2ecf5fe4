"""A module built with the embedded toolchain for each machine, and toolchains made of scripts."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from buildsys.base.command import run_command
from buildsys.base.shipped import shipped_path
from buildsys.elf.model import ElfObject
from buildsys.elf.reader import read_elf
from buildsys.toolchain.argv import (
    compile_argv,
    link_argv,
    module_aflags,
    module_cflags,
    module_cppflags,
    module_ldflags,
)
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.ident import render_ident_source
from buildsys.toolchain.machine import list_machines, load_machine
from buildsys.toolchain.model import Toolchain

VERSION = 1099001200

FIRST_SOURCE = r"""
extern int printf(const char *, ...);
extern int offered_number;
extern unsigned char offered_byte;
extern unsigned short offered_short;
extern unsigned long long offered_long;
extern char offered_array[];
struct wide { int version, class; int (*entry)(int); const char *name, *required; };
int zeroed[40];
int shared = 3;
static int kept;
static int quiet[2] __attribute__((__section__(".data.read_mostly"))) = { 1, 2 };
static int lined[2] __attribute__((__section__(".data.cacheline_aligned"), __aligned__(64)));
int other(int);
static int first(int n) { return n + kept; }
static int second(int n) { return n - shared + quiet[n & 1]; }
static int (*const table[])(int) = { first, second, other };
__attribute__((__noinline__)) static int
choose(int n)
{
	switch (n) {
	case 0: return 17;
	case 1: return offered_number;
	case 2: return other(9);
	case 3: kept++; return 5;
	case 4: return printf("four and %s\n", "more");
	case 5: return zeroed[n + kept];
	case 6: return 1234567;
	case 7: return lined[kept & 1]++;
	default: return table[n & 1](n);
	}
}
int
entry(int n)
{
	offered_byte++;
	offered_short += 2;
	offered_long += 3;
	return choose(n) + offered_array[n] + offered_array[3];
}
static const struct wide info = { 1099001200, 5, entry, "sample", 0 };
static const void *const set
    __attribute__((__used__, __section__("link_set_modules"))) = &info;
static const char *const words[]
    __attribute__((__used__, __section__("link_set_words"))) = { "alpha", "beta", "alpha", "tail" };
"""

SECOND_SOURCE = r"""
extern int shared;
extern int zeroed[];
extern int printf(const char *, ...);
static int calls[30];
int
other(int n)
{
	calls[n & 7]++;
	zeroed[n & 3] = n;
	return printf("called %d\n", calls[n & 7]) + shared;
}
static const char *const more[]
    __attribute__((__used__, __section__("link_set_words"))) = { "gamma", "alpha", "detail" };
"""

ASSEMBLY_SOURCE = """
#define NAME(x) x
	.text
	.globl NAME(from_assembly)
NAME(from_assembly):
	nop
	.data
	.balign 8
	.globl number
number:
	.long 7
"""


@dataclass(frozen=True, slots=True)
class BuiltModule:
    """A module with the toolchain that made it."""

    toolchain: Toolchain
    kmod: Path
    depfile: Path
    elf: ElfObject


def build_module(toolchain: Toolchain, directory: Path) -> BuiltModule:
    """Compile two C sources, an assembly source and the note, and link them with a map file."""
    machine, family = toolchain.machine, toolchain.compiler
    cppflags = module_cppflags(machine, family)
    cflags = (*module_cflags(machine, family), *cppflags, "-Wall", "-Wextra", "-Werror")
    aflags = (*module_aflags(machine, family), *cppflags)
    sources = {
        "first.c": FIRST_SOURCE,
        "second.c": SECOND_SOURCE,
        "third.S": ASSEMBLY_SOURCE,
        "ident.S": render_ident_source(VERSION),
    }
    objects = []
    for name, text in sources.items():
        source = directory / name
        source.write_text(text)
        objects.append(source.with_suffix(".o"))
        flags = cflags if name.endswith(".c") else aflags
        run_well(compile_argv(toolchain, flags, source, objects[-1], source.with_suffix(".d")))
    kmod = directory / "sample.kmod"
    script = shipped_path("toolchain/kmodule.ld")
    run_well(
        link_argv(
            toolchain, objects, kmod, script, directory / "sample.map", module_ldflags(toolchain)
        )
    )
    return BuiltModule(toolchain, kmod, directory / "first.d", read_elf(kmod))


def run_well(argv: tuple[str, ...]) -> None:
    """Run a command that must succeed and say nothing."""
    result = run_command(argv)
    assert result.is_success, result.output.decode()
    assert result.output == b""


@pytest.fixture(scope="module", params=[machine.label for machine in list_machines()])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BuiltModule:
    toolchain = load_toolchain("zig", load_machine(request.param), None, os.environ)
    return build_module(toolchain, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def build() -> Callable[[Toolchain, Path], BuiltModule]:
    return build_module


@pytest.fixture
def make_script() -> Callable[[Path, str], Path]:
    """Give a function that writes an executable shell script."""

    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def tooldir(tmp_path: Path, make_script: Callable[[Path, str], Path]) -> Path:
    """Lay out a TOOLDIR for amd64 as build.sh does, of scripts that call the embedded tools."""
    machine = load_machine("amd64")
    zig = load_toolchain("zig", machine, None, os.environ).cc.argv[0]
    root = tmp_path / "tooldir"
    names = root / "bin"
    # A clang of a TOOLDIR calls the ld that lies beside it.
    make_script(
        names / "x86_64--netbsd-clang",
        f'exec {zig} clang --no-default-config -target x86_64--netbsd -B "{root}/lib" "$@"',
    )
    make_script(names / "x86_64--netbsd-ld", f'exec {zig} ld.lld "$@"')
    make_script(root / "lib/ld", f'exec "{names}/x86_64--netbsd-ld" "$@"')
    for name in ("objcopy", "nm", "objdump"):
        make_script(names / f"x86_64--netbsd-{name}", f"echo GNU {name} 2.39")
    for name in ("nbconfig", "nbmake", "nbmake-amd64", "nbgenassym", "nbctfconvert", "nbctfmerge"):
        make_script(names / name, "exit 0")
    return root
