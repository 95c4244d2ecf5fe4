"""What must be rebuilt is, what need not be is not, and the result is that of a clean build."""

import gzip
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import CLONE, STAND, Workspace, make_workspace

ALPHA = frozenset({"compile:alpha/alpha.o", "link:alpha"})
BETA = frozenset({"compile:beta/beta.o", "link:beta"})


def judged(*names: str) -> frozenset[str]:
    """Name what follows a link that gave other bytes: check and install of modules, METALOG."""
    steps = {f"{kind}:{name}" for name in names for kind in ("check", "install")}
    return frozenset({*steps, "metalog:METALOG"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a built tree that the tests of this file edit one after the other."""
    return make_workspace(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def clean_builds() -> dict[str, dict[str, str]]:
    """Keep what clean builds of the shared tree gave, by the content of the tree."""
    return {}


@pytest.fixture
def built(shared: Workspace, clean_builds: dict[str, dict[str, str]]) -> Iterator[Workspace]:
    """Give the shared tree, built; after the test nothing is to do and it equals a clean build."""
    shared.restore()
    shared.install()
    yield shared
    assert shared.install().is_nothing_to_do
    state = repr(shared.digests("modules"))
    if state not in clean_builds:
        clean_builds[state] = shared.build_anew()
    assert shared.digests() == clean_builds[state]
    assert shared.temporaries() == []


def test_the_first_run_makes_all_and_the_second_nothing(built: Workspace) -> None:
    assert sorted(built.digests()) == [
        "destdir/METALOG",
        f"{STAND}/alpha/alpha.kmod",
        f"{STAND}/alpha/alpha.plist",
        f"{STAND}/beta/beta.kmod",
        f"{STAND}/gamma/gamma.kmod",
    ]
    second = built.install()
    assert second.is_nothing_to_do
    assert second.err == ""


def test_touch_without_change_runs_nothing(built: Workspace) -> None:
    for path in built.path("modules").rglob("*"):
        os.utime(path)
    assert built.install().is_nothing_to_do


def test_a_clock_set_back_hides_no_edit(built: Workspace) -> None:
    for path in sorted(built.path("modules").rglob("*")):
        os.utime(path, (1, 1))
    assert built.install().is_nothing_to_do
    built.edit("modules/alpha/alpha.c", "count +=", "count -=")
    os.utime(built.path("modules/alpha/alpha.c"), (1, 1))
    assert built.install().steps == ALPHA | judged("alpha") | {"check:beta"}


def test_an_edit_is_built_and_its_revert_too(built: Workspace) -> None:
    before = built.digests()
    built.edit("modules/gamma/tables.c", "i << SHIFT", "i >> SHIFT")
    wanted = {"compile:gamma/tables.o", "link:gamma"} | judged("gamma")
    assert built.install().steps == wanted
    assert built.digests() != before
    built.edit("modules/gamma/tables.c", "i >> SHIFT", "i << SHIFT")
    assert built.install().steps == wanted
    assert built.digests() == before


def test_an_edit_reverted_before_the_next_run_runs_nothing(built: Workspace) -> None:
    built.edit("modules/gamma/tables.c", "i << SHIFT", "i >> SHIFT")
    built.edit("modules/gamma/tables.c", "i >> SHIFT", "i << SHIFT")
    assert built.install().is_nothing_to_do


def test_an_edit_of_equal_size_and_mtime_is_seen(built: Workspace) -> None:
    path = built.path("modules/gamma/tables.c")
    status = path.stat()
    built.edit("modules/gamma/tables.c", "<<", ">>")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert built.install().steps == {"compile:gamma/tables.o", "link:gamma"} | judged("gamma")


def test_a_changed_comment_ends_at_the_compiler(built: Workspace) -> None:
    built.edit("modules/gamma/tables.c", "return", "return /* the sum */")
    assert built.install().steps == {"compile:gamma/tables.o"}


def test_a_changed_header_rebuilds_all_who_read_it_and_no_other(built: Workspace) -> None:
    built.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    assert built.install().steps == ALPHA | BETA | judged("alpha", "beta")


def test_a_header_that_comes_earlier_on_the_path_is_seen(built: Workspace) -> None:
    built.write("modules/first/shape.h", "#define SHAPE 5\n")
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")
    built.path("modules/first/shape.h").unlink()
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")


def test_a_header_beside_the_source_is_seen_where_quotes_would_find_it(built: Workspace) -> None:
    built.write("modules/beta/alpha.h", "int alpha_count(void);\n#define ALPHA_STEP 9\n")
    assert built.install().steps == BETA | judged("beta")


def test_a_header_beside_the_header_that_includes_it_is_seen(built: Workspace) -> None:
    built.write("modules/second/shape.h", '#include "limits.h"\n#define SHAPE (3 + LIMIT)\n')
    built.install()
    built.write("modules/second/limits.h", "#define LIMIT 70\n")
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")


def test_a_header_below_a_directory_of_the_path_is_seen_where_it_would_come_first(
    built: Workspace,
) -> None:
    # <deep/shape.h> may be found below 'second', or as <shape.h> below 'second/deep'.
    built.write("modules/second/deep/shape.h", "#define SHAPE 4\n")
    built.edit("modules/gamma/gamma.yaml", "../second]", "../second, ../second/deep]")
    built.edit("modules/gamma/gamma.c", "<shape.h>", "<deep/shape.h>")
    built.install()
    built.write("modules/first/deep/shape.h", "#define SHAPE 6\n")
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")


def test_a_directory_of_the_path_that_cflags_name_is_looked_at(built: Workspace) -> None:
    zero = built.path("modules/zero")
    built.edit("modules/gamma/gamma.yaml", "class", f"cflags: [-isystem, '{zero}']\nclass")
    built.edit("modules/gamma/gamma.yaml", "../first, ../second", "../first")
    built.write("modules/one/shape.h", "#define SHAPE 3\n")
    built.edit("modules/gamma/gamma.yaml", f"'{zero}'", f"'{zero}', -isystem, '{zero.parent}/one'")
    built.install()
    built.write("modules/zero/shape.h", "#define SHAPE 5\n")
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")


def test_a_link_that_led_nowhere_and_now_leads_to_a_header_is_seen(built: Workspace) -> None:
    built.path("modules/first/shape.h").symlink_to("../third/shape.h")
    built.install()
    built.write("modules/third/shape.h", "#define SHAPE 8\n")
    assert built.install().steps == {"compile:gamma/gamma.o", "link:gamma"} | judged("gamma")


def test_a_removed_header_is_looked_for_again(built: Workspace) -> None:
    built.path("modules/second/shape.h").unlink()
    ran = built.run("install")
    assert ran.status == 1
    assert "shape.h' file not found" in ran.err
    assert built.run("install").status == 1
    built.write("modules/second/shape.h", "#define SHAPE 4\n")
    assert "compile:gamma/gamma.o" in built.install().steps


def test_a_flag_in_a_descriptor_rebuilds_its_module(built: Workspace) -> None:
    built.edit("modules/gamma/gamma.yaml", "SHIFT=1", "SHIFT=2")
    steps = built.install().steps
    note = "compile:gamma/modbuild_ident.o"  # has the flag in its command, too
    sources = {"compile:gamma/gamma.o", "compile:gamma/tables.o"}
    assert steps == {*sources, note, "link:gamma"} | judged("gamma")


def test_a_comment_in_a_descriptor_runs_nothing(built: Workspace) -> None:
    built.edit("modules/gamma/gamma.yaml", "class", "# a comment\nclass")
    assert built.install().is_nothing_to_do


def test_properties_removed_take_the_plist_away(built: Workspace) -> None:
    built.edit("modules/alpha/alpha.yaml", "properties:\n  level: 1\n", "")
    assert "install:alpha" in built.install().steps
    assert not built.path(f"{STAND}/alpha/alpha.plist").exists()
    assert "alpha.plist" not in built.path("destdir/METALOG").read_text()


@pytest.mark.parametrize("name", ["gamma.o", "gamma.kmod", "gamma.verdict.json", "gamma.kmod.map"])
def test_a_removed_output_is_made_again(built: Workspace, name: str) -> None:
    built.path(f"obj/amd64-x86_64/gamma/{name}").unlink()
    maker = {"gamma.o": "compile:gamma/gamma.o", "gamma.verdict.json": "check:gamma"}
    assert built.install().steps == {maker.get(name, "link:gamma")}


@pytest.mark.parametrize("name", ["gamma.o", "gamma.kmod", "gamma.verdict.json"])
def test_a_corrupted_output_of_equal_size_and_mtime_is_made_again(
    built: Workspace, name: str
) -> None:
    path = built.path(f"obj/amd64-x86_64/gamma/{name}")
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    maker = {"gamma.o": "compile:gamma/gamma.o", "gamma.verdict.json": "check:gamma"}
    assert built.install().steps == {maker.get(name, "link:gamma")}


@pytest.mark.parametrize("name", ["gamma.kmod", ""])
def test_what_is_installed_is_restored(built: Workspace, name: str) -> None:
    path = built.path(f"{STAND}/gamma/{name}")
    if name:
        path.chmod(0o644)
        path.write_bytes(b"of someone else")
    else:
        shutil.rmtree(path)
    assert built.install().steps == {"metalog:METALOG"}


def test_a_deleted_metalog_is_written_again(built: Workspace) -> None:
    built.path("destdir/METALOG").unlink()
    assert built.install().steps == {"metalog:METALOG"}


def test_a_renamed_module_is_new_and_the_old_one_is_left_over(fresh: Workspace) -> None:
    fresh.path("modules/gamma").rename(fresh.path("modules/delta"))
    fresh.path("modules/delta/gamma.yaml").rename(fresh.path("modules/delta/delta.yaml"))
    fresh.edit("modules/delta/gamma.c", "MISC, gamma", "MISC, delta")
    fresh.edit("modules/delta/gamma.c", "gamma_modcmd", "delta_modcmd")
    ran = fresh.install()
    assert f"left over in {STAND}, no longer described: gamma" in ran.out
    assert "install:delta" in ran.steps
    assert fresh.path(f"{STAND}/gamma/gamma.kmod").exists()
    again = fresh.install()
    assert again.is_nothing_to_do
    assert "left over" in again.out
    assert fresh.run("uninstall", "--left-over").status == 0
    assert not fresh.path(f"{STAND}/gamma").exists()
    assert "gamma" not in fresh.path("destdir/METALOG").read_text()
    assert "left over" not in fresh.install().out


def test_a_removed_module_is_left_over_and_uninstalled_on_demand(fresh: Workspace) -> None:
    shutil.rmtree(fresh.path("modules/gamma"))
    assert "left over" in fresh.install().out
    assert fresh.run("uninstall", "--left-over").status == 0
    assert "left over" not in fresh.install().out


def test_a_descriptor_written_into_a_known_directory_is_seen(fresh: Workspace) -> None:
    fresh.write("modules/second/second.yaml", "class: misc\nsources: [second.c]\n")
    source = fresh.path("modules/beta/beta.c").read_text()
    fresh.write("modules/second/second.c", source.replace("beta", "second"))
    fresh.edit(
        "modules/second/second.yaml", "class", "requires: [alpha]\ninclude: [../alpha]\nclass"
    )
    assert "install:second" in fresh.install().steps


def test_an_edited_kernel_map_judges_all_again(built: Workspace) -> None:
    kernel = next((CLONE / "toolchain/kernel").glob("amd64-10.99.12-*.kmap*"))
    copy = built.path(kernel.name)
    copy.write_bytes(kernel.read_bytes())
    built.write("modbuild.yaml", f"kernel: {copy}\n")
    wanted = {"check:alpha", "check:beta", "check:gamma"}
    steps = built.install().steps
    assert wanted <= steps
    assert {step.partition(":")[0] for step in steps} <= {"check", "install", "metalog"}
    text = gzip.decompress(kernel.read_bytes())
    copy.write_bytes(gzip.compress(text, mtime=1))  # other bytes of the same map
    assert built.install().steps == wanted


def test_a_setting_written_later_is_seen(fresh: Workspace) -> None:
    fresh.write("modbuild.yaml", "machine: amd64\n")
    assert fresh.install("-m", "amd64").is_nothing_to_do
    assert fresh.install("-m", "amd64").is_nothing_to_do
    fresh.write("modbuild.yaml", "destdir: elsewhere\n")
    assert "install:alpha" in fresh.install("-m", "amd64").steps
    assert fresh.path("elsewhere/METALOG").exists()
    fresh.write("modbuild.yaml", "machine: amd64\n")
    fresh.install()


def test_a_file_that_changes_while_the_run_ends_is_not_taken_for_built(built: Workspace) -> None:
    built.edit("modules/gamma/tables.c", "i << SHIFT", "i >> SHIFT")
    with built.running("install") as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "metalog" in line or "modules:" in line:
                break
        deadline = time.monotonic() + 0.3
        number = 0
        while time.monotonic() < deadline:  # many edits over the end of the run
            number += 1
            built.write("modules/gamma/tables.c", tables(number))
            time.sleep(0.001)
        child.communicate()
    final = tables(number)
    assert built.path("modules/gamma/tables.c").read_text() == final
    built.install()


def tables(number: int) -> str:
    return (
        "#include <limits.h>\nint gamma_table(int);\nint\ngamma_table(int i)\n"
        f"{{\n\treturn (i << SHIFT) + LIMIT + {number};\n}}\n"
    )


@pytest.fixture
def copied(tmp_path: Path) -> Workspace:
    """Give the small tree with a copy of the clone's code, whose own files may be edited."""
    copy = tmp_path / "clone"
    for name in ("buildsys", "toolchain"):
        shutil.copytree(CLONE / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = make_workspace(tmp_path)
    return Workspace(made.directory, made.environment, copy)


def test_an_edited_profile_rebuilds_all_that_it_is_for(copied: Workspace) -> None:
    copied.install()
    profile = copied.package / "toolchain/machine/amd64-x86_64.yaml"
    text = profile.read_text()
    assert "-mno-red-zone" in text
    profile.write_text(text.replace("-mno-red-zone", "-mno-red-zone, -fno-inline", 1))
    steps = copied.install().steps
    assert {"compile:alpha/alpha.o", "compile:beta/beta.o", "compile:gamma/tables.o"} <= steps
    assert copied.install().is_nothing_to_do
    assert copied.digests() == copied.build_anew()


def test_an_edited_rule_judges_again_and_compiles_nothing(copied: Workspace) -> None:
    copied.install()
    rules = copied.package / "buildsys/check/linker.py"
    rules.write_text(rules.read_text() + "\n# edited\n")
    assert copied.install().steps == {"check:alpha", "check:beta", "check:gamma"}


def test_an_installed_file_of_another_mode_or_that_became_a_link_is_installed_again(
    built: Workspace,
) -> None:
    installed = built.path(f"{STAND}/gamma/gamma.kmod")
    installed.chmod(0o666)
    assert built.install().steps == {"metalog:METALOG"}
    assert installed.stat().st_mode & 0o7777 == 0o444
    copy = built.write("copy", installed.read_bytes())
    copy.chmod(0o444)
    installed.unlink()
    installed.symlink_to(copy)
    assert built.install().steps == {"metalog:METALOG"}
    assert not installed.is_symlink()


def test_a_source_that_is_no_regular_file_is_refused_and_not_waited_for(built: Workspace) -> None:
    source = built.path("modules/gamma/tables.c")
    text = source.read_text()
    source.unlink()
    os.mkfifo(source)
    ran = built.run("install")
    assert ran.status == 1
    assert f"{source}: not a regular file" in ran.err
    source.unlink()
    source.write_text(text)
    built.install()


def test_a_file_for_whose_presence_is_asked_is_seen_when_it_comes(built: Workspace) -> None:
    built.edit(
        "modules/gamma/tables.c",
        "#include <limits.h>",
        "#include <limits.h>\n#if __has_include(<late.h>)\n#undef LIMIT\n#define LIMIT 90\n#endif",
    )
    built.install()
    built.write("modules/second/late.h", "")
    assert "compile:gamma/tables.o" in built.install().steps
    built.path("modules/second/late.h").unlink()
    assert "compile:gamma/tables.o" in built.install().steps


def test_what_a_header_has_the_assembler_read_is_seen(built: Workspace) -> None:
    built.write("modules/first/blob", b"abc")
    built.edit(
        "modules/first/limits.h",
        "#define LIMIT 7\n",
        '#define LIMIT 7\n__asm__(".section .rodata\\n.incbin \\"blob\\"\\n.text");\n',
    )
    built.install()
    built.write("modules/first/blob", b"abd")
    assert "compile:gamma/tables.o" in built.install().steps


def test_each_destdir_has_its_own_record_in_one_objdir(workspace: Workspace) -> None:
    workspace.install("-D", "one")
    assert workspace.install("-D", "two").steps == {
        "install:alpha", "install:beta", "install:gamma", "metalog:METALOG",
    }  # fmt: skip
    assert workspace.install("-D", "one").is_nothing_to_do
    workspace.edit("modules/gamma/tables.c", "LIMIT;", "LIMIT + 1;")
    for place in ("one", "two"):
        steps = workspace.install("-D", place).steps
        assert steps >= {"install:gamma", "metalog:METALOG"}
        assert not steps & {"install:alpha", "install:beta"}
        # The object is made once; each of the two installs it.
        assert ("compile:gamma/tables.o" in steps) == (place == "one")
    for place in ("two", "one", "two"):
        assert not workspace.install("-D", place).steps
    files = [workspace.path(f"{place}/{STAND.partition('/')[2]}") for place in ("one", "two")]
    assert (files[0] / "gamma/gamma.kmod").read_bytes() == (
        files[1] / "gamma/gamma.kmod"
    ).read_bytes()  # fmt: skip
