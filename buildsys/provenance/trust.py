"""What may be installed where a signature is required: files that a signed manifest lists."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from buildsys.base.errors import UsageError
from buildsys.provenance.keys import Trust
from buildsys.provenance.manifest import load_signed_manifest
from buildsys.provenance.signing import parse_key

_OPTION = "--require-signature"


def parse_trust(text: str, base: Path, directory: Path) -> Trust | None:
    """Read KIND:KEYS, or several with commas between; None for ''. Files are relative to base."""
    keys = tuple(parse_key(word.strip(), base) for word in text.split(",") if word.strip())
    if text and not keys:
        raise UsageError(f"{_OPTION}: expected KIND:KEYS, got {text!r}")
    return Trust(directory, keys) if keys else None


def find_unsigned(
    trust: Trust, files: Iterable[tuple[PurePosixPath, bytes]]
) -> tuple[tuple[PurePosixPath, ...], tuple[str, ...]]:
    """Give the targets whose bytes (SHA-256) no trusted signature covers, and who signed.

    Raises unless all keys signed the manifest.
    """
    manifest, signers = load_signed_manifest(trust.directory, trust.keys)
    unsigned = tuple(target for target, digest in files if manifest.get(str(target)) != digest)
    return unsigned, signers
