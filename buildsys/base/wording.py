"""Words for people that every part needs: paths as they see them, and numbers of things."""

import os
from pathlib import Path


def show_path(path: Path, directory: Path) -> str:
    """Spell a path as someone standing in directory would."""
    relative = os.path.relpath(path, directory)
    return str(path) if relative.startswith("..") else relative


def count(number: int, noun: str) -> str:
    """Say how many of something there are: 1 module, 2 modules."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
