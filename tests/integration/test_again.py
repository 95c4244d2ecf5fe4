"""The short way of a small change: when it is gone, that it gives what the long way gives."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from shortway import run, steps
from workspace import STAND, Workspace

RECORD = "obj/amd64-x86_64/.modbuild/store.sqlite3"


def test_an_edited_source_goes_the_short_way(fresh: Workspace) -> None:
    fresh.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, loaded = run(fresh, "install")
    assert (status, output.splitlines()[-1]) == (0, "short way")
    own = {"compile:alpha/alpha.o", "link:alpha", "check:alpha", "install:alpha"}
    assert steps(output) == {*own, "metalog:METALOG", "check:beta"}  # beta requires it
    assert "3 modules: 3 built, 3 checked, 3 installed" in output
    heavy = {"yaml", "argparse", "buildsys.pipeline.request", "buildsys.pipeline.treeplan"}
    assert not heavy & set(loaded.split())


def test_an_edit_that_changes_no_bytes_compiles_and_stops_there(fresh: Workspace) -> None:
    fresh.edit("modules/alpha/alpha.c", "count +=", "count  +=")
    status, output, _ = run(fresh, "install")
    assert (status, steps(output)) == (0, {"compile:alpha/alpha.o"})
    assert output.endswith("short way\n")


def test_a_touched_source_runs_nothing_and_is_known_then(fresh: Workspace) -> None:
    os.utime(fresh.path("modules/gamma/tables.c"))
    status, output, _ = run(fresh, "install")
    assert (status, steps(output)) == (0, set())
    assert "Nothing to do" in output
    assert output.endswith("short way\n")
    assert fresh.install().is_nothing_to_do


@pytest.mark.parametrize("name", [f"{STAND}/alpha/alpha.kmod", "obj/amd64-x86_64/gamma/gamma.o"])
def test_a_corrupted_output_is_made_again(fresh: Workspace, name: str) -> None:
    path = fresh.path(name)
    path.chmod(0o644)
    path.write_bytes(b"corrupted")
    status, output, _ = run(fresh, "install")
    assert (status, output.splitlines()[-1]) == (0, "short way")
    assert steps(output)


def test_an_installed_file_of_another_mode_is_installed_again(fresh: Workspace) -> None:
    path = fresh.path(f"{STAND}/beta/beta.kmod")
    path.chmod(0o600)
    status, output, _ = run(fresh, "install")
    assert (status, steps(output)) == (0, {"metalog:METALOG"})
    assert path.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("modules/beta/alpha.h", "int alpha_count(void);\n#define ALPHA_STEP 1\n"),  # a shadow
        ("modules/new/new.txt", "a directory that might become a module\n"),
        ("modules/alpha/further.c", "int further;\n"),
        ("modbuild.yaml", "{}\n"),
        ("modules/alpha/alpha.yaml", "class: misc\nsources: [alpha.c]\ninclude: [.]\n"),
        (f"{STAND}/other/other.kmod", "another's\n"),
    ],
)
def test_what_is_not_that_simple_goes_the_long_way(
    workspace: Workspace, name: str, text: str
) -> None:
    workspace.install()
    workspace.write(name, text)
    status, output, _ = run(workspace, "install")
    assert (status, output.splitlines()[-1]) == (0, "long way")


def test_a_failure_is_told_and_mended(fresh: Workspace) -> None:
    fresh.edit("modules/gamma/tables.c", "int", "inn")
    first = run(fresh, "install")
    assert first[0] == 1
    assert "left out after that: the installation" in first[2]
    assert "error:" in first[2]
    fresh.edit("modules/gamma/tables.c", "inn", "int")
    status, output, _ = run(fresh, "install")
    assert (status, steps(output)) == (0, set())
    assert output.endswith("short way\n")


def test_with_k_the_others_are_installed(fresh: Workspace) -> None:
    fresh.install("-k")
    fresh.edit("modules/gamma/tables.c", "int", "inn")
    fresh.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, loaded = run(fresh, "install", "-k")
    assert status == 1
    assert "metalog:what-passed" in loaded or "metalog:what-passed" in steps(output)
    fresh.edit("modules/gamma/tables.c", "inn", "int")
    assert run(fresh, "install")[0] == 0


def test_a_module_that_is_not_fit_any_more_is_refused(fresh: Workspace) -> None:
    before = fresh.digests()
    fresh.edit("modules/gamma/gamma.c", "gamma_table(int);", "gamma_table(int), lacking(void);")
    fresh.edit("modules/gamma/gamma.c", "gamma_table(", "lacking() + gamma_table(")
    status, _, said = run(fresh, "install")
    assert status != 0
    assert fresh.digests() == before
    fresh.restore()
    assert said


def test_a_damaged_snapshot_or_plan_only_costs_time(fresh: Workspace) -> None:
    for name in ("plan", ""):
        kept = fresh.path("obj/.snapshots")
        files = [p for p in kept.iterdir() if p.name.startswith("plan") == bool(name)]
        for path in files:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
        fresh.edit("modules/alpha/alpha.c", "count", "count ")
        status, output, _ = run(fresh, "install")
        assert (status, "compile:alpha/alpha.o" in steps(output)) == (0, True)


def test_a_frame_that_cannot_be_read_goes_the_long_way(fresh: Workspace) -> None:
    """As another version may have written it: whole, and with other fields."""
    code = (
        "from buildsys import __main__; from buildsys.pipeline import frame;"
        "frame.spell = lambda _: (1, 2, 3); import sys; sys.exit(__main__.answer(['install']))"
    )
    fresh.path("modules/alpha/alpha.c").touch()
    for path in fresh.path("obj/.snapshots").iterdir():
        path.unlink()
    environment = fresh.full_environment()
    subprocess.run((sys.executable, "-c", code), cwd=fresh.directory, env=environment, check=True)
    fresh.edit("modules/alpha/alpha.c", "count", "count ")
    status, output, _ = run(fresh, "install")
    assert (status, output.splitlines()[-1]) == (0, "long way")


def test_build_goes_the_short_way_too_and_installs_nothing(fresh: Workspace) -> None:
    fresh.run("build")
    before = fresh.digests()
    fresh.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, _ = run(fresh, "build")
    assert (status, output.splitlines()[-1]) == (0, "short way")
    assert fresh.digests() == before
    assert "3 modules: 3 built, 3 checked (" in output
    assert fresh.run("build").is_nothing_to_do
    fresh.install()


def test_notes_of_modules_that_did_not_change_are_said_again(workspace: Workspace) -> None:
    workspace.write("modbuild.yaml", "machine: sparc64\n")
    first = workspace.install()
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, _ = run(workspace, "install")
    assert (status, output.splitlines()[-1]) == (0, "short way")
    notes = [line for line in first.out.splitlines() if line.startswith("not checked")]
    assert notes
    assert set(notes) <= set(output.splitlines())


def test_a_header_is_followed_to_all_that_read_it(fresh: Workspace) -> None:
    fresh.edit("modules/alpha/alpha.h", "ALPHA_STEP 1", "ALPHA_STEP 3")
    status, output, _ = run(fresh, "install")
    assert (status, output.splitlines()[-1]) == (0, "short way")
    assert {"compile:alpha/alpha.o", "compile:beta/beta.o"} <= steps(output)
    assert "compile:gamma/gamma.o" not in steps(output)


def test_two_requests_of_one_objdir_know_of_each_others_edits(fresh: Workspace) -> None:
    fresh.install("alpha")
    fresh.edit("modules/alpha/alpha.c", "count +=", "count -=")
    assert run(fresh, "install", "alpha")[1].endswith("short way\n")
    status, output, _ = run(fresh, "install")
    assert (status, steps(output) & {"compile:alpha/alpha.o", "link:alpha"}) == (0, set())
    assert Path(fresh.path(f"{STAND}/alpha/alpha.kmod")).exists()


def forget(workspace: Workspace, *records: str) -> None:
    """Take records out of the database, as 'doit forget' does."""
    with contextlib.closing(sqlite3.connect(workspace.path(RECORD))) as database:
        for record in records:
            database.execute("DELETE FROM node WHERE name = ?", (record.encode(),))
        database.commit()


def test_a_step_whose_record_was_forgotten_is_not_passed_over(fresh: Workspace) -> None:
    forget(fresh, "compile:alpha/alpha.o")
    fresh.edit("modules/alpha/alpha.c", "count +=", "count -=")
    status, output, _ = run(fresh, "install")
    assert (status, "link:alpha" in steps(output)) == (0, True)
    forget(fresh, "compile:alpha/alpha.o")
    fresh.edit("modules/gamma/gamma.c", "SHAPE", "1 + SHAPE")
    status, output, _ = run(fresh, "install")
    assert (status, {"compile:alpha/alpha.o", "link:gamma"} <= steps(output)) == (0, True)


def test_an_older_copy_of_the_record_goes_the_long_way(fresh: Workspace) -> None:
    """It does not know that gamma reads a further header."""
    older = fresh.path(RECORD).read_bytes()
    text = fresh.path("modules/gamma/tables.c").read_text()
    fresh.write("modules/gamma/tables.c", f'#include "../alpha/further.h"\n{text}')
    fresh.write("modules/alpha/further.h", "#define FURTHER 1\n")
    assert run(fresh, "install")[0] == 0
    fresh.write(RECORD, older)
    fresh.edit("modules/alpha/further.h", "1", "2")
    status, output, _ = run(fresh, "install")
    assert (status, output.splitlines()[-1]) == (0, "long way")


def test_a_file_that_only_another_run_came_to_know_is_looked_at(workspace: Workspace) -> None:
    workspace.write("modules/alpha/new.h", "#define NEW 1\n")
    for _ in range(2):
        workspace.install()
    text = workspace.path("modules/alpha/alpha.c").read_text()
    workspace.write("modules/alpha/alpha.c", f'{text}#include "new.h"\nint newv = NEW;\n')
    assert run(workspace, "build")[0] == 0  # the record knows new.h now, the snapshot does not
    workspace.write("modules/alpha/new.h", "#error no\n")
    assert run(workspace, "install")[0] == 1
    workspace.write("modules/alpha/new.h", "#define NEW 2\n")
    assert run(workspace, "install")[0] == 0
    assert workspace.digests() == workspace.build_anew()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("modules/first/shape.h", "#define SHAPE 9\n"),  # gamma.o would find it first
        ("modules/second/shape.h", "#define SHAPE 7\n"),  # gamma.o reads it
    ],
)
def test_what_changes_while_a_short_run_goes_on_is_seen_by_the_next(
    workspace: Workspace, name: str, text: str
) -> None:
    """tables.o is compiled meanwhile, and reads or passes by the same files as gamma.o."""
    tables = workspace.path("modules/gamma/tables.c").read_text()
    workspace.write("modules/gamma/tables.c", f"#include <shape.h>\n{tables}")
    for _ in range(2):
        workspace.install()
    workspace.write("modules/gamma/tables.c", f"#include <shape.h>\n{tables}int more = 1;\n")
    code = (
        "import sys; from pathlib import Path; from buildsys import __main__;"
        "from buildsys.pipeline import again; whole = again.find_stale\n"
        "def edit(*words):\n"
        f"    Path({name!r}).write_text({text!r})\n"
        "    return whole(*words)\n"
        "again.find_stale = edit\n"
        "sys.exit(__main__.answer(['install']))"
    )
    environment = workspace.full_environment()
    command = (sys.executable, "-c", code)
    subprocess.run(command, cwd=workspace.directory, env=environment, check=True)
    assert workspace.path(name).read_text() == text
    status, output, _ = run(workspace, "install")
    assert (status, "compile:gamma/gamma.o" in steps(output)) == (0, True)
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


def test_modules_that_are_described_are_not_left_over(fresh: Workspace) -> None:
    fresh.install("gamma")
    fresh.edit("modules/second/shape.h", "SHAPE", "SHAPE 1 +")
    status, output, _ = run(fresh, "install", "gamma")
    assert (status, "left over" in output) == (0, False)
    fresh.install()


def test_warnings_of_what_another_run_judged_are_told(fresh: Workspace) -> None:
    source = "modules/alpha/alpha.c"
    text = fresh.path(source).read_text()
    odd = "static volatile int odd;\n__attribute__((constructor, used)) static void set(void)"
    odd += "{ odd = 1; }\n"
    for content, is_warned in ((text + odd, True), (text, False)):
        fresh.write(source, content)
        fresh.run("build")
        _, output, said = run(fresh, "install")
        assert ("warning: constructor" in output + said) == is_warned


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE node SET inputs = x'0102030405' WHERE cast(name AS text) = 'compile:alpha/alpha.o'",
        "UPDATE file SET digest = x'00' WHERE cast(path AS text) LIKE '%alpha.h'",
        "DELETE FROM file WHERE cast(path AS text) LIKE '%alpha.h'",
    ],
)
def test_a_damaged_record_costs_a_build_at_most(fresh: Workspace, damage: str) -> None:
    with contextlib.closing(sqlite3.connect(fresh.path(RECORD))) as database:
        assert database.execute(damage).rowcount == 1
        database.commit()
    fresh.edit("modules/alpha/alpha.h", "ALPHA_STEP 1", "ALPHA_STEP 4")
    statuses = [run(fresh, "install")[0] for _ in range(2)]
    assert statuses in ([0, 0], [1, 0])


def test_a_record_that_lost_an_output_hides_no_damage(fresh: Workspace) -> None:
    before = fresh.digests("destdir")
    damage = "UPDATE node SET outputs = substr(outputs, 1, 6) WHERE cast(name AS text) = ?"
    with contextlib.closing(sqlite3.connect(fresh.path(RECORD))) as database:
        assert database.execute(damage, ("link:gamma",)).rowcount == 1
        database.commit()
    with open(fresh.path("obj/amd64-x86_64/gamma/gamma.kmod"), "ab") as stream:
        stream.write(b"x")
    assert run(fresh, "install")[0] == 0
    assert fresh.digests("destdir") == before


def test_a_spare_generation_that_is_a_link_is_not_followed(fresh: Workspace) -> None:
    text = fresh.path("modules/alpha/alpha.c").read_text()
    for number in range(7):
        fresh.write("modules/alpha/alpha.c", f"{text}int more{number};\n")
        fresh.install()
    (spare,) = fresh.path("obj").rglob(".spare/modules")
    other = fresh.path("precious")
    spare.rename(fresh.path("gone"))
    other.mkdir()
    (other / "file").write_text("mine")
    spare.symlink_to(other)
    fresh.edit("modules/gamma/tables.c", "int", "int ")
    fresh.install()
    assert (other / "file").read_text() == "mine"
