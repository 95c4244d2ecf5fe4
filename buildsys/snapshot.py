"""The quick answer to 'is there anything to do': the stamps of all files of the last full success.

Read before anything else is imported, so it uses nothing but os, and no part of Python's library
that takes a millisecond to load (collections, array, zlib). Equal stamps of every file that was
read or written, under the same request, mean that nothing changed since; else the files whose
stamps differ are all that can have made a step stale. Anything unexpected (no snapshot, another
format) only means that the long way is gone.
"""

import os

MAGIC = b"modbuild snapshot 5\n"
DIGEST_BYTES = 32
NUMBER_BYTES = 8
ABSENT_SIZE = -1  # of a file that is not there
NOWHERE = "."  # the group of files that are not looked for from within their directory
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

    __slots__ = (
        "_numbers", "_places", "changed", "columns", "content", "frame", "groups", "message",
    )  # fmt: skip

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
        self._places: dict[str, tuple[int, list[str]]] = {}
        self._numbers: dict[str, dict[str, int]] = {}  # of names in a directory

    def find(self, path: str) -> "tuple[int, int, int, int] | None":
        """Give the stamp of a file as the snapshot has it; None where it has none."""
        if not self._places:
            start = 0
            for directory, *names in self.groups:
                self._places[directory] = (start, names)
                start += len(names)
        directory, _, name = path.rpartition("/")
        for place, word in ((directory or "/", name), (NOWHERE, path)):
            numbers = self._numbers.get(place)
            if numbers is None:
                start, names = self._places.get(place, (0, []))
                numbers = {name: start + number for number, name in enumerate(names)}
                self._numbers[place] = numbers
            index = numbers.get(word)
            if index is not None:
                ctime, mtime, size, inode = (column[index] for column in self.columns)
                return ctime, mtime, size, inode
        return None


def read_unchanged(path: str, key: bytes) -> str | None:
    """Give the message of a snapshot when every stamp in it is still true; None otherwise."""
    found = read_snapshot(path, key)
    return None if found is None or found.changed else found.message


def read_snapshot(path: str, key: bytes) -> Snapshot | None:
    """Read a snapshot and compare its stamps; None: there is none of this request."""
    try:
        with open(path, "rb", buffering=0) as stream:
            content = stream.read()
        found = parse_snapshot(content, key)
    except (OSError, ValueError):
        return None
    if found is not None:
        found.changed = _find_changes(found)
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


def _find_changes(found: Snapshot) -> list[str]:
    """Give the files whose stamps differ; half of many are looked at by a process of its own."""
    columns, groups = found.columns, found.groups
    count = len(columns[0])
    middle = place = 0
    if count >= _FORK_FROM and len(os.sched_getaffinity(0)) > 1:
        while place < count // 2:
            place += len(groups[middle]) - 1
            middle += 1
    here = os.open(".", os.O_PATH)
    try:
        other = _fork(columns, groups[:middle], 0) if middle else None
        changed = _compare(columns, groups[middle:], place)
        if middle:
            said = None if other is None else _hear(*other)
            changed += _compare(columns, groups[:middle], 0) if said is None else said
    finally:
        os.fchdir(here)
        os.close(here)
    return changed


def _fork(columns: list[list[int]], groups: list[list[str]], place: int) -> tuple[int, int] | None:
    """Have a child compare some groups; give its number and where it will say what changed."""
    heard, said = os.pipe()
    try:
        child = os.fork()
    except OSError:  # no room for a process: we do it ourselves
        os.close(heard)
        os.close(said)
        return None
    if child:
        os.close(said)
        return child, heard
    status = 1
    try:  # nothing of the parent's must run here: no handler, no flush
        names = "".join(f"{name}\0" for name in _compare(columns, groups, place))
        view = memoryview(names.encode("utf-8", "surrogateescape"))
        while view:
            view = view[os.write(said, view) :]
        status = 0
    finally:
        os._exit(status)


def _hear(child: int, heard: int) -> list[str] | None:
    """Give what a child found; None when it did not come to its end."""
    pieces = []
    try:
        while piece := os.read(heard, 1 << 16):
            pieces.append(piece)
    finally:
        os.close(heard)
        _, status = os.waitpid(child, 0)
    names = b"".join(pieces).decode("utf-8", "surrogateescape").split("\0")
    return None if status else names[:-1]


def _compare(columns: list[list[int]], groups: list[list[str]], place: int) -> list[str]:
    """Give the files of some groups whose stamps differ; the first of them has number place."""
    changed = []
    stat, chdir = os.stat, os.chdir
    for directory, *names in groups:
        end = place + len(names)
        is_elsewhere = directory == NOWHERE
        if not is_elsewhere:
            try:
                chdir(directory)
            except OSError:
                changed += [f"{directory}/{name}" for name in names]
                place = end
                continue
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
        place = end
    return changed
