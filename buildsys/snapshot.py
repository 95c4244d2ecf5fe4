"""The quick answer to 'is there anything to do': the stamps of all files of the last full success.

Read before anything else is imported, so it uses nothing but os, and no part of Python's library
that takes a millisecond to load (collections, array, zlib). Equal stamps of every file that was
read or written, under the same request, mean that nothing changed since; else the files whose
stamps differ are all that can have made a step stale. Anything unexpected (no snapshot, another
format) only means that the long way is gone.
"""

import os
from _collections_abc import Callable  # as collections.abc has it, which loads more

MAGIC = b"modbuild snapshot 5\n"
DIGEST_BYTES = 32
NUMBER_BYTES = 8
ABSENT_SIZE = -1  # of a file that is not there
NOWHERE = "."  # the group of files that are not looked for from within their directory
_LISTEN_EVERY = 32  # groups, after which the other process is asked whether it has found something
_FORK_FROM = 2000  # files, from which a second process is worth its start
# Variables that choose tools, settings or places; others do not enter into a request.
_VARIABLES = (
    "DESTDIR",
    "HOME",
    "MACHINE",
    "MACHINE_ARCH",
    "MAKECONF",
    "MAKEOBJDIRPREFIX",
    "METALOG",
    "MODBUILD_KERNEL",
    "MODBUILD_REQUIRE_SIGNATURE",
    "MODBUILD_LAUNCHER",
    "MODBUILD_TOOLCHAIN",
    "NETBSDSRCDIR",
    "OBJDIR",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "TOOLDIR",
)

# Variables that begin so reach NetBSD's makefiles, where a source tree is built.
_PREFIXES = (
    "ACTIVE_", "AFLAGS", "BSDOBJDIR", "BSD_MK_COMPAT_FILE", "BUILDID", "CFLAGS", "COPTS",
    "CPPFLAGS", "CPUFLAGS", "CWARNFLAGS", "DBG", "DEBUGDIR", "EXTERNAL_TOOLCHAIN", "EXTSRC",
    "HAVE_", "KERNEL_", "KMODULE", "LDFLAGS", "MK", "NO", "USE_", "WARNS", "X11SRCDIR",
)  # fmt: skip


def request_key(
    arguments: "tuple[str, ...] | list[str]",
    environment: "dict[str, str] | os._Environ[str]",
    directory: str,
) -> bytes:
    """Spell a request: the same bytes mean the same work, if no file changed."""
    names = [name for name in environment if name in _VARIABLES or name.startswith(_PREFIXES)]
    variables = [f"{name}={environment[name]}" for name in sorted(names)]
    return "\0".join((directory, *arguments, "", *variables)).encode("utf-8", "surrogateescape")


def snapshot_path(objdir: str, key: bytes) -> str:
    """Name the snapshot of a request; the key inside tells requests of one name apart."""
    return os.path.join(objdir, ".snapshots", name_request(key))


def answers_directory(environment: "dict[str, str] | os._Environ[str]") -> str:
    """Name the directory of remembered checks; '' where there is no place for it."""
    own = environment.get("MODBUILD_CACHE", "")
    if not own:
        cache = environment.get("XDG_CACHE_HOME", "")
        home = environment.get("HOME", "")
        if not os.path.isabs(cache):  # the XDG base directory specification: to be ignored then
            cache = os.path.join(home, ".cache") if os.path.isabs(home) else ""
        own = os.path.join(cache, "modbuild") if cache else ""
    return os.path.join(own, "check") if os.path.isabs(own) else ""


def answer_path(directory: str, key: bytes) -> str:
    """Name the file of one remembered check; the key inside tells checks of one name apart."""
    return os.path.join(directory, name_request(key))


def name_request(key: bytes) -> str:
    """Give a short name for a request, as FNV-1a makes it (32 bits, eight hexadecimal digits)."""
    number = 0x811C9DC5
    for byte in key:
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{number:08x}"


def is_trusted(directory: str) -> bool:
    """Tell whether nobody but this user (or root) can have written into a directory."""
    try:
        status = os.stat(directory)
    except OSError:
        return False
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def guess_objdir(
    arguments: "tuple[str, ...] | list[str]",
    environment: "dict[str, str] | os._Environ[str]",
    directory: str,
) -> str:
    """Find the object directory without a parser; a wrong guess only finds no snapshot."""
    prefix = environment.get("MAKEOBJDIRPREFIX")
    value = environment.get("OBJDIR") or (prefix + directory if prefix else "obj")
    for index, word in enumerate(arguments):
        if word in ("-O", "--objdir") and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif word.startswith("--objdir="):
            value = word[len("--objdir=") :]
    path = os.path.join(directory, os.path.expanduser(value))
    return plain_path(path)


def plain_path(path: str) -> str:
    """Make a path plain; one with '..' goes where the links before that really lead."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)


class Snapshot:
    """A snapshot as it was read: stamps in four columns, files by directory, what differs now.

    message is what to say when changed is empty; frame is what a run that goes on from here needs.
    """

    __slots__ = ("_numbers", "changed", "columns", "content", "frame", "groups", "message")

    def __init__(
        self,
        content: bytes,
        message: str,
        frame: bytes,
        columns: "list[list[int]]",
        groups: "list[list[str]]",
    ) -> None:
        self.content = content
        self.message = message
        self.frame = frame
        self.columns = columns  # ctimes, mtimes, sizes, inodes, in the order of the files
        self.groups = groups  # each: a directory, and names in it
        self.changed: list[str] = []
        self._numbers: dict[str, int] = {}

    def number_files(self) -> dict[str, int]:
        """Give the place of each file in the columns, by path."""
        if not self._numbers:
            paths: list[str] = []
            for directory, *names in self.groups:
                start = "" if directory == NOWHERE else directory.rstrip("/") + "/"
                paths += map(start.__add__, names)
            self._numbers = dict(zip(paths, range(len(paths)), strict=True))
        return self._numbers

    def find(self, path: str) -> "tuple[int, int, int, int] | None":
        """Give the stamp of a file as the snapshot has it; None where it has none."""
        number = self.number_files().get(path)
        if number is None:
            return None
        ctime, mtime, size, inode = (column[number] for column in self.columns)
        return ctime, mtime, size, inode

    def has(self, path: str, stamp: "tuple[int, int, int, int]") -> bool:
        """Tell whether a file has this stamp in the snapshot."""
        number = self.number_files().get(path)
        if number is None:
            return False
        ctimes, mtimes, sizes, inodes = self.columns
        return stamp == (ctimes[number], mtimes[number], sizes[number], inodes[number])


def read_unchanged(path: str, key: bytes) -> str | None:
    """Give the message of a snapshot when every stamp in it is still true; None otherwise."""
    found = read_snapshot(path, key)
    return None if found is None or found.changed else found.message


def read_snapshot(
    path: str, key: bytes, prepare: Callable[["Snapshot"], object] | None = None
) -> Snapshot | None:
    """Read a snapshot and compare its stamps; None: there is none of this request.

    prepare is called as soon as one stamp differs, while others are looked at.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            content = stream.read()
        found = parse_snapshot(content, key)
    except (OSError, ValueError):
        return None
    if found is not None:
        found.changed = _find_changes(found, prepare)
    return found


def parse_snapshot(content: bytes, key: bytes) -> Snapshot | None:
    """Take a snapshot apart, with nothing compared; None: not one of this request."""
    start = len(MAGIC)
    if content[:start] != MAGIC:
        return None
    start += DIGEST_BYTES  # for those who go on from here
    sizes = [
        int.from_bytes(content[place : place + NUMBER_BYTES], "little")
        for place in range(start, start + 5 * NUMBER_BYTES, NUMBER_BYTES)
    ]
    key_bytes, text_bytes, frame_bytes, count, name_bytes = sizes
    start += 5 * NUMBER_BYTES
    column_bytes = NUMBER_BYTES * count
    if len(content) != start + key_bytes + text_bytes + frame_bytes + 4 * column_bytes + name_bytes:
        return None
    if content[start : start + key_bytes] != key:
        return None
    start += key_bytes
    message = content[start : start + text_bytes].decode("utf-8", "surrogateescape")
    start += text_bytes
    frame = content[start : start + frame_bytes]
    start += frame_bytes
    view = memoryview(content)
    columns = []
    for _ in range(4):
        columns.append(view[start : start + column_bytes].cast("q").tolist())
        start += column_bytes
    names = content[start:].decode("utf-8", "surrogateescape")
    groups = [group.split("\0") for group in names.split("\0\0")]
    if not count or sum(map(len, groups)) - len(groups) != count:
        return None
    return Snapshot(content, message, frame, columns, groups)


def _find_changes(
    found: Snapshot, prepare: Callable[[Snapshot], object] | None = None
) -> list[str]:
    """Give the files whose stamps differ; half of many are looked at by a process of its own.

    From the first that does on, all of the rest are, and prepare has this one.
    """
    columns, groups = found.columns, found.groups
    has_help = len(columns[0]) >= _FORK_FROM and len(os.sched_getaffinity(0)) > 1
    first, start = _halve(groups) if has_help else (0, 0)
    here = os.open(".", os.O_PATH)
    others: list[_Other] = []
    changed: list[str] = []
    try:
        if first:
            others.append(_Other(columns, groups[:first], 0))
        for number in range(first, len(groups)):
            changed += _compare(columns, groups[number], start)
            start += len(groups[number]) - 1
            if changed or (others and not number % _LISTEN_EVERY and others[0].has_said()):
                rest = groups[number + 1 :]
                if has_help and rest:
                    others.append(_Other(columns, rest, start))
                else:
                    changed += _compare_all(columns, rest, start)
                break
        os.fchdir(here)
        if prepare is not None and (changed or (others and others[0].has_said(True))):
            prepare(found)
        while others:
            changed += others.pop(0).hear()
    finally:
        for other in others:
            other.close()
        os.fchdir(here)
        os.close(here)
    return changed


def _halve(groups: list[list[str]]) -> tuple[int, int]:
    """Give where the second half of the files begins: the number of its group, and of its file."""
    count = sum(map(len, groups)) - len(groups)
    number = place = 0
    while place < count // 2:
        place += len(groups[number]) - 1
        number += 1
    return number, place


class _Other:
    """A process that compares some groups of files, and says at once what changed."""

    __slots__ = ("_columns", "_groups", "_heard", "_number", "_pieces", "_place")

    def __init__(self, columns: list[list[int]], groups: list[list[str]], place: int) -> None:
        self._columns, self._groups, self._place = columns, groups, place
        self._pieces: list[bytes] = []
        self._number = 0
        heard, said = os.pipe()
        try:
            self._number = os.fork()
        except OSError:  # no room for a process: hear() does it
            os.close(heard)
            os.close(said)
            return
        if self._number:
            os.close(said)
            self._heard = heard
            return
        status = 1
        try:  # nothing of the parent's must run here: no handler, no flush
            os.close(heard)  # else nothing would tell us that the parent has gone
            for group in groups:
                if changed := _compare(columns, group, place):
                    names = "".join(f"{name}\0" for name in changed)
                    view = memoryview(names.encode("utf-8", "surrogateescape"))
                    while view:
                        view = view[os.write(said, view) :]
                place += len(group) - 1
            status = 0
        finally:
            os._exit(status)

    def has_said(self, is_waiting: bool = False) -> bool:
        """Tell whether it has found something; is_waiting: wait for that, or for its end."""
        if self._number and not self._pieces:
            os.set_blocking(self._heard, is_waiting)
            try:
                if piece := os.read(self._heard, 1 << 16):
                    self._pieces.append(piece)
            except BlockingIOError:
                pass
        return bool(self._pieces)

    def hear(self) -> list[str]:
        """Give all that changed; what a process that failed did not look at is looked at here."""
        status = 1
        if self._number:
            os.set_blocking(self._heard, True)
            try:
                while piece := os.read(self._heard, 1 << 16):
                    self._pieces.append(piece)
            finally:
                status = self.close()
        if status:
            return _compare_all(self._columns, self._groups, self._place)
        names = b"".join(self._pieces).decode("utf-8", "surrogateescape").split("\0")
        return names[:-1]

    def close(self) -> int:
        """Wait for its end, which comes soon where nobody hears it; gives how it ended."""
        if not self._number:
            return 1
        os.close(self._heard)
        return os.waitpid(self._number, 0)[1]


def _compare_all(columns: list[list[int]], groups: list[list[str]], place: int) -> list[str]:
    """Give the files of some groups whose stamps differ; the first of them has number place."""
    changed = []
    for group in groups:
        changed += _compare(columns, group, place)
        place += len(group) - 1
    return changed


def _compare(columns: list[list[int]], group: list[str], place: int) -> list[str]:
    """Give the files of a group whose stamps differ, looked for from within their directory."""
    directory, *names = group
    changed = []
    stat = os.stat
    is_elsewhere = directory == NOWHERE
    if not is_elsewhere:
        try:
            os.chdir(directory)
        except OSError:
            return [f"{directory}/{name}" for name in names]
    end = place + len(names)
    parts = [column[place:end] for column in columns]
    for name, ctime, mtime, size, inode in zip(names, *parts, strict=True):
        try:
            status = stat(name)
        except OSError:
            if size == ABSENT_SIZE:
                continue
        else:
            if (
                status.st_ctime_ns == ctime
                and status.st_mtime_ns == mtime
                and status.st_size == size
                and status.st_ino == inode
            ):
                continue
        changed.append(name if is_elsewhere else os.path.join(directory, name))
    return changed
