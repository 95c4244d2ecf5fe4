"""A set as an archive: equal members give equal bytes, on any host and at any time.

The form is ustar, as NetBSD's pax writes sets (distrib/sets/maketars: pax -w with the owners of
METALOG); names start with './'. Nothing of this machine enters: no user, no host, no clock.
"""

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterable

from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.metalog import ROOT
from buildsys.sets.members import Member

FORMATS = ("tgz", "tar.xz")
_NUMBERS = {"root": 0, "wheel": 0}  # etc/master.passwd, etc/group
_GZIP_LEVEL = 9
_XZ_PRESET = 6


def render_set(members: Iterable[Member], seconds: int, form: str) -> bytes:
    """Give the archive's bytes; seconds is the time of every member, form one of FORMATS.

    Raises when a file is not the one that METALOG describes.
    """
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            content = b"" if member.is_directory else _read(member)
            try:
                archive.addfile(_describe(member, len(content), seconds), io.BytesIO(content))
            except ValueError as error:
                message = f"{member.path}: cannot be a member of a ustar archive: {error}"
                raise BuildsysError(message) from error
    return _compress(tar.getvalue(), form)


def _describe(member: Member, size: int, seconds: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo("." if member.path == ROOT else f"./{member.path}")
    info.type = tarfile.DIRTYPE if member.is_directory else tarfile.REGTYPE
    info.mode = member.mode
    info.uname, info.gname = member.uname, member.gname
    info.uid, info.gid = (_NUMBERS.get(name, 0) for name in (member.uname, member.gname))
    info.size = size
    info.mtime = seconds
    return info


def _read(member: Member) -> bytes:
    if member.content is not None:
        return member.content
    content = read_whole(member.source)
    if member.sha256 is not None and hashlib.sha256(content).digest() != member.sha256:
        raise BuildsysError("not what METALOG describes; install again", member.source)
    return content


def _compress(tar: bytes, form: str) -> bytes:
    if form == "tgz":
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, packed, mtime=0) as stream:
            stream.write(tar)
        return packed.getvalue()
    return lzma.compress(tar, lzma.FORMAT_XZ, lzma.CHECK_CRC64, _XZ_PRESET)


def render_digests(files: Iterable[tuple[str, bytes]], algorithm: str) -> bytes:
    """Give a SHA512 or MD5 file, in the form of NetBSD's cksum(1): 'SHA512 (NAME) = HEX'."""
    lines = []
    for name, content in sorted(files):
        digest = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
        lines.append(f"{algorithm} ({name}) = {digest}\n")
    return "".join(lines).encode()
