"""METALOG: the mtree(8) lines that say what owners and modes an unprivileged tree stands for.

The form is that of NetBSD's install(1) with -U -M METALOG -D DESTDIR -h sha256
(usr.bin/xinstall/xinstall.c, metadata_log): full paths from '.', strsvis(3)-encoded with
VIS_CSTYLE. Pure: reading, merging and spelling lines; no file is touched here.
"""

import enum
import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen

ROOT = PurePosixPath(".")
_ESCAPED = b" \t\n\\#"  # metadata_log's extra characters
_LETTERS = {
    0x07: b"\\a", 0x08: b"\\b", 0x09: b"\\t", 0x0A: b"\\n", 0x0B: b"\\v", 0x0C: b"\\f",
    0x0D: b"\\r", 0x20: b"\\s", 0x23: b"\\#", 0x5C: b"\\\\",
}  # fmt: skip
_DECODED = {letters[1:]: bytes((byte,)) for byte, letters in _LETTERS.items()}
_DECODED |= {b"E": b"\x1b", b"$": b"", b"\n": b""}
_ESCAPE = re.compile(
    rb"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9a-fA-F]{1,2})|M-(?P<meta>.)"
    rb"|(?P<both>M?)\^(?P<control>.)|(?P<plain>[^0-7xM^]))",
    re.DOTALL,
)
_PLAIN = re.compile(rb"[!-\"$-\[\]-~]*")  # what encodes to itself
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_BLANKS = re.compile(rb"[ \t]+")
_ODD = re.compile(rb"[\\\t\r]|//|/\.\.?(?:[/ ]|$)| $|\n\n", re.MULTILINE)  # what we do not write


class EntryType(enum.Enum):
    """What a line of ours describes, in mtree's words."""

    DIRECTORY = "dir"
    FILE = "file"


@frozen
class MetalogEntry:
    """What one line of ours says; path has no leading slash, '.' is DESTDIR itself."""

    path: PurePosixPath
    type: EntryType
    mode: int
    uname: str
    gname: str
    size: int = 0  # bytes, of a file
    sha256: bytes = b""  # 32 bytes, of a file


@frozen
class MetalogLine:
    """One logical line as it stands, with its newlines; path is None where it names none.

    Comments, blank lines, /set, /unset, '..' and names relative to a line before name no path.
    """

    raw: bytes
    path: PurePosixPath | None
    is_directory: bool


def encode_name(name: bytes) -> bytes:
    """Encode a name as strsvis(3) does with VIS_CSTYLE (lib/libc/gen/vis.c, do_svis).

    Four bytes differ: 0x1c, 0x9c, 0xa3 and 0xdc would end in a bare backslash or #, from which
    mtree can see a comment; in octal it reads them.
    """
    return name if _PLAIN.fullmatch(name) else b"".join(map(_encode_byte, name))


def _encode_byte(byte: int) -> bytes:
    if byte in _LETTERS:
        return _LETTERS[byte]
    if 0x21 <= byte <= 0x7E:
        return bytes((byte,))
    low = byte & 0x7F
    if low in b" #\\\x1c":
        return b"\\%03o" % byte
    meta = b"M" if byte & 0x80 else b""
    if low < 0x20 or low == 0x7F:
        return b"\\" + meta + (b"^?" if low == 0x7F else b"^%c" % (low + 0x40))
    return b"\\" + meta + b"-%c" % low


def decode_name(encoded: bytes) -> bytes:
    """Decode a name as strunvis(3) does; what is no escape it knows stays as it stands."""
    return _ESCAPE.sub(_decode_escape, encoded) if b"\\" in encoded else encoded


def _decode_escape(found: re.Match[bytes]) -> bytes:
    if found["octal"] is not None:
        return bytes((int(found["octal"], 8) & 0xFF,))
    if found["hex"] is not None:
        return bytes((int(found["hex"], 16),))
    if found["meta"] is not None:
        return bytes((found["meta"][0] | 0x80,))
    if found["control"] is not None:
        high = 0x80 if found["both"] else 0
        return bytes((high | (0x7F if found["control"] == b"?" else found["control"][0] & 0x1F),))
    return _DECODED.get(found["plain"], found["plain"])


def spell_path(path: PurePosixPath) -> bytes:
    """Spell a path as a line begins: from '.', encoded."""
    return b"." if path == ROOT else b"./" + encode_name(os.fsencode(str(path)))


def render_entry(entry: MetalogEntry) -> bytes:
    """Spell one line, newline included, in install(1)'s order of keywords."""
    name = spell_path(entry.path)
    words = f" type={entry.type.value} uname={entry.uname} gname={entry.gname} mode=0{entry.mode:o}"
    if entry.type is EntryType.FILE:
        words += f" size={entry.size} sha256={entry.sha256.hex()}"
    return name + words.encode() + b"\n"


def parse_metalog(content: bytes) -> tuple[MetalogLine, ...]:
    """Split a METALOG into its lines; together they are content again, byte for byte."""
    return tuple(map(_parse_line, _split_lines(content)))


def _split_lines(content: bytes) -> Iterator[bytes]:
    """Give logical lines: a backslash before a newline joins two (fparseln(3))."""
    held = b""
    for line in _LINE.findall(content):
        held += line
        bare = held.removesuffix(b"\n")
        if (len(bare) - len(bare.rstrip(b"\\"))) % 2 == 0 or bare == held:
            yield held
            held = b""
    if held:
        yield held


def _parse_line(raw: bytes) -> MetalogLine:
    words = _BLANKS.split(raw.strip(b" \t\r\n"))
    name = words[0]
    if name[:1] in (b"", b"#", b"/") or (b"/" not in name and name != b"."):
        return MetalogLine(raw, None, is_directory=False)
    path = PurePosixPath(os.fsdecode(decode_name(name)))
    return MetalogLine(raw, path, is_directory=b"type=dir" in words[1:])


def read_keywords(line: MetalogLine) -> dict[str, str]:
    """Give the keywords of a line that names a path, with their values ('' for none)."""
    words = _BLANKS.split(line.raw.strip(b" \t\r\n"))[1:]
    pairs = (os.fsdecode(word).partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def render_metalog(lines: Iterable[MetalogLine]) -> bytes:
    """Put lines together again; only the last may lack its newline, and gets one."""
    return b"".join(line.raw if line.raw.endswith(b"\n") else line.raw + b"\n" for line in lines)


def merge_metalog(
    existing: Iterable[MetalogLine],
    ours: Iterable[MetalogEntry],
    gone: Collection[PurePosixPath] = (),
) -> tuple[MetalogLine, ...]:
    """Bring existing lines up to date: each path of ours has one line, a gone path none.

    A file's line is replaced where it stands. A directory belongs to all who install below it:
    where lines describe it already, the last (which mtree goes by) stays as it is and repeats
    go. Lines of other paths are not touched; for the order see _order_lines.
    """
    entries = {entry.path: entry for entry in ours}
    if both := sorted(entries.keys() & set(gone)):
        raise BuildsysError(f"METALOG: {both[0]} is both installed and gone")
    kept: dict[PurePosixPath, int] = {}
    lines: list[MetalogLine] = []
    for line in existing:
        if line.path in gone:
            continue
        if line.path is None or line.path not in entries:
            lines.append(line)
            continue
        if line.path not in kept:
            kept[line.path] = len(lines)
            lines.append(line)
        lines[kept[line.path]] = _choose_line(line, entries[line.path])
    missing = (path for path in entries if path not in kept)
    new = [_make_line(entries[path]) for path in sorted(missing, key=_parts)]
    return _order_lines(_insert_lines(lines, new))


def replace_lines(
    content: bytes, ours: Sequence[MetalogEntry], gone: Collection[PurePosixPath] = ()
) -> bytes | None:
    """Give what parsing, merging and rendering would, where that is easy; None where it is not.

    ours are in the order of their paths. It is easy where there is nothing yet, and where all lines
    are of modules directories, spelled and ordered as we do, with one for each path of ours.
    """
    if not content:
        return b"".join(map(render_entry, ours))
    if _ODD.search(content) or not content.endswith(b"\n"):
        return None
    lines = content[:-1].split(b"\n")
    names = [line.partition(b" ")[0] for line in lines]
    keys = [name.split(b"/") for name in names]
    if names[0] != b"." or not all(map(_is_plain, keys[1:], lines[1:])):
        return None
    if any(former >= key for former, key in itertools.pairwise(keys)):
        return None
    found = {name: index for index, name in enumerate(names)}
    if any(spell_path(path) in found for path in gone):
        return None
    for entry in ours:
        index = found.get(spell_path(entry.path))
        if index is None:
            return None
        if entry.type is EntryType.FILE or b"type=dir" not in lines[index].split(b" "):
            lines[index] = render_entry(entry)[:-1]
    return b"\n".join(lines) + b"\n"


def _is_plain(key: Sequence[bytes], line: bytes) -> bool:
    """Tell whether a line is of a modules directory, or of a directory above one."""
    if key[0] != b"." or key[1:2] != [b"stand"] or not key[-1]:
        return False
    return (len(key) > 5 and key[4] == b"modules") or b"type=dir" in line.split(b" ")


def _order_lines(lines: tuple[MetalogLine, ...]) -> tuple[MetalogLine, ...]:
    """Put what lies in modules directories at the end, by path; if nothing else is there, sort all.

    So equal trees give equal lines, whatever was installed before what. Where a line counts for
    those after it (/set, /unset, names relative to a directory), the order stays as it is.
    """
    if any(line.path is None and not _is_remark(line) for line in lines):
        return lines
    inside: list[MetalogLine] = []
    others: list[MetalogLine] = []
    above: set[PurePosixPath] = set()
    for line in lines:
        if line.path is None or not is_in_modules(line.path):
            others.append(line)
            continue
        inside.append(line)
        path = line.path.parent
        while path not in above:
            above.add(path)
            path = path.parent
    if all(line.is_directory and _is_above(line.path, above) for line in others):
        return tuple(sorted(lines, key=_sort_key))
    return (*others, *sorted(inside, key=_sort_key))


def _is_above(path: PurePosixPath | None, known: Collection[PurePosixPath]) -> bool:
    return path is not None and (path in known or path.parts[:1] == ("stand",))


def _parts(path: PurePosixPath) -> tuple[str, ...]:
    return path.parts


def _sort_key(line: MetalogLine) -> tuple[str, ...]:
    return () if line.path is None else line.path.parts


def _is_remark(line: MetalogLine) -> bool:
    return line.raw.strip(b" \t\r\n")[:1] in (b"", b"#")


def is_in_modules(path: PurePosixPath) -> bool:
    """Tell whether a path lies below stand/MACHINE/RELEASE/modules, also of debugging files."""
    parts = path.parts
    if "stand" not in parts:
        return False
    at = parts.index("stand")
    return len(parts) > at + 4 and parts[at + 3] == "modules"


def _choose_line(line: MetalogLine, entry: MetalogEntry) -> MetalogLine:
    if entry.type is EntryType.DIRECTORY and line.is_directory:
        return line
    return _make_line(entry)


def _make_line(entry: MetalogEntry) -> MetalogLine:
    return MetalogLine(render_entry(entry), entry.path, entry.type is EntryType.DIRECTORY)


def _insert_lines(lines: list[MetalogLine], new: Iterable[MetalogLine]) -> tuple[MetalogLine, ...]:
    """Append new lines, but put a directory before the first line of something in it.

    mtree wants '.' first and each directory before what it holds (usr.sbin/mtree/spec.c, spec).
    """
    directories = {line.path: line for line in new if line.is_directory}
    result: list[MetalogLine] = []
    if ROOT in directories:
        result.append(directories.pop(ROOT))
    for line in lines:
        if directories and line.path is not None:
            parents = reversed(line.path.parents)
            result.extend(directories.pop(parent) for parent in parents if parent in directories)
        result.append(line)
    rest = (line for line in new if not line.is_directory or line.path in directories)
    return (*result, *rest)
