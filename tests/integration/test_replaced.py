"""Files that are put in another's place, as editors and version control do: the short way, too."""

import os
import shutil
from pathlib import Path

import pytest
from shortway import run
from workspace import STAND, Workspace

from buildsys.base.digest import stat_stamp
from buildsys.pipeline.simple import digest_listing, heed


def install(workspace: Workspace) -> tuple[list[str], str]:
    """Install; gives the names of what was compiled, and which way was gone."""
    status, output, _ = run(workspace, "install")
    assert status == 0
    lines = output.splitlines()
    return [line.split()[2] for line in lines if line.startswith("#   compile")], lines[-1]


def replace(workspace: Workspace, name: str, old: str, new: str) -> None:
    """Edit a file by writing another beside it, which gets its name."""
    path = workspace.path(name)
    text = path.read_text()
    assert old in text
    beside = path.with_name(f".{path.name}.swp")
    beside.write_text(text.replace(old, new))
    beside.replace(path)


def include(workspace: Workspace, name: str, place: str) -> None:
    """Have a module look for headers in one more directory."""
    path = workspace.path(f"modules/{name}/{name}.yaml")
    lines = path.read_text().splitlines()
    found = next((line for line in lines if line.startswith("include: [")), None)
    if found is None:
        lines.append(f"include: [{place}]")
    else:
        lines[lines.index(found)] = found.replace("]", f", {place}]")
    path.write_text("".join(f"{line}\n" for line in lines))


def test_a_source_is_replaced(fresh: Workspace) -> None:
    replace(fresh, "modules/alpha/alpha.c", "count +=", "count -=")
    assert install(fresh) == (["alpha/alpha.o"], "short way")


def test_editors_leave_files_beside_a_source(fresh: Workspace) -> None:
    fresh.write("modules/alpha/.alpha.c.swo", "open in an editor")
    os.symlink("someone@somewhere", fresh.path("modules/alpha/.#alpha.c"))
    shutil.copy(fresh.path("modules/alpha/alpha.c"), fresh.path("modules/alpha/alpha.c~"))
    replace(fresh, "modules/alpha/alpha.c", "count +=", "count -=")
    assert install(fresh) == (["alpha/alpha.o"], "short way")
    assert fresh.install().is_nothing_to_do
    for name in (".alpha.c.swo", ".#alpha.c", "alpha.c~"):
        fresh.path(f"modules/alpha/{name}").unlink()
    assert install(fresh) == ([], "short way")


def test_a_header_is_replaced(fresh: Workspace) -> None:
    replace(fresh, "modules/alpha/alpha.h", "int", "int ")
    compiled, way = install(fresh)
    assert way == "short way"
    assert {"alpha/alpha.o", "beta/beta.o"} <= set(compiled)


def test_a_header_that_none_asks_for_comes_beside_others(fresh: Workspace) -> None:
    fresh.write("lib/aside.h", "int aside;\n")
    assert install(fresh)[0] == []


def test_a_header_that_goes_is_asked_for(fresh: Workspace) -> None:
    path = fresh.path("modules/alpha/alpha.h")
    content = path.read_bytes()
    path.unlink()
    assert run(fresh, "install")[0] == 1
    path.write_bytes(content)
    install(fresh)


def test_the_modules_directory_goes(fresh: Workspace) -> None:
    shutil.rmtree(fresh.path(STAND))
    assert install(fresh) == ([], "short way")


def test_the_modules_directory_goes_with_others_modules_in_it(workspace: Workspace) -> None:
    workspace.write(f"{STAND}/other/other.kmod", "another's\n")
    workspace.install()
    shutil.rmtree(workspace.path(STAND))
    assert install(workspace) == ([], "long way")


def test_a_listing_tells_what_is_there(workspace: Workspace) -> None:
    place = workspace.path("place")
    assert digest_listing(str(place)) == b""
    place.mkdir()
    seen = [digest_listing(str(place))]
    (place / "a").write_text("")
    seen.append(digest_listing(str(place)))
    (place / "a").write_text("other bytes")
    assert digest_listing(str(place)) == seen[-1]
    (place / "a~").write_text("")
    (place / "#a#").write_text("")
    assert digest_listing(str(place)) == seen[-1]
    (place / "b~").mkdir()
    seen.append(digest_listing(str(place)))
    (place / "link").symlink_to("a")
    seen.append(digest_listing(str(place)))
    (place / "link").unlink()
    (place / "link").symlink_to("b")
    seen.append(digest_listing(str(place)))
    (place / "a").unlink()
    (place / "a").mkdir()
    seen.append(digest_listing(str(place)))
    assert len(set(seen)) == len(seen)


def test_a_link_that_another_request_followed_is_followed_by_all(workspace: Workspace) -> None:
    for number in ("two", "three"):
        workspace.write(f"inc/{number}/number.h", f'#define NUMBER "{number}"\n')
    link = workspace.path("modules/link")
    link.symlink_to("../inc/two")
    for name in ("alpha", "gamma"):
        workspace.edit(f"modules/{name}/{name}.c", "#include <", '#include "number.h"\n#include <')
        workspace.edit(f"modules/{name}/{name}.c", "MODULE(", "char *held_NAME = NUMBER;\nMODULE(")
        workspace.edit(f"modules/{name}/{name}.c", "held_NAME", f"held_{name}")
        include(workspace, name, "../link")
    workspace.install()
    link.unlink()
    link.symlink_to("../inc/three")
    workspace.install("alpha")
    assert "gamma/gamma.o" in install(workspace)[0]
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


@pytest.mark.parametrize("spelled", ["opt.h", "sub//opt.h"])
def test_a_header_that_another_request_found_is_found_by_all(
    workspace: Workspace, spelled: str
) -> None:
    workspace.write("modules/shared/sub/aside.h", "")
    asking = f"#if __has_include(<{spelled}>)\n#define WORD 1\n#else\n#define WORD 2\n#endif\n"
    for name in ("alpha", "gamma"):
        workspace.edit(
            f"modules/{name}/{name}.c", "MODULE(", f"{asking}int {name}_is = WORD;\nMODULE("
        )
        include(workspace, name, "../shared")
    workspace.install()
    workspace.write(f"modules/shared/{spelled}", "")
    workspace.install("alpha")
    assert "gamma/gamma.o" in install(workspace)[0]
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


def test_a_directory_that_becomes_a_link_in_a_circle_is_one_that_has_gone(
    workspace: Workspace,
) -> None:
    workspace.write("second/sub/held.h", "int held = 2;\n")
    workspace.write("first/sub/aside.h", "")
    include(workspace, "alpha", "../../first")
    include(workspace, "alpha", "../../second")
    workspace.edit("modules/alpha/alpha.c", "MODULE(", "#include <sub/held.h>\nMODULE(")
    workspace.install()
    workspace.write("first/sub/held.h", "int held = 1;\n")
    shutil.rmtree(workspace.path("second/sub"))
    workspace.path("second/sub").symlink_to("sub")
    assert "alpha/alpha.o" in install(workspace)[0]
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


def test_a_program_that_comes_to_be_one_is_not_told_by_a_listing(tmp_path: Path) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "clang").write_text("")
    stamps = [(str(place), stat_stamp(place))]
    assert heed(stamps, {}, {str(place)}) == {str(place): b""}
    assert heed(stamps, {}, ()) == {str(place): digest_listing(str(place))}
    (place / "new").write_text("")
    assert heed(stamps, {}, ()) == {str(place): b""}  # it is not what the plan was made with
