"""The generations of a modules directory that were replaced: where they lie, which there are.

HISTORY/NUMBER/modules is a directory as it was, HISTORY/NUMBER/generation.json the receipts of
what was installed there. HISTORY/next is one that is being made. HISTORY/.spare is one that was
kept long enough: the next one is made of it, since most of what it holds is wanted again.
"""

import json
import os
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.exchange import move_directory
from buildsys.base.files import make_directory, read_whole, remove_tree, write_whole
from buildsys.base.value import frozen
from buildsys.install.receipt import Receipt, receipt_document, receipt_from

_FORMAT = 1
_RECORD = "generation.json"
_TREE = "modules"
_NEXT = "next"
_SPARE = ".spare"
HIDDEN = ".modbuild"


@frozen
class Generation:
    """A former modules directory; number counts from 1, the highest is the latest."""

    number: int
    path: Path
    receipts: tuple[Receipt, ...]
    replaced_ns: int  # when it was replaced, nanoseconds of the wall clock

    @property
    def tree(self) -> Path:
        """Give its modules directory."""
        return self.path / _TREE


@frozen
class Staging:
    """Where the next modules directory is made, and where the present one will lie afterwards.

    is_former: a former generation lies there, to be made the next.
    """

    directory: Path
    number: int
    is_former: bool

    @property
    def tree(self) -> Path:
        """Give the modules directory that is being made."""
        return self.directory / _TREE

    @property
    def generation(self) -> Path:
        """Give the name of the directory once it holds the former tree."""
        return self.directory.with_name(str(self.number))


def choose_history(preferred: Path, destdir: Path, directory: Path) -> Path:
    """Choose where generations lie: preferred, if the modules directory can be moved there.

    directory is the parent of the modules directory, which exists. On another file system they
    go into a hidden directory of DESTDIR, and as the last resort into one beside directory.
    """
    make_directory(preferred)
    return find_history(preferred, destdir, directory)


def find_history(preferred: Path, destdir: Path, directory: Path) -> Path:
    """Give what choose_history would choose, making nothing."""
    try:
        device = os.stat(directory).st_dev
        if not preferred.is_dir() or os.stat(preferred).st_dev == device:
            return preferred
        inside = destdir if os.stat(destdir).st_dev == device else directory
    except FileNotFoundError:
        return preferred
    except OSError as error:
        raise BuildsysError(f"cannot look at it: {os_error_text(error)}", preferred) from error
    return inside / HIDDEN / "generations" / directory.relative_to(destdir)


def begin_staging(history: Path) -> Staging:
    """Make room for a next modules directory; what a killed run left there goes."""
    directory, spare = history / _NEXT, history / _SPARE
    remove_tree(directory)
    is_former = (spare / _TREE).is_dir() and not any(map(os.path.islink, (spare, spare / _TREE)))
    if is_former:
        move_directory(spare, directory)
    else:
        make_directory(directory)
    return Staging(directory, max(_find_numbers(history), default=0) + 1, is_former)


def write_record(directory: Path, receipts: tuple[Receipt, ...]) -> None:
    """Write down what is installed in the tree of a generation, durably."""
    document = {
        "format": _FORMAT,
        "receipts": [receipt_document(receipt) for receipt in receipts],
    }
    content = (json.dumps(document) + "\n").encode()
    write_whole(directory / _RECORD, content, durable=True)


def load_generations(history: Path) -> tuple[Generation, ...]:
    """Give all generations, the latest first."""
    return tuple(_load(history / str(number)) for number in sorted(_find_numbers(history))[::-1])


def _find_numbers(history: Path) -> list[int]:
    if not history.is_dir():
        return []
    names = (path.name for path in history.iterdir() if (path / _TREE).is_dir())
    return [int(name) for name in names if name.isdecimal()]


def _load(path: Path) -> Generation:
    record = path / _RECORD
    content = read_whole(record)
    try:
        document = json.loads(content)
        if document["format"] != _FORMAT:
            raise ValueError(document["format"])
        receipts = tuple([receipt_from(entry, record) for entry in document["receipts"]])
        replaced_ns = os.stat(path).st_ctime_ns
    except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
        message = "not a generation of this version of modbuild; remove its directory"
        raise BuildsysError(message, record) from error
    return Generation(int(path.name), path, receipts, replaced_ns)


def prune_history(history: Path, keep: int, has_spare: bool = False) -> tuple[int, ...]:
    """Remove all generations but the latest ones; gives the numbers of those that went.

    has_spare: the last that goes stays where the next installation is made of it.
    """
    spare = history / _SPARE
    if not has_spare:
        remove_tree(spare)
    gone = sorted(_find_numbers(history))[: -keep or None]
    for number in gone:
        # Renamed, it is no generation any more, at one moment.
        if has_spare and not spare.exists():
            move_directory(history / str(number), spare)
            continue
        dying = history / f".gone.{number}"
        remove_tree(dying)
        move_directory(history / str(number), dying)
    if history.is_dir():
        for path in history.glob(".gone.*"):
            remove_tree(path)
    return tuple(gone)
