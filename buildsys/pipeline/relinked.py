"""What a step read through a directory that leads elsewhere now: the same bytes, or others.

A link that comes to lead to a copy makes no step stale by that alone.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from buildsys.base.digest import ABSENT
from buildsys.pipeline.storefile import PREFIX_BYTES
from buildsys.pipeline.storevalues import digest_place

# What is read once has its identity compared, not its content: two names of one file may be two.
_ONCE = re.compile(rb"#\s*(?:pragma\s+once|import)\b")


def follow_links(
    seen: Mapping[str, bytes],
    roots: Iterable[str],
    digest: Callable[[str], bytes],
) -> tuple[str, ...] | None:
    """Give what a step's inputs are through its links of now, if all of them are as it read them.

    seen are the beginnings of digests that its inputs had, by path in their order; roots are
    directories that it was told. None where something is another, or may be.
    """
    changed = [path for path, prefix in seen.items() if digest(path)[:PREFIX_BYTES] != prefix]
    names: dict[str, list[str]] = {}  # of files, by directory
    for path in seen:
        place, _, name = path.rpartition("/")
        names.setdefault(place, []).append(name)
    formers = {digest_place(place)[:PREFIX_BYTES]: place for place in names}
    moved: dict[str, str] = {}  # directories as they were and as they are
    if not changed:
        return None
    for path in changed:
        former = formers.get(seen[path])
        if former is None:
            continue
        if former in moved or not os.path.isdir(path):
            return None
        moved[former] = os.path.realpath(path)
    replaced: dict[str, str] = {}
    for former, present in moved.items():
        for name in names[former]:
            old, new = f"{former}/{name}", f"{present}/{name}"
            if digest(new)[:PREFIX_BYTES] != seen[old] or _is_read_once(new):
                return None
            replaced[old] = new
    still = _find_still_used(seen, changed, moved, roots)
    for path in changed:  # a file that changed where no link leads any more is of no account
        is_left = path in replaced and path.rpartition("/")[0] not in still
        if seen[path] not in formers and not is_left:
            return None
    paths: dict[str, None] = {}
    for path in seen:
        if path.rpartition("/")[0] in still or path not in replaced:
            paths[path] = None
        if path in replaced:
            paths[replaced[path]] = None
    return None if any(digest(path) == ABSENT for path in replaced.values()) else tuple(paths)


def _find_still_used(
    seen: Mapping[str, bytes],
    changed: Sequence[str],
    moved: Mapping[str, str],
    roots: Iterable[str],
) -> set[str]:
    """Give those directories from which files may have been read by another way, too."""
    others = {prefix for path, prefix in seen.items() if path not in changed}
    starts = tuple(f"{root.rstrip('/')}/" for root in roots)
    return {
        former
        for former in moved
        if digest_place(former)[:PREFIX_BYTES] in others or f"{former}/".startswith(starts)
    }


def _is_read_once(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return _ONCE.search(stream.read()) is not None
    except OSError:
        return True
