"""The file that the store lives in: rows of an SQLite database as values; decides nothing."""

import os
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from buildsys.base.digest import DIGEST_BYTES, Stamp
from buildsys.base.errors import BuildsysError
from buildsys.base.files import remove_file
from buildsys.base.value import frozen, mutable

_FORMAT = 3
PREFIX_BYTES = 8  # of digests, as records keep them
# Where a list of files is cut short, or longer, nothing of it can be trusted.
_TRUSTED = """SELECT name FROM node WHERE key != x'' AND length(inputs) % 4 = 0
AND length(seen) = 2 * length(inputs)"""
_AT_ONCE = 500  # files asked for in one query
_LISTS = ("inputs", "outputs")
_CUT = "length(inputs) % 4 != 0 OR (length(outputs) - 4) % 12 != 0"  # nobody wrote such a row
_FEW = 20  # files that SQLite looks for in lists faster than we do
_FILES = "SELECT id, path, ctime, mtime, size, inode, digest FROM file"
_NODES = "SELECT name, recipe, key, inputs, seen, outputs, reason, shadows FROM node"
_PRIMARY = 0xFF  # the part of an error code that extended ones of SQLite have in common
_REMOVED = "it is removed, run again (everything will be built anew)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA user_version = {_FORMAT};
CREATE TABLE IF NOT EXISTS file (
  id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE,
  ctime INTEGER, mtime INTEGER, size INTEGER, inode INTEGER, digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS node (
  name BLOB PRIMARY KEY, recipe BLOB NOT NULL, key BLOB NOT NULL, inputs BLOB NOT NULL,
  seen BLOB NOT NULL, outputs BLOB NOT NULL, reason BLOB NOT NULL,
  shadows BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mark (name BLOB PRIMARY KEY, token BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plan (name BLOB PRIMARY KEY, records BLOB NOT NULL) WITHOUT ROWID;
"""


class DamagedRecordError(BuildsysError):
    """A record that holds what nobody wrote; it is removed."""


@mutable
class KnownFile:
    """A file: its number, and the digest that it had under a stamp (None: never trust it).

    is_current: looked at in this run; is_saved: in the database it is as here, or soon will be.
    """

    identity: int
    path: str
    stamp: Stamp | None
    digest: bytes
    is_current: bool = False
    is_saved: bool = True


@frozen
class Node:
    """A finished step: inputs and outputs are file numbers, seen and made prefixes of digests.

    shadows are names that must stay away from directories, as pack_shadows packs them.
    """

    recipe: bytes
    key: bytes
    inputs: "array[int]"
    seen: bytes
    outputs: "array[int]"
    made: bytes
    reason: str
    shadows: bytes


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def pack_shadows(absent: Mapping[str, frozenset[str]]) -> bytes:
    """Pack names by directory, directories of the same names together."""
    places: dict[frozenset[str], list[str]] = {}
    for place, names in absent.items():
        places.setdefault(names, []).append(place)
    groups = ("/".join(sorted(names)) + "\0" + "\0".join(found) for names, found in places.items())
    return _encode("\0\0".join(groups))


def unpack_shadows(content: bytes) -> Iterator[tuple[frozenset[str], tuple[str, ...]]]:
    """Give names, and the directories which they must stay away from."""
    for group in _decode(content).split("\0\0") if content else ():
        names, *places = group.split("\0")
        yield frozenset(names.split("/")), tuple(places)


class StoreFile:
    """An open database with what it held; one that cannot be read is made anew, empty."""

    def __init__(self, path: Path, is_whole: bool = True) -> None:
        """Open a database; not is_whole: nothing is read of it yet."""
        self.path = path
        self.files: tuple[KnownFile, ...] = ()
        self.nodes: dict[str, Node] = {}
        self.next_identity = 1  # a killed run leaves gaps
        self._is_whole = is_whole
        self._files: list[KnownFile] = []  # to be written
        self._nodes: dict[str, Node] = {}
        with self._telling("open"):
            self._database = self._open()

    def save(self, files: Iterable[KnownFile], name: str, node: Node) -> None:
        """Remember a finished step and what is new or changed of files, with the next flush."""
        self._take(files)
        self._nodes[name] = node

    def save_files(self, files: Iterable[KnownFile]) -> None:
        """Remember those files that are new or changed."""
        self._take(files)
        self.flush()

    def _take(self, files: Iterable[KnownFile]) -> None:
        for known in files:
            if not known.is_saved:
                known.is_saved = True
                self._files.append(known)

    def flush(self) -> None:
        """Write what is to be remembered, at one moment."""
        if not self._files and not self._nodes:
            return
        with self._telling("write"):
            self._database.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)",
                map(_file_row, self._files),
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_node_row(name, node) for name, node in self._nodes.items()],
            )
            self._database.commit()
        self._files.clear()
        self._nodes.clear()

    def find_file(self, path: str) -> KnownFile | None:
        """Give what is known of one file."""
        with self._telling("read"):
            rows = self._database.execute(f"{_FILES} WHERE path = ?", (_encode(path),)).fetchall()
            return _read_file_row(rows[0]) if rows else None

    def load_files(self, numbers: Iterable[int]) -> list[KnownFile]:
        """Give what is known of some files."""
        wanted = sorted(set(numbers))
        found: list[KnownFile] = []
        with self._telling("read"):
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                query = f"{_FILES} WHERE id IN ({','.join(map(str, some))})"
                found.extend(map(_read_file_row, self._database.execute(query)))
            if len(found) != len(wanted):
                raise ValueError(wanted)
        return found

    def load_node(self, name: str) -> Node | None:
        """Give the record of a step, if there is one."""
        with self._telling("read"):
            rows = self._database.execute(f"{_NODES} WHERE name = ?", (_encode(name),)).fetchall()
            return _read_node_row(rows[0])[1] if rows else None

    def find_users(self, numbers: Iterable[int]) -> set[str]:
        """Name the steps that read or made files."""
        wanted = frozenset(numbers)
        found: set[str] = set()
        query = "SELECT name, inputs, outputs FROM node"
        spelled: list[bytes] = []
        if len(wanted) <= _FEW:  # SQLite leaves out most; what is in two numbers is seen below
            lists = [f"instr({name}, ?{1 + n})" for n in range(len(wanted)) for name in _LISTS]
            query += f" WHERE {_CUT} OR " + " OR ".join(lists)
            spelled = [number.to_bytes(4, sys.byteorder) for number in wanted]
        with self._telling("read"):
            rows = self._database.execute(query, spelled) if wanted else ()
            for name, inputs, outputs in rows:
                files = array("I", inputs), _split_outputs(outputs)[0]
                if not all(map(wanted.isdisjoint, files)):
                    found.add(_decode(name))
        return found

    def load_directory(self, directory: str) -> tuple[list[str], set[str]]:
        """Give the files that are a directory or in it, and names that must stay away from it."""
        place = _encode(directory)
        found: set[str] = set()
        with self._telling("read"):
            rows = self._database.execute(
                "SELECT shadows FROM node WHERE instr(shadows, ?)", (place,)
            )
            for shadows in {row[0] for row in rows}:
                for names, places in unpack_shadows(shadows):
                    found |= names if directory in places else set()
            rows = self._database.execute("SELECT path FROM file WHERE instr(path, ?)", (place,))
            paths = [_decode(path) for (path,) in rows]
        return [path for path in paths if directory in (path, os.path.split(path)[0])], found

    def load_trusted(self) -> set[str]:
        """Name the steps whose records can be trusted."""
        with self._telling("read"):
            rows = self._database.execute(_TRUSTED).fetchall()
        return {_decode(name) for (name,) in rows}

    def load_mark(self, name: str) -> bytes:
        """Give what save_mark left under a name; nothing where that is nothing."""
        with self._telling("read"):
            rows = self._database.execute("SELECT token FROM mark WHERE name = ?", (_encode(name),))
            found = rows.fetchone()
        return b"" if found is None else bytes(found[0])

    def save_mark(self, name: str, token: bytes) -> None:
        """Leave a few bytes under a name, in place of what was there."""
        self.flush()
        with self._telling("write"):
            row = (_encode(name), token)
            self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", row)
            self._database.commit()

    def load_plans(self) -> dict[str, frozenset[str]]:
        """Give the names of steps that were kept of plans, by the plan's name."""
        with self._telling("read"):
            rows = self._database.execute("SELECT name, records FROM plan").fetchall()
        return {
            _decode(name): frozenset(filter(None, _decode(records).split("\0")))
            for name, records in rows
        }

    def save_plan(
        self, name: str, records: Iterable[str], gone: Iterable[str], unused: Iterable[int]
    ) -> None:
        """Keep a plan's names of steps; forget steps and files (by number) with it."""
        row = (_encode(name), _encode("\0".join(sorted(records))))
        self.flush()
        with self._telling("write"):
            self._database.executemany(
                "DELETE FROM node WHERE name = ?", [(_encode(step),) for step in gone]
            )
            self._database.executemany(
                "DELETE FROM file WHERE id = ?", [(number,) for number in unused]
            )
            self._database.execute("INSERT OR REPLACE INTO plan VALUES (?, ?)", row)
            self._database.commit()

    def forget(self, name: str) -> None:
        """Forget a step."""
        self._nodes.pop(name, None)
        with self._telling("write"):
            self._database.execute("DELETE FROM node WHERE name = ?", (_encode(name),))
            self._database.commit()

    def forget_all(self) -> None:
        """Forget every step."""
        self._nodes.clear()
        with self._telling("write"):
            self._database.execute("DELETE FROM node")
            self._database.commit()

    def close(self) -> None:
        """Close the file; what was not saved is lost."""
        with self._telling("close"):
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if code & _PRIMARY != sqlite3.SQLITE_ERROR:  # the disk, not what is in the file
                raise
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError):
            pass  # torn, or of another program
        self._remove()
        self.files, self.nodes, self.next_identity = (), {}, 1
        return self._connect()

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            remove_file(self.path.with_name(self.path.name + suffix))

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=10)
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise ValueError(version)
            database.executescript(_SCHEMA)
            self._load(database)
        except BaseException:
            database.close()
            raise
        return database

    def _load(self, database: sqlite3.Connection) -> None:
        self.next_identity = (
            database.execute("SELECT ifnull(max(id), 0) FROM file").fetchone()[0] + 1
        )
        if not self._is_whole:
            return
        files = database.execute(_FILES)
        self.files = tuple(map(_read_file_row, files))
        known = {row.identity for row in self.files}
        nodes = database.execute(_NODES)
        self.nodes = dict(map(_read_node_row, nodes))
        for node in self.nodes.values():
            if not known.issuperset(node.inputs) or not known.issuperset(node.outputs):
                raise ValueError(node)

    @contextmanager
    def _telling(self, verb: str) -> Iterator[None]:
        """Tell what SQLite complains of as an error of the file."""
        try:
            yield
        except sqlite3.Error as error:
            message = f"cannot {verb} the record of the build: {error}"
            if getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _DAMAGED:
                self._remove()
                message += f"; {_REMOVED}"
                raise DamagedRecordError(message, self.path) from error
            raise BuildsysError(message, self.path) from error
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self._remove()
            message = f"the record of the build is damaged; {_REMOVED}"
            raise DamagedRecordError(message, self.path) from error


def _file_row(file: KnownFile) -> tuple[object, ...]:
    stamp = file.stamp
    times = (
        (None, None, None, None)
        if stamp is None
        else (stamp.ctime_ns, stamp.mtime_ns, stamp.size, stamp.inode)
    )
    return (file.identity, _encode(file.path), *times, file.digest)


def _read_file_row(row: tuple[int, bytes, int, int, int, int, bytes]) -> KnownFile:
    identity, path, ctime, mtime, size, inode, digest = row
    if len(digest) != DIGEST_BYTES:
        raise ValueError(digest)
    stamp = None if ctime is None else Stamp(ctime, mtime, size, inode)
    return KnownFile(identity, _decode(path), stamp, digest)


def _node_row(name: str, node: Node) -> tuple[object, ...]:
    outputs = len(node.outputs).to_bytes(4, "little") + node.outputs.tobytes() + node.made
    return (
        _encode(name), node.recipe, node.key, node.inputs.tobytes(), node.seen, outputs,
        _encode(node.reason), node.shadows,
    )  # fmt: skip


def _read_node_row(
    row: tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes],
) -> tuple[str, Node]:
    name, recipe, key, inputs, seen, outputs, reason, shadows = row
    numbers, made = _split_outputs(outputs)
    node = Node(recipe, key, array("I", inputs), seen, numbers, made, _decode(reason), shadows)
    return _decode(name), node


def _split_outputs(content: bytes) -> tuple["array[int]", bytes]:
    """Give the numbers of outputs, and the beginnings of their digests."""
    end = 4 + 4 * int.from_bytes(content[:4], "little")
    return array("I", content[4:end]), content[end:]
