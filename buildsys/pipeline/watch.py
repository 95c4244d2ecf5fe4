"""Which files decide what a next run does, each with the stamp under which this run knew it."""

import os
import time
from collections.abc import Callable, Iterable

from buildsys.base.digest import RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.value import frozen
from buildsys.pipeline.storevalues import Seen


@frozen
class Watch:
    """Stamps by path (None: there is no such file); is_settled when each is sure to be true.

    A run that finds all of them unchanged would find nothing to do, if they were settled.
    """

    stamps: tuple[tuple[str, Stamp | None], ...]
    is_settled: bool
    beside: frozenset[str]  # of these, what decides the plan


def take_watch(
    seen: Seen, beside: Iterable[str], began_ns: int, has_fine_times: Callable[[str], bool]
) -> Watch:
    """Watch what the store saw of steps, and files beside that were read after began_ns.

    What may have changed since it was read is not settled: a stamp taken now could hide that.
    """
    stamps: dict[str, Stamp | None] = dict(seen.stamps)
    beside = frozenset(beside)
    is_settled = all(stamp is not None for stamp in stamps.values())
    for path in beside:
        stamp = stat_stamp(path)
        stamps.setdefault(path, stamp)
        if stamp is not None and stamp.ctime_ns > began_ns - RACY_NANOSECONDS:
            is_settled = False
    for directory, names in seen.absent.items():
        stamp, listed = _look_into(directory, has_fine_times)
        stamps[directory] = stamp
        for name in names & listed:
            path = os.path.join(directory, name)
            stamps[path] = None
            if os.path.exists(path):  # else a link that leads nowhere
                is_settled = False
    return Watch(tuple(sorted(stamps.items())), is_settled, beside)


def watch_further(watch: Watch, paths: Iterable[str], began_ns: int) -> Watch:
    """Watch files too that no step of the run read or made."""
    known = {path for path, _ in watch.stamps}
    further = [(path, stat_stamp(path)) for path in paths if path not in known]
    is_old = all(
        stamp is None or stamp.ctime_ns <= began_ns - RACY_NANOSECONDS for _, stamp in further
    )
    return Watch((*watch.stamps, *further), watch.is_settled and is_old, watch.beside)


def _look_into(
    directory: str, has_fine_times: Callable[[str], bool]
) -> tuple[Stamp | None, frozenset[str]]:
    """Give a directory's stamp and names, so that a name that comes later shows in the stamp."""
    stamp = stat_stamp(directory)
    is_young = stamp is not None and time.time_ns() - stamp.ctime_ns < RACY_NANOSECONDS
    if is_young and not has_fine_times(directory):
        time.sleep(RACY_NANOSECONDS * 1.5e-9)
        stamp = stat_stamp(directory)
    try:
        return stamp, frozenset(os.listdir(directory))
    except OSError:
        return stamp, frozenset()
