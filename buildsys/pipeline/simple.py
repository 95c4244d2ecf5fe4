"""Whether what changed is simple enough for the short way: files of steps, and no part of the plan.

A directory that only looks as if files had been taken out and put back (editors that write beside
a file and rename, a file exchanged by version control) holds the names that it held. A source is a
part of the plan by what it says of its module, sys/sys/param.h by the release.
"""

import hashlib
import importlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from buildsys.base.digest import RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.value import frozen, replace
from buildsys.pipeline.frame import Frame
from buildsys.pipeline.installed import find_others
from buildsys.pipeline.keptplan import KeptPlan
from buildsys.pipeline.store import Store
from buildsys.pipeline.watch import Watch
from buildsys.snapshot import Snapshot

# What editors leave beside a file while it is open, and afterwards: no make and no compiler asks
# for such a name.
_EDITORS = re.compile(r".*~|\..*\.sw[a-z]|\.#.*|#.*#", re.DOTALL)


@frozen
class Changes:
    """Files and directories that changed.

    stamps are those of what was looked at (directories, sources for what they say), from before.
    """

    files: tuple[str, ...]
    directories: tuple[str, ...]
    stamps: Mapping[str, Stamp | None]

    @property
    def is_still_so(self) -> bool:
        """Tell whether all is as it was when it was looked at."""
        return all(stat_stamp(path) == stamp for path, stamp in self.stamps.items())


def digest_listing(directory: str) -> bytes:
    """Digest the names in a directory, what is a directory and where links lead; b'' for none.

    Not what editors leave there.
    """
    names = []
    try:
        with os.scandir(directory) as found:
            for entry in found:
                if _EDITORS.fullmatch(entry.name) and not entry.is_dir():
                    continue
                mark = "/" if entry.is_dir() else ""
                target = os.readlink(entry.path) if entry.is_symlink() else ""
                names.append(f"{entry.name}{mark}\0{target}\0")
    except OSError:
        return b""
    content = "\0".join(sorted(names)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).digest()


def heed(
    stamps: Iterable[tuple[str, Stamp | None]],
    announced: Mapping[str, bytes],
    programs: Collection[str],
) -> dict[str, bytes]:
    """Give what must be so that a plan holds, by path: a digest, b'' where it is the very file.

    stamps are of the files and directories that decide the plan, under which it was made; announced
    are digests of what sources say of their modules. programs are directories in which programs are
    looked for: who may run what has a name there is not for its listing to tell.
    """
    heeded = dict(announced)
    for path, stamp in stamps:
        is_listed = stamp is not None and path not in programs and os.path.isdir(path)
        digest = digest_listing(path) if is_listed else _digest_release(path)
        heeded[path] = digest if stat_stamp(path) == stamp else b""
    return heeded


def find_changes(frame: Frame, kept: KeptPlan, changed: Collection[str]) -> Changes | None:
    """Tell what changed, where that leaves the plan as it is; None: a whole run must look."""
    files: list[str] = []
    directories: list[str] = []
    stamps: dict[str, Stamp | None] = {}
    if any(path in changed and not os.path.lexists(path) for _, path in frame.others):
        return None
    for path in changed:
        if path == frame.installed:
            if find_others(path, kept.modules) != frame.others:
                return None
            continue
        digest = kept.heeded.get(path)
        if _is_directory(path):
            directories.append(path)
            stamps[path] = stat_stamp(path)
            if digest is not None and (not digest or digest_listing(path) != digest):
                return None
            continue
        files.append(path)
        if digest is not None:
            stamps[path] = stat_stamp(path)
            if not digest or _sources().digest_words(path) != digest:
                return None
    return Changes(tuple(files), tuple(directories), stamps)


def find_changed_files(store: Store, changes: Changes, former: Snapshot) -> list[str] | None:
    """Give all files whose readers must be looked at; None: a name came that must not be there.

    They are those that changed, and what steps know of a directory that did: itself, where they
    came through it to what they read, and files in it that were not there when all was up to date.
    """
    files = list(changes.files)
    for directory in changes.directories:
        known, missing = store.load_directory(directory)
        if not missing.isdisjoint(_list(directory)):
            return None
        for path in known:
            has_come = former.find(path) is None and os.path.lexists(path)
            if path == directory or has_come:
                files.append(path)
    return files


def watch_changes(
    watch: Watch, changes: Changes, began_ns: int, has_fine_times: Callable[[str], bool]
) -> Watch:
    """Watch what was looked at, too, under the stamps of then; began_ns is from before."""
    known = dict(watch.stamps)
    further = [(path, stamp) for path, stamp in changes.stamps.items() if path not in known]
    is_settled = all(
        stamp is not None
        and (stamp.ctime_ns < began_ns - RACY_NANOSECONDS or has_fine_times(path))
        and (path in changes.directories or known.get(path, stamp) == stamp)
        for path, stamp in changes.stamps.items()
    )
    return replace(
        watch, stamps=(*watch.stamps, *further), is_settled=watch.is_settled and is_settled
    )


def _digest_release(path: str) -> bytes:
    """Digest what sys/sys/param.h says of the release; b'' for any other file."""
    digest: bytes = _sources().digest_words(path) if _sources().is_release_header(path) else b""
    return digest


def _sources() -> Any:
    return importlib.import_module("buildsys.srctree.sources")


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False


def _list(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
