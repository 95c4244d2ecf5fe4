"""A run that planned before does not miss what would make it plan otherwise.

Only the one file is changed, and nothing else gets another stamp, so that all that was kept holds
but for that file.
"""

import os
from pathlib import Path

import pytest
from shortway import run_showing
from treeworkspace import TreeWorkspace, find_program, write_program


def change(path: Path, old: str, new: str) -> None:
    """Edit a file in its place."""
    text = path.read_text()
    assert old in text
    path.chmod(0o644)
    with open(path, "r+") as stream:
        stream.write(text.replace(old, new))
        stream.truncate()


def test_a_source_that_comes_to_require_a_module_has_it_installed(tree: TreeWorkspace) -> None:
    assert tree.run("install", "null").status == 0
    source = tree.source / "sys/modules/null/null.c"
    change(source, "null, NULL", 'null, "offers"')
    ran = tree.run("install", "null")
    assert ran.status == 0, ran.text
    assert (tree.work / "destdir/stand/amd64/10.99.12/modules/offers/offers.kmod").exists()
    change(source, 'null, "offers"', 'null, "sets"')
    assert tree.run("install", "null").status == 0
    assert (tree.work / "destdir/stand/amd64/10.99.12/modules/sets/sets.kmod").exists()


@pytest.mark.parametrize(
    ("name", "same", "other", "asked"),
    [
        (
            "sys/modules/null/null.c",
            ("null, NULL", "null,  NULL"),
            ("null,  NULL", 'null, "offers"'),
            "null",
        ),
        (
            "sys/sys/param.h",
            ("#define", "#define HAS_MORE 1\n#define"),
            ("1099001200", "1099001300"),
            "offers",
        ),
    ],
    ids=["source", "release"],
)
def test_a_file_that_says_the_same_to_the_plan_goes_the_short_way(
    tree: TreeWorkspace, name: str, same: tuple[str, str], other: tuple[str, str], asked: str
) -> None:
    def build(*further: str) -> str:
        words = ("build", "--src", str(tree.source), "-m", "amd64", asked, *further)
        status, output, _ = run_showing(words, tree.work, tree.environment())
        assert status == 0, output
        return output

    build()
    change(tree.source / name, *same)
    output = build()
    assert output.endswith("short way\n"), output
    assert f"compile  {asked}/{asked}.o" in output
    change(tree.source / name, *other)
    output = build()
    assert output.endswith("long way\n"), output
    assert "offers" in output
    build("-O", "anew")
    anew = tree.work / f"anew/amd64-x86_64/{asked}/{asked}.kmod"
    assert (tree.objects(asked) / f"{asked}.kmod").read_bytes() == anew.read_bytes()


def test_a_header_of_the_release_that_goes_is_missed(tree: TreeWorkspace) -> None:
    tree.build("null")
    (tree.source / "sys/sys/param.h").unlink()
    ran = tree.run("build", "null")
    assert (ran.status, "param.h: cannot read" in ran.text) == (1, True), ran.text


def test_another_way_to_tell_the_release_is_seen(tree: TreeWorkspace) -> None:
    assert tree.run("install", "null").status == 0
    change(tree.source / "sys/conf/osrelease.sh", 'echo "', 'echo "1')
    ran = tree.run("install", "null")
    assert "110.99.12" in ran.text, ran.text


def test_what_imported_descriptors_share_is_seen_when_it_changes(tree: TreeWorkspace) -> None:
    assert tree.run("import", "-o", "descriptors").status == 0
    tree.build("--modules", "descriptors", "null")
    change(tree.work / "descriptors/stock-1.yaml", "-D_KERNEL", "-D_KERNEL, -DFURTHER")
    assert "compile  null/null.o" in tree.build("--modules", "descriptors", "null").text


def test_a_tool_is_another_when_a_link_on_the_way_to_it_leads_elsewhere(
    tree: TreeWorkspace,
) -> None:
    others = tree.directory / "others"
    others.mkdir()
    program = tree.tooldir / "bin/nbconfig"
    text = program.read_text()
    assert "= $number + " in text
    (others / "one").write_text(text)
    (others / "two").write_text(text.replace("= $number + ", "= $number + 100 + "))
    for name in ("one", "two"):
        (others / name).chmod(0o755)
    (others / "current").symlink_to("one")
    program.unlink()
    program.symlink_to(others / "current")
    tree.build("device")
    kmod = tree.objects("device") / "device.kmod"
    before = kmod.read_bytes()
    (others / "current").unlink()
    (others / "current").symlink_to("two")
    tree.build("device")
    assert kmod.read_bytes() != before


def test_a_program_of_arm_that_goes_is_not_called_any_more(tree: TreeWorkspace) -> None:
    machine = ("-m", "evbarm-earmv7hf")
    tree.run("build", *machine)
    kmod = tree.work / "obj/evbarm-earmv7hf/calls/calls.kmod"
    before = kmod.read_bytes()
    program = tree.source / "sys/modules/arch/arm/kmodhide.awk"
    program.parent.chmod(0o755)
    program.unlink()
    assert "kmodhide" not in tree.run("build", *machine).text
    assert kmod.read_bytes() != before


def test_a_tool_is_another_when_the_program_in_its_wrapper_is(tree: TreeWorkspace) -> None:
    program, real = tree.tooldir / "bin/nbconfig", tree.directory / "nbconfig.real"
    program.rename(real)
    program.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    program.chmod(0o755)
    tree.build("device")
    kmod = tree.objects("device") / "device.kmod"
    before = kmod.read_bytes()
    change(real, "= $number + ", "= $number + 100 + ")
    real.chmod(0o755)
    tree.build("device")
    assert kmod.read_bytes() != before


@pytest.mark.parametrize("has_tooldir", [True, False])
def test_another_awk_makes_the_trampolines_of_arm_anew(
    tree: TreeWorkspace, has_tooldir: bool
) -> None:
    real = find_program("awk")
    programs = tree.tooldir / "bin" if has_tooldir else tree.directory / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / ("nbawk" if has_tooldir else "awk")
    program.unlink(missing_ok=True)
    write_program(program, f'#!/bin/sh\nexec {real} "$@"\n')
    tree.variables["PATH"] = f"{tree.directory / 'programs'}:{os.environ['PATH']}"
    words = ("calls", "--machine", "evbarm-earmv7hf")
    words += () if has_tooldir else ("--toolchain", "zig")
    made = tree.work / "obj/evbarm-earmv7hf/calls/calls_tramp.S"
    tree.run("build", *words)
    before = made.read_bytes()
    more = 'case "$*" in *kmodtramp*) echo "# another" ;; esac'
    write_program(program, f'#!/bin/sh\n{real} "$@"\n{more}\n')
    tree.run("build", *words)
    assert made.read_bytes() == before + b"# another\n"
