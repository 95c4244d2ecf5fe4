"""What left the plan leaves OBJDIR and the record, and nothing else does."""

import shutil
import sqlite3

import pytest
from workspace import FILES, STAND, Workspace

OBJECTS = "obj/amd64-x86_64"


def records(tree: Workspace) -> set[str]:
    """Name the records of the build."""
    with sqlite3.connect(tree.path(f"{OBJECTS}/.modbuild/store.sqlite3")) as database:
        names = {str(row[0], "utf-8") for row in database.execute("SELECT name FROM node")}
    database.close()
    return names


def known_files(tree: Workspace) -> set[str]:
    """Name the files that the record knows."""
    with sqlite3.connect(tree.path(f"{OBJECTS}/.modbuild/store.sqlite3")) as database:
        names = {str(row[0], "utf-8") for row in database.execute("SELECT path FROM file")}
    database.close()
    return names


def made(tree: Workspace, module: str = "") -> list[str]:
    """Name the files in the object directory, or of one module there."""
    root = tree.path(OBJECTS)
    return sorted(
        name
        for path in (root / module).rglob("*")
        if path.is_file()
        and not (name := path.relative_to(root).as_posix()).startswith((".modbuild", "generations"))
    )


def equals_a_new_build(tree: Workspace) -> bool:
    """Tell whether OBJDIR holds the files that it would hold had it been built anew."""
    found = [name for name in made(tree) if "receipts/" not in name]
    tree.install("-O", "anew")
    root = tree.path("anew/amd64-x86_64")
    anew = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    shutil.rmtree(tree.path("anew"))
    others = (".modbuild", "generations", "receipts/")
    return found == sorted(name for name in anew if not name.startswith(others))


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.install()
    return workspace


def test_of_a_module_that_is_gone_nothing_stays_in_the_object_directory(built: Workspace) -> None:
    installed = built.digests(STAND)
    number = len(made(built, "gamma"))
    shutil.rmtree(built.path("modules/gamma"))
    ran = built.install()
    assert f"removed from obj: {number} files of gamma, no longer described" in ran.out
    assert not built.path(f"{OBJECTS}/gamma").exists()
    assert not [name for name in records(built) if "gamma" in name]
    assert not [name for name in known_files(built) if "/gamma/" in name]
    assert built.digests(STAND) == installed  # that is left over, and told so
    assert "left over" in ran.out
    again = built.install()
    assert again.is_nothing_to_do
    assert "removed" not in again.out
    assert equals_a_new_build(built)


def test_a_module_that_comes_back_is_built_again(built: Workspace) -> None:
    wanted = built.digests(OBJECTS)
    built.path("modules/gamma").rename(built.path("elsewhere"))
    built.install()
    built.path("elsewhere").rename(built.path("modules/gamma"))
    assert "link:gamma" in built.install().steps
    found = built.digests(OBJECTS)
    kept = [name for name in wanted if f"{OBJECTS}/gamma/" in name]
    assert kept
    assert all(found[name] == wanted[name] for name in kept)


def test_a_renamed_module_leaves_only_the_new_name(built: Workspace) -> None:
    built.path("modules/gamma/gamma.yaml").rename(built.path("modules/gamma/delta.yaml"))
    for old, new in (("MISC, gamma", "MISC, delta"), ("gamma_modcmd", "delta_modcmd")):
        built.edit("modules/gamma/gamma.c", old, new)
    built.path("modules/gamma").rename(built.path("modules/delta"))
    built.install()
    assert not made(built, "gamma")
    assert made(built, "delta")
    assert equals_a_new_build(built)


def test_of_a_source_that_is_gone_the_object_goes(built: Workspace) -> None:
    built.edit("modules/gamma/gamma.yaml", "[gamma.c, tables.c]", "[gamma.c]")
    built.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? 0")
    ran = built.install()
    assert "removed from obj: 1 file that no step makes any more" in ran.out
    assert not built.path(f"{OBJECTS}/gamma/tables.o").exists()
    assert "compile:gamma/tables.o" not in records(built)
    assert equals_a_new_build(built)


def test_what_is_not_what_was_made_stays_and_is_named(built: Workspace) -> None:
    kmod = built.path(f"{OBJECTS}/gamma/gamma.kmod")
    kmod.write_bytes(b"of someone else")
    built.write(f"{OBJECTS}/gamma/notes", "of someone else, too")
    shutil.rmtree(built.path("modules/gamma"))
    ran = built.install()
    assert f"kept: {OBJECTS}/gamma/gamma.kmod: no step makes it any more" in ran.out
    assert made(built, "gamma") == ["gamma/gamma.kmod", "gamma/notes"]
    assert not [name for name in records(built) if "gamma" in name]
    assert "kept" not in built.install().out


@pytest.mark.parametrize("words", [("alpha",), ("build", "beta")])
def test_a_build_of_some_modules_takes_nothing_from_others(
    built: Workspace, words: tuple[str, ...]
) -> None:
    before = made(built, "gamma")
    shutil.rmtree(built.path("modules/gamma"))
    built.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    verb = words if len(words) > 1 else ("install", *words)
    assert built.run(*verb).status == 0
    assert made(built, "gamma") == before
    assert "link:gamma" in records(built)
    built.install()
    assert not made(built, "gamma")


def test_what_only_a_build_of_some_modules_made_goes_too(workspace: Workspace) -> None:
    assert workspace.run("build", "gamma").status == 0
    assert made(workspace, "gamma")
    shutil.rmtree(workspace.path("modules/gamma"))
    workspace.install()
    assert not made(workspace, "gamma")


def test_what_is_described_elsewhere_and_shares_the_object_directory_stays(
    built: Workspace,
) -> None:
    for name in ("gamma/gamma.yaml", "gamma/gamma.c", "gamma/tables.c"):
        text = FILES[f"modules/{name}"].replace("gamma", "delta").replace("../", "../../modules/")
        built.write(f"others/{name.replace('gamma', 'delta')}", text)
    other = Workspace(built.directory, {"MODBUILD_CACHE": str(built.path("cache"))})
    before = made(built)
    built.write("others.yaml", "modules: others\n")
    ran = other.run("build", "--config", "others.yaml")
    assert ran.status == 0, ran.err
    assert set(made(built)) > set(before)
    assert built.install().is_nothing_to_do
    assert other.run("build", "--config", "others.yaml").is_nothing_to_do
    shutil.rmtree(built.path("modules/gamma"))
    built.install()
    assert made(built, "delta")
    assert not made(built, "gamma")
    # One that both describe stays as long as one does.
    shutil.copytree(built.path("modules/alpha"), built.path("others/alpha"))
    assert other.run("build", "--config", "others.yaml").status == 0
    built.install()
    shutil.rmtree(built.path("others/alpha"))
    assert other.run("build", "--config", "others.yaml").status == 0
    assert made(built, "alpha")


def test_what_a_module_that_never_passed_left_goes_with_it(built: Workspace) -> None:
    """The verdict of a module that is not fit, and the object beside one that does not compile."""
    built.edit("modules/gamma/tables.c", "LIMIT;", "nowhere_offered(i);")
    built.edit(
        "modules/gamma/tables.c", "int gamma_table", "int nowhere_offered(int);\nint gamma_table"
    )
    assert built.run("install", "-k").status == 2
    built.write("modules/gamma/gamma.c", "no C at all\n")
    assert built.run("install", "-k").status == 1
    assert "gamma/gamma.verdict.json" in made(built, "gamma")
    shutil.rmtree(built.path("modules/gamma"))
    built.install()
    assert not made(built, "gamma")
    assert not [name for name in records(built) if "gamma" in name]


def test_a_failing_run_takes_away_what_is_gone_all_the_same(built: Workspace) -> None:
    built.write("modules/alpha/alpha.c", "no C at all\n")
    shutil.rmtree(built.path("modules/gamma"))
    assert built.run("install", "-k").status == 1
    assert not made(built, "gamma")
    assert made(built, "beta")


def test_an_output_that_a_step_makes_no_more_goes(built: Workspace) -> None:
    """A step of the same name with fewer outputs than before: without properties, no plist."""
    assert "alpha/alpha.plist" in made(built)
    built.edit("modules/alpha/alpha.yaml", "properties:\n  level: 1\n", "")
    built.install()
    assert "alpha/alpha.plist" not in made(built)
    assert not [name for name in records(built) if name.startswith("dropped")]
    assert equals_a_new_build(built)


def test_a_step_that_failed_is_spared_where_the_edit_is_taken_back(built: Workspace) -> None:
    text = built.path("modules/gamma/tables.c").read_text()
    built.write("modules/gamma/tables.c", "no C at all\n")
    assert built.run("install").status == 1
    assert built.run("why", "gamma").out.count("tables.c changed") == 1
    built.write("modules/gamma/tables.c", text)
    assert not built.install().steps


def test_why_tells_that_a_step_failed(workspace: Workspace) -> None:
    workspace.write("modules/gamma/tables.c", "no C at all\n")
    assert workspace.run("install", "gamma").status == 1
    why = workspace.run("why", "gamma").out
    assert "compile:gamma/tables.o: stale: it failed when it last ran\n" in why


def test_records_of_installing_go_with_their_module_and_stay_with_the_others(
    built: Workspace,
) -> None:
    built.install("-D", "other")
    built.install("alpha")
    shutil.rmtree(built.path("modules/gamma"))
    built.install()
    assert not made(built, "gamma")
    names = records(built)
    assert not [name for name in names if "gamma" in name]
    assert len([name for name in names if name.startswith("install:alpha@")]) == 2
    assert any(name.startswith("metalog:alpha@") for name in names)
