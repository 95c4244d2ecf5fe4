"""Refusing to write results over what they are made from, or into places of other duties."""

import os
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.errors import UsageError
from buildsys.config import Config

_PLACES = (
    ("modules", "the module descriptors"),
    ("src", "the source tree"),
    ("destdir", "what is installed (DESTDIR)"),
    ("objdir", "objects and records (OBJDIR)"),
)


def refuse_inputs(option: str, path: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse to write path where that is, by whatever name, one of the files that are read."""
    real = os.path.realpath(path)
    for known in inputs:
        if known is not None and (os.path.realpath(known) == real or _is_same(known, path)):
            raise UsageError(f"{option}: {path} is read by this run; write to another file")


def refuse_places(option: str, path: Path, config: Config, allowed: tuple[str, ...] = ()) -> None:
    """Refuse to write path into directories of another duty; allowed are keys of settings."""
    real = Path(os.path.realpath(path))
    for key, words in _PLACES:
        place = getattr(config, key)
        if key in allowed or place is None or not place.is_dir():
            continue
        if real.is_relative_to(os.path.realpath(place)):
            raise UsageError(
                f"{option}: {path} is in {place}, which is for {words}; write elsewhere"
            )


def refuse_containing(option: str, path: Path, config: Config, further: Iterable[Path]) -> None:
    """Refuse a directory that is to be replaced as a whole, and holds places that are in use."""
    real = os.path.realpath(path)
    known = (getattr(config, key) for key, _ in _PLACES)
    for place in (*known, config.sets, config.kernel, config.tooldir, *further):
        if place is not None and Path(os.path.realpath(place)).is_relative_to(real):
            raise UsageError(
                f"{option}: {path} is replaced as a whole, and holds {place}; name a directory of"
                " its own"
            )


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two names are one file, by hard links too."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
