"""What the store hands out and keeps, as values, and how their digests are made."""

import os
import stat
from array import array
from collections.abc import Sequence
from pathlib import Path

from buildsys.base.digest import Stamp, digest_file, digest_parts
from buildsys.base.digest import digest_bytes as digest_text
from buildsys.base.errors import BuildsysError
from buildsys.base.value import field, frozen, mutable
from buildsys.pipeline.storefile import PREFIX_BYTES, Node

_PLACE = b"directory"
REFUSED = "refused: "  # before the reason of a check that refused its kmod
NO_KEY = b""  # of a step whose result is not to be trusted


@frozen
class Ticket:
    """What a step's known inputs held before it ran; given back to Store.record."""

    reason: str
    began_ns: int
    digests: tuple[bytes, ...]


@frozen
class Seen:
    """Files with the stamp under which their digest is trusted (None: it is not).

    absent are names by directory: files which the results need not to be there.
    """

    stamps: dict[str, Stamp | None]
    absent: dict[str, set[str]]


@mutable
class StoreCounts:
    """How much looking a run cost."""

    stats: int = 0
    digests: int = 0
    forgotten: list[str] = field(default_factory=list)


def make_untrusted(recipe: bytes, outputs: "array[int]", made: bytes, reason: str) -> Node:
    """Give the record of outputs that are ours and not to be trusted; reason says why."""
    none = array("I")
    return Node(recipe, NO_KEY, none, b"", outputs, made, reason, b"")


def make_key(recipe: bytes, digests: Sequence[bytes]) -> bytes:
    """Digest all that decides a result."""
    return digest_parts(recipe, b"".join(digests))


def digest_prefix(prefixes: bytes, index: int) -> bytes:
    """Give one of many beginnings of digests that are kept in a row."""
    return prefixes[index * PREFIX_BYTES : (index + 1) * PREFIX_BYTES]


def digest_place(real: str) -> bytes:
    """Digest a directory by its real name; the end tells that it is one."""
    return digest_text(b"directory " + os.fsencode(real))[: -len(_PLACE)] + _PLACE


def is_place(digest: bytes) -> bool:
    """Tell whether a digest is that of a directory: no stamp says to which one a path leads."""
    return digest.endswith(_PLACE)


def digest_any(path: str) -> bytes:
    """Digest a file's content, or the place that a directory is; ABSENT when there is none."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return digest_file(path)  # which says what is wrong, or that it has gone
    if stat.S_ISDIR(mode):
        return digest_place(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        raise BuildsysError("not a regular file; reading it might never end", Path(path))
    return digest_file(path)
