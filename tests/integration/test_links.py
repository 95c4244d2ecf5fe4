"""Directories that become links, and links that come to lead elsewhere: seen, and no more done."""

import os
import shutil

import pytest
from workspace import Workspace

from buildsys.base.errors import BuildsysError
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

GAMMA = "compile:gamma/gamma.o"
KINDS = ("zig", "gnu")


@pytest.fixture(params=[True, False], ids=["with-snapshot", "without"])
def asked(request: pytest.FixtureRequest, workspace: Workspace) -> Workspace:
    """Give the small tree twice: where the snapshot answers first, and where there is none."""
    if not request.param:
        workspace.path("obj").mkdir()
        (workspace.path("obj") / ".snapshots").symlink_to("/dev/null")
    return workspace


def relink(workspace: Workspace, name: str, target: str) -> None:
    """Make a link, in the place of another or of a directory, which moves away."""
    path = workspace.path(name)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        path.rename(f"{path}.moved")
    path.symlink_to(target)


def copy(workspace: Workspace, name: str, other: str, shape: int) -> None:
    """Copy a directory of headers; in the copy SHAPE is another number."""
    shutil.copytree(workspace.path(name), workspace.path(other))
    workspace.write(f"{other}/shape.h", f"#define SHAPE {shape}\n")


def use(kind: str, workspace: Workspace) -> None:
    try:
        load_toolchain(kind, load_machine("amd64"), None, os.environ)
    except BuildsysError:
        pytest.skip(f"no toolchain {kind} is installed here")
    workspace.write("modbuild.yaml", f"toolchain: {kind}\n")


def assert_right(workspace: Workspace) -> None:
    assert workspace.digests() == workspace.build_anew()
    assert workspace.install().is_nothing_to_do


def test_a_directory_that_becomes_a_link_is_seen(asked: Workspace) -> None:
    copy(asked, "modules/second", "other", 3)
    asked.install()
    relink(asked, "modules/second", "../other")
    assert asked.install().is_nothing_to_do
    asked.write("other/shape.h", "#define SHAPE 4\n")
    assert GAMMA in asked.install().steps
    assert_right(asked)
    asked.path("modules/second").unlink()
    asked.path("modules/second.moved").rename(asked.path("modules/second"))
    assert GAMMA in asked.install().steps
    assert_right(asked)


def test_a_link_that_comes_to_lead_to_other_content_is_seen(asked: Workspace) -> None:
    copy(asked, "modules/second", "one", 3)
    copy(asked, "modules/second", "two", 4)
    relink(asked, "modules/second", "../one")
    asked.install()
    relink(asked, "modules/second", "../two")
    assert GAMMA in asked.install().steps
    assert_right(asked)


def test_a_link_that_comes_to_lead_to_equal_content_runs_nothing(asked: Workspace) -> None:
    copy(asked, "modules/second", "one", 3)
    copy(asked, "modules/second", "two", 3)
    relink(asked, "modules/second", "../one")
    asked.install()
    relink(asked, "modules/second", "../two")
    assert asked.install().is_nothing_to_do
    asked.write("one/shape.h", "#define SHAPE 5\n")
    assert asked.install().is_nothing_to_do
    asked.write("two/shape.h", "#define SHAPE 4\n")
    assert GAMMA in asked.install().steps
    assert_right(asked)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flag", ["-I", "-isystem"])
def test_a_link_far_up_that_comes_to_lead_elsewhere_is_seen(
    workspace: Workspace, kind: str, flag: str
) -> None:
    use(kind, workspace)
    for name, shape in (("r1", 3), ("r2", 4)):
        workspace.write(f"{name}/deep/shape.h", f"#define SHAPE {shape}\n")
    link = workspace.path("a/long/way/to/the/link")
    link.parent.mkdir(parents=True)
    link.symlink_to(workspace.path("r1"))
    words = f'cflags: ["{flag}", "{link}/deep"]\n'
    text = workspace.path("modules/gamma/gamma.yaml").read_text()
    workspace.write("modules/gamma/gamma.yaml", text + words)
    workspace.path("modules/second/shape.h").unlink()
    workspace.install()
    link.unlink()
    link.symlink_to(workspace.path("r2"))
    assert GAMMA in workspace.install().steps
    assert_right(workspace)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flag", ["-I", "-isystem"])
def test_what_comes_before_a_directory_with_dots_is_seen(
    workspace: Workspace, kind: str, flag: str
) -> None:
    use(kind, workspace)
    workspace.write("first/nothing.h", "")
    workspace.write("headers/shape.h", "#define SHAPE 3\n")
    root = workspace.directory
    words = f'cflags: ["{flag}", "{root}/first", "{flag}", "{root}/first/..//./headers"]\n'
    text = workspace.path("modules/gamma/gamma.yaml").read_text()
    workspace.write("modules/gamma/gamma.yaml", text + words)
    workspace.path("modules/second/shape.h").unlink()
    workspace.install()
    workspace.write("first/shape.h", "#define SHAPE 4\n")
    assert GAMMA in workspace.install().steps
    assert_right(workspace)


def test_dots_behind_a_directory_that_becomes_a_link_lead_elsewhere(asked: Workspace) -> None:
    asked.write("lib/sub/nothing.h", "")
    asked.write("else/where/nothing.h", "")
    asked.write("lib/tables.c", asked.path("modules/gamma/tables.c").read_text())
    asked.write("else/tables.c", asked.path("modules/gamma/tables.c").read_text() + "int new;\n")
    asked.edit("modules/gamma/gamma.yaml", " tables.c", " ../../lib/sub/../tables.c")
    asked.install()
    relink(asked, "lib/sub", "../else/where")
    assert "compile:gamma/tables.o" in asked.install().steps
    assert_right(asked)
    asked.path("lib/sub").unlink()
    asked.path("lib/sub.moved").rename(asked.path("lib/sub"))
    assert "compile:gamma/tables.o" in asked.install().steps
    assert_right(asked)


def test_a_module_behind_a_link_that_led_nowhere_is_seen(asked: Workspace) -> None:
    asked.path("modules/delta").symlink_to("../elsewhere/delta")
    asked.path("modules/loop").symlink_to("loop")
    asked.install()
    assert asked.install().is_nothing_to_do
    words = "class: misc\nsources: [delta.c]\ninclude: [../../modules/alpha]\n"
    asked.write("elsewhere/delta/delta.yaml", words)
    text = asked.path("modules/alpha/alpha.c").read_text()
    asked.write(
        "elsewhere/delta/delta.c",
        text.replace("alpha,", "delta,")
        .replace("alpha_", "delta_")
        .replace("int delta_count(void)", "int delta_count(void)"),
    )
    ran = asked.install()
    assert "compile:delta/delta.o" in ran.steps, ran.out
    assert_right(asked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_compiled_anew_where_its_place_counts(workspace: Workspace, kind: str) -> None:
    use(kind, workspace)
    text = "#define SHAPE 3\nstatic const char place[] __attribute__((used)) = __FILE__;\n"
    once = "#pragma once\nstatic int once __attribute__((used));\n"
    for name in ("r1", "r2"):
        workspace.write(f"{name}/shape.h", text)
        workspace.write(f"{name}/once.h", once)
    link = workspace.path("a/long/way/to/the/link")
    link.parent.mkdir(parents=True)
    link.symlink_to(workspace.path("r1"))
    words = f'cflags: ["-isystem", "{link}"]\n'
    workspace.write(
        "modules/gamma/gamma.yaml",
        workspace.path("modules/gamma/gamma.yaml").read_text() + words,
    )
    workspace.path("modules/second/shape.h").unlink()
    workspace.install()
    link.unlink()
    link.symlink_to(workspace.path("r2"))
    workspace.install()
    assert_right(workspace)
    # Two names of one header that is read once become two headers.
    source = workspace.path("modules/gamma/tables.c").read_text()
    lines = f'#include "{workspace.path("r2")}/once.h"\n'
    workspace.write("modules/gamma/tables.c", f"#include <once.h>\n{lines}{source}")
    workspace.install()
    link.unlink()
    link.symlink_to(workspace.path("r1"))
    clean = workspace.run("install", "-O", "clean-obj", "-D", "clean-destdir")
    assert workspace.run("install").status == clean.status


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_was_asked_for_and_goes_is_missed(workspace: Workspace, kind: str) -> None:
    use(kind, workspace)
    workspace.path("modules/first/asked.h").mkdir()
    workspace.write("modules/second/asked.h", "#error not to be read\n")
    question = "#if __has_include(<asked.h>)\nint found;\n#endif\n"
    source = workspace.path("modules/gamma/tables.c").read_text()
    workspace.write("modules/gamma/tables.c", f"{question}{source}")
    workspace.install()
    workspace.path("modules/second/asked.h").unlink()
    assert "compile:gamma/tables.o" in workspace.install().steps
    assert_right(workspace)
    workspace.path("modules/first/asked.h").rmdir()
    workspace.write("modules/first/asked.h", "")
    assert "compile:gamma/tables.o" in workspace.install().steps
    assert_right(workspace)


def test_an_object_directory_behind_links_is_one_like_any_other(workspace: Workspace) -> None:
    for name in ("elsewhere", "machine"):
        workspace.path(name).mkdir()
    relink(workspace, "obj", "elsewhere")
    relink(workspace, "elsewhere/amd64-x86_64", str(workspace.path("machine")))
    for number in range(2):
        workspace.edit("modules/gamma/tables.c", "+ LIMIT", f"+ {number} + LIMIT")
        ran = workspace.install()
        assert "changed meanwhile" not in ran.out
        assert workspace.install().is_nothing_to_do
    assert_right(workspace)
    workspace.path("machine").rename(workspace.path("gamma"))
    relink(workspace, "elsewhere/amd64-x86_64", str(workspace.path("gamma")))
    assert workspace.install().steps <= {"check:alpha", "check:beta"}
    assert workspace.install().is_nothing_to_do


def test_a_directory_that_moves_away_behind_its_link_is_followed(asked: Workspace) -> None:
    asked.path("place/deep").mkdir(parents=True)
    asked.path("modules/second/shape.h").rename(asked.path("place/deep/shape.h"))
    asked.edit("modules/gamma/gamma.yaml", "../second", "../link/deep")
    relink(asked, "modules/link", "../place")
    asked.install()
    # The same directory by another name, and another under its old name.
    asked.path("place").rename(asked.path("moved"))
    relink(asked, "modules/link", "../moved")
    shutil.copytree(asked.path("moved"), asked.path("place"))
    assert asked.install().is_nothing_to_do
    asked.write("place/deep/shape.h", "#define SHAPE 5\n")
    assert asked.install().is_nothing_to_do
    with open(asked.path("moved/deep/shape.h"), "w") as stream:
        stream.write("#define SHAPE 4\n")
    assert GAMMA in asked.install().steps
    assert_right(asked)


def test_a_circle_of_links_before_a_header_fails_as_it_does_from_scratch(asked: Workspace) -> None:
    asked.install()
    asked.path("modules/first/shape.h").symlink_to("shape.h")
    ran = asked.run("install")
    assert (ran.status, GAMMA in ran.steps) == (1, True), ran.out
    asked.path("modules/first/shape.h").unlink()
    assert asked.install().steps <= {GAMMA}
    assert_right(asked)
