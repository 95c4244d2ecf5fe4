"""The kmods in a modules directory, whoever put them there."""

import os
from collections.abc import Collection
from pathlib import Path

from buildsys.base.digest import Stamp, stat_stamp


def find_installed(directory: Path) -> tuple[tuple[str, Path], ...]:
    """Give NAME/NAME.kmod of a modules directory, by name; none where there is no directory."""
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return ()
    top = os.fspath(directory)
    found = ((name, f"{top}/{name}/{name}.kmod") for name in names)
    return tuple((name, Path(path)) for name, path in found if os.path.lexists(path))


def find_others(directory: str, ours: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Give those of other names than ours, by name."""
    found = find_installed(Path(directory))
    return tuple((name, str(path)) for name, path in found if name not in ours)


def stamp_others(directory: str, ours: Collection[str]) -> list[tuple[str, Stamp | None]]:
    """Give what shows that other names than ours come or go: the stamp of the directory, and
    NAME/NAME.kmod as absent where NAME is there and the kmod is not.
    """
    stamp = stat_stamp(directory)
    try:
        names = [name for name in os.listdir(directory) if name not in ours]
    except OSError:
        names = []
    paths = (f"{directory}/{name}/{name}.kmod" for name in names)
    return [(directory, stamp), *((path, None) for path in paths if not os.path.exists(path))]
