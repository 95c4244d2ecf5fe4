"""Signatures by the programs that people have: ssh-keygen, gpg, signify, minisign.

No cryptography of our own: each kind of key is the program's command to sign a file with, and the
one to verify with. A key is written KIND:PATH (ssh:~/.ssh/id_ed25519, gpg:KEYRING for verifying).
"""

import os
import shutil
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.files import remove_file
from buildsys.provenance.keys import KINDS, Key

_NAMESPACE = "modbuild"  # what an ssh signature is good for, so that none of git counts here
_PROGRAMS = {
    "ssh": ("ssh-keygen",),
    "gpg": ("gpg",),
    "signify": ("signify-openbsd", "signify"),  # Debian's signify is another program
    "minisign": ("minisign",),
}
_PACKAGES = {
    "ssh": "openssh-client", "gpg": "gnupg", "signify": "signify-openbsd", "minisign": "minisign",
}  # fmt: skip
_GPG_STATUS = "[GNUPG:] "
_GPG_DOUBTS = {
    "REVKEYSIG": "the key was revoked",
    "EXPKEYSIG": "the key has expired",
    "EXPSIG": "the signature has expired",
    "BADSIG": "another one is bad",
    "ERRSIG": "another one cannot be verified",
}


def parse_key(text: str, directory: Path) -> Key:
    """Read KIND:NAME; a file is relative to directory."""
    kind, colon, name = text.partition(":")
    if kind not in KINDS or not colon or not name:
        raise UsageError(f"{text!r}: expected KIND:KEY with a KIND of {', '.join(KINDS)}")
    path = directory / Path(name).expanduser()
    return Key(kind, str(path) if kind != "gpg" or path.exists() else name)


def refuse_missing_key(key: Key) -> None:
    """Refuse early to sign with a key whose file is not there; gpg's keys have names."""
    if key.kind != "gpg" and not Path(key.name).is_file():
        raise UsageError(f"--sign {key.kind}:{key.name}: there is no such file")


def sign_file(path: Path, key: Key) -> Path:
    """Sign a file; gives the file of the signature, beside it."""
    signature = key.signature_of(path)
    remove_file(signature)
    argv = _sign_argv(key, str(path), str(signature))
    result = CommandRunner().run(argv)
    if not result.is_success or not signature.exists():
        raise BuildsysError(f"cannot sign with {key.kind}: {_text(result.output)}", path)
    return signature


def _sign_argv(key: Key, path: str, signature: str) -> tuple[str, ...]:
    program = _find_program(key.kind)
    match key.kind:
        case "ssh":
            return (program, "-Y", "sign", "-f", key.name, "-n", _NAMESPACE, path)
        case "gpg":
            return (
                program, "--batch", "--yes", "--armor", "--detach-sign",
                "--local-user", key.name, "--output", signature, path,
            )  # fmt: skip
        case "signify":
            return (program, "-S", "-s", key.name, "-m", path, "-x", signature)
    return (program, "-S", "-s", key.name, "-m", path, "-x", signature)


def verify_file(path: Path, key: Key) -> str:
    """Verify the signature beside a file; gives who signed it, as the program says.

    Raises unless one of the trusted keys signed just these bytes. For ssh a key is a file of
    allowed signers, for gpg a keyring, else a public key.
    """
    signature = key.signature_of(path)
    if not signature.exists():
        raise BuildsysError(f"not signed: there is no {signature.name}", path)
    if not path.exists():
        raise BuildsysError(f"not there, and {signature.name} is a signature over it", path)
    program = _find_program(key.kind)
    signer = key.name
    if key.kind == "ssh":
        signer = _find_principal(program, key, signature)
    argv = _verify_argv(program, key, str(path), str(signature), signer)
    result = CommandRunner().run(argv, input_path=path if key.kind == "ssh" else None)
    if not result.is_success:
        raise BuildsysError(
            f"no signature by {key.kind}:{key.name}: {_text(result.output)}", signature
        )
    if key.kind == "gpg":
        signer = _find_user(key, result.output, signature)
    return f"{key.kind}: {signer}"


def _find_user(key: Key, output: bytes, signature: Path) -> str:
    """Give who signed, by the lines of gpg's --status-fd.

    gpg ends with 0 also where the key was revoked or has expired; it says so there alone.
    """
    lines = output.decode(errors="replace").splitlines()
    words = [line.split(" ", 3)[1:] for line in lines if line.startswith(_GPG_STATUS)]
    told = {word[0]: word[-1] for word in words}
    if doubts := [text for name, text in _GPG_DOUBTS.items() if name in told]:
        raise BuildsysError(
            f"no signature by {key.kind}:{key.name} that counts: {', '.join(doubts)}; sign with a"
            " key that is valid now, or give the keyring as it is now",
            signature,
        )
    if "GOODSIG" not in told:
        raise BuildsysError(f"no signature by {key.kind}:{key.name}: {_text(output)}", signature)
    return told["GOODSIG"]


def _find_principal(program: str, key: Key, signature: Path) -> str:
    argv = (program, "-Y", "find-principals", "-s", str(signature), "-f", key.name)
    result = CommandRunner().run(argv)
    names = result.output.decode(errors="replace").split()
    if not result.is_success or not names:
        raise BuildsysError(f"signed by none of {key.name}: {_text(result.output)}", signature)
    return names[0]


def _verify_argv(program: str, key: Key, path: str, signature: str, signer: str) -> tuple[str, ...]:
    match key.kind:
        case "ssh":
            return (
                program, "-Y", "verify", "-f", key.name, "-I", signer,
                "-n", _NAMESPACE, "-s", signature,
            )  # fmt: skip
        case "gpg":
            return (
                program, "--batch", "--no-default-keyring", "--keyring", key.name,
                "--trust-model", "always", "--status-fd", "1", "--verify", signature, path,
            )  # fmt: skip
        case "signify":
            return (program, "-V", "-q", "-p", key.name, "-m", path, "-x", signature)
    return (program, "-V", "-q", "-p", key.name, "-m", path, "-x", signature)


def _find_program(kind: str) -> str:
    for name in _PROGRAMS[kind]:
        if found := shutil.which(name):
            return os.fspath(found)
    wanted = " or ".join(_PROGRAMS[kind])
    raise BuildsysError(f"{wanted} is not installed (Debian: apt install {_PACKAGES[kind]})")


def _text(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return "; ".join(x for x in lines if not x.startswith(_GPG_STATUS)) or "no word of why"
