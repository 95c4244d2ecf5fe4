"""Whether files changed while steps ran that read them.

What a step reads for the first time in a run must be older than the step. All else was looked at
before, and must still be what it was then: that is asked for many steps at once.
"""

import time
from collections.abc import Iterable, Sequence, Set

from buildsys.base.digest import RACY_NANOSECONDS
from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.pipeline.filebook import FileBook
from buildsys.pipeline.step import Step
from buildsys.pipeline.storevalues import Ticket, is_place


@frozen
class Unsure:
    """A step that ended, when it began (ns), and the digests that files had before, by path."""

    step: Step
    began_ns: int
    seen: dict[str, bytes]


class Meanwhile:
    """The steps that ended since it was last asked; made are outputs of this run's steps."""

    def __init__(self, book: FileBook) -> None:
        self.made: set[str] = set()
        self._book = book
        self._unsure: list[Unsure] = []

    def find_unsure(
        self,
        outputs: Sequence[str],
        ticket: Ticket,
        known: Sequence[str],
        further: Sequence[str],
    ) -> list[str] | None:
        """Give what was looked at before of what a step read; None: some of it moved meanwhile.

        known are the inputs of its ticket, further what it was seen to read beside them.
        """
        for path, digest in zip(known, ticket.digests, strict=True):
            if path not in outputs and self._book.look_again(path) != digest:
                return None
        new = self._book.find_unseen(further)
        # Each is looked at, so that a next run knows all of them.
        if [path for path in new if self._book.is_too_young(path, ticket.began_ns)]:
            return None
        left_out = frozenset(new)
        return [path for path in further if path not in left_out] if new else list(further)

    def add(self, step: Step, began_ns: int, unsure: Iterable[str]) -> None:
        """Take in a step that ended, and what find_unsure gave of it."""
        files = self._book.files
        held = {path: files[path].digest for path in unsure}
        if held:
            self._unsure.append(Unsure(step, began_ns, held))

    def find_moved(self) -> list[Unsure]:
        """Give those steps for which a file is another than the one that they may have read."""
        if not self._unsure:
            return []
        unsure, self._unsure = self._unsure, []
        limit_ns = min(one.began_ns for one in unsure) - RACY_NANOSECONDS
        read: dict[str, bytes] = {}
        for one in unsure:
            read.update(one.seen)
        doubtful = frozenset(self._book.find_doubtful(read, limit_ns))
        return [one for one in unsure if self._find_others(one, doubtful)]

    def _find_others(self, unsure: Unsure, doubtful: Set[str]) -> list[str]:
        """Give those of some files that are others: each, so that a next run knows all of them."""
        suspect = [path for path in unsure.seen if path in doubtful] if doubtful else []
        return [path for path in suspect if self._is_another(unsure, path)]

    def _is_another(self, unsure: Unsure, path: str) -> bool:
        limit_ns, future_ns = unsure.began_ns - RACY_NANOSECONDS, time.time_ns() + RACY_NANOSECONDS
        try:
            if self._book.look_again(path) != unsure.seen[path]:
                return True
        except BuildsysError:  # no file that could be read
            return True
        header = self._book.files[path]
        # Another step may have looked at it first, after this one had read what it held.
        if header.stamp is not None and header.stamp.ctime_ns > limit_ns:
            return header.stamp.ctime_ns <= future_ns and path not in self.made
        is_others = is_place(header.digest) and not self._is_through_own_link(path)
        return is_others and self._book.is_too_young(path, unsure.began_ns)

    def _is_through_own_link(self, path: str) -> bool:
        """Tell whether a step of this run made a link on the way to a place."""
        while path and path not in self.made:
            path = path.rpartition("/")[0]
        return path != ""
