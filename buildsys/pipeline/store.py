"""What was made from what: digests of inputs, recipes and outputs, and so what is stale and why.

Knows steps and files, not doit. One process at a time uses a store (the run's lock sees to it);
all methods are called from one thread.
"""

import os
import stat
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from buildsys.base.digest import (
    ABSENT,
    RACY_NANOSECONDS,
    Stamp,
    digest_file,
    digest_parts,
    stat_stamp,
)
from buildsys.base.digest import digest_bytes as digest_text
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory
from buildsys.pipeline.depfile import Shadows, find_questions, find_shadows
from buildsys.pipeline.step import Command, Step
from buildsys.pipeline.storefile import (
    KnownFile,
    Node,
    StoreFile,
    pack_shadows,
    unpack_shadows,
)

_PREFIX_BYTES = 8
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a step's known inputs held before it ran; given back to Store.record."""

    reason: str
    began_ns: int
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Files with the stamp under which their digest is trusted (None: it is not).

    absent are names by directory: files which the results need not to be there.
    """

    stamps: dict[str, Stamp | None]
    absent: dict[str, set[str]]


@dataclass(slots=True)
class StoreCounts:
    """How much looking a run cost."""

    stats: int = 0
    digests: int = 0
    forgotten: list[str] = field(default_factory=list)


class Store:
    """The record of finished steps in one SQLite file.

    began_ns is when the run began (nanoseconds of the wall clock): what was edited before is no
    edit of this run.
    """

    def __init__(self, path: Path, began_ns: int | None = None) -> None:
        self.path = path
        self._quiet_ns = (began_ns or time.time_ns()) + RACY_NANOSECONDS * 3 // 2
        self.counts = StoreCounts()
        self._listings: dict[str, frozenset[str]] = {}
        self._places: dict[str, str] = {}  # directories as they were named: their real names
        self._young: set[str] = set()
        self._questions: dict[str, tuple[tuple[str, bool], ...]] = {}  # of __has_include, by file
        make_directory(path.parent)
        self._database = StoreFile(path)
        self._files = {known.path: known for known in self._database.files}
        self._paths = {known.identity: known.path for known in self._database.files}
        self._nodes = self._database.nodes
        self._next_identity = max(self._paths, default=0) + 1  # a killed run leaves gaps

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
            self._files[path] = KnownFile(identity, path, trusted, digest, True, False)
        else:
            known.is_saved = known.is_saved and (known.stamp, known.digest) == (trusted, digest)
            known.stamp, known.digest, known.is_current = trusted, digest, True
        return digest

    def _is_listed(self, path: str) -> bool:
        directory, name = os.path.split(path)
        return name in self._list(directory)

    def _list(self, directory: str) -> frozenset[str]:
        names = self._listings.get(directory)
        if names is None:
            try:
                names = frozenset(os.listdir(directory))
            except OSError:
                names = frozenset()
            self._listings[directory] = names
        return names

    # -- steps ---------------------------------------------------------------------------------

    def stale_reason(self, step: Step) -> str:
        """Say why a step must run; '' when its outputs are what it would make again."""
        node = self._nodes.get(step.record)
        if node is None:
            return "it had not been made"
        if node.recipe != step.recipe:
            return "its command or settings changed"
        digests = [self.digest(self._paths[identity]) for identity in node.inputs]
        if _make_key(node.recipe, digests) != node.key:
            return self._name_changed_input(node, digests)
        for names, places in unpack_shadows(node.shadows):
            for place in places:
                for name in sorted(names & self._list(place)):
                    if os.path.exists(os.path.join(place, name)):  # else a link that leads nowhere
                        return f"{os.path.join(place, name)} is new"
        for index, identity in enumerate(node.outputs):
            digest = self.digest(self._paths[identity])
            if digest == ABSENT:
                return f"{self._paths[identity]} is missing"
            if digest[:_PREFIX_BYTES] != _prefix(node.made, index):
                return f"{self._paths[identity]} is not what was made"
        return ""

    def last_reason(self, record: str) -> str | None:
        """Say why the step of a record ran when it last did; None when it never finished."""
        node = self._nodes.get(record)
        return None if node is None else node.reason

    def begin(self, step: Step, reason: str) -> Ticket:
        """Digest the known inputs of a step that is about to run.

        That is not before times of files can tell edits of this run from earlier ones.
        """
        early_ns = self._quiet_ns - time.time_ns()
        if 0 < early_ns <= 2 * RACY_NANOSECONDS:  # more is a clock that was set back
            time.sleep(early_ns * 1e-9)
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
            self.forget(step.record)
            self.counts.forgotten.append(step.name)
            return False
        shadows = self._find_shadows(step, discovered)
        further += (path for path in shadows.dangling if path not in further)
        digests = [*ticket.digests, *(self.digest(path) for path in further)]
        identities = [self._files[path].identity for path in (*known, *further)]
        outputs = [str(path) for path in step.outputs]
        made = [self.digest(path) for path in outputs]
        recipe = step.recipe
        node = Node(
            recipe,
            _make_key(recipe, digests),
            array("I", identities),
            b"".join(digest[:_PREFIX_BYTES] for digest in digests),
            array("I", [self._files[path].identity for path in outputs]),
            b"".join(digest[:_PREFIX_BYTES] for digest in made),
            ticket.reason,
            pack_shadows(shadows.absent),
        )
        self._nodes[step.record] = node
        self._database.save(self._unsaved((*node.inputs, *node.outputs)), step.record, node)
        return True

    def forget(self, record: str) -> None:
        """Make the step of a record stale; an unknown one is fine."""
        if self._nodes.pop(record, None) is not None:
            self._database.forget(record)

    def forget_all(self) -> None:
        """Make every step stale."""
        self._nodes.clear()
        self._database.forget_all()

    def names(self) -> frozenset[str]:
        """Give the names of all finished steps."""
        return frozenset(self._nodes)

    def seen(self, steps: Iterable[Step]) -> Seen:
        """Give every file that the given finished steps read or made."""
        identities: set[int] = set()
        absent: dict[str, set[str]] = {}
        for step in steps:
            node = self._nodes.get(step.record)
            if node is not None:
                identities.update(node.inputs)
                identities.update(node.outputs)
                for names, places in unpack_shadows(node.shadows):
                    for place in places:
                        absent.setdefault(place, set()).update(names)
        stamps: dict[str, Stamp | None] = {}
        for identity in identities:
            known = self._files[self._paths[identity]]
            if known.digest == ABSENT:
                directory, name = os.path.split(known.path)
                absent.setdefault(directory, set()).add(name)
            else:
                stamps[known.path] = known.stamp
        return Seen(stamps, absent)

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

    def close(self) -> None:
        """Save what was learnt of files, and close."""
        try:
            self._database.save_files(self._unsaved(self._paths))
        finally:
            self._database.close()

    # -- inside --------------------------------------------------------------------------------

    def _has_moved(
        self, step: Step, ticket: Ticket, known: Sequence[str], further: Sequence[str]
    ) -> bool:
        outputs = {str(path) for path in step.outputs}
        for path, digest in zip(known, ticket.digests, strict=True):
            if path not in outputs and self._look_again(path) != digest:
                return True
        has_moved = False
        for path in further:  # each, so that a next run knows all of them
            header = self._files.get(path)
            before = None if header is None else header.digest
            if header is not None and header.is_current:
                has_moved |= self._look_again(path) != before
            else:
                has_moved |= self._is_too_young(path, ticket, before)
        return has_moved

    def _is_too_young(self, path: str, ticket: Ticket, before: bytes | None) -> bool:
        """Tell whether a file may have changed since a command began that was not looked at then.

        Its times must be older than the command. Where the clock was set back, and they are in
        the future, only what an earlier run read (before) can tell.
        """
        digest = self.digest(path)
        stamp = stat_stamp(path)
        if stamp is None:
            return True
        if stamp.ctime_ns > time.time_ns() + RACY_NANOSECONDS:
            return digest != before
        return stamp.ctime_ns > ticket.began_ns - RACY_NANOSECONDS

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

    def _find_shadows(self, step: Step, headers: Sequence[str]) -> Shadows:
        match step.action:
            case Command(search_path=search_path) if search_path:
                roots = [str(path) for path in search_path]
                shadows = find_shadows(str(step.inputs[0]), headers, roots, self._list)
                asked = self._find_asked(headers, roots)
                return Shadows(shadows.absent, (*shadows.dangling, *asked))
        return Shadows({})

    def _find_asked(self, headers: Sequence[str], roots: Sequence[str]) -> Iterator[str]:
        """Give what __has_include did not find, where it would have been found before the rest."""
        for path in headers:
            questions = self._questions.get(path)
            if questions is None:
                try:
                    questions = find_questions(Path(path).read_bytes())
                except OSError:
                    questions = ()
                self._questions[path] = questions
            for name, is_quoted in questions:
                for place in (os.path.dirname(path), *roots) if is_quoted else roots:
                    candidate = os.path.normpath(os.path.join(place, name))
                    if os.path.exists(candidate):
                        break
                    yield candidate

    def _name_changed_input(self, node: Node, digests: Sequence[bytes]) -> str:
        for index, identity in enumerate(node.inputs):
            if digests[index][:_PREFIX_BYTES] != _prefix(node.seen, index):
                path = self._paths[identity]
                if digests[index] == ABSENT:
                    return f"{path} is missing"
                if _prefix(node.seen, index) == ABSENT[:_PREFIX_BYTES]:
                    return f"{path} is new"
                return f"{path} changed"
        return "an input changed"

    def _unsaved(self, identities: Iterable[int]) -> list[KnownFile]:
        """Give those files that are not yet as they are here in the database; now they will be."""
        files = []
        for identity in identities:
            known = self._files[self._paths[identity]]
            if not known.is_saved:
                known.is_saved = True
                files.append(known)
        return files


def _make_key(recipe: bytes, digests: Sequence[bytes]) -> bytes:
    return digest_parts(recipe, b"".join(digests))


def _prefix(prefixes: bytes, index: int) -> bytes:
    return prefixes[index * _PREFIX_BYTES : (index + 1) * _PREFIX_BYTES]


def _digest_any(path: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return digest_file(path)  # which says what is wrong, or that it has gone
    if stat.S_ISDIR(mode):
        return digest_text(b"directory " + os.fsencode(os.path.realpath(path)))
    if not stat.S_ISREG(mode):
        raise BuildsysError("not a regular file; reading it might never end", Path(path))
    return digest_file(path)
