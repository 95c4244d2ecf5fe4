"""The members of a set: what METALOG describes, with the bytes below DESTDIR that it stands for.

The order of members and the list that a set brings are those of distrib/sets/maketars and mtree(8).
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen, replace
from buildsys.metalog import MetalogLine, read_keywords, spell_path

LISTS_DIRECTORY = PurePosixPath("etc/mtree")
DEBUG_ROOT = PurePosixPath("usr/libdata/debug")


@frozen
class Member:
    """One directory or file of a set; path has no leading slash, '.' is the root itself."""

    path: PurePosixPath
    is_directory: bool
    mode: int
    uname: str
    gname: str
    source: Path  # below DESTDIR
    sha256: bytes | None  # of a file that METALOG has a digest of
    content: bytes | None = None  # of a file that is made for the set and not installed


def choose_members(
    lines: Iterable[MetalogLine], destdir: Path, is_debug: bool = False
) -> tuple[Member, ...]:
    """Give the members of modules (or debug), sorted by path, directories before what they hold.

    They are the files in modules directories (below usr/libdata/debug for debug) and the
    directories above them, up to stand/MACHINE: those above belong to the set base. Of several
    lines for a path the last counts, as for mtree(8).
    """
    described = _by_path(lines)
    files = [path for path, line in described.items() if _is_member(path, line, is_debug)]
    paths = set(files)
    for path in files:
        paths.update(parent for parent in path.parents if "stand" in parent.parts[:-1])
    return tuple(_make_members(sorted(paths, key=str), described, destdir))


def complete_set(
    members: Iterable[Member], lines: Iterable[MetalogLine], destdir: Path, name: str
) -> tuple[Member, ...]:
    """Give all that the archive holds, in its order: also what leads there, and etc/mtree/set.NAME.

    distrib/sets/maketars packs the directories above, too, and a list of the set's members.
    """
    described = _by_path(lines)
    chosen = {member.path: member for member in members}
    listed = LISTS_DIRECTORY / f"set.{name}"
    above = {parent for path in (*chosen, listed) for parent in path.parents} - chosen.keys()
    every = (
        *chosen.values(),
        *_make_members(above, described, destdir),
        Member(listed, False, 0o444, "root", "wheel", destdir / listed, None, b""),
    )
    ordered = sorted(every, key=_tree_order)
    content = b"".join(_spell_member(member, described) for member in ordered)
    return tuple(replace(m, content=content) if m.path == listed else m for m in ordered)


def _tree_order(member: Member) -> tuple[tuple[bool, bytes], ...]:
    """Sort as mtree -S walks: in a directory files come first, each kind in the order of bytes."""
    names = [os.fsencode(part) for part in member.path.parts]
    last = len(names) - 1
    return tuple((at < last or member.is_directory, name) for at, name in enumerate(names))


def _spell_member(member: Member, described: Mapping[PurePosixPath, MetalogLine]) -> bytes:
    """Spell a member as mtree -C -k all does, without times and digests other than SHA256."""
    line = described.get(member.path)
    words = {} if line is None else read_keywords(line)
    spelled = [
        f"type={'dir' if member.is_directory else 'file'}",
        f"uname={member.uname}",
        f"gname={member.gname}",
        f"mode=0{member.mode:o}",
        *(f"{word}={words[word]}" for word in ("size", "sha256") if word in words),
        *(("optional",) if member.is_directory and member.path.parts[:1] != ("stand",) else ()),
    ]
    return spell_path(member.path) + " ".join(("", *spelled)).encode() + b"\n"


def _by_path(lines: Iterable[MetalogLine]) -> dict[PurePosixPath, MetalogLine]:
    return {line.path: line for line in lines if line.path is not None}


def _is_member(path: PurePosixPath, line: MetalogLine, is_debug: bool) -> bool:
    if line.is_directory:
        return False
    inner = path.relative_to(DEBUG_ROOT) if DEBUG_ROOT in path.parents else path
    parts = inner.parts
    is_module = len(parts) > 4 and parts[0] == "stand" and "modules" in parts[3:4]
    return is_module and (inner != path) == is_debug


def _make_members(
    paths: Iterable[PurePosixPath],
    described: Mapping[PurePosixPath, MetalogLine],
    destdir: Path,
) -> Iterator[Member]:
    for path in paths:
        line = described.get(path)
        words = {} if line is None else read_keywords(line)
        is_directory = line is None or line.is_directory
        digest = words.get("sha256")
        try:
            yield Member(
                path,
                is_directory,
                int(words.get("mode", "0755" if is_directory else "0444"), 8),
                words.get("uname", "root"),
                words.get("gname", "wheel"),
                destdir / path,
                None if digest is None else bytes.fromhex(digest),
            )
        except ValueError as error:
            message = f"METALOG: the line of {path} cannot be read: {error}"
            raise BuildsysError(message) from error
