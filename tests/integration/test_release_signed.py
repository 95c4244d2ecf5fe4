"""Signatures by real programs: made by pack, asked for by verify."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from workspace import STAND, Workspace

PROGRAMS = {
    "ssh": "ssh-keygen", "gpg": "gpg", "signify": "signify-openbsd", "minisign": "minisign",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keys:
    """A key to sign with and what to trust, as options take them; other trusts someone else."""

    sign: str
    trust: str
    other: str


def call(workspace: Workspace, *words: str) -> None:
    environment = {**os.environ, **workspace.environment}
    subprocess.run(words, cwd=workspace.directory, check=True, env=environment)


def make_keys(workspace: Workspace, kind: str) -> Keys:
    for name in ("mine", "theirs"):
        match kind:
            case "ssh":
                call(workspace, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
                public = workspace.path(f"{name}.pub").read_text()
                workspace.write(f"{name}.trust", f"{name}@example.org {public}")
            case "signify":
                pair = ("-p", f"{name}.pub", "-s", f"{name}.sec")
                call(workspace, "signify-openbsd", "-G", "-n", *pair)
            case "minisign":
                pair = ("-p", f"{name}.trust", "-s", f"{name}.sec")
                call(workspace, "minisign", "-G", "-W", *pair)
            case "gpg":
                user = f"{name}@example.org"
                options = ("--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
                call(workspace, "gpg", *options, "--quick-gen-key", user, "ed25519", "sign")
                call(workspace, "gpg", "--batch", "--output", f"{name}.trust", "--export", user)
    secret = {"ssh": "mine", "gpg": "mine@example.org"}.get(kind, "mine.sec")
    end = "pub" if kind == "signify" else "trust"  # signify wants that name
    return Keys(f"{kind}:{secret}", f"{kind}:mine.{end}", f"{kind}:theirs.{end}")


@pytest.fixture(params=sorted(PROGRAMS))
def signed(
    workspace: Workspace, request: pytest.FixtureRequest
) -> Iterator[tuple[Workspace, Keys]]:
    """Give a packed and signed tree with its keys."""
    kind = str(request.param)
    if shutil.which(PROGRAMS[kind]) is None:
        pytest.skip(f"{PROGRAMS[kind]} is not installed")
    with tempfile.TemporaryDirectory() as home:  # a short name: gpg's agent has a socket there
        workspace.environment["GNUPGHOME"] = home
        keys = make_keys(workspace, kind)
        workspace.install()
        ran = workspace.run("pack", "--sign", keys.sign)
        assert ran.status == 0, ran.err
        yield workspace, keys
        if kind == "gpg":
            call(workspace, "gpgconf", "--kill", "all")


def test_what_trusted_keys_signed_is_verified(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    ran = workspace.run("verify", "--signed-by", keys.trust)
    assert ran.status == 0, ran.out + ran.err
    assert ran.out.startswith("signed by ")


def test_a_signature_of_someone_else_is_refused(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    ran = workspace.run("verify", "--signed-by", keys.other)
    assert ran.status == 1
    assert "signed by none of" in ran.err or "no signature by" in ran.err


def test_digests_that_were_changed_are_refused(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    digests = workspace.path("sets/SHA512")
    digests.write_text(digests.read_text().replace("0", "1"))
    assert workspace.run("verify", "--signed-by", keys.trust).status == 1


def test_a_manifest_that_was_changed_is_refused(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    workspace.edit("sets/MANIFEST", "gamma", "delta")
    ran = workspace.run("verify", "--signed-by", keys.trust)
    assert (ran.status, "not the manifest that SHA512 is about" in ran.err) == (1, True)


def test_a_signature_over_what_is_not_there_is_refused(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    workspace.path("sets/SHA512").unlink()
    ran = workspace.run("verify", "--signed-by", keys.trust)
    assert (ran.status, "sets/SHA512: not there, and SHA512." in ran.err) == (1, True), ran.err


def test_a_module_that_is_not_in_the_manifest_is_a_finding(signed: tuple[Workspace, Keys]) -> None:
    workspace, keys = signed
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.install()
    assert workspace.run("verify").status == 0
    ran = workspace.run("verify", "--signed-by", keys.trust)
    assert ran.status == 2
    assert f"{STAND}/gamma/gamma.kmod: error: file-unsigned" in ran.out


def test_a_key_that_cannot_be_understood_is_wrong_usage(workspace: Workspace) -> None:
    workspace.install()
    for text in ("pgp:key", "ssh", "ssh:"):
        ran = workspace.run("pack", "--sign", text)
        assert (ran.status, "expected KIND:KEY" in ran.err) == (3, True)
    ran = workspace.run("pack", "--sign", "ssh:nowhere")
    assert (ran.status, "there is no such file" in ran.err) == (3, True)
    workspace.run("pack")
    ran = workspace.run("verify", "--signed-by", "ssh:nowhere")
    assert (ran.status, "not signed: there is no SHA512.sig" in ran.err) == (1, True)


@pytest.fixture
def gpg(workspace: Workspace) -> Iterator[Workspace]:
    """Give a packed tree, and gpg with a home of its own."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    with tempfile.TemporaryDirectory() as home:
        workspace.environment["GNUPGHOME"] = home
        workspace.install()
        assert workspace.run("pack").status == 0
        yield workspace
        call(workspace, "gpgconf", "--kill", "all")


def sign_by_hand(workspace: Workspace, lifetime: str, *options: str) -> None:
    """Make a key and sign the sets with it; options are gpg's."""
    words = ("gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
    key = ("--quick-gen-key", "key@example.org", "ed25519", "sign", lifetime)
    call(workspace, *words, *options, *key)
    call(workspace, *words, *options, "--armor", "--detach-sign", "sets/SHA512")


def refuse_key(workspace: Workspace, why: str) -> None:
    """Expect that neither verify nor install goes by the key, and that they say why."""
    call(workspace, "gpg", "--batch", "--output", "trust", "--export", "key@example.org")
    ran = workspace.run("verify", "--signed-by", "gpg:trust")
    assert (ran.status, why in ran.err) == (1, True), ran.err
    there = ("-D", "elsewhere", "--require-signature", "gpg:trust")
    assert workspace.run("install", "--from", "sets", *there).status == 1
    assert not workspace.path("elsewhere").exists()


def test_a_key_that_was_revoked_signs_for_nothing(gpg: Workspace) -> None:
    sign_by_hand(gpg, "never")
    (revocation,) = Path(gpg.environment["GNUPGHOME"], "openpgp-revocs.d").iterdir()
    text = revocation.read_text().replace(":-----BEGIN", "-----BEGIN")
    call(gpg, "gpg", "--batch", "--quiet", "--import", str(gpg.write("revocation", text)))
    refuse_key(gpg, "the key was revoked")


def test_a_key_that_has_expired_signs_for_nothing(gpg: Workspace) -> None:
    sign_by_hand(gpg, "10d", "--faked-system-time", "20200101T000000")
    refuse_key(gpg, "the key has expired")


def test_a_valid_key_is_named_by_its_user(gpg: Workspace) -> None:
    sign_by_hand(gpg, "never")
    call(gpg, "gpg", "--batch", "--output", "trust", "--export", "key@example.org")
    ran = gpg.run("verify", "--signed-by", "gpg:trust")
    assert (ran.status, ran.out.startswith("signed by gpg: key@example.org\n")) == (0, True)


def test_a_signed_release_is_verified_where_it_lies(workspace: Workspace) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = str(workspace.path("key"))
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key), check=True)
    workspace.write("trust", f"me {workspace.path('key.pub').read_text()}")
    assert workspace.run("release", "-q", "-m", "amd64", "--sign", "ssh:key").status == 0
    signed = workspace.path("release/RELEASE.json")
    words = ("ssh-keygen", "-Y", "verify", "-f", "trust", "-I", "me", "-n", "modbuild", "-s")
    with signed.open() as stream:
        argv = (*words, f"{signed}.sig")
        subprocess.run(argv, stdin=stream, cwd=workspace.directory, check=True)
    ran = workspace.run("verify", "release/amd64-x86_64/destdir", "--signed-by", "ssh:trust")
    assert (ran.status, "signed by ssh: me" in ran.out) == (0, True), ran.out + ran.err
    assert workspace.run("release", "-q", "-m", "amd64").status == 0
    assert not workspace.path("release/RELEASE.json.sig").exists()
