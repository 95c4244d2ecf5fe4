"""The files that steps read and make: their digests, read again only where a stamp is another."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from buildsys.base.digest import (
    ABSENT,
    RACY_NANOSECONDS,
    Stamp,
    find_way,
    has_stamp,
    is_there,
    stat_stamp,
)
from buildsys.base.errors import BuildsysError
from buildsys.pipeline.depfile import resolve_place
from buildsys.pipeline.storefile import DamagedRecordError, KnownFile, unpack_shadows
from buildsys.pipeline.storevalues import StoreCounts, digest_any, digest_place, is_place

_ATTEMPTS = 5


class FileBook:
    """What is known of files by path, and by the number under which steps are recorded."""

    def __init__(
        self,
        known: Iterable[KnownFile],
        counts: StoreCounts,
        next_identity: int = 1,
        fetch: Callable[[str], KnownFile | None] | None = None,
        has_fine_times: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.files = {file.path: file for file in known}
        self.numbered = {file.identity: file for file in self.files.values()}
        self.places: dict[str, str] = {}  # directories as they were named: their real names
        self._counts = counts
        self._listings: dict[str, frozenset[str]] = {}
        self._shadows: dict[bytes, str] = {}  # what find_shadow found
        self._young: set[str] = set()
        self._next_identity = next_identity
        self._has_fine_times = has_fine_times  # at them, the next write shows however soon it comes
        self._fetch = fetch  # where known is not all that there is

    def find(self, path: str) -> KnownFile | None:
        """Give what is known of a file."""
        known = self.files.get(path)
        if known is None and self._fetch is not None:
            known = self._fetch(path)
            if known is not None:
                self.add((known,))
        return known

    def add(self, known: Iterable[KnownFile]) -> None:
        """Take in more of what is known."""
        for file in known:
            present = self.numbered.setdefault(file.identity, file)
            if present.path != file.path:
                raise DamagedRecordError("two files of one number in the record of the build")
            self.files[file.path] = present

    def digest(self, path: str) -> bytes:
        """Digest a file; an unchanged stamp spares the read. ABSENT when there is no file.

        A directory (or a link to one) is digested as the place that it stands for.
        """
        known = self.find(path)
        if known is not None and known.is_current:
            return known.digest
        if known is not None and known.digest == ABSENT and not self._is_listed(path):
            known.is_current = True
            return ABSENT
        return self._look_at(path)

    def find_all(self, paths: Iterable[str]) -> list[KnownFile]:
        """Give what is known of files, which are looked at if they were not yet."""
        files = self.files
        found = []
        for path in paths:
            known = files.get(path)
            if known is None or not known.is_current:
                self.digest(path)
                known = files[path]
            found.append(known)
        return found

    def digest_all(self, numbers: Sequence[int]) -> list[bytes]:
        """Digest files that are known by number."""
        known = self.numbered
        return [
            file.digest if (file := known[number]).is_current else self.digest(file.path)
            for number in numbers
        ]

    def find_unseen(self, paths: Iterable[str]) -> list[str]:
        """Give those files that were not looked at in this run."""
        files = self.files
        return [
            path
            for path in paths
            if (known := files.get(path) or self.find(path)) is None or not known.is_current
        ]

    def look_again(self, path: str) -> bytes:
        """Digest a file that may have changed since this run looked at it."""
        known = self.find(path)
        if known is not None and known.stamp is not None:
            self._counts.stats += 1
            if has_stamp(path, known.stamp):
                return known.digest
        return self._look_at(path)

    def find_doubtful(self, paths: Iterable[str], limit_ns: int) -> list[str]:
        """Give those files that may be others than when they were looked at in this run.

        Theirs is another stamp now, or one of after limit_ns, or they were not looked at.
        """
        files, look = self.files, os.stat
        doubtful: list[str] = []
        for path in paths:
            self._counts.stats += 1
            known = files.get(path)
            if known is None or not known.is_current:
                doubtful.append(path)
                continue
            stamp = known.stamp
            if stamp is None:
                way = find_way(path) if is_place(known.digest) else None
                if way is None or way[1] > limit_ns or digest_place(way[0]) != known.digest:
                    doubtful.append(path)
                continue
            try:
                status = look(path)
            except OSError:
                doubtful.append(path)
                continue
            if (
                stamp.ctime_ns > limit_ns
                or status.st_ctime_ns != stamp.ctime_ns
                or status.st_mtime_ns != stamp.mtime_ns
                or status.st_size != stamp.size
                or status.st_ino != stamp.inode
            ):
                doubtful.append(path)
        return doubtful

    def forget(self, paths: Iterable[str]) -> None:
        """Look at files anew when they are next asked for; listings of their directories, too."""
        for path in paths:
            directory, slash, name = path.rpartition("/")
            known = self.find(path)
            if known is not None:
                known.is_current = False
            place = resolve_place(directory, self.places)
            if place != directory:  # as a header it is known by the real name
                known = self.find(f"{place}{slash}{name}")
                if known is not None:
                    known.is_current = False
            self._listings.pop(directory, None)
            self.places.pop(path, None)
        self._shadows.clear()

    def look_at_made(self, paths: Iterable[str]) -> list[bytes]:
        """Digest files that a step just made, or left as they were."""
        digests = []
        for path in paths:
            known = self.files.get(path)
            if known is None or known.stamp is None or not has_stamp(path, known.stamp):
                digests.append(self._look_at(path))
                continue
            self._counts.stats += 1
            known.is_current = True
            digests.append(known.digest)
        return digests

    def list(self, directory: str) -> frozenset[str]:
        """Give the names in a directory; none where there is no such directory."""
        names = self._listings.get(directory)
        if names is None:
            try:
                names = frozenset(os.listdir(directory))
            except OSError:
                names = frozenset()
            self._listings[directory] = names
        return names

    def find_shadow(self, shadows: bytes) -> str:
        """Give a file that should not be there; '' for none. Many steps ask for the same."""
        found = self._shadows.get(shadows)
        if found is None:
            names = (
                os.path.join(place, name)
                for names, places in unpack_shadows(shadows)
                for place in places
                for name in sorted(names & self.list(place))
            )
            # What does not exist all the same is a link that leads nowhere.
            found = self._shadows[shadows] = next(filter(is_there, names), "")
        return found

    def is_too_young(self, path: str, began_ns: int) -> bool:
        """Tell whether a file may have changed since a command began that was not looked at then.

        Its times must be older than the command. Where the clock was set back, and they are in
        the future, only what an earlier run read can tell.
        """
        known = self.find(path)
        before = None if known is None else known.digest
        digest = self.digest(path)
        if is_place(digest):
            way = find_way(path)
            changed_ns = None if way is None else way[1]
        else:
            stamp = stat_stamp(path)
            changed_ns = None if stamp is None else stamp.ctime_ns
        if changed_ns is None:
            return True
        if changed_ns > time.time_ns() + RACY_NANOSECONDS:
            return digest != before
        return changed_ns > began_ns - RACY_NANOSECONDS

    def drop(self, numbers: Iterable[int]) -> None:
        """Take files out that no step names any more."""
        for number in numbers:
            path = self.numbered.pop(number).path
            del self.files[path]
            self._young.discard(path)

    def settle(self) -> bool:
        """Look again at files that were too young to trust; False when one changed after all.

        Waits until their stamps are old enough that a further edit must show in them.
        """
        if not self._young:
            return True
        time.sleep(RACY_NANOSECONDS * 1.5e-9)
        is_unchanged = True
        for path in sorted(self._young):
            known = self.files[path]
            before = known.digest
            known.is_current = False
            known.stamp = None
            is_unchanged = self.digest(path) == before and is_unchanged
        self._young.clear()
        return is_unchanged

    def _look_at(self, path: str) -> bytes:
        known = self.find(path)
        self._counts.stats += 1
        if known is not None and known.stamp is not None and has_stamp(path, known.stamp):
            known.is_current = True
            return known.digest
        stamp = stat_stamp(path)
        for _ in range(_ATTEMPTS):
            before = stamp
            self._counts.digests += 1
            digest = ABSENT if before is None else digest_any(path)
            stamp = stat_stamp(path)
            if stamp == before or is_place(digest):
                return self._remember(path, stamp, digest)
        raise BuildsysError("it keeps changing while it is read", Path(path))

    def _remember(self, path: str, stamp: Stamp | None, digest: bytes) -> bytes:
        is_young = stamp is not None and time.time_ns() - stamp.ctime_ns < RACY_NANOSECONDS
        if is_young and (is_place(digest) or self._has_fine_times(path)):
            is_young = False
        if is_young:
            self._young.add(path)
        trusted = None if is_young or is_place(digest) else stamp
        known = self.find(path)
        if known is None:
            identity = self._next_identity
            self._next_identity += 1
            known = KnownFile(identity, path, trusted, digest, True, False)
            self.numbered[identity] = self.files[path] = known
        else:
            known.is_saved = known.is_saved and (known.stamp, known.digest) == (trusted, digest)
            known.stamp, known.digest, known.is_current = trusted, digest, True
        return digest

    def _is_listed(self, path: str) -> bool:
        directory, name = os.path.split(path)
        return name in self.list(directory)
