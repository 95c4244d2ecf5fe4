"""The members of a set: what METALOG describes, with the bytes below DESTDIR that it stands for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.metalog import MetalogLine, read_keywords

DEBUG_ROOT = PurePosixPath("usr/libdata/debug")


@dataclass(frozen=True, slots=True)
class Member:
    """One directory or file of a set; path has no leading slash, '.' is the root itself."""

    path: PurePosixPath
    is_directory: bool
    mode: int
    uname: str
    gname: str
    source: Path  # below DESTDIR
    sha256: bytes | None  # of a file that METALOG has a digest of


def choose_members(
    lines: Iterable[MetalogLine], destdir: Path, is_debug: bool = False
) -> tuple[Member, ...]:
    """Give the members of modules (or debug), sorted by path, directories before what they hold.

    They are the files in modules directories (below usr/libdata/debug for debug) and the
    directories above them, up to stand/MACHINE: those above belong to the set base. Of several
    lines for a path the last counts, as for mtree(8).
    """
    described = {line.path: line for line in lines if line.path is not None}
    files = [path for path, line in described.items() if _is_member(path, line, is_debug)]
    paths = set(files)
    for path in files:
        paths.update(parent for parent in path.parents if "stand" in parent.parts[:-1])
    return tuple(_make_members(sorted(paths, key=str), described, destdir))


def _is_member(path: PurePosixPath, line: MetalogLine, is_debug: bool) -> bool:
    if line.is_directory:
        return False
    inner = path.relative_to(DEBUG_ROOT) if DEBUG_ROOT in path.parents else path
    parts = inner.parts
    is_module = len(parts) > 4 and parts[0] == "stand" and "modules" in parts[3:4]
    return is_module and (inner != path) == is_debug


def _make_members(
    paths: Iterable[PurePosixPath],
    described: dict[PurePosixPath, MetalogLine],
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
