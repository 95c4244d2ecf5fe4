"""What was made from what: digests of inputs, recipes and outputs, and so what is stale and why.

Knows steps and files, not doit. One process at a time uses a store (the run's lock sees to it);
all methods are called from one thread.
"""

import os
import time
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from buildsys.base.digest import ABSENT, RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory
from buildsys.base.granularity import FineTimes
from buildsys.base.value import replace
from buildsys.pipeline.depfile import (
    Shadows,
    SourceNotes,
    find_shadows,
    resolve_headers,
)
from buildsys.pipeline.filebook import FileBook
from buildsys.pipeline.meanwhile import Meanwhile
from buildsys.pipeline.relinked import follow_links
from buildsys.pipeline.step import Command, Step
from buildsys.pipeline.storefile import (
    PREFIX_BYTES,
    Node,
    StoreFile,
    pack_shadows,
    unpack_shadows,
)
from buildsys.pipeline.storevalues import (
    NO_KEY,
    REFUSED,
    Seen,
    StoreCounts,
    Ticket,
    digest_any,
    digest_prefix,
    is_place,
    make_key,
    make_untrusted,
)

_TOKEN_BYTES = 8
CHANGED_COMMAND = "its command or settings changed"
_CHANGED = "an input changed"  # in what the record does not keep of its digest
_FAILED = "it failed when it last ran"
_MOVED = "a file that it reads changed while it ran"
DROPPED = "dropped "  # before a record's name: outputs that it made once and makes no more


class Store:
    """The record of finished steps in one SQLite file.

    began_ns is when the run began (nanoseconds of the wall clock): what was edited before is no
    edit of this run.
    """

    def __init__(
        self,
        path: Path,
        began_ns: int | None = None,
        is_as_it_was: Callable[[str, Stamp], bool] | None = None,
    ) -> None:
        """Open a record.

        With is_as_it_was, which tells of a file whether it still has a stamp, only what is asked
        for is read of it, and files of which that is true are not looked at.
        """
        self.path = path
        self._quiet_ns = (began_ns or time.time_ns()) + RACY_NANOSECONDS * 3 // 2
        self.counts = StoreCounts()
        self._read: set[str] = set()  # records that were looked for, where not all are read
        self._awaited: set[str] = set()  # what steps read that must run again
        self.notes = SourceNotes()
        make_directory(path.parent)
        self._database = database = StoreFile(path, is_as_it_was is None)
        self._nodes = database.nodes
        self._is_as_it_was = is_as_it_was
        fetch = None if is_as_it_was is None else database.find_file
        self.times = FineTimes(path.parent)
        self._book = FileBook(
            database.files, self.counts, database.next_identity, fetch, self.times.has
        )
        self._meanwhile = Meanwhile(self._book)
        self._known = self._book.numbered

    def find_users(self, paths: Iterable[str]) -> set[str] | None:
        """Name the records of the steps that read or made files.

        None where one of the files is of no step.
        """
        found = [self._book.find(path) for path in paths]
        numbers = [known.identity for known in found if known is not None]
        return self._database.find_users(numbers) if len(numbers) == len(found) else None

    def load_directory(self, directory: str) -> tuple[list[str], set[str]]:
        """Give what is known to be a directory or in it, and names that steps missed there."""
        return self._database.load_directory(directory)

    def find_untrusted(self, records: Iterable[str]) -> set[str]:
        """Give those of some records that are not there, or of results not to be trusted."""
        trusted = self._database.load_trusted()
        return {record for record in records if record not in trusted}

    def is_marked(self, name: str, token: bytes) -> bool:
        """Tell whether this is the very record that mark() left a token in, or one that follows."""
        return token != b"" and self._database.load_mark(name) == token

    def mark(self, name: str) -> bytes:
        """Leave a new token under a name, and give it: an older copy of the record lacks it."""
        token = os.urandom(_TOKEN_BYTES)
        self._database.save_mark(name, token)
        return token

    def find(self, record: str) -> Node | None:
        """Give what is known of a finished step."""
        node = self._nodes.get(record)
        if node is None and self._is_as_it_was is not None and record not in self._read:
            self._read.add(record)
            node = self._database.load_node(record)
            if node is not None:
                self._load_files(node, self._is_as_it_was)
                self._nodes[record] = node
        return node

    def _load_files(self, node: Node, is_as_it_was: Callable[[str, Stamp], bool]) -> None:
        """Read what is known of the files of a step."""
        wanted = {*node.inputs, *node.outputs} - self._known.keys()
        found = self._database.load_files(wanted)
        for file in found:
            file.is_current = file.stamp is not None and is_as_it_was(file.path, file.stamp)
        self._book.add(found)

    def digest(self, path: str) -> bytes:
        """Digest a file, or the place that a directory is; ABSENT when there is none."""
        return self._book.digest(path)

    def settle(self) -> bool:
        """Look again at files that were too young to trust; False when one changed after all."""
        return self._book.settle()

    def stale_reason(self, step: Step) -> str:
        """Say why a step must run; '' when its outputs are what it would make again."""
        node = self.find(step.record)
        if node is None:
            return "it had not been made"
        if node.key == NO_KEY:
            return node.reason
        if node.recipe != step.recipe:
            return CHANGED_COMMAND
        digests = self._book.digest_all(node.inputs)
        if make_key(node.recipe, digests) != node.key:
            changed = _find_changed(node, digests)
            has_place = any(is_place(digests[index]) for index in changed)
            followed = self._follow_links(step, node) if has_place else None
            if followed is None:
                return self._name_change(node, changed[0], digests) if changed else _CHANGED
            node = followed
        if shadow := self._book.find_shadow(node.shadows):
            return f"{shadow} is new"
        for index, digest in enumerate(self._book.digest_all(node.outputs)):
            if digest == ABSENT:
                return f"{self._known[node.outputs[index]].path} is missing"
            if digest[:PREFIX_BYTES] != digest_prefix(node.made, index):
                return f"{self._known[node.outputs[index]].path} is not what was made"
        return ""

    def last_reason(self, record: str) -> str | None:
        """Say why the step of a record ran when it last did; None when it never finished."""
        node = self.find(record)
        return None if node is None else node.reason.removeprefix(REFUSED)

    def is_refused(self, record: str) -> bool:
        """Tell whether a check, which is up to date, refused its kmod."""
        node = self.find(record)
        return node is not None and node.key != NO_KEY and node.reason.startswith(REFUSED)

    def is_recorded(self, step: Step) -> bool:
        """Tell whether a step ran as it is now: not one of other words, under the same name."""
        node = self.find(step.record)
        return node is not None and node.recipe == step.recipe

    def begin(self, step: Step, reason: str) -> Ticket:
        """Digest the known inputs of a step that is about to run.

        That is not before times of files can tell edits of this run from earlier ones.
        """
        early_ns = self._quiet_ns - time.time_ns()
        if 0 < early_ns <= 2 * RACY_NANOSECONDS:  # more is a clock that was set back
            time.sleep(early_ns * 1e-9)
        digests = tuple(self.digest(str(path)) for path in step.inputs)
        return Ticket(reason, time.time_ns(), digests)

    def record(
        self, step: Step, ticket: Ticket, discovered: Sequence[str], is_refused: bool = False
    ) -> None:
        """Remember a finished step, unless an input moved meanwhile, so that it is stale.

        is_refused: it is a check, and its kmod is not fit; that, too, holds while nothing changes.
        discovered are the files that the command was seen to read (headers). The next flush looks
        whether they are what they were, for all steps at once, and puts it on the disk.
        """
        outputs = [str(path) for path in step.outputs]
        self._book.forget(outputs)
        known = [str(path) for path in step.inputs]
        further = resolve_headers(discovered, known, self._book.places)
        unsure = self._meanwhile.find_unsure(outputs, ticket, known, further)
        if unsure is None:
            self._take_for_moved(step, (*known, *further))
            return
        self._meanwhile.made.update(outputs, resolve_headers(outputs, (), self._book.places))
        shadows = self._find_shadows(step, discovered)
        further += [path for path in dict.fromkeys(shadows.dangling) if path not in further]
        files = self._book.files
        inputs = [*(files[path] for path in known), *self._book.find_all(further)]
        digests = [*ticket.digests, *(file.digest for file in inputs[len(known) :])]
        made = b"".join([digest[:PREFIX_BYTES] for digest in self._book.look_at_made(outputs)])
        results = [files[path] for path in outputs]
        recipe = step.recipe
        node = Node(
            recipe,
            make_key(recipe, digests),
            array("I", [file.identity for file in inputs]),
            b"".join([digest[:PREFIX_BYTES] for digest in digests]),
            array("I", [file.identity for file in results]),
            made,
            f"{REFUSED}{ticket.reason}" if is_refused else ticket.reason,
            pack_shadows(shadows.absent),
        )
        self._save(step, node)
        self._meanwhile.add(step, ticket.began_ns, unsure)

    def flush(self) -> None:
        """Have all that was recorded on the disk's way, where a kill does not lose it."""
        self._make_sure()
        self._database.flush()

    def _make_sure(self) -> None:
        """Have those steps stale for which a file changed while they ran."""
        for one in self._meanwhile.find_moved():
            self._take_for_moved(one.step, (*map(str, one.step.inputs), *one.seen))

    def _take_for_moved(self, step: Step, read: Iterable[str]) -> None:
        self._awaited.update(read)
        self._take_down_outputs(step, _MOVED)
        self.counts.forgotten.append(step.name)

    def fail(self, step: Step) -> None:
        """Take down that a step failed: it is stale until it is done.

        Where its outputs are still those of its last success, that stays recorded: with the
        inputs of then, they are again what it would make.
        """
        self._book.forget(map(str, step.outputs))
        made = self.made(step.record)
        try:
            if not made or not all(self.is_as_made(path, prefix) for path, prefix in made):
                self._take_down_outputs(step, _FAILED)
        except BuildsysError:  # something that cannot be read is where an output should be
            self.forget(step.record)

    def made(self, record: str) -> tuple[tuple[str, bytes], ...]:
        """Give the outputs of a record, each with the beginning of its digest (8 bytes)."""
        node = self.find(record)
        if node is None:
            return ()
        return tuple(
            (self._known[identity].path, digest_prefix(node.made, index))
            for index, identity in enumerate(node.outputs)
        )

    def is_as_made(self, path: str, prefix: bytes) -> bool:
        """Tell whether a file is there and holds the bytes that a step made."""
        try:
            digest = self.digest(path)
        except BuildsysError:  # no file that could be read
            return False
        return digest != ABSENT and digest[:PREFIX_BYTES] == prefix

    def forget(self, record: str) -> None:
        """Make the step of a record stale; an unknown one is fine."""
        if self.find(record) is not None:
            del self._nodes[record]
            self._database.forget(record)

    def forget_all(self) -> None:
        """Make every step stale."""
        self._nodes.clear()
        self._database.forget_all()

    def names(self) -> frozenset[str]:
        """Give the names of all records."""
        return frozenset(self._nodes)

    def plans(self) -> dict[str, frozenset[str]]:
        """Give the records that belong to plans, by the name under which these were kept."""
        return self._database.load_plans()

    def replace_plan(self, name: str, records: Collection[str], gone: Collection[str]) -> None:
        """Keep which records belong to a plan, and forget those that are gone, at one moment.

        What is known of files that no record names any more is forgotten with them.
        """
        for record in gone:
            self._nodes.pop(record, None)
        used = {identity for node in self._nodes.values() for identity in node.inputs}
        used.update(identity for node in self._nodes.values() for identity in node.outputs)
        files = self._book.files
        used.update(files[path].identity for path in self._awaited if path in files)
        unused = [] if not gone else [number for number in self._known if number not in used]
        self._book.drop(unused)
        self._database.save_plan(name, records, gone, unused)

    def seen(self, steps: Iterable[Step]) -> Seen:
        """Give every file that the given finished steps read or made."""
        identities: set[int] = set()
        absent: dict[str, set[str]] = {}
        for step in steps:
            node = self.find(step.record)
            if node is not None:
                identities.update(node.inputs)
                identities.update(node.outputs)
                for names, places in unpack_shadows(node.shadows):
                    for place in places:
                        absent.setdefault(place, set()).update(names)
        stamps: dict[str, Stamp | None] = {}
        for identity in identities:
            known = self._known[identity]
            if known.digest == ABSENT:
                directory, name = os.path.split(known.path)
                absent.setdefault(directory, set()).add(name)
            elif is_place(known.digest):
                is_same = digest_any(known.path) == known.digest
                stamps[known.path] = stat_stamp(known.path) if is_same else None
            else:
                stamps[known.path] = known.stamp
        return Seen(stamps, absent)

    def close(self) -> None:
        """Save what was learnt of files, and close."""
        try:
            self._make_sure()
            self._database.save_files(self._book.files.values())
        finally:
            self._database.close()

    def _take_down_outputs(self, step: Step, reason: str) -> None:
        """Remember what a step left in the places of its outputs, which is not to be trusted."""
        outputs = [str(path) for path in step.outputs]
        made = b"".join(self.digest(path)[:PREFIX_BYTES] for path in outputs)
        places = array("I", [self._book.files[path].identity for path in outputs])
        self._save(step, make_untrusted(step.recipe, places, made, reason))

    def _save(self, step: Step, node: Node) -> None:
        """Remember a step; what it made before under other names is kept as dropped."""
        record = step.record
        if not step.module:  # what is installed is not ours to take away
            self._write(record, node)
            return
        names = {self._known[identity].path for identity in node.outputs}
        former = dict((*self.made(DROPPED + record), *self.made(record)))
        dropped = {path: prefix for path, prefix in former.items() if path not in names}
        if not dropped:
            self.forget(DROPPED + record)
        elif dropped != dict(self.made(DROPPED + record)):
            places = array("I", [self._book.files[path].identity for path in dropped])
            left = make_untrusted(b"", places, b"".join(dropped.values()), "")
            self._write(DROPPED + record, left)
        self._write(record, node)

    def _write(self, record: str, node: Node) -> None:
        self._nodes[record] = node
        known = self._known
        files = [known[number] for number in (*node.inputs, *node.outputs)]
        self._database.save([file for file in files if not file.is_saved], record, node)

    def _find_shadows(self, step: Step, headers: Sequence[str]) -> Shadows:
        match step.action:
            case Command(search_path=search_path) if search_path:
                roots = [str(path) for path in search_path]
                shadows = find_shadows(str(step.inputs[0]), headers, roots, self._book.list)
                asked = self.notes.find_asked(headers, roots)
                return Shadows(shadows.absent, (*shadows.dangling, *asked))
        return Shadows({})

    def _follow_links(self, step: Step, node: Node) -> Node | None:
        """Give the record of a step whose links lead to copies of what it read; None: to others."""
        if not isinstance(step.action, Command) or not step.action.search_path:
            return None
        seen = {
            self._known[identity].path: digest_prefix(node.seen, index)
            for index, identity in enumerate(node.inputs)
        }
        roots = (*step.action.search_path, *(path.parent for path in step.inputs))
        paths = follow_links(seen, map(str, roots), self.digest)
        if paths is None:
            return None
        digests = [self.digest(path) for path in paths]
        inputs = array("I", [self._book.files[path].identity for path in paths])
        prefixes = b"".join([digest[:PREFIX_BYTES] for digest in digests])
        key = make_key(node.recipe, digests)
        followed = replace(node, key=key, inputs=inputs, seen=prefixes)
        self._write(step.record, followed)
        return followed

    def _name_change(self, node: Node, index: int, digests: Sequence[bytes]) -> str:
        """Say what became of one of the inputs."""
        path = self._known[node.inputs[index]].path
        if digests[index] == ABSENT:
            return f"{path} is missing"
        if digest_prefix(node.seen, index) == ABSENT[:PREFIX_BYTES]:
            return f"{path} is new"
        return f"{path} changed"


def _find_changed(node: Node, digests: Sequence[bytes]) -> list[int]:
    """Give the indexes of inputs that have other digests than a step saw."""
    seen = node.seen
    return [
        index
        for index, digest in enumerate(digests)
        if digest[:PREFIX_BYTES] != seen[index * PREFIX_BYTES : (index + 1) * PREFIX_BYTES]
    ]
