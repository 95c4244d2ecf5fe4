"""What may be installed where a signature is required: files that a signed manifest lists."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from buildsys.base.errors import UsageError
from buildsys.base.value import frozen
from buildsys.provenance.manifest import DIGESTS, MANIFEST, load_signed_manifest
from buildsys.provenance.signing import Key, parse_key

_OPTION = "--require-signature"


@frozen
class Trust:
    """The keys that must have signed, and the directory of the manifest (where 'pack' put it)."""

    directory: Path
    keys: tuple[Key, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Give the files that decide what is trusted, as far as they exist."""
        digests = self.directory / DIGESTS
        paths = [digests, self.directory / MANIFEST]
        paths += [key.signature_of(digests) for key in self.keys]
        paths += [Path(key.name) for key in self.keys]
        return tuple(path for path in paths if path.is_file())


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
