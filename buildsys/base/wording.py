"""Words for people that every part needs: paths as they see them, and numbers of things."""

import os
from collections.abc import Sequence
from pathlib import Path


def show_path(path: Path, directory: Path) -> str:
    """Spell a path as someone standing in directory would."""
    relative = os.path.relpath(path, directory)
    return str(path) if relative.startswith("..") else relative


def name_some(names: Sequence[str], shown: int = 3) -> str:
    """Name the first of many: a, b, c and 4 more."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def count(number: int, noun: str) -> str:
    """Say how many of something there are: 1 module, 2 modules."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
