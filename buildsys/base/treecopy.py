"""Another copy of a tree of sources, to build in: the same content under another name."""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text

_DIRECTORY_MODE = 0o755
_LEFT_OUT = frozenset({".git", ".hg", "CVS", ".svn"})


def copy_sources(source: Path, target: Path, seconds: int, left_out: Collection[str] = ()) -> None:
    """Copy a directory; every file is readable for all and was changed at seconds since 1970."""

    def copy(path: str, name: str) -> None:
        shutil.copyfile(path, name)
        os.chmod(name, 0o755 if os.access(path, os.X_OK) else 0o644)
        os.utime(name, (seconds, seconds))

    _walk(source, target, copy, left_out)


def link_sources(source: Path, target: Path, left_out: Collection[str] = ()) -> None:
    """Give every file of a directory a second name; copies where there are no hard links."""

    def link(path: str, name: str) -> None:
        try:
            os.link(path, name)
        except OSError:
            shutil.copy2(path, name)

    _walk(source, target, link, left_out)


def _walk(
    source: Path, target: Path, take: Callable[[str, str], None], left_out: Collection[str]
) -> None:
    skipped = {os.path.realpath(path) for path in left_out}
    try:
        pending = [(str(source), str(target))]
        while pending:
            here, there = pending.pop()
            os.makedirs(there, exist_ok=True)
            os.chmod(there, _DIRECTORY_MODE)
            for item in sorted(os.scandir(here), key=lambda item: item.name):
                name = os.path.join(there, item.name)
                # A link at the top may be how a tree was put together; further down it stays one.
                is_followed = here == str(source)
                if item.name in _LEFT_OUT or os.path.realpath(item.path) in skipped:
                    continue
                if item.is_dir(follow_symlinks=is_followed):
                    pending.append((item.path, name))
                elif item.is_symlink() and not is_followed:
                    os.symlink(os.readlink(item.path), name)
                elif item.is_file():
                    take(item.path, name)
    except OSError as error:
        raise BuildsysError(f"cannot copy: {os_error_text(error)}", source) from error


def give_directory(path: Path, owner: tuple[int, int]) -> None:
    """Make an empty directory that belongs to someone (uid, gid)."""
    try:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, _DIRECTORY_MODE)
        os.chown(path, *owner)
    except OSError as error:
        raise BuildsysError(f"cannot make the directory: {os_error_text(error)}", path) from error
