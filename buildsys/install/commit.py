"""The moment at which a next modules directory takes the place of the present one.

A journal in the parent directory, written before, says how to come to an end after a kill: where
the next directory stands already, what follows is done again; else it is thrown away, or, where
the present one was moved aside already, put in place.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.exchange import exchange_names, move_directory
from buildsys.base.files import (
    is_temporary,
    make_directory,
    read_if_there,
    read_whole,
    remove_file,
    remove_tree,
    sync_directory,
    write_all_durably,
    write_whole,
)
from buildsys.base.interrupts import shielded
from buildsys.base.value import frozen
from buildsys.install.receipt import (
    Receipt,
    receipt_document,
    receipt_from,
    receipt_path,
    render_receipt,
)
from buildsys.install.record import forget_in_metalog, update_metalog

_FORMAT = 1
_JOURNAL = ".modbuild.modules.journal"
_ASIDE = ".modbuild.modules.aside"


@frozen
class Books:
    """What must say the same as the tree: the receipts, and METALOG.

    receipts are new or changed, removed names the modules whose receipts go, gone the paths
    that METALOG must not describe any more.
    """

    directory: Path  # of the receipts
    metalog: Path
    receipts: tuple[Receipt, ...]
    removed: tuple[str, ...]
    gone: tuple[PurePosixPath, ...]


@frozen
class Change:
    """A change of place: tree is the present modules directory, staged the next one.

    inode is the next one's; generation is the name that staged's directory gets when it holds
    the former tree.
    """

    tree: Path
    staged: Path
    generation: Path
    inode: int
    books: Books

    @property
    def aside(self) -> Path:
        """Give where the present tree waits where two names cannot change places at once."""
        return self.tree.with_name(_ASIDE)

    @property
    def journal(self) -> Path:
        """Give the file that tells a next run of this change."""
        return self.tree.with_name(_JOURNAL)


def commit_change(
    change: Change, former: Mapping[str, Receipt] | None = None, can_exchange: bool = True
) -> None:
    """Put the staged tree in place, keep the former one, and write the books.

    former are the present receipts as they were read, by module.
    A signal waits for the end of it: the journal would help, but only in the next run.
    """
    with shielded():
        write_whole(change.journal, _render(change), durable=True)
        try:
            _switch(change, can_exchange)
        except BuildsysError:
            finish_change(change, former)
            raise
        finish_change(change, former)


def _switch(change: Change, can_exchange: bool) -> None:
    if os.path.lexists(change.tree):
        if can_exchange and exchange_names(change.staged, change.tree):
            return
        move_directory(change.tree, change.aside)
        sync_directory(change.tree.parent)
    move_directory(change.staged, change.tree)


def has_interrupted_change(tree: Path) -> bool:
    """Tell whether a kill cut a change of this modules directory short."""
    return tree.with_name(_JOURNAL).exists()


def recover_change(tree: Path) -> bool:
    """Bring a change that a kill cut short to its end; False when there was none."""
    journal = tree.with_name(_JOURNAL)
    for path in sorted(tree.parent.iterdir()):
        if is_temporary(path.name) and _JOURNAL in path.name:
            remove_file(path)
    if not journal.exists():
        return False
    finish_change(_parse(read_whole(journal), journal, tree))
    return True


def finish_change(change: Change, former: Mapping[str, Receipt] | None = None) -> bool:
    """Go on from wherever a change is: True when the next tree stands, False when it is undone."""
    try:
        is_done = _find_inode(change.tree) == change.inode
        if not is_done and not os.path.lexists(change.tree):
            # Between two renames: on to the next tree if it is there, else back.
            is_done = _find_inode(change.staged) == change.inode
            source = change.staged if is_done else change.aside
            if os.path.lexists(source):
                move_directory(source, change.tree)
        if is_done:
            _keep_former(change)
            sync_directory(change.tree.parent)
            write_books(change.books, former)
        else:
            remove_tree(change.staged.parent)
        remove_file(change.journal)
        sync_directory(change.tree.parent)
    except OSError as error:
        raise BuildsysError(f"cannot write: {os_error_text(error)}", change.tree) from error
    return is_done


def _keep_former(change: Change) -> None:
    """Give the former tree its number; the first installation has none to keep."""
    if os.path.lexists(change.aside):
        move_directory(change.aside, change.staged)
    directory = change.staged.parent
    if os.path.lexists(change.staged):
        move_directory(directory, change.generation)
        sync_directory(change.generation)
        sync_directory(directory.parent)
    elif directory.exists():
        remove_tree(directory)


def write_books(books: Books, former: Mapping[str, Receipt] | None = None) -> None:
    """Make receipts and METALOG say what stands in the tree.

    A receipt that is the very value among former was read from its file, and has these bytes.
    """
    make_directory(books.directory)
    changed = []
    for receipt in books.receipts:
        if former and former.get(receipt.name) is receipt:
            continue
        path = receipt_path(books.directory, receipt.name)
        content = render_receipt(receipt)
        if read_if_there(path) != content:
            changed.append((path, content))
    write_all_durably(changed)
    if books.receipts:
        update_metalog(books.metalog, books.receipts)
    forget_in_metalog(books.metalog, books.gone)
    for name in books.removed:
        remove_file(receipt_path(books.directory, name))


def _find_inode(path: Path) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return -1


def _render(change: Change) -> bytes:
    books = change.books
    document = {
        "format": _FORMAT,
        "staged": str(change.staged),
        "generation": str(change.generation),
        "inode": change.inode,
        "receipts_directory": str(books.directory),
        "metalog": str(books.metalog),
        "receipts": [receipt_document(receipt) for receipt in books.receipts],
        "removed": list(books.removed),
        "gone": [str(path) for path in books.gone],
    }
    return (json.dumps(document) + "\n").encode()


def _parse(content: bytes, path: Path, tree: Path) -> Change:
    try:
        document: Any = json.loads(content)
        if document["format"] != _FORMAT:
            raise ValueError(document["format"])
        books = Books(
            Path(document["receipts_directory"]),
            Path(document["metalog"]),
            tuple([receipt_from(entry, path) for entry in document["receipts"]]),
            tuple(str(name) for name in document["removed"]),
            tuple(PurePosixPath(name) for name in document["gone"]),
        )
        return Change(
            tree,
            Path(document["staged"]),
            Path(document["generation"]),
            int(document["inode"]),
            books,
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        message = "not a journal of this version of modbuild; finish with the one that wrote it"
        raise BuildsysError(message, path) from error
