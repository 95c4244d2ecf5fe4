"""Writing what snapshot.py reads; apart from it, because only a run that did something writes."""

import hashlib
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence

from buildsys.snapshot import (
    ABSENT_SIZE,
    DIGEST_BYTES,
    MAGIC,
    NOWHERE,
    NUMBER_BYTES,
    Snapshot,
)

Numbers = Sequence[int]  # ctime and mtime in ns, size in bytes, inode
_ABSENT = (0, 0, ABSENT_SIZE, 0)


Groups = dict[str, dict[str, Numbers]]  # by directory and name


def render_snapshot(
    key: bytes, message: str, stamps: Iterable[tuple[str, Numbers | None]], frame: bytes = b""
) -> bytes:
    """Give the snapshot's bytes; message is what to say when every file is as it was.

    stamps are by path; None where there is no file. They lie by directory, so that each file is
    looked for from within its own. frame is for the run that finds some of them changed.
    """
    groups: Groups = {}
    for path, stamp in stamps:
        _put(groups, path, stamp)
    return _render(key, message, frame, groups)


def render_further(
    former: Snapshot,
    key: bytes,
    message: str,
    stamps: Mapping[str, Numbers | None],
    gone: Iterable[str],
    frame: bytes,
) -> bytes:
    """Give a snapshot that differs from a former one in these stamps, and lacks what is gone."""
    gone = tuple(gone)
    numbers = former.number_files()
    sizes = former.columns[2]
    # A file that came to be, or went, belongs to another group.
    if not gone and all(
        path in numbers and (stamp is None) == (sizes[numbers[path]] == ABSENT_SIZE)
        for path, stamp in stamps.items()
    ):
        columns = [array("q", column) for column in former.columns]
        for path, stamp in stamps.items():
            for column, number in zip(columns, stamp or _ABSENT, strict=True):
                column[numbers[path]] = number
        return _join(key, message, frame, columns, _spell_names(former.groups))
    groups: Groups = {}
    rows = list(zip(*former.columns, strict=True))
    start = 0
    for directory, *names in former.groups:
        groups[directory] = dict(zip(names, rows[start : start + len(names)], strict=True))
        start += len(names)
    for path in (*gone, *stamps):
        directory, name = os.path.split(path)
        for place, word in ((directory, name), (NOWHERE, path)):
            groups.get(place, {}).pop(word, None)
    for path, stamp in stamps.items():
        _put(groups, path, stamp)
    return _render(key, message, frame, groups)


def is_whole(found: Snapshot) -> bool:
    """Tell whether a snapshot holds what was written: who only compares stamps need not know."""
    start = len(MAGIC)
    end = start + DIGEST_BYTES
    return found.content[start:end] == hashlib.sha256(memoryview(found.content)[end:]).digest()


def _put(groups: Groups, path: str, stamp: Numbers | None) -> None:
    place = path if path.startswith("/") else os.path.join(os.getcwd(), path)
    directory, name = os.path.split(place)
    if stamp is None or not name:
        directory, name = NOWHERE, place
    groups.setdefault(directory, {})[name] = _ABSENT if stamp is None else stamp


def _render(key: bytes, message: str, frame: bytes, groups: Groups) -> bytes:
    rows = [numbers for group in groups.values() for numbers in group.values()]
    columns = [array("q", column) for column in zip(*rows, strict=True)]
    lists = ([directory, *group] for directory, group in groups.items() if group)
    return _join(key, message, frame, columns, _spell_names(lists))


def _spell_names(groups: Iterable[Sequence[str]]) -> bytes:
    return "\0\0".join(map("\0".join, groups)).encode("utf-8", "surrogateescape")


def _join(
    key: bytes, message: str, frame: bytes, columns: Sequence["array[int]"], names: bytes
) -> bytes:
    text = message.encode("utf-8", "surrogateescape")
    count = len(columns[0]) if columns else 0
    sizes = (len(key), len(text), len(frame), count, len(names))
    head = b"".join(size.to_bytes(NUMBER_BYTES, "little") for size in sizes)
    body = b"".join((head, key, text, frame, *(column.tobytes() for column in columns), names))
    return b"".join((MAGIC, hashlib.sha256(body).digest(), body))
