"""Sets: the same bytes anywhere and at any time, read by real programs, held against lists."""

import hashlib
import lzma
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from workspace import STAND, Workspace, make_workspace

ROOT = "./stand/amd64/10.99.12/modules"


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [member.name for member in tar.getmembers()]


def test_a_set_has_what_metalog_describes_and_nothing_else(workspace: Workspace) -> None:
    workspace.install()
    workspace.write(f"{STAND}/README", "of someone")
    assert workspace.run("pack").status == 0
    archive = workspace.path("sets/modules.tgz")
    assert names(archive) == [
        ".",
        "./etc",
        "./etc/mtree",
        "./etc/mtree/set.modules",
        "./stand",
        "./stand/amd64",
        "./stand/amd64/10.99.12",
        ROOT,
        f"{ROOT}/alpha",
        f"{ROOT}/alpha/alpha.kmod",
        f"{ROOT}/alpha/alpha.plist",
        f"{ROOT}/beta",
        f"{ROOT}/beta/beta.kmod",
        f"{ROOT}/gamma",
        f"{ROOT}/gamma/gamma.kmod",
    ]
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            assert (member.uname, member.gname, member.uid, member.gid) == ("root", "wheel", 0, 0)
            assert (member.mode, member.mtime) == (0o755 if member.isdir() else 0o444, 0)
            if member.isfile() and "set." not in member.name:
                stream = tar.extractfile(member)
                assert stream is not None
                assert stream.read() == workspace.path(f"destdir/{member.name}").read_bytes()
    for algorithm in ("SHA512", "MD5"):
        digest = hashlib.new(algorithm, archive.read_bytes()).hexdigest()
        text = workspace.path(f"sets/{algorithm}").read_text()
        assert text.splitlines()[1] == f"{algorithm} (modules.tgz) = {digest}"


def test_a_set_brings_the_list_that_mtree_makes_of_its_members(workspace: Workspace) -> None:
    if shutil.which("mtree") is None:
        pytest.skip("no mtree (apt install mtree-netbsd)")
    workspace.install()
    workspace.run("pack")
    with tarfile.open(workspace.path("sets/modules.tgz")) as tar:
        stream = tar.extractfile("./etc/mtree/set.modules")
        assert stream is not None
        listed = stream.read()
        assert [line.split()[0].decode() for line in listed.splitlines()] == names(
            workspace.path("sets/modules.tgz")
        )
    users = workspace.path("users")
    users.mkdir()
    (users / "group").write_text("wheel:*:0:root\n")
    (users / "master.passwd").write_text("root:*:0:0:daemon:0:0:Charlie:/root:/bin/sh\n")
    mtree = ["mtree", "-C", "-k", "all", "-N", str(users)]
    made = subprocess.run(mtree, input=listed, capture_output=True, check=True).stdout
    assert [line.rstrip() for line in made.splitlines()] == listed.splitlines()
    tree = workspace.path("unpacked")
    subprocess.run(["sh", "-c", f"mkdir {tree} && tar -xzf sets/modules.tgz -C {tree}"],
                   cwd=workspace.path("."), check=True)  # fmt: skip
    compare = ["mtree", "-W", "-p", str(tree), "-N", str(users), "-k", "type,mode,size,sha256"]
    compared = subprocess.run(compare, input=listed, capture_output=True)
    assert (compared.returncode, compared.stdout) == (0, b"")


def test_the_bytes_depend_on_the_members_alone(tmp_path: Path) -> None:
    packed = []
    for name, umask, settings in (
        ("one", 0o022, {"TZ": "UTC"}),
        ("two", 0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "C", "USER": "someone", "LOGNAME": "x"}),
    ):
        (tmp_path / name).mkdir()
        workspace = make_workspace(tmp_path / name, **settings)
        before = os.umask(umask)
        try:
            workspace.install()
            workspace.run("pack", "--format", "tar.xz")
        finally:
            os.umask(before)
        packed.append(workspace.path("sets/modules.tar.xz").read_bytes())
    assert packed[0] == packed[1]


def test_the_time_comes_from_the_environment(workspace: Workspace) -> None:
    workspace.install()
    workspace.environment["SOURCE_DATE_EPOCH"] = "1700000000"
    workspace.run("pack")
    with tarfile.open(workspace.path("sets/modules.tgz")) as tar:
        assert {member.mtime for member in tar.getmembers()} == {1700000000}
    workspace.environment["SOURCE_DATE_EPOCH"] = "today"
    ran = workspace.run("pack")
    assert (ran.status, "SOURCE_DATE_EPOCH: expected seconds" in ran.err) == (3, True)


@pytest.mark.parametrize("program", ["tar", "bsdtar", "pax"])
def test_a_real_program_unpacks_the_same_tree(workspace: Workspace, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is a second opinion only")
    workspace.install()
    workspace.run("pack")
    out = workspace.path("out")
    out.mkdir()
    archive = str(workspace.path("sets/modules.tgz"))
    command = {"pax": ("pax", "-rzf", archive)}.get(program, (program, "-xzf", archive))
    subprocess.run(command, cwd=out, check=True)
    unpacked = {
        name.replace("out/", "destdir/", 1): digest
        for name, digest in workspace.digests("out").items()
    }
    packed = workspace.digests()
    del packed["destdir/METALOG"], unpacked["destdir/etc/mtree/set.modules"]
    assert unpacked == packed


def test_a_file_that_is_not_what_metalog_says_is_not_packed(workspace: Workspace) -> None:
    workspace.install()
    kmod = workspace.path(f"{STAND}/gamma/gamma.kmod")
    kmod.chmod(0o644)
    kmod.write_bytes(b"rotten")
    ran = workspace.run("pack")
    assert (ran.status, "not what METALOG describes" in ran.err) == (1, True)
    assert not workspace.path("sets").exists()


def test_debugging_files_are_a_set_of_their_own(workspace: Workspace) -> None:
    workspace.install()
    name = "usr/libdata/debug/stand/amd64/10.99.12/modules/alpha/alpha.kmod.debug"
    workspace.write(f"destdir/{name}", "debug")
    with workspace.path("destdir/METALOG").open("a") as metalog:
        metalog.write(f"./{name} type=file uname=root gname=wheel mode=0444 size=5\n")
    workspace.run("pack", "--format", "tar.xz")
    debug = workspace.path("sets/debug.tar.xz")
    assert lzma.decompress(debug.read_bytes())
    assert names(debug)[-1] == f"./{name}"
    assert not any("debug" in member for member in names(workspace.path("sets/modules.tar.xz")))
    assert len(workspace.path("sets/SHA512").read_text().splitlines()) == 3


def test_sets_of_a_former_packing_do_not_stay(workspace: Workspace) -> None:
    workspace.install()
    assert workspace.run("pack").status == 0
    for name in ("SHA512.sig", "README"):
        workspace.write(f"sets/{name}", "of someone")
    assert "removed" not in workspace.run("pack").out
    ran = workspace.run("pack", "--format", "tar.xz")
    assert "removed, of former sets: modules.tgz, SHA512.sig\n" in ran.out
    names = ["MANIFEST", "MD5", "README", "SHA512", "modules.tar.xz"]
    assert sorted(os.listdir(workspace.path("sets"))) == names
    workspace.write("sets/modules.tar.xz", "changed by someone")
    workspace.run("pack")
    assert workspace.path("sets/modules.tar.xz").exists()


def test_lists_that_agree_are_told_so_and_others_completed(workspace: Workspace) -> None:
    workspace.install()
    workspace.write("lists/mi", "# nothing yet\n./etc/mtree/set.modules\tmodules-sys-root\tkmod\n")
    ran = workspace.run("sets", "--against", "lists")
    assert ran.status == 2
    lines = [line for line in ran.out.splitlines() if not line.startswith("#")]
    assert "./@MODULEDIR@/gamma/gamma.kmod\t\t\tbase-kernel-modules\tkmod" in lines
    workspace.write("lists/mi", "\n".join(lines) + "\n")
    ran = workspace.run("sets", "--against", "lists")
    assert (ran.status, ran.out) == (0, "10 paths, all listed\n")


def test_what_went_is_to_be_marked_obsolete_and_keywords_count(workspace: Workspace) -> None:
    workspace.install()
    workspace.write("lists/mi", "./@MODULEDIR@/gone/gone.kmod\tbase-kernel-modules\tkmod,zfs\n")
    workspace.write("lists/md.amd64", "./@MODULEDIR@/gamma/gamma.kmod\tbase-obsolete\tobsolete\n")
    ran = workspace.run("sets", "--against", "lists")
    assert "./@MODULEDIR@/gone/gone.kmod\t\t\tbase-kernel-modules\tobsolete\t# mi:1" in ran.out
    assert "md.amd64:1: obsolete, and installed: ./stand/amd64" in ran.out
    assert "gone" not in workspace.run("sets", "--against", "lists", "--without", "zfs").out
    workspace.write("lists/mi", "no list\n")
    ran = workspace.run("sets", "--against", "lists")
    assert (ran.status, "lists/mi:1: expected './PATH SET [KEYWORDS]'" in ran.err) == (1, True)
