"""Installing sets that were built elsewhere, and insisting on signatures."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workspace import STAND, Workspace, make_workspace

Change = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]


@pytest.fixture
def packed(workspace: Workspace) -> Workspace:
    """Give a workspace whose three modules are packed in sets/, unsigned."""
    workspace.install()
    assert workspace.run("pack").status == 0
    return workspace


@pytest.fixture
def other(packed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give another place, with the sets and without modules or sources."""
    there = Workspace(tmp_path_factory.mktemp("other"), dict(packed.environment))
    shutil.copytree(packed.path("sets"), there.path("sets"))
    return there


def repack(workspace: Workspace, change: Change) -> None:
    """Write the set anew, each member changed, and take away the digests that tell."""
    archive = workspace.path("sets/modules.tgz")
    with tarfile.open(archive) as old:
        members = [(member, old.extractfile(member)) for member in old.getmembers()]
        contents = [(m, b"" if stream is None else stream.read()) for m, stream in members]
    with tarfile.open(archive, "w:gz") as new:
        for member, content in contents:
            changed = change(member, content)
            if changed is not None:
                changed[0].size = len(changed[1])
                new.addfile(changed[0], io.BytesIO(changed[1]))
    workspace.path("sets/SHA512").unlink()


def test_a_set_is_installed_as_if_it_were_built_there(packed: Workspace, other: Workspace) -> None:
    ran = other.run("install", "--from", "sets")
    assert ran.status == 0, ran.out + ran.err
    assert ran.out.endswith(
        "destdir/stand/amd64/10.99.12/modules: 3 modules installed, for kernel"
        " amd64 10.99.12 (GENERIC)\n"
    )
    assert other.digests() == packed.digests()  # METALOG, too
    assert other.run("verify").status == 0
    ran = other.run("install", "--from", "sets/modules.tgz")
    assert (ran.status, "3 modules up to date" in ran.out) == (0, True)
    assert other.run("install", "-q", "--from", "sets").out == ""
    assert not list(other.path("obj").glob("*/.modbuild.set.*"))


def test_an_installed_set_can_be_rolled_back_and_replaced(
    packed: Workspace, other: Workspace
) -> None:
    other.run("install", "--from", "sets")
    first = other.digests()
    packed.edit("modules/gamma/tables.c", "<<", ">>")
    packed.install()
    packed.run("pack", "-o", str(other.path("newer")))
    assert other.run("install", "--from", "newer", "gamma").status == 0
    assert other.digests() == packed.digests()
    assert other.run("rollback").status == 0
    assert other.digests() == first


def test_what_a_newer_set_has_not_is_left_or_pruned(packed: Workspace, other: Workspace) -> None:
    other.run("install", "--from", "sets")
    repack(other, lambda member, content: None if "gamma" in member.name else (member, content))
    assert other.run("install", "--from", "sets").status == 0
    assert other.path(f"{STAND}/gamma/gamma.kmod").exists()
    ran = other.run("install", "--from", "sets", "--prune")
    assert (ran.status, "removed: gamma\n" in ran.out) == (0, True)
    assert not other.path(f"{STAND}/gamma").exists()
    assert "gamma" not in other.path("destdir/METALOG").read_text()
    assert packed.path(f"{STAND}/gamma/gamma.kmod").exists()


def test_every_kmod_of_a_set_is_judged_before_any_is_installed(other: Workspace) -> None:
    def spoil(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, content[:-900] if member.name.endswith("gamma.kmod") else content

    repack(other, spoil)
    ran = other.run("install", "--from", "sets")
    assert ran.status == 2
    assert "not fit to be loaded by amd64 10.99.12 (GENERIC): gamma" in ran.err
    assert not other.path("destdir/stand").exists()
    assert other.run("install", "--from", "sets", "alpha", "beta").status == 0


def test_a_set_without_what_it_requires_is_refused(other: Workspace) -> None:
    ran = other.run("install", "--from", "sets", "beta")
    assert ran.status == 2
    assert "file-missing" in ran.err
    assert other.run("install", "--from", "sets", "alpha").status == 0
    assert other.run("install", "--from", "sets", "beta").status == 0


def test_a_damaged_archive_and_a_strange_one_are_refused(other: Workspace) -> None:
    archive = other.path("sets/modules.tgz")
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-5])
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "not the archive that SHA512 beside it is about" in ran.err) == (1, True)
    other.path("sets/SHA512").unlink()
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "not a whole archive" in ran.err) == (1, True)
    archive.unlink()
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "expected one modules.tgz or modules.tar.xz" in ran.err) == (1, True)


@pytest.mark.parametrize(
    "name",
    [
        "./etc/passwd",
        "../stand/amd64/10.99.12/modules/a/a.kmod",
        "./stand/amd64/10.99.12/modules/a/b.kmod",
        "./stand/amd64/../10.99.12/modules/a/a.kmod",
    ],
)
def test_nothing_but_modules_is_taken_from_a_set(other: Workspace, name: str) -> None:
    def rename(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.endswith("gamma.kmod"):
            member.name = name
        return member, content

    repack(other, rename)
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "expected modules' files only" in ran.err) == (1, True)
    assert not other.path("destdir/stand").exists()


def test_links_in_a_set_are_refused(other: Workspace) -> None:
    def link(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.endswith("gamma.kmod"):
            member.type, member.linkname, content = tarfile.SYMTYPE, "/etc/passwd", b""
        return member, content

    repack(other, link)
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "expected modules' files only" in ran.err) == (1, True)


def change_tar(workspace: Workspace, change: Callable[[bytes, int], bytes]) -> None:
    """Write the tar of the set anew, whole for gzip; change gets the place of gamma's header."""
    archive = workspace.path("sets/modules.tgz")
    with tarfile.open(archive) as old:
        start = old.getmember(f"./{STAND.removeprefix('destdir/')}/gamma/gamma.kmod").offset
    archive.write_bytes(gzip.compress(change(gzip.decompress(archive.read_bytes()), start)))
    workspace.path("sets/SHA512").unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda tar, start: tar[:start],
        lambda tar, start: tar[: start + 300],
        lambda tar, start: tar[:start] + b"?" + tar[start + 1 :],
        lambda tar, start: tar[:start] + bytes(1024) + tar[start:],
        lambda tar, _: tar + b"?",
    ],
    ids=["at-a-header", "in-a-header", "header-damaged", "ended-early", "more-behind"],
)
def test_a_tar_that_ends_too_early_is_refused_and_nothing_pruned(
    other: Workspace, change: Callable[[bytes, int], bytes]
) -> None:
    assert other.run("install", "--from", "sets").status == 0
    before = other.digests()
    change_tar(other, change)
    ran = other.run("install", "--from", "sets", "--prune")
    assert (ran.status, "not a whole archive of a set" in ran.err) == (1, True)
    assert other.digests() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)},
        {"path": "stand/amd64/10.99.12/modules/a\0b/a\0b.kmod"},
        {"path": "stand/amd64/10.99.12/modules/a\nb/a\nb.kmod"},
    ],
    ids=["sparse", "nul", "line-end"],
)
def test_what_only_looks_like_a_modules_file_is_refused(
    other: Workspace, headers: dict[str, str]
) -> None:
    def extend(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.endswith("gamma.kmod"):
            member.pax_headers = headers
        return member, content

    repack(other, extend)
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "expected modules' files only" in ran.err) == (1, True), ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_set_is_held_to_the_kernels_options(packed: Workspace, other: Workspace) -> None:
    packed.edit("modules/gamma/gamma.yaml", "[SHIFT=1]", "[SHIFT=1, DEBUG]")
    packed.install()
    shutil.rmtree(other.path("sets"))
    assert packed.run("pack", "-o", str(other.path("sets"))).status == 0
    other.write("modbuild.yaml", "drift: refuse\n")
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "option-refused" in ran.err) == (2, True), ran.out + ran.err
    assert not other.path("destdir/stand").exists()
    assert other.run("install", "--from", "sets", "--drift", "warn").status == 0
    ran = other.run("verify")
    assert (ran.status, "option-refused" in ran.out) == (2, True)


def test_a_set_for_another_machine_or_version_is_refused(other: Workspace) -> None:
    ran = other.run("install", "--from", "sets", "-m", "i386")
    assert (ran.status, "holds modules for amd64, not for i386" in ran.err) == (1, True)
    ran = other.run("install", "--from", "sets", "--release", "10.1")
    assert ran.status == 1
    assert "holds modules for 10.99.12, and the kernel is 10.1" in ran.err
    for words in (("--replace-only", "alpha"), ("--prune", "alpha"), ("delta",)):
        assert other.run("install", "--from", "sets", *words).status == 3


def test_installed_modules_must_load_with_what_replaces_others(workspace: Workspace) -> None:
    workspace.install()
    before = workspace.digests()
    for name in ("alpha.h", "alpha.c"):
        workspace.edit(f"modules/alpha/{name}", "alpha_count", "alpha_number")
    workspace.edit("modules/beta/beta.c", "alpha_count", "alpha_number")
    ran = workspace.run("install", "--replace-only", "alpha")
    assert ran.status == 2, ran.out + ran.err
    assert "installed modules would not load any more: beta; install them, too" in ran.err
    assert "nothing offers alpha_count" in ran.err
    assert workspace.digests() == before
    assert workspace.run("install", "--replace-only", "alpha", "beta").status == 0
    assert workspace.run("verify").status == 0


def test_a_left_over_module_that_breaks_is_named_and_stops_nothing(workspace: Workspace) -> None:
    workspace.install()
    shutil.rmtree(workspace.path("modules/beta"))
    for name in ("alpha.h", "alpha.c"):
        workspace.edit(f"modules/alpha/{name}", "alpha_count", "alpha_number")
    ran = workspace.run("install")
    assert ran.status == 0, ran.err
    assert "does not load any more: beta: beta.kmod: error: undefined-symbol" in ran.err


@pytest.fixture
def signed(packed: Workspace, other: Workspace) -> Iterator[tuple[Workspace, Workspace]]:
    """Give both places; the sets in the other are signed, and what to trust lies in trust."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    for name in ("mine", "theirs"):
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(packed.path(name)))
        subprocess.run(words, check=True)
        public = packed.path(f"{name}.pub").read_text()
        for place in (packed, other):
            place.write(f"{name}.trust", f"{name}@example.org {public}")
    assert packed.run("pack", "--sign", "ssh:mine").status == 0
    shutil.rmtree(other.path("sets"))
    shutil.copytree(packed.path("sets"), other.path("sets"))
    return packed, other


def test_only_what_trusted_keys_signed_is_installed(signed: tuple[Workspace, Workspace]) -> None:
    packed, other = signed
    ran = other.run("install", "--from", "sets", "--require-signature", "ssh:theirs.trust")
    assert (ran.status, "signed by none of" in ran.err) == (1, True)
    assert not other.path("destdir/stand").exists()
    ran = other.run("install", "--from", "sets", "--require-signature", "ssh:mine.trust")
    assert ran.status == 0, ran.err
    assert "signed by ssh: mine@example.org" in ran.out
    assert other.digests() == packed.digests()


def test_an_archive_that_was_changed_after_signing_is_refused(
    signed: tuple[Workspace, Workspace],
) -> None:
    _, other = signed
    other.write("modbuild.yaml", "require_signature: ssh:mine.trust\n")
    digests = other.path("sets/SHA512").read_bytes()

    def swap(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, content + b"\n" if member.name.endswith(".plist") else content

    repack(other, swap)
    assert other.run("install", "--from", "sets").status == 1  # nothing is signed any more
    other.write("sets/SHA512", digests)
    ran = other.run("install", "--from", "sets")
    assert (ran.status, "not the archive that SHA512" in ran.err) == (1, True)
    assert not other.path("destdir/stand").exists()


def test_what_is_built_here_needs_a_signature_over_the_same_bytes(
    signed: tuple[Workspace, Workspace], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, other = signed
    there = make_workspace(tmp_path_factory.mktemp("rebuilt"))
    required = ("--require-signature", f"ssh:{other.path('mine.trust')}")
    ran = there.run("install", *required)
    assert (ran.status, "sets/SHA512: not signed" in ran.out + ran.err) == (1, True)
    assert there.run("install", *required, "--sets", str(other.path("sets"))).status == 0
    before = there.digests()
    there.edit("modules/gamma/tables.c", "<<", ">>")
    ran = there.run("install", *required, "--sets", str(other.path("sets")))
    assert ran.status == 2
    assert "does not list these bytes: gamma.kmod" in ran.err
    assert there.digests() == before


def test_a_requirement_that_cannot_be_understood_is_wrong_usage(workspace: Workspace) -> None:
    for text in ("ssh", ",", "key:x"):
        ran = workspace.run("install", "--require-signature", text)
        assert (ran.status, "expected KIND:KEY" in ran.err) == (3, True), text


def test_the_requirement_comes_from_the_environment_too(
    signed: tuple[Workspace, Workspace],
) -> None:
    _, other = signed
    other.environment["MODBUILD_REQUIRE_SIGNATURE"] = "ssh:theirs.trust"
    assert other.run("install", "--from", "sets").status == 1
    other.environment["MODBUILD_REQUIRE_SIGNATURE"] = "ssh:mine.trust"
    assert other.run("install", "--from", "sets").status == 0
    assert os.path.exists(Path(other.path(f"{STAND}/beta/beta.kmod")))
