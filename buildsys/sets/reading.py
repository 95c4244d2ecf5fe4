"""Sets as they come from somewhere else: which archive, and what is in it; unpacks in memory only.

Whatever an archive holds, nothing but plain files of modules is taken from it: a link, a name
that leads out or a file of anything else is an error.
"""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.sets.archive import FORMATS
from buildsys.sets.members import DEBUG_ROOT, LISTS_DIRECTORY

_SUFFIXES = (".kmod", ".plist")
_MAXIMUM_BYTES = 1 << 30  # of all that an archive unpacks to
_XZ = b"\xfd7zXZ"
_BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)


@frozen
class PackedFile:
    """One file of a set: path is stand/MACHINE/RELEASE/modules/NAME/NAME.kmod, or its plist.

    Debugging information is usr/libdata/debug/stand/MACHINE/…/NAME/NAME.kmod.debug.
    """

    path: PurePosixPath
    content: bytes

    @property
    def directory(self) -> PurePosixPath:
        """Give the modules directory: stand/MACHINE/RELEASE/modules."""
        directory = self.path.parent.parent
        return directory.relative_to(DEBUG_ROOT) if self.is_debug else directory

    @property
    def is_debug(self) -> bool:
        """Tell whether it is debugging information."""
        return DEBUG_ROOT in self.path.parents

    @property
    def module(self) -> str:
        """Name its module."""
        return self.path.parent.name


def find_archive(path: Path) -> Path:
    """Choose the archive: the file itself, or the set 'modules' in a directory."""
    if not path.is_dir():
        return path
    found = [path / f"modules.{form}" for form in FORMATS if (path / f"modules.{form}").is_file()]
    if len(found) != 1:
        names = " or ".join(f"modules.{form}" for form in FORMATS)
        raise BuildsysError(f"expected one {names} in it, found {len(found)}", path)
    return found[0]


def read_set(content: bytes, path: Path) -> tuple[PackedFile, ...]:
    """Unpack a set of modules or debugging information, by path; path is for the error's place."""
    try:
        tar = _decompress(content, path)
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            files = tuple(sorted(_read_members(archive, path), key=lambda file: file.path))
            _refuse_cut(tar[archive.offset :])
    except _BROKEN as error:
        raise BuildsysError(
            f"not a whole archive of a set: {error}; fetch it again", path
        ) from error
    if not files:
        raise BuildsysError("holds no module", path)
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths):
        raise BuildsysError("holds a file twice", path)
    return files


def _decompress(content: bytes, path: Path) -> bytes:
    """Unpack gzip or xz to its very end, within limits; a cut or changed one is an error."""
    is_xz = content.startswith(_XZ)
    packed = lzma.LZMADecompressor() if is_xz else zlib.decompressobj(zlib.MAX_WBITS | 16)
    tar = packed.decompress(content, _MAXIMUM_BYTES)
    if len(tar) >= _MAXIMUM_BYTES:
        raise BuildsysError(f"unpacks to more than {_MAXIMUM_BYTES >> 20} MiB", path)
    if not packed.eof or packed.unused_data:
        raise EOFError("cut short, or followed by something else")
    return tar


def _refuse_cut(rest: bytes) -> None:
    """Refuse a tar whose end is not one: tarfile takes a header that it cannot read for the end."""
    if len(rest) < 2 * tarfile.BLOCKSIZE or rest.strip(b"\0"):
        raise EOFError("expected two blocks of zeros after the last member, and nothing else")


def _read_members(archive: tarfile.TarFile, path: Path) -> Iterator[PackedFile]:
    for member in archive:
        name = PurePosixPath(member.name)
        if member.isdir() or (member.isreg() and _is_list(name)):
            continue
        if not member.isreg() or member.issparse() or not is_module_file(name):
            raise BuildsysError(f"{member.name!r}: expected modules' files only in a set", path)
        stream = archive.extractfile(member)
        yield PackedFile(name, b"" if stream is None else stream.read())


def _is_list(name: PurePosixPath) -> bool:
    """Tell whether a path is etc/mtree/set.NAME: the list of members that distrib/sets puts in."""
    return name.parent == LISTS_DIRECTORY and name.name.startswith("set.")


def is_module_file(name: PurePosixPath) -> bool:
    """Tell whether a path is one that PackedFile describes."""
    is_debug = DEBUG_ROOT in name.parents
    parts = name.relative_to(DEBUG_ROOT).parts if is_debug else name.parts
    suffixes = (".kmod.debug",) if is_debug else _SUFFIXES
    return (
        len(parts) == 6
        and (parts[0], parts[3]) == ("stand", "modules")
        and not {"..", "."} & set(parts)
        and str(name).isprintable()
        and any(parts[5] == f"{parts[4]}{suffix}" for suffix in suffixes)
    )
