"""Change a file in place under its lock so that a kill at any point loses nothing.

NetBSD's install(1) opens METALOG, waits for the lock and appends: a METALOG renamed over the old
one would lose the line of a waiting install. So the file keeps its inode and is overwritten; a
journal beside it, written first, holds old and new content for the run after a kill.
"""

from collections.abc import Callable
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import is_temporary, remove_file, sync_directory, write_whole
from buildsys.base.locks import SharedFile, open_shared
from buildsys.base.value import frozen

_MAGIC = b"modbuild journal 1"


@frozen
class Journal:
    """A change that may have been cut short: the file's content before and after."""

    old: bytes
    new: bytes

    @property
    def padded(self) -> tuple[bytes, bytes]:
        """Give both with newlines added until they are equally long."""
        length = max(len(self.old), len(self.new))
        return self.old.ljust(length, b"\n"), self.new.ljust(length, b"\n")


def rewrite_shared(path: Path, change: Callable[[bytes], bytes]) -> bool:
    """Replace a shared file's content by change of it; False when that is what it holds.

    Other programs may append while no lock is held, also after a run of ours was killed.
    """
    journal_path = path.with_name(f".{path.name}.modbuild-journal")
    with open_shared(path) as file:
        _remove_half_journals(journal_path)
        found = file.read()
        journal = _load_journal(journal_path)
        content = found if journal is None else recover(journal, found)
        wanted = change(content)
        if wanted != found:
            _overwrite(file, Journal(found, wanted), journal_path)
        elif journal is not None:
            remove_file(journal_path)
    return wanted != found


def recover(journal: Journal, found: bytes) -> bytes:
    """Give what the file would hold had the change been finished, with what came after it.

    The change runs in three stages: newlines lengthen the file, the new content overwrites it
    from its start, the length is cut. A file in none of these states is not the journal's.
    """
    old, new = journal.padded
    length = len(old)
    bytes_of_either = zip(found[:length], old, new, strict=False)
    if len(found) >= length and all(byte in (was, will) for byte, was, will in bytes_of_either):
        return journal.new + found[length:]
    if found.startswith(journal.old):  # lengthened in part; a lost write may have left zeros
        return journal.new + found[len(journal.old) :].lstrip(b"\n\0")
    return found


def _overwrite(file: SharedFile, journal: Journal, journal_path: Path) -> None:
    write_whole(journal_path, _render_journal(journal), durable=True)
    old, new = journal.padded
    try:
        if len(old) > len(journal.old):
            file.write(old[len(journal.old) :], len(journal.old))
    except OSError:
        file.truncate(len(journal.old))
        remove_file(journal_path)
        raise
    same = _count_common(old, new)
    file.write(new[same:], same)
    remove_file(journal_path)
    sync_directory(journal_path.parent)
    file.truncate(len(journal.new))


def _remove_half_journals(journal_path: Path) -> None:
    """Remove journals that killed runs did not finish; whoever writes one holds our lock."""
    for path in journal_path.parent.iterdir():
        if is_temporary(path.name) and journal_path.name in path.name:
            remove_file(path)


def _count_common(one: bytes, other: bytes) -> int:
    """Count the bytes that two equally long contents begin with alike."""
    low, high = 0, len(one)
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _render_journal(journal: Journal) -> bytes:
    return b"%s %d\n" % (_MAGIC, len(journal.old)) + journal.old + journal.new


def _load_journal(path: Path) -> Journal | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    head, _, body = content.partition(b"\n")
    length = head.removeprefix(_MAGIC + b" ")
    if not head.startswith(_MAGIC + b" ") or not length.isdigit():
        raise BuildsysError("not a journal of this version of modbuild; remove it", path)
    return Journal(body[: int(length)], body[int(length) :])
