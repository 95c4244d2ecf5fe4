"""Files that are put in another's place, as editors and version control do: the short way, too."""

import os
import shutil
from collections.abc import Iterator

import pytest
from shortway import run_showing
from workspace import STAND, Workspace

from buildsys.pipeline.simple import digest_listing


@pytest.fixture
def built(workspace: Workspace) -> Iterator[Workspace]:
    """Give a built tree; after the test nothing is to do and it equals a clean build."""
    workspace.install()
    yield workspace
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()


def install(workspace: Workspace) -> tuple[list[str], str]:
    """Install; gives the names of what was compiled, and which way was gone."""
    words, environment = ("install",), workspace.full_environment()
    status, output, _ = run_showing(words, workspace.directory, environment)
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


def test_a_source_is_replaced(built: Workspace) -> None:
    replace(built, "modules/alpha/alpha.c", "count +=", "count -=")
    assert install(built) == (["alpha/alpha.o"], "short way")


def test_editors_leave_files_beside_a_source(built: Workspace) -> None:
    built.write("modules/alpha/.alpha.c.swo", "open in an editor")
    os.symlink("someone@somewhere", built.path("modules/alpha/.#alpha.c"))
    shutil.copy(built.path("modules/alpha/alpha.c"), built.path("modules/alpha/alpha.c~"))
    replace(built, "modules/alpha/alpha.c", "count +=", "count -=")
    assert install(built) == (["alpha/alpha.o"], "short way")
    assert built.install().is_nothing_to_do
    for name in (".alpha.c.swo", ".#alpha.c", "alpha.c~"):
        built.path(f"modules/alpha/{name}").unlink()
    assert install(built) == ([], "short way")


def test_a_header_is_replaced(built: Workspace) -> None:
    replace(built, "modules/alpha/alpha.h", "int", "int ")
    compiled, way = install(built)
    assert way == "short way"
    assert {"alpha/alpha.o", "beta/beta.o"} <= set(compiled)


def test_a_header_that_none_asks_for_comes_beside_others(built: Workspace) -> None:
    built.write("lib/aside.h", "int aside;\n")
    assert install(built)[0] == []


def test_a_header_that_goes_is_asked_for(built: Workspace) -> None:
    path = built.path("modules/alpha/alpha.h")
    content = path.read_bytes()
    path.unlink()
    words, environment = ("install",), built.full_environment()
    assert run_showing(words, built.directory, environment)[0] == 1
    path.write_bytes(content)
    install(built)


def test_the_modules_directory_goes(built: Workspace) -> None:
    shutil.rmtree(built.path(STAND))
    assert install(built) == ([], "short way")


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
