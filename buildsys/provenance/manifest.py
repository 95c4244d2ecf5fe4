"""The manifest of a set: the SHA-256 of each installed file, to be signed with the set's digests.

MANIFEST has a line 'SHA256 (PATH) = HEX' for each file, SHA512 a line for MANIFEST. So one
signature over SHA512 speaks for every installed file, without its archive.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.provenance.keys import DIGESTS, MANIFEST, Key
from buildsys.provenance.signing import verify_file

_LINE = re.compile(r"(?P<algorithm>\w+) \((?P<name>.+)\) = (?P<digest>[0-9a-f]+)")


def render_manifest(files: Iterable[tuple[PurePosixPath, bytes]]) -> bytes:
    """Spell a manifest from targets with their SHA-256 (32 bytes)."""
    lines = sorted(f"SHA256 ({target}) = {digest.hex()}\n" for target, digest in files)
    return "".join(lines).encode("utf-8", "surrogateescape")


def parse_digests(content: bytes, path: Path, algorithm: str) -> dict[str, bytes]:
    """Read lines of cksum(1)'s form, by name."""
    found: dict[str, bytes] = {}
    for number, line in enumerate(content.decode("utf-8", "surrogateescape").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or match["algorithm"] != algorithm or match["name"] in found:
            raise BuildsysError(f"{path}:{number}: expected '{algorithm} (NAME) = DIGEST', once")
        found[match["name"]] = bytes.fromhex(match["digest"])
    return found


def load_digests(directory: Path) -> Mapping[str, bytes] | None:
    """Give the SHA-512 of the files of a set, by name; None where there is no list of them."""
    path = directory / DIGESTS
    return parse_digests(read_whole(path), path, "SHA512") if path.exists() else None


def load_signed_manifest(
    directory: Path, keys: Iterable[Key]
) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """Give the manifest of a set, digests by target, and who signed it; raises unless all did."""
    digests, manifest = directory / DIGESTS, directory / MANIFEST
    signers = tuple(verify_file(digests, key) for key in keys)
    told = parse_digests(read_whole(digests), digests, "SHA512")
    content = read_whole(manifest)
    if told.get(MANIFEST) != hashlib.sha512(content).digest():
        raise BuildsysError(f"not the manifest that {DIGESTS} is about", manifest)
    return parse_digests(content, manifest, "SHA256"), signers
