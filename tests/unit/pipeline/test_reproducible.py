"""Flags of reproducible builds: what stock asks for, in words that the compiler knows."""

from pathlib import Path

from buildsys.base.value import replace
from buildsys.pipeline.reproducible import map_argv
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import CompilerFamily

ROOTS = (("/src", "/usr/src"), ("/src/sys", "/usr/src/sys"))
WARNINGS = ("-Wdate-time", "-Wno-error=date-time")
STOCK = (
    "cc", "-O2", "-Wp,-iremap,/src:/usr/src", "-Wp,-iremap,/:/", "-Wp,-iremap,/x11:/usr/xsrc",
    "-Wp,-fno-canonical-system-headers", "-fdebug-regex-map=/usr/src/(.*)/obj$=/usr/obj/\\1",
    "-fdebug-prefix-map=$NETBSDSRCDIR=/usr/src", "-MD", "-MF", "d", "-c", "/src/a.c",
)  # fmt: skip


def test_what_only_netbsds_gcc_knows_is_said_in_other_words() -> None:
    toolchain = load_toolchain("zig", load_machine("amd64"), tooldir=None, environment={})
    assert map_argv(STOCK, toolchain, ROOTS) == (
        "cc", "-O2", "-ffile-prefix-map=/x11=/usr/xsrc",
        "-ffile-prefix-map=/src=/usr/src", "-ffile-prefix-map=/src/sys=/usr/src/sys",
        *WARNINGS, "-MD", "-MF", "d", "-c", "/src/a.c",
    )  # fmt: skip


def test_netbsds_gcc_keeps_what_its_makefiles_say() -> None:
    zig = load_toolchain("zig", load_machine("amd64"), tooldir=None, environment={})
    toolchain = replace(zig, kind="tooldir", compiler=CompilerFamily.GCC)
    maps = ("-fdebug-prefix-map=/src=/usr/src", "-fdebug-prefix-map=/src/sys=/usr/src/sys")
    assert map_argv(STOCK, toolchain, ROOTS) == (*STOCK[:8], *maps, *WARNINGS, *STOCK[8:])
    bare = ("cc", "-c", str(Path("/src/a.c")))
    remaps = ("-Wp,-iremap,/src:/usr/src", "-Wp,-iremap,/src/sys:/usr/src/sys")
    assert map_argv(bare, toolchain, ROOTS) == ("cc", *remaps, *maps, *WARNINGS, *bare[1:])
