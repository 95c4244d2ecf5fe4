"""Which files decide what a next run does, each with the stamp under which this run knew it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from buildsys.base.digest import RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen
from buildsys.pipeline.request import Request
from buildsys.pipeline.storevalues import Seen
from buildsys.toolchain.identity import programs_named_by
from buildsys.toolchain.model import Tool

_PACKAGE = Path(__file__).resolve().parent.parent


@frozen
class Watch:
    """Stamps by path (None: there is no such file); is_settled when each is sure to be true.

    A run that finds all of them unchanged would find nothing to do, if they were settled.
    """

    stamps: tuple[tuple[str, Stamp | None], ...]
    is_settled: bool
    beside: frozenset[str]  # of these, what decides the plan


def take_watch(seen: Seen, beside: Iterable[str], began_ns: int) -> Watch:
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
        stamp, listed = _look_into(directory)
        stamps[directory] = stamp
        for name in names & listed:
            path = os.path.join(directory, name)
            stamps[path] = None
            if os.path.exists(path):  # else a link that leads nowhere
                is_settled = False
    return Watch(tuple(sorted(stamps.items())), is_settled, beside)


def _can_look_at(path: str) -> bool:
    """Tell whether a directory of PATH is one that we may look at: no other holds a tool for us."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return path != ""
    except OSError:
        return False
    return True


def _may_be_directory(path: Path) -> bool:
    """Tell whether it is a directory, or a link that leads nowhere yet."""
    return path.is_dir() or (path.is_symlink() and _can_look_at(str(path)))


def _look_into(directory: str) -> tuple[Stamp | None, frozenset[str]]:
    """Give a directory's stamp and names, so that a name that comes later shows in the stamp."""
    stamp = stat_stamp(directory)
    if stamp is not None and time.time_ns() - stamp.ctime_ns < RACY_NANOSECONDS:
        time.sleep(RACY_NANOSECONDS * 1.5e-9)
        stamp = stat_stamp(directory)
    try:
        return stamp, frozenset(os.listdir(directory))
    except OSError:
        return stamp, frozenset()


def _name_tool(tool: Tool) -> Iterator[Path]:
    """Give the files behind a tool, and the names that lead there: a link may come to lead away."""
    yield Path(tool.argv[0])
    for path in tool.files:
        yield path
        yield from programs_named_by(path)


def _walk(directory: str) -> Iterator[str]:
    """Go through all files and directories below one."""
    for place, directories, files in os.walk(directory):
        yield from (f"{place}/{name}" for name in (*directories, *files))


def find_beside(request: Request, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the files and directories that decide what is planned, rather than what steps read."""
    config = request.config
    paths = [config.file, config.modules]
    # A directory without a descriptor is watched too: one may be written there.
    paths += (path for path in config.modules.glob("*") if _may_be_directory(path))
    paths += config.modules.glob("*/*.yaml")
    for module in request.modules:
        paths += [module.directory, module.place.path]
        if module.recipe is not None and module.recipe.base is not None:
            paths.append(module.recipe.base)
    for _, tool in request.toolchain.tools():
        paths += () if tool is None else _name_tool(tool)
    if config.src is not None:
        paths.append(config.src / "sys/sys/param.h")
    if config.kernel is not None:
        paths.append(config.kernel)
    names = {str(path) for path in paths}
    names.update(name for name in _walk(str(_PACKAGE)) if name.endswith(".py"))
    names.update(_walk(str(shipped_path("toolchain"))))
    if request.tree is not None:
        names.update(request.tree.watched)
    if config.tooldir is not None:  # a tool that was missing may come
        names.add(str(config.tooldir / "bin"))
    names.update(path for path in environment.get("PATH", "").split(":") if _can_look_at(path))
    return tuple(sorted(names))
