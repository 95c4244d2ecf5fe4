"""What was made from what: digests of inputs, recipes and outputs, and so what is stale and why.

Knows steps and files, not doit. One process at a time uses a store (the run's lock sees to it);
all methods are called from one thread.
"""

import os
import sqlite3
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from buildsys.base.digest import ABSENT, Stamp, digest_file, digest_parts, stat_stamp
from buildsys.base.digest import digest_bytes as digest_text
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, remove_file
from buildsys.pipeline.depfile import find_shadows
from buildsys.pipeline.step import Command, Step

_FORMAT = 1
_PREFIX_BYTES = 8
RACY_NANOSECONDS = 20_000_000  # a stamp this young may belong to a later edit, too
_ATTEMPTS = 5

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA user_version = {_FORMAT};
CREATE TABLE IF NOT EXISTS file (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
  ctime INTEGER, mtime INTEGER, size INTEGER, inode INTEGER, digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS node (
  name TEXT PRIMARY KEY, recipe BLOB NOT NULL, key BLOB NOT NULL, inputs BLOB NOT NULL,
  seen BLOB NOT NULL, outputs BLOB NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class _File:
    identity: int
    stamp: Stamp | None  # None: never trust it, read the file
    digest: bytes
    is_current: bool = False  # looked at in this run
    is_saved: bool = True


@dataclass(frozen=True, slots=True)
class _Node:
    """A finished step: inputs and outputs are file numbers, seen and made prefixes of digests."""

    recipe: bytes
    key: bytes
    inputs: "array[int]"
    seen: bytes
    outputs: "array[int]"
    made: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a step's known inputs held before it ran; given back to Store.record."""

    reason: str
    began_ns: int
    digests: tuple[bytes, ...]


@dataclass(slots=True)
class StoreCounts:
    """How much looking a run cost."""

    stats: int = 0
    digests: int = 0
    forgotten: list[str] = field(default_factory=list)


class Store:
    """The record of finished steps in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts = StoreCounts()
        self._files: dict[str, _File] = {}
        self._paths: dict[int, str] = {}
        self._nodes: dict[str, _Node] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._places: dict[str, str] = {}  # directories as they were named: their real names
        self._young: set[str] = set()
        self._next_identity = 1
        make_directory(path.parent)
        self._database = _open_database(path)
        self._load()

    # -- files ---------------------------------------------------------------------------------

    def digest(self, path: str) -> bytes:
        """Digest a file; an unchanged stamp spares the read. ABSENT when there is no file.

        A directory (or a link to one) is digested as the place that it stands for.
        """
        known = self._files.get(path)
        if known is not None and known.is_current:
            return known.digest
        if known is not None and known.digest == ABSENT and not self._is_listed(path):
            known.is_current = True
            return ABSENT
        return self._look_at(path)

    def forget_file(self, path: str) -> None:
        """Look at a file anew when it is next asked for; its directory's listing, too."""
        known = self._files.get(path)
        if known is not None:
            known.is_current = False
        self._listings.pop(os.path.dirname(path), None)
        self._places.pop(path, None)

    def _look_at(self, path: str) -> bytes:
        known = self._files.get(path)
        self.counts.stats += 1
        stamp = stat_stamp(path)
        if known is not None and stamp is not None and known.stamp == stamp:
            known.is_current = True
            return known.digest
        for _ in range(_ATTEMPTS):
            before = stamp
            self.counts.digests += 1
            digest = ABSENT if before is None else _digest_any(path)
            stamp = stat_stamp(path)
            if stamp == before:
                return self._remember(path, stamp, digest)
        raise BuildsysError("it keeps changing while it is read", Path(path))

    def _remember(self, path: str, stamp: Stamp | None, digest: bytes) -> bytes:
        is_young = stamp is not None and time.time_ns() - stamp.ctime_ns < RACY_NANOSECONDS
        if is_young:
            self._young.add(path)
        trusted = None if is_young else stamp
        known = self._files.get(path)
        if known is None:
            identity = self._next_identity
            self._next_identity += 1
            self._paths[identity] = path
            self._files[path] = _File(identity, trusted, digest, True, False)
        else:
            known.is_saved = known.is_saved and (known.stamp, known.digest) == (trusted, digest)
            known.stamp, known.digest, known.is_current = trusted, digest, True
        return digest

    def _is_listed(self, path: str) -> bool:
        directory, name = os.path.split(path)
        names = self._listings.get(directory)
        if names is None:
            try:
                names = frozenset(os.listdir(directory))
            except OSError:
                names = frozenset()
            self._listings[directory] = names
        return name in names

    # -- steps ---------------------------------------------------------------------------------

    def stale_reason(self, step: Step) -> str:
        """Say why a step must run; '' when its outputs are what it would make again."""
        node = self._nodes.get(step.name)
        if node is None:
            return "it was never made"
        if node.recipe != step.recipe:
            return "its command or settings changed"
        digests = [self.digest(self._paths[identity]) for identity in node.inputs]
        if _make_key(node.recipe, digests) != node.key:
            return self._name_changed_input(node, digests)
        for index, identity in enumerate(node.outputs):
            digest = self.digest(self._paths[identity])
            if digest == ABSENT:
                return f"{self._paths[identity]} is missing"
            if digest[:_PREFIX_BYTES] != _prefix(node.made, index):
                return f"{self._paths[identity]} is not what was made"
        return ""

    def last_reason(self, name: str) -> str | None:
        """Say why a step ran when it last did; None when it never finished."""
        node = self._nodes.get(name)
        return None if node is None else node.reason

    def begin(self, step: Step, reason: str) -> Ticket:
        """Digest the known inputs of a step that is about to run."""
        digests = tuple(self.digest(str(path)) for path in step.inputs)
        return Ticket(reason, time.time_ns(), digests)

    def record(self, step: Step, ticket: Ticket, discovered: Sequence[str]) -> bool:
        """Remember a finished step; False when an input moved meanwhile, so that it is stale.

        discovered are the files that the command was seen to read (headers).
        """
        for path in step.outputs:
            self.forget_file(str(path))
        known = [str(path) for path in step.inputs]
        further = self._resolve(discovered, known)
        if self._has_moved(step, ticket, known, further):
            self.forget(step.name)
            self.counts.forgotten.append(step.name)
            return False
        shadows = self._find_shadows(step, discovered)
        digests = [*ticket.digests, *(self.digest(path) for path in (*further, *shadows))]
        identities = [self._files[path].identity for path in (*known, *further, *shadows)]
        outputs = [str(path) for path in step.outputs]
        made = [self.digest(path) for path in outputs]
        recipe = step.recipe
        node = _Node(
            recipe,
            _make_key(recipe, digests),
            array("I", identities),
            b"".join(digest[:_PREFIX_BYTES] for digest in digests),
            array("I", [self._files[path].identity for path in outputs]),
            b"".join(digest[:_PREFIX_BYTES] for digest in made),
            ticket.reason,
        )
        self._nodes[step.name] = node
        self._save_node(step.name, node)
        return True

    def forget(self, name: str) -> None:
        """Make a step stale; an unknown one is fine."""
        if self._nodes.pop(name, None) is not None:
            self._database.execute("DELETE FROM node WHERE name = ?", (name,))
            self._database.commit()

    def forget_all(self) -> None:
        """Make every step stale."""
        self._nodes.clear()
        self._database.execute("DELETE FROM node")
        self._database.commit()

    def names(self) -> frozenset[str]:
        """Give the names of all finished steps."""
        return frozenset(self._nodes)

    def watched(self, steps: Iterable[Step]) -> tuple[str, ...]:
        """Give every file that the given finished steps read or made.

        For a file that must stay absent its directory stands, where it would show.
        """
        identities: set[int] = set()
        for step in steps:
            node = self._nodes.get(step.name)
            if node is not None:
                identities.update(node.inputs)
                identities.update(node.outputs)
        names: set[str] = set()
        for identity in identities:
            path = self._paths[identity]
            is_absent = self._files[path].digest == ABSENT
            names.add(os.path.dirname(path) if is_absent else path)
        return tuple(sorted(names))

    def settle(self) -> bool:
        """Look again at files that were too young to trust; False when one changed after all.

        Waits until their stamps are old enough that a further edit must show in them.
        """
        if not self._young:
            return True
        time.sleep(RACY_NANOSECONDS * 1.5e-9)
        is_unchanged = True
        for path in sorted(self._young):
            before = self._files[path].digest
            self._files[path].is_current = False
            self._files[path].stamp = None
            is_unchanged = self.digest(path) == before and is_unchanged
        self._young.clear()
        return is_unchanged

    def stamp(self, path: str) -> Stamp | None:
        """Give the stamp under which a file's digest is trusted; None when it is not."""
        known = self._files.get(path)
        return None if known is None else known.stamp

    def close(self) -> None:
        """Save what was learnt of files, and close."""
        self._save_files()
        self._database.commit()
        self._database.close()

    # -- inside --------------------------------------------------------------------------------

    def _has_moved(
        self, step: Step, ticket: Ticket, known: Sequence[str], further: Sequence[str]
    ) -> bool:
        outputs = {str(path) for path in step.outputs}
        for path, digest in zip(known, ticket.digests, strict=True):
            if path not in outputs and self._look_again(path) != digest:
                return True
        for path in further:
            if self._files.get(path) is None or not self._files[path].is_current:
                # Not looked at before the command: its times must be older than the command.
                self.digest(path)
                stamp = stat_stamp(path)
                if stamp is None or stamp.ctime_ns > ticket.began_ns - RACY_NANOSECONDS:
                    return True
            else:
                before = self._files[path].digest
                if self._look_again(path) != before:
                    return True
        return False

    def _look_again(self, path: str) -> bytes:
        known = self._files.get(path)
        if known is not None and known.stamp is not None:
            stamp = stat_stamp(path)
            self.counts.stats += 1
            if stamp == known.stamp:
                return known.digest
        return self._look_at(path)

    def _resolve(self, discovered: Sequence[str], known: Sequence[str]) -> list[str]:
        """Give each file by its real name, once, and the places whose links led there.

        A header that a hundred modules reach through their own links is then one file.
        """
        found: dict[str, None] = {}
        for path in discovered:
            directory, slash, name = path.rpartition("/")
            real = self._places.get(directory)
            if real is None:
                real = self._places[directory] = os.path.realpath(directory)
            if real != directory:
                found[directory] = None
            found[f"{real}{slash}{name}"] = None
        for path in known:
            found.pop(path, None)
        return list(found)

    def _find_shadows(self, step: Step, headers: Sequence[str]) -> tuple[str, ...]:
        match step.action:
            case Command(search_path=search_path) if search_path:
                roots = [str(path) for path in search_path]
                source = str(step.inputs[0])
                shadows = tuple(find_shadows(source, headers, roots, self._is_present))
                for path in shadows:
                    if path not in self._files:
                        self._remember(path, None, ABSENT)
                return shadows
        return ()

    def _is_present(self, path: str) -> bool:
        known = self._files.get(path)
        if known is not None and known.is_current:
            return known.digest != ABSENT
        return self._is_listed(path) and os.path.exists(path)  # a link may lead nowhere

    def _name_changed_input(self, node: _Node, digests: Sequence[bytes]) -> str:
        for index, identity in enumerate(node.inputs):
            if digests[index][:_PREFIX_BYTES] != _prefix(node.seen, index):
                path = self._paths[identity]
                if digests[index] == ABSENT:
                    return f"{path} is missing"
                if _prefix(node.seen, index) == ABSENT[:_PREFIX_BYTES]:
                    return f"{path} is new"
                return f"{path} changed"
        return "an input changed"

    def _load(self) -> None:
        files = self._database.execute(
            "SELECT id, path, ctime, mtime, size, inode, digest FROM file"
        )
        for identity, path, ctime, mtime, size, inode, digest in files:
            stamp = None if ctime is None else Stamp(ctime, mtime, size, inode)
            self._files[path] = _File(identity, stamp, digest)
            self._paths[identity] = path
        self._next_identity = max(self._paths, default=0) + 1  # a killed run leaves gaps
        nodes = self._database.execute(
            "SELECT name, recipe, key, inputs, seen, outputs, reason FROM node"
        )
        for name, recipe, key, inputs, seen, outputs, reason in nodes:
            numbers, made = _split_outputs(outputs)
            self._nodes[name] = _Node(recipe, key, array("I", inputs), seen, numbers, made, reason)

    def _save_node(self, name: str, node: _Node) -> None:
        self._save_files((*node.inputs, *node.outputs))
        outputs = len(node.outputs).to_bytes(4, "little") + node.outputs.tobytes() + node.made
        self._database.execute(
            "INSERT OR REPLACE INTO node VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, node.recipe, node.key, node.inputs.tobytes(), node.seen, outputs, node.reason),
        )
        self._database.commit()

    def _save_files(self, identities: Iterable[int] | None = None) -> None:
        numbers = self._paths if identities is None else identities
        rows = []
        for identity in numbers:
            path = self._paths[identity]
            known = self._files[path]
            if not known.is_saved:
                known.is_saved = True
                stamp = known.stamp
                times = (
                    (None, None, None, None)
                    if stamp is None
                    else (stamp.ctime_ns, stamp.mtime_ns, stamp.size, stamp.inode)
                )
                rows.append((identity, path, *times, known.digest))
        self._database.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _make_key(recipe: bytes, digests: Sequence[bytes]) -> bytes:
    return digest_parts(recipe, b"".join(digests))


def _prefix(prefixes: bytes, index: int) -> bytes:
    return prefixes[index * _PREFIX_BYTES : (index + 1) * _PREFIX_BYTES]


def _split_outputs(blob: bytes) -> tuple["array[int]", bytes]:
    count = int.from_bytes(blob[:4], "little")
    numbers = array("I", blob[4 : 4 + 4 * count])
    return numbers, blob[4 + 4 * count :]


def _digest_any(path: str) -> bytes:
    if os.path.isdir(path):
        return digest_text(b"directory " + os.fsencode(os.path.realpath(path)))
    return digest_file(path)


def _open_database(path: Path) -> sqlite3.Connection:
    """Open the store; one that cannot be read (torn, or of another version) is made anew."""
    for is_last in (False, True):
        database = None
        try:
            database = sqlite3.connect(path, timeout=10)
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version in (0, _FORMAT):
                database.executescript(_SCHEMA)
                database.execute("SELECT path FROM file LIMIT 1").fetchone()
                database.execute("SELECT name FROM node LIMIT 1").fetchone()
                return database
        except sqlite3.DatabaseError as error:
            if is_last or isinstance(error, sqlite3.OperationalError):
                raise BuildsysError(
                    f"cannot open the record of the build: {error}", path
                ) from error
        if database is not None:
            database.close()
        for suffix in ("", "-wal", "-shm"):
            remove_file(path.with_name(path.name + suffix))
    raise BuildsysError("cannot open the record of the build", path)
