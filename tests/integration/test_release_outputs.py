"""Results that would be written over what they are made from, or among other things: refused."""

import shutil

import pytest
from workspace import CLONE, STAND, Workspace, make_workspace

CALLS = (
    ("release", "-o", "modules"),
    ("release", "-o", "."),
    ("release", "-o", "obj/out"),
    ("release", "--report", "json=kernel"),
    ("release", "--report", "html=modules/gamma/gamma.yaml"),
    ("release", "--report", "json=release/amd64-x86_64/sets/x.json"),
    ("release", "--report", "json=release/RELEASE.json"),
    ("pack", "-o", "modules/gamma"),
    ("pack", "-o", "destdir"),
    ("provenance", "-o", "link"),
    ("reproduce", "-o", "modules/new"),
    ("reproduce", "-o", "obj/new"),
    ("check", "gamma.kmod", "--report", "json=gamma.kmod"),
    ("check", f"{STAND}", "--report", "json=hard.kmod"),
    ("check", "gamma.kmod", "--report", "json=kernel"),
    ("check", "gamma.kmod", "--report", "text=modbuild.yaml"),
    ("check", "gamma.kmod", "--root-fs", "ffs", "--boot-cfg", "b", "--report", "sarif=b"),
    ("check", "gamma.kmod", "--report", "junit=destdir/x.xml"),
    ("compile-commands", "-o", "modules/gamma/tables.c"),
    ("compile-commands", "-o", "modules/gamma/gamma.yaml"),
    ("kernel", "save", "kernel", "kernel"),
)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a workspace with modules installed, and a kernel, a boot.cfg and links beside."""
    place = make_workspace(tmp_path_factory.mktemp("used"))
    assert place.run("install", "gamma").status == 0
    kmod = place.path(f"{STAND}/gamma/gamma.kmod")
    shutil.copy(kmod, place.path("gamma.kmod"))
    place.path("hard.kmod").hardlink_to(kmod)
    place.path("link").symlink_to("modules")
    shutil.copy(next((CLONE / "toolchain/kernel").glob("amd64-*")), place.path("kernel"))
    place.write("modbuild.yaml", "kernel: kernel\n")
    place.write("b", "load=ffs\n")
    return place


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_what_is_read_is_not_written_over(used: Workspace, words: tuple[str, ...]) -> None:
    before = used.digests(".")
    ran = used.run(*words)
    assert (ran.status, ran.out) == (3, ""), ran.out + ran.err
    assert ran.err.startswith("modbuild: ")
    assert "write" in ran.err or "name a directory of its own" in ran.err
    assert used.digests(".") == before
