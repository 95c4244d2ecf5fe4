"""Commands as tuples: order, both link styles, and an environment that changes no output."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.toolchain.argv import (
    compile_argv,
    link_argv,
    module_aflags,
    module_ldflags,
)
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import (
    CompilerFamily,
    LinkerFamily,
    LinkStyle,
    MissingTool,
    Tool,
    Toolchain,
)


def make_toolchain(label: str, style: LinkStyle, linker: LinkerFamily) -> Toolchain:
    cc = Tool(("/t/cc", "-target", "x"), (Path("/t/cc"),))
    ld = Tool(("/t/ld",), (Path("/t/ld"),))
    return Toolchain(
        kind="sample",
        machine=load_machine(label),
        compiler=CompilerFamily.CLANG,
        linker=linker,
        link_style=style,
        cc=cc,
        link=ld if style is LinkStyle.DIRECT else cc,
        ld=ld,
        missing=(MissingTool("make", ("bmake",), ("PATH (/bin)",), "apt install bmake"),),
    )


def test_compile_adds_nothing_but_compiler_and_files_to_the_flags() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.DIRECT, LinkerFamily.LLD)
    argv = compile_argv(toolchain, ("-O1", "-DX"), Path("s/a.c"), Path("o/a.o"))
    assert argv == ("/t/cc", "-target", "x", "-O1", "-DX", "-c", "s/a.c", "-o", "o/a.o")


def test_compile_writes_a_depfile_whose_target_is_the_object() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.DIRECT, LinkerFamily.LLD)
    argv = compile_argv(toolchain, ("-O1",), "a.c", "o/a.o", "o/a.d")
    assert argv[3:] == (
        "-O1", "-MD", "-MF", "o/a.d", "-MT", "o/a.o", "-c", "a.c", "-o", "o/a.o",
    )  # fmt: skip


def test_link_calls_lld_itself_without_the_flag_that_it_dropped() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.DIRECT, LinkerFamily.LLD)
    argv = link_argv(toolchain, ("a.o", "b.o"), "x.kmod", "k.ld", "x.map")
    assert argv == (
        "/t/ld", "-r", "-T", "k.ld", "-Map=x.map", "-o", "x.kmod", "a.o", "b.o",
    )  # fmt: skip


def test_link_through_the_compiler_passes_the_script_as_bsd_kmodule_mk_does() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.THROUGH_CC, LinkerFamily.GNU)
    argv = link_argv(toolchain, ("a.o",), "x.kmod", "k.ld", "x.map", ("-Wl,--fatal-warnings",))
    assert argv == (
        "/t/cc", "-target", "x", "-Wl,--fatal-warnings", "-nostdlib", "-r", "-Wl,-T,k.ld,-d",
        "-Wl,-Map=x.map", "-o", "x.kmod", "a.o",
    )  # fmt: skip


def test_link_flags_of_the_machine_are_for_linking_through_the_compiler() -> None:
    label = "evbmips-mips64eb"
    through = make_toolchain(label, LinkStyle.THROUGH_CC, LinkerFamily.GNU)
    direct = make_toolchain(label, LinkStyle.DIRECT, LinkerFamily.LLD)
    assert module_ldflags(through) == ("-Wl,-m,elf64btsmip",)
    assert module_ldflags(direct) == ()


def test_assembly_gets_no_c_flags() -> None:
    flags = module_aflags(load_machine("amd64"), CompilerFamily.CLANG)
    assert flags == ("-Wa,--noexecstack",)


def test_environment_loses_what_would_change_the_output_and_keeps_the_rest() -> None:
    environment = tool_environment(
        {
            "PATH": "/bin",
            "HOME": "/root",
            "CPATH": "/evil",
            "CCC_OVERRIDE_OPTIONS": "+-O0",
            "LANG": "de_DE.UTF-8",
            "LC_MESSAGES": "de_DE.UTF-8",
            "SOURCE_DATE_EPOCH": "1",
            "TZ": "UTC",
            "ZIG_LIB_DIR": "/elsewhere",
        }
    )
    assert environment == {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def test_required_tool_that_is_missing_says_where_it_was_looked_for() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.DIRECT, LinkerFamily.LLD)
    assert toolchain.require("ld").argv == ("/t/ld",)
    with pytest.raises(
        BuildsysError,
        match=r"no make found: looked for bmake in PATH \(/bin\); apt install bmake",
    ):
        toolchain.require("make")


def test_required_tool_that_the_kind_does_not_know_has_a_mend_too() -> None:
    toolchain = make_toolchain("amd64", LinkStyle.DIRECT, LinkerFamily.LLD)
    with pytest.raises(BuildsysError, match=r"toolchain sample has no nm; choose another"):
        toolchain.require("nm")
