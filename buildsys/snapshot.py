"""The quick answer to 'is there anything to do': the stamps of all files of the last full success.

Read before anything else is imported, so it uses nothing but os and array. Equal stamps of every
file that was read or written, under the same request, mean that nothing changed since. Anything
unexpected (no snapshot, another format, a file that moved) only means that the long way is gone.
"""

import os
import zlib
from array import array
from collections.abc import Mapping, Sequence

_MAGIC = b"modbuild snapshot 3\n"
_STAMP_NUMBERS = 4
_ABSENT = (0, 0, -1, 0)
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


def request_key(arguments: Sequence[str], environment: Mapping[str, str], directory: str) -> bytes:
    """Spell a request: the same bytes mean the same work, if no file changed."""
    names = [name for name in environment if name in _VARIABLES or name.startswith(_PREFIXES)]
    variables = [f"{name}={environment[name]}" for name in sorted(names)]
    return "\0".join((directory, *arguments, "", *variables)).encode("utf-8", "surrogateescape")


def snapshot_path(objdir: str, key: bytes) -> str:
    """Name the snapshot of a request; the key inside tells requests of one name apart."""
    return os.path.join(objdir, ".snapshots", f"{zlib.crc32(key):08x}")


def answers_directory(environment: Mapping[str, str]) -> str:
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
    return os.path.join(directory, f"{zlib.crc32(key):08x}")


def is_trusted(directory: str) -> bool:
    """Tell whether nobody but this user (or root) can have written into a directory."""
    try:
        status = os.stat(directory)
    except OSError:
        return False
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def guess_objdir(arguments: Sequence[str], environment: Mapping[str, str], directory: str) -> str:
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


def render_snapshot(
    key: bytes, message: str, stamps: Sequence[tuple[str, Sequence[int] | None]]
) -> bytes:
    """Give the snapshot's bytes; message is what to say when every file is as it was.

    stamps are by path: ctime and mtime in ns, size in bytes, inode; None where there is no file.
    """
    numbers = array("q")
    for _, stamp in stamps:
        numbers.extend(_ABSENT if stamp is None else stamp)
    text = message.encode("utf-8", "surrogateescape")
    names = "\0".join(path for path, _ in stamps).encode("utf-8", "surrogateescape")
    sizes = array("q", (len(key), len(text), len(stamps), len(names)))
    return b"".join((_MAGIC, sizes.tobytes(), key, text, numbers.tobytes(), names))


def read_unchanged(path: str, key: bytes) -> str | None:
    """Give the message of a snapshot when every stamp in it is still true; None otherwise."""
    try:
        with open(path, "rb", buffering=0) as stream:
            content = stream.read()
        return _compare(content, key)
    except (OSError, ValueError):
        return None


def _compare(content: bytes, key: bytes) -> str | None:
    start = len(_MAGIC)
    if content[:start] != _MAGIC:
        return None
    sizes = array("q", content[start : start + 8 * 4])
    start += 8 * 4
    key_bytes, text_bytes, count, name_bytes = sizes
    stamp_bytes = 8 * _STAMP_NUMBERS * count
    if len(content) != start + key_bytes + text_bytes + stamp_bytes + name_bytes:
        return None
    if content[start : start + key_bytes] != key:
        return None
    start += key_bytes
    message = content[start : start + text_bytes].decode("utf-8", "surrogateescape")
    start += text_bytes
    stamps = array("q", content[start : start + stamp_bytes])
    names = content[start + stamp_bytes :].decode("utf-8", "surrogateescape").split("\0")
    if len(names) != count:
        return None
    stat = os.stat
    position = 0
    for name in names:
        try:
            status = stat(name)
        except OSError:
            if stamps[position + 2] != -1:
                return None
        else:
            if (
                status.st_ctime_ns != stamps[position]
                or status.st_mtime_ns != stamps[position + 1]
                or status.st_size != stamps[position + 2]
                or status.st_ino != stamps[position + 3]
            ):
                return None
        position += _STAMP_NUMBERS
    return message
