"""MKDEBUG: what is split off from a kmod is installed, verified, packed, restored with it."""

import tarfile
from pathlib import Path

from treeworkspace import TreeWorkspace

INNER = "stand/amd64/10.99.12/modules"


def debug_file(tree: TreeWorkspace, name: str = "null") -> Path:
    return tree.work / f"destdir/usr/libdata/debug/{INNER}/{name}/{name}.kmod.debug"


def kmod_file(tree: TreeWorkspace, name: str = "null") -> Path:
    return tree.work / f"destdir/{INNER}/{name}/{name}.kmod"


def install(tree: TreeWorkspace, *words: str) -> str:
    ran = tree.run("install", *words)
    assert ran.status == 0, ran.text
    return ran.text


def test_it_is_installed_recorded_and_verified(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null")
    installed = debug_file(tree)
    assert installed.read_bytes() == (tree.objects("null") / "null.kmod.debug").read_bytes()
    assert installed.stat().st_mode & 0o7777 == 0o444
    metalog = (tree.work / "destdir/METALOG").read_text()
    assert f"./usr/libdata/debug/{INNER}/null/null.kmod.debug type=file uname=root" in metalog
    assert f"./usr/libdata/debug/{INNER}/null type=dir" in metalog
    assert "Nothing to do" in install(tree, "null")
    ran = tree.run("verify")
    assert ran.status == 0, ran.text
    assert "2 files" in ran.text
    assert tree.run("versions").text.count("\n") == 1
    installed.chmod(0o644)
    installed.write_bytes(b"other")
    ran = tree.run("verify")
    assert ran.status == 2
    assert f"{installed.relative_to(tree.work)}: error: file-changed" in ran.text
    install(tree, "null")
    assert tree.run("verify").status == 0


def test_it_goes_with_the_module(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null", "plain")
    assert tree.run("uninstall", "null").status == 0
    assert not debug_file(tree).exists()
    assert debug_file(tree, "plain").exists()
    assert "null" not in (tree.work / "destdir/METALOG").read_text()
    assert tree.run("uninstall").status == 0
    assert not (tree.work / "destdir/usr/libdata/debug/stand").exists()


def test_what_belongs_to_another_kmod_does_not_stay(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null")
    del tree.variables["MKDEBUG"]
    install(tree, "null")
    assert kmod_file(tree).exists()
    assert not debug_file(tree).exists()
    assert "null.kmod.debug" not in (tree.work / "destdir/METALOG").read_text()


def test_a_rollback_brings_back_what_belongs_to_the_restored_kmod(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null")
    kmod, debug = kmod_file(tree).read_bytes(), debug_file(tree).read_bytes()
    tree.edit("sys/modules/null/null.c", "ENOTTY", "EINVAL")
    install(tree, "null")
    assert kmod_file(tree).read_bytes() != kmod
    assert debug_file(tree).read_bytes() != debug
    assert tree.run("rollback").status == 0
    assert (kmod_file(tree).read_bytes(), debug_file(tree).read_bytes()) == (kmod, debug)
    assert tree.run("verify").status == 0
    del tree.variables["MKDEBUG"]
    install(tree, "null")
    assert not debug_file(tree).exists()
    assert tree.run("rollback").status == 0
    assert debug_file(tree).read_bytes() == debug


def test_the_set_debug_holds_it(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null")
    ran = tree.run("pack", "-o", "sets")
    assert ran.status == 0, ran.text
    with tarfile.open(tree.work / "sets/debug.tgz") as archive:
        names = archive.getnames()
    assert f"./usr/libdata/debug/{INNER}/null/null.kmod.debug" in names
    with tarfile.open(tree.work / "sets/modules.tgz") as archive:
        assert not any("debug" in name for name in archive.getnames())


def pack_both(tree: TreeWorkspace, name: str) -> tuple[str, ...]:
    """Install two modules with their debugging information, pack them; gives the options."""
    tree.variables["MKDEBUG"] = "yes"
    install(tree, "null", "plain")
    assert tree.run("pack", "-o", name).status == 0
    return ("--from", f"{name}/modules.tgz", "--from", f"{name}/debug.tgz", "-D", "other")


def test_a_set_is_installed_with_its_debugging_information(tree: TreeWorkspace) -> None:
    first = pack_both(tree, "one")
    said = install(tree, *first)
    assert "3 modules and 3 files of debugging information installed" in said
    other = tree.work / "other"
    inner = debug_file(tree).relative_to(tree.work / "destdir")
    assert (other / inner).read_bytes() == debug_file(tree).read_bytes()
    assert (other / "METALOG").read_bytes() == (tree.work / "destdir/METALOG").read_bytes()
    verified = tree.run("verify", "-D", "other")
    assert (verified.status, "6 files" in verified.text) == (0, True), verified.text
    tree.edit("sys/modules/null/null.c", "ENOTTY", "EINVAL")
    before = (other / inner).read_bytes()
    second = pack_both(tree, "two")
    install(tree, *second[:2], "-D", "other")
    assert not (other / inner).exists()
    assert (other / inner.parent.parent / "plain/plain.kmod.debug").exists()
    install(tree, *second, "null")
    assert (other / inner).read_bytes() == debug_file(tree).read_bytes() != before
    assert tree.run("rollback", "-D", "other", "--to", "1").status == 0
    assert (other / inner).read_bytes() == before
    assert tree.run("uninstall", "-D", "other").status == 0
    assert not (other / "usr/libdata/debug/stand").exists()


def test_debugging_information_of_other_kmods_is_refused(tree: TreeWorkspace) -> None:
    first = pack_both(tree, "one")
    tree.edit("sys/modules/null/null.c", "ENOTTY", "EINVAL")
    second = pack_both(tree, "two")
    ran = tree.run("install", *first[:2], *second[2:])
    assert ran.status == 1, ran.text
    assert "null.kmod.debug: not of this null.kmod, which names another" in ran.text
    assert not (tree.work / "other/stand").exists()
    assert tree.run("install", *first[:2], *second[2:], "plain", "offers").status == 0
    ran = tree.run("install", *first[2:])
    assert (ran.status, "holds debugging information only" in ran.text) == (1, True), ran.text
    ran = tree.run("install", *first[:2], *second[:2], "-D", "other")
    assert (ran.status, "two sets of modules" in ran.text) == (3, True), ran.text


def test_a_module_with_a_directory_of_its_own_is_uninstalled_too(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    makefile = "sys/modules/null/Makefile"
    text = (tree.source / makefile).read_text()
    tree.write(makefile, f"KMODULEDIR=/opt/modules/null\n{text}")
    install(tree, "null", "plain")
    own = tree.work / "destdir/opt/modules/null/null.kmod"
    assert own.exists()
    assert tree.run("verify").status == 0
    ran = tree.run("uninstall", "null")
    assert (ran.status, "2 files removed" in ran.text) == (0, True), ran.text
    assert not own.exists()
    assert "null" not in (tree.work / "destdir/METALOG").read_text()
    assert kmod_file(tree, "plain").exists()
