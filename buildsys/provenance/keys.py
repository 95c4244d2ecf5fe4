"""Keys that sign and that are trusted, as values; what is done with them is done elsewhere."""

from pathlib import Path

from buildsys.base.value import frozen

KINDS = {"ssh": ".sig", "gpg": ".asc", "signify": ".signify", "minisign": ".minisig"}
MANIFEST = "MANIFEST"  # beside sets: what their files are
DIGESTS = "SHA512"  # beside sets: what they and MANIFEST are; this is what is signed


@frozen
class Key:
    """A key to sign with, or keys to trust; name is a file, for signing with gpg a key's name."""

    kind: str
    name: str

    def signature_of(self, path: Path) -> Path:
        """Name the file of a signature over path."""
        return path.with_name(path.name + KINDS[self.kind])


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
