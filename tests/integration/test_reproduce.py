"""Reproducible builds: what must not matter does not, and what does is found and named."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from workspace import Workspace

_LEAK = """
static const char where[] = __FILE__, when[] = __DATE__ " " __TIME__;
const char *gamma_where(int i) { return i ? where : when; }
"""


def test_modules_built_reproducibly_name_no_directory_of_the_build(workspace: Workspace) -> None:
    workspace.write("modules/gamma/tables.c", "const char gamma_file[] = __FILE__;\n")
    workspace.edit("modules/gamma/gamma.yaml", "sources", "cflags: [-g]\nsources")
    workspace.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? 0")
    built = workspace.path("obj/amd64-x86_64/gamma/gamma.kmod")
    assert workspace.run("build", "gamma").status == 0
    assert os.fsencode(workspace.directory) in built.read_bytes()
    assert workspace.run("build", "-P", "gamma").status == 0
    assert os.fsencode(workspace.directory) not in built.read_bytes()
    assert b"/usr/modules/gamma/tables.c" in built.read_bytes()


def test_the_environment_and_the_file_can_ask_for_it_too(workspace: Workspace) -> None:
    workspace.environment["MKREPRO"] = "yes"
    assert "(environment MKREPRO)" in workspace.run("config").out
    workspace.environment["MKREPRO"] = "perhaps"
    ran = workspace.run("config")
    assert (ran.status, "environment MKREPRO: expected yes or no" in ran.err) == (3, True)
    del workspace.environment["MKREPRO"]
    workspace.write("modbuild.yaml", "reproducible: true\n")
    lines = [line.split()[:2] for line in workspace.run("config").out.splitlines()]
    assert ["reproducible", "yes"] in lines


def test_a_new_time_makes_reproducible_results_stale(workspace: Workspace) -> None:
    workspace.environment["SOURCE_DATE_EPOCH"] = "86400"
    workspace.write("modules/gamma/tables.c", "const char gamma_day[] = __DATE__;\n")
    workspace.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? 0")
    kmod = workspace.path("obj/amd64-x86_64/gamma/gamma.kmod")
    ran = workspace.run("build", "-P", "gamma")
    assert ran.status == 0
    assert b"Jan  2 1970" in kmod.read_bytes()
    assert "warning: expansion of date or time macro" in ran.out + ran.err
    workspace.environment["SOURCE_DATE_EPOCH"] = "172800"
    assert workspace.run("build", "-P", "gamma").status == 0
    assert b"Jan  3 1970" in kmod.read_bytes()


def test_modules_that_depend_on_nothing_else_are_the_same(workspace: Workspace) -> None:
    ran = workspace.run("reproduce")
    assert ran.status == 0, ran.out + ran.err
    assert ran.out.endswith("3 modules built twice: 3 the same byte for byte, 0 not\n")
    assert "varied: object directory /" in ran.out
    assert "user" in ran.out
    assert not workspace.path("obj/amd64-x86_64/alpha").exists()


def test_a_time_in_a_module_is_found_and_shown(workspace: Workspace) -> None:
    path = workspace.path("modules/gamma/gamma.c")
    path.write_text(path.read_text() + _LEAK)
    ran = workspace.run("reproduce", "gamma", "alpha")
    assert ran.status == 2, ran.out + ran.err
    assert "gamma.kmod: differs: section .rodata" in ran.out
    assert "Jan  2 1971" in ran.out
    assert "\ngamma.kmod: a date or time: 'Jan  2 1971" in ran.out
    line = len(path.read_text().splitlines()) - 1
    assert f"\nmodules/gamma/gamma.c:{line}: __DATE__\n" in ran.out
    assert f"\nmodules/gamma/gamma.c:{line}: __TIME__\n" in ran.out
    assert "2 modules built twice: 1 the same byte for byte, 1 not" in ran.out
    workspace.environment["SOURCE_DATE_EPOCH"] = "86400"
    ran = workspace.run("reproduce", "gamma")
    assert (ran.status, "not varied" in ran.out, "SOURCE_DATE_EPOCH=86400" in ran.out) == (
        0,
        True,
        True,
    )


def test_a_directory_in_a_module_is_found_where_the_settings_allow_it(workspace: Workspace) -> None:
    workspace.write("modules/gamma/tables.c", "const char gamma_file[] = __FILE__;\n")
    workspace.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? 0")
    workspace.write("modbuild.yaml", "reproducible: false\n")
    ran = workspace.run("reproduce", "gamma", "-o", "work")
    assert ran.status == 2, ran.out + ran.err
    assert "work/1/modules/gamma/tables.c'" in ran.out
    assert "built without -P" in ran.out
    assert workspace.path("work/1/o/amd64-x86_64/gamma/gamma.kmod").exists()
    ran = workspace.run("reproduce", "gamma", "-o", "work")
    assert (ran.status, "is not empty" in ran.err) == (1, True)


def test_a_build_that_fails_is_told_and_compares_the_rest(workspace: Workspace) -> None:
    workspace.write("modules/gamma/tables.c", "this is no C\n")
    ran = workspace.run("reproduce")
    assert ran.status == 1
    assert "the first build says:" in ran.err
    assert "2 modules built twice: 2 the same" in ran.out
    ran = workspace.run("reproduce", "nosuch")
    assert (ran.status, ran.err.count("nosuch")) == (3, 1), ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_the_second_build_is_another_users_where_it_can_be(workspace: Workspace) -> None:
    python = Path(sys.executable).resolve()
    everyone = stat.S_IXOTH
    is_open = all(path.stat().st_mode & everyone for path in python.parents)
    ran = workspace.run("reproduce", "alpha", "-o", "work")
    assert ran.status == 0, ran.out + ran.err
    kmods = list(workspace.path("work").glob("**/alpha.kmod"))
    owners = {path.stat().st_uid for path in kmods}
    if "user root and nobody" in ran.out:
        assert owners == {0, 65534}
    else:
        assert "user (nobody cannot read Python" in ran.out
        assert owners == {0}
        assert not is_open or shutil.which("setpriv") is None or owners == {0}
