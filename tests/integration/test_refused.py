"""Kmods that are not fit: remembered as such, told each time, and in nobody's way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from quickcc import write_tools
from shortway import run, steps
from workspace import CLONE, FILES, STAND, Workspace, make_unfit

OFFERED = ("kobj_sym_lookup", "printf", "frobnicate")


def is_quick(loaded: str) -> bool:
    return not any(name.startswith("buildsys.pipeline") for name in loaded.split())


def test_that_a_kmod_is_not_fit_is_known_while_nothing_changes(workspace: Workspace) -> None:
    make_unfit(workspace)
    status, output, said = run(workspace, "install", "-k")
    assert (status, "link:gamma" in steps(output)) == (2, True)
    installed = workspace.digests()
    assert any(name.endswith("beta.kmod") for name in installed)
    assert not any(name.endswith("gamma.kmod") for name in installed)
    for _ in range(2):
        status, output, said = run(workspace, "install", "-k")
        assert (status, steps(output), is_quick(said)) == (2, set(), True)
        assert "nothing offers frobnicate" in said
        assert "Nothing to do: 3 modules: 3 built, 2 checked, 2 installed in " in said
        assert "1 module not fit to be loaded" in said
    assert workspace.digests() == installed
    workspace.edit("modules/gamma/gamma.c", "frobnicate(1) + ", "")
    assert run(workspace, "install", "-k")[0] == 0
    assert workspace.install("-k").is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


def test_others_are_built_though_one_is_known_to_be_unfit(workspace: Workspace) -> None:
    make_unfit(workspace)
    workspace.run("install", "-k")
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    for words in (("install", "-k"), ("install",), ("build",)):
        status, output, said = run(workspace, *words)
        assert status == 2
        assert "nothing offers frobnicate" in said
        assert ("compile:alpha/alpha.o" in steps(output)) == (words == ("install", "-k"))
    workspace.edit("modules/alpha/alpha.c", "count -=", "count *=")
    status, output, _ = run(workspace, "install")  # without -k, too, all that can be done is
    assert (status, {"link:alpha", "check:alpha"} <= steps(output)) == (2, True)
    assert "metalog:METALOG" not in steps(output)


def test_beside_an_unfit_module_others_are_built_the_short_way(workspace: Workspace) -> None:
    make_unfit(workspace)
    for _ in range(2):
        assert run(workspace, "build", "-k")[0] == 2
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, said = run(workspace, "build", "-k")
    assert (status, output.splitlines()[-1]) == (2, "short way")
    assert {"compile:alpha/alpha.o", "check:alpha"} <= steps(output)
    assert "nothing offers frobnicate" in said
    assert "3 modules: 3 built, 2 checked (" in said
    assert "1 module not fit to be loaded" in said
    status, output, said = run(workspace, "build", "-k")
    assert (status, steps(output), is_quick(said)) == (2, set(), True)
    assert "Nothing to do: 3 modules: 3 built, 2 checked" in said
    made = workspace.path("obj/amd64-x86_64/alpha/alpha.kmod").read_bytes()
    workspace.run("build", "-k", "-O", "anew")
    assert workspace.path("anew/amd64-x86_64/alpha/alpha.kmod").read_bytes() == made


def test_beside_an_unfit_module_others_are_installed_the_short_way(workspace: Workspace) -> None:
    make_unfit(workspace)
    assert run(workspace, "install", "-k")[0] == 2
    for new, old in (("-=", "+="), ("*=", "-=")):
        workspace.edit("modules/alpha/alpha.c", f"count {old}", f"count {new}")
        status, output, said = run(workspace, "install", "-k")
        assert (status, output.splitlines()[-1]) == (2, "short way")
        own = {"compile:alpha/alpha.o", "link:alpha", "check:alpha", "install:alpha"}
        assert steps(output) == {*own, "check:beta", "metalog:what-passed"}
        assert "nothing offers frobnicate" in said
        assert "3 modules: 3 built, 2 checked, 2 installed in " in said
        assert "1 module not fit to be loaded" in said
        made = workspace.path("obj/amd64-x86_64/alpha/alpha.kmod").read_bytes()
        assert workspace.path(f"{STAND}/alpha/alpha.kmod").read_bytes() == made
    status, output, said = run(workspace, "install", "-k")
    assert (status, steps(output), is_quick(said)) == (2, set(), True)
    assert "Nothing to do: 3 modules: 3 built, 2 checked, 2 installed in " in said
    workspace.path(f"{STAND}/beta/beta.kmod").unlink()
    status, output, _ = run(workspace, "install", "-k")
    assert (status, steps(output)) == (2, {"metalog:what-passed"})
    installed = workspace.digests()
    assert run(workspace, "install", "-k", "-O", "anew", "-D", "other")[0] == 2
    other = {name: text for name, text in workspace.digests("other").items() if "kmod" in name}
    assert {f"destdir{name[5:]}": text for name, text in other.items()}.items() <= installed.items()


@pytest.mark.parametrize("name", ["beta/beta.c", "alpha/alpha.c"])
def test_what_fails_beside_an_unfit_module_is_told_with_it(workspace: Workspace, name: str) -> None:
    make_unfit(workspace)
    run(workspace, "install", "-k")
    before = workspace.digests()
    workspace.edit(f"modules/{name}", "static ", "inn wrong;\nstatic ")
    told = []
    for words in ((), ("-O", "anew", "-D", "other")):
        status, _, said = run(workspace, "install", "-k", *words)
        assert status == 1
        assert "nothing offers frobnicate" in said
        last = [line for line in said.splitlines() if line.startswith(("left out", "1 "))]
        told.append(last)
    assert told[0] == told[1]
    assert workspace.digests() == before
    workspace.edit(f"modules/{name}", "inn wrong;\n", "")
    assert run(workspace, "install", "-k")[0] == 2
    assert workspace.digests() == before


def test_the_unfit_module_itself_goes_the_long_way_where_others_are_installed(
    workspace: Workspace,
) -> None:
    make_unfit(workspace)
    run(workspace, "install", "-k")
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    workspace.edit("modules/gamma/gamma.c", "frobnicate(1) + ", "")
    status, output, _ = run(workspace, "install", "-k")
    assert (status, output.splitlines()[-1]) == (0, "long way")
    assert workspace.digests() == workspace.build_anew()


def test_an_unfit_module_that_was_installed_before_has_others_wait(workspace: Workspace) -> None:
    workspace.install()
    workspace.edit("modules/beta/beta.c", "+ ALPHA_STEP", "+ frobnicate(1)")
    workspace.edit("modules/beta/beta.c", "static void", "int frobnicate(int);\nstatic void")
    before = workspace.digests(STAND)
    assert run(workspace, "install", "-k")[0] == 2
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, said = run(workspace, "install", "-k")
    assert (status, output.splitlines()[-1]) == (2, "long way")
    assert "left out after that: alpha" in said
    assert workspace.digests(STAND) == before


def test_all_unfit_modules_are_told_where_one_more_is(workspace: Workspace) -> None:
    make_unfit(workspace)
    run(workspace, "build", "-k")
    workspace.edit("modules/beta/beta.c", "static void", "int meddle(int);\nstatic void")
    workspace.edit("modules/beta/beta.c", "+ ALPHA_STEP", "+ meddle(1)")
    status, output, said = run(workspace, "build", "-k")
    assert (status, "check:beta" in steps(output)) == (2, True)
    assert "nothing offers frobnicate" in said
    assert "nothing offers meddle" in said
    assert "3 modules: 3 built, 1 checked (" in said
    workspace.edit("modules/alpha/alpha.c", "count +=", "count ++=")
    status, output, said = run(workspace, "build", "-k")
    assert status == 1
    assert "1 module not fit to be loaded\n1 step failed" in said  # beta waits for alpha


def test_an_unfit_module_is_mended_the_short_way(workspace: Workspace) -> None:
    make_unfit(workspace)
    run(workspace, "build", "-k")
    workspace.edit("modules/gamma/gamma.c", "frobnicate(1) + ", "frobnicate(1)  + ")
    status, output, said = run(workspace, "build", "-k")
    assert (status, steps(output)) == (2, {"compile:gamma/gamma.o"})
    assert "nothing offers frobnicate" in said
    run(workspace, "build", "-k")
    assert is_quick(run(workspace, "build", "-k")[2])
    workspace.edit("modules/gamma/gamma.c", "frobnicate(1)  + ", "")
    status, output, said = run(workspace, "build", "-k")
    assert (status, "check:gamma" in steps(output)) == (0, True)
    assert "3 modules: 3 built, 3 checked (" in output
    assert "frobnicate" not in output + said.partition("\n__future__")[0]
    run(workspace, "build", "-k")
    status, _, said = run(workspace, "build", "-k")
    assert (status, is_quick(said)) == (0, True)


def test_a_kernel_that_offers_it_makes_the_kmod_fit(workspace: Workspace) -> None:
    make_unfit(workspace)
    text = "".join(f"ffffffff802000{n}0 T {name}\n" for n, name in enumerate(OFFERED))
    workspace.write("kernel.nm", text.replace("frobnicate", "another"))
    workspace.write("modbuild.yaml", "kernel: kernel.nm\nmachine: amd64\nrelease: 10.99.12\n")
    assert run(workspace, "install", "-k")[0] == 2
    assert run(workspace, "install", "-k")[0] == 2
    workspace.write("kernel.nm", text)
    status, output, _ = run(workspace, "install", "-k")
    assert (status, "check:gamma" in steps(output)) == (0, True)


def test_what_is_installed_in_part_is_made_again_when_it_is_taken_away(
    workspace: Workspace,
) -> None:
    workspace.install()
    make_unfit(workspace)
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    assert run(workspace, "install", "-k")[0] == 2
    expected = workspace.digests()
    for name in ("alpha/alpha.kmod", "beta/beta.kmod"):
        workspace.path(f"{STAND}/{name}").unlink()
        assert run(workspace, "install", "-k")[0] == 2
        assert workspace.digests() == expected
    status, output, said = run(workspace, "install", "-k")
    assert (status, steps(output), is_quick(said)) == (2, set(), True)


def test_a_refused_kmod_stays_refused_when_what_it_needs_is_made_again_and_equal(
    workspace: Workspace,
) -> None:
    workspace.edit("modules/beta/beta.c", "static void", "int frobnicate(int);\nstatic void")
    workspace.edit("modules/beta/beta.c", "+ ALPHA_STEP", "+ frobnicate(1)")
    for words in (("install",), ("install", "-k")):
        assert run(workspace, *words)[0] == 2
        workspace.edit("modules/alpha/alpha.c", "count", "count ")
        status, output, said = run(workspace, *words)
        assert (status, steps(output)) == (2, {"compile:alpha/alpha.o"})
        assert "nothing offers frobnicate" in said


def test_doit_does_not_take_a_refused_kmod_for_done(workspace: Workspace) -> None:
    make_unfit(workspace)
    assert run(workspace, "build")[0] == 2
    (workspace.directory / "dodo.py").symlink_to(CLONE / "dodo.py")
    (workspace.directory / "pyproject.toml").symlink_to(CLONE / "pyproject.toml")
    for _ in range(2):
        ran = subprocess.run(
            (sys.executable, "-m", "doit", "build:gamma"),
            cwd=workspace.directory,
            env=workspace.full_environment(),
            capture_output=True,
            text=True,
        )
        assert ran.returncode != 0, ran.stdout
        assert "frobnicate" in ran.stdout + ran.stderr


def test_what_an_installation_finds_of_others_that_are_installed_is_asked_each_time(
    workspace: Workspace,
) -> None:
    workspace.install()
    for name in ("alpha/alpha.h", "alpha/alpha.c", "beta/beta.c"):
        workspace.edit(f"modules/{name}", "alpha_count", "alpha_total")
    for _ in range(2):
        status, _, said = run(workspace, "install", "alpha")
        assert status == 2
        assert "installed modules would not load any more: beta" in said
    assert workspace.run("build").status == 0
    beta = workspace.path(f"{STAND}/beta/beta.kmod")
    beta.chmod(0o644)
    beta.write_bytes(workspace.path("obj/amd64-x86_64/beta/beta.kmod").read_bytes())
    assert run(workspace, "install", "alpha")[0] == 0


def test_a_header_edited_while_others_are_installed_is_told_with_what_is_unfit(
    workspace: Workspace, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    write_tools(tools, 1)
    (tools / "clang").rename(tools / "real")
    header = workspace.path("modules/alpha/alpha.h")
    (tools / "clang").write_text(
        f'#!/bin/sh\n"{tools}/real" "$@"; status=$?\n'
        f'if test -e "{tmp_path}/hook"; then echo "/* */" >> "{header}"; fi\nexit $status\n'
    )
    (tools / "clang").chmod(0o755)
    workspace.environment.update(PATH=f"{tools}:{os.environ['PATH']}", MODBUILD_TOOLCHAIN="llvm")
    workspace.edit("modules/alpha/alpha.c", "count += ALPHA_STEP", "ALPHA_STEP")  # as tcc wants
    make_unfit(workspace)
    assert run(workspace, "install", "-k")[0] == 2
    assert "Nothing to do" in run(workspace, "install", "-k")[2]
    workspace.write("hook", "")
    workspace.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    status, output, said = run(workspace, "install", "-k", "-j1")
    assert status == 2
    assert "#   metalog  what-passed" in output
    assert "nothing offers frobnicate" in said
    assert "3 modules: 3 built, 2 checked, 2 installed in " in said
    assert "1 module not fit to be loaded" in said
    lines = [line for line in said.splitlines() if "changed meanwhile" in line]
    assert lines
    assert len(lines) == len(set(lines))
    workspace.path("hook").unlink()
    status, output, _ = run(workspace, "install", "-k")
    assert (status, "compile:alpha/alpha.o" in steps(output)) == (2, True)


def test_an_installation_that_fails_beside_an_unfit_module_is_tried_once(
    workspace: Workspace,
) -> None:
    make_unfit(workspace)
    run(workspace, "install", "-k")
    metalog = workspace.path("destdir/METALOG")
    metalog.unlink()
    metalog.mkdir()
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, said = run(workspace, "install", "-k")
    assert (status, output.count("what-passed")) == (1, 1)
    assert "1 module not fit to be loaded\n1 step failed\nleft out after that: the inst" in said
    metalog.rmdir()
    status, output, said = run(workspace, "install", "-k")
    assert (status, "metalog:what-passed" in steps(output)) == (2, True)
    assert "2 installed in" in said


def test_a_required_kmod_of_others_may_come_and_go(workspace: Workspace) -> None:
    workspace.write("modules/delta/delta.yaml", "class: misc\nsources: [delta.c]\n")
    source = workspace.path("modules/alpha/alpha.c").read_text()
    source = source.replace('#include "alpha.h"', "#define ALPHA_STEP 1\nint delta_count(void);")
    workspace.write("modules/delta/delta.c", source.replace("alpha", "delta"))
    workspace.install()
    kmod = workspace.path(f"{STAND}/delta/delta.kmod")
    content = kmod.read_bytes()
    shutil.rmtree(workspace.path("modules/delta"))
    workspace.run("uninstall", "--left-over")
    gamma = FILES["modules/gamma/gamma.yaml"]
    workspace.write("modules/gamma/gamma.yaml", f"{gamma}requires: [delta]\n")
    workspace.edit("modules/gamma/gamma.c", "gamma, NULL", 'gamma, "delta"')
    kmod.parent.mkdir()
    for _ in range(2):
        status, _, said = run(workspace, "install", "-k")
        assert (status, "file-missing" in said) == (2, True)
    kmod.write_bytes(content)
    assert run(workspace, "install", "-k")[0] == 0
    kmod.rename(kmod.with_name("away"))
    for _ in range(2):
        status, _, said = run(workspace, "install", "-k")
        assert (status, "file-missing" in said) == (2, True)
