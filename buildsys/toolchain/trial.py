"""Build a tiny module with a toolchain, to know that it works and not only that it exists."""

import struct
from collections.abc import Mapping
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import write_whole
from buildsys.base.programs import quote_argv
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen
from buildsys.toolchain.argv import (
    compile_argv,
    link_argv,
    module_aflags,
    module_cflags,
    module_cppflags,
    module_ldflags,
)
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.ident import render_ident_source
from buildsys.toolchain.model import ElfKind, Machine, Toolchain

_TRIAL_SECONDS = 60.0
_HEADER_BYTES = 20
_C_SOURCE = b"""\
extern int printf(const char *, ...);
static int calls;
int trial(int);
int
trial(int much)
{
	calls += much;
	return printf("called %d times\\n", calls) + printf(calls > 9 ? "often\\n" : "seldom\\n");
}
static int (*const entry)(int) __attribute__((__used__, __section__("link_set_trial"))) = trial;
"""


@frozen
class Trial:
    """How the trial went; output is what a person needs to see when it failed."""

    is_success: bool
    seconds: float
    output: str


def run_trial(toolchain: Toolchain, directory: Path, environment: Mapping[str, str]) -> Trial:
    """Compile, assemble and link in directory, and look at what came out."""
    flags = _flags(toolchain)
    source, note = directory / "trial.c", directory / "ident.S"
    objects = (directory / "trial.o", directory / "ident.o")
    kmod = directory / "trial.kmod"
    write_whole(source, _C_SOURCE)
    write_whole(note, render_ident_source(1099001200).encode())
    script = shipped_path("toolchain/kmodule.ld")
    commands = (
        compile_argv(toolchain, flags[0], source, objects[0], directory / "trial.d"),
        compile_argv(toolchain, flags[1], note, objects[1]),
        link_argv(toolchain, objects, kmod, script, flags=module_ldflags(toolchain)),
    )
    seconds = 0.0
    for argv in commands:
        try:
            result = CommandRunner().run(
                argv, directory, tool_environment(environment), timeout_seconds=_TRIAL_SECONDS
            )
        except BuildsysError as error:
            return Trial(False, seconds, str(error))
        seconds += result.seconds
        if not result.is_success:
            said = result.output.decode(errors="replace")
            status = result.describe_status()
            return Trial(False, seconds, f"{quote_argv(argv)}\n{said}{status}")
    trouble = describe_mismatch(toolchain.machine, _read_header(kmod))
    return Trial(not trouble, seconds, trouble)


def describe_mismatch(machine: Machine, header: bytes) -> str:
    """Say how an object's first 20 bytes are not those of this machine; '' when they are."""
    if len(header) < _HEADER_BYTES or header[:4] != b"\x7fELF":
        return "the linker wrote no ELF file"
    is_big_endian = header[5] == 2
    (number,) = struct.unpack_from(">H" if is_big_endian else "<H", header, 18)
    found = ElfKind(64 if header[4] == 2 else 32, is_big_endian, number)
    if found == machine.elf:
        return ""
    return f"expected {_describe_elf(machine.elf)} for {machine.label}, got {_describe_elf(found)}"


def _describe_elf(kind: ElfKind) -> str:
    order = "big" if kind.is_big_endian else "little"
    return f"ELF{kind.bits}, {order}-endian, e_machine {kind.e_machine}"


def _flags(toolchain: Toolchain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    machine, family = toolchain.machine, toolchain.compiler
    cppflags = module_cppflags(machine, family)
    return (
        (*module_cflags(machine, family), *cppflags),
        (*module_aflags(machine, family), *cppflags),
    )


def _read_header(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_HEADER_BYTES)
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
