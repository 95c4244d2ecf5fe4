"""Keep METALOG in step with the receipts."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory
from buildsys.install.journal import rewrite_shared
from buildsys.install.layout import DIRECTORY_MODE, GNAME, UNAME
from buildsys.install.receipt import Receipt
from buildsys.metalog import (
    EntryType,
    MetalogEntry,
    MetalogLine,
    merge_metalog,
    parse_metalog,
    render_metalog,
    replace_lines,
)


def refuse_odd_metalog(path: Path) -> None:
    """Refuse a METALOG that cannot be written as one, before anything is changed for its sake."""
    make_directory(path.parent)
    if path.exists() and not path.is_file():
        raise BuildsysError(
            "expected METALOG, a file; this is a directory, a device or a pipe: name another with"
            " --metalog",
            path,
        )


def metalog_entries(receipts: Iterable[Receipt]) -> tuple[MetalogEntry, ...]:
    """Give a line for each installed file and each directory above it, '.' included, by path."""
    files = [file for receipt in receipts for file in receipt.files]
    directories: set[PurePosixPath] = set()
    for file in files:
        path = file.target.parent
        while path not in directories:  # what is above one that is known is known, too
            directories.add(path)
            path = path.parent
    entries = [
        MetalogEntry(path, EntryType.DIRECTORY, DIRECTORY_MODE, UNAME, GNAME)
        for path in directories
    ]
    entries += [
        MetalogEntry(
            file.target, EntryType.FILE, file.mode, file.uname, file.gname, file.size, file.sha256
        )
        for file in files
    ]
    return tuple(sorted(entries, key=lambda entry: entry.path.parts))


def update_metalog(path: Path, receipts: Sequence[Receipt]) -> bool:
    """Give METALOG one line for each path of the receipts; False when it had them already.

    The line of a plist that a module no longer has goes. path's directory is made if need be.
    """
    entries = metalog_entries(receipts)

    def change(content: bytes) -> bytes:
        dropped = (r.plist for r in receipts if r.find(r.plist) is None)
        gone = tuple(dropped) if b".plist " in content else ()
        quickly = replace_lines(content, entries, gone)
        if quickly is not None:
            return quickly
        lines = parse_metalog(content)
        return render_metalog(merge_metalog(lines, entries, _find_gone(lines, receipts)))

    make_directory(path.parent)
    return rewrite_shared(path, change)


def _find_gone(
    lines: Iterable[MetalogLine], receipts: Sequence[Receipt]
) -> Collection[PurePosixPath]:
    """Find the plists that lines describe and that the modules no longer have."""
    paths = (line.path for line in lines if line.path is not None)
    described = {path for path in paths if path.suffix == ".plist"}
    if not described:
        return ()
    listed = {file.target for receipt in receipts for file in receipt.files}
    return described.intersection(receipt.plist for receipt in receipts) - listed


def forget_in_metalog(path: Path, gone: Iterable[PurePosixPath]) -> bool:
    """Take the lines of removed files and directories out of METALOG, if there is one."""
    paths = set(gone)

    def change(content: bytes) -> bytes:
        return render_metalog(merge_metalog(parse_metalog(content), (), paths))

    return bool(paths) and path.exists() and rewrite_shared(path, change)
