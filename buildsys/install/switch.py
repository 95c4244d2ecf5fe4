"""Install modules as one transaction over their whole directory: the old tree, or the new one."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.below import make_below, open_below
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, remove_tree, sync_directory
from buildsys.base.locks import hold_directory
from buildsys.base.staging import StagedTree
from buildsys.base.value import frozen
from buildsys.base.wording import name_some
from buildsys.install.commit import Books, Change, commit_change, recover_change, write_books
from buildsys.install.history import (
    Staging,
    begin_staging,
    choose_history,
    prune_history,
    write_record,
)
from buildsys.install.installation import Installation
from buildsys.install.layout import ROOT_OWNER
from buildsys.install.lookup import (
    HostSystem,
    find_host,
    is_for_other_processor,
    read_chunks,
    refuse_foreign_root,
    refuse_missing_privilege,
)
from buildsys.install.order import Order
from buildsys.install.receipt import Receipt, load_installed, render_receipt
from buildsys.install.record import refuse_odd_metalog
from buildsys.install.tree import Layout, lay_out

KEPT_GENERATIONS = 5


@frozen
class Switch:
    """What an installation did: names are below the modules directory.

    is_changed is False when all was there already. foreign files are of others and were kept;
    left_in_place are those that should go, but are not what was installed; of_others counts the
    kmods of another processor that lay in directory and were replaced.
    """

    directory: Path

    is_changed: bool
    foreign: tuple[str, ...]
    left_in_place: tuple[str, ...]
    gone: tuple[PurePosixPath, ...]
    of_others: int


def switch_modules(
    orders: Sequence[Order],
    installation: Installation,
    removed: Collection[str] = (),
    keep: int = KEPT_GENERATIONS,
    host: HostSystem | None = None,
) -> Switch:
    """Install what is ordered and take removed modules away, at one moment for the whole tree.

    All else in the modules directory stays as it is. The former tree is kept as a generation.
    """
    place = installation.place
    refuse_foreign_root(place, host or find_host())
    refuse_missing_privilege(place)
    refuse_odd_metalog(installation.metalog)
    here = place.destdir.absolute(), place.target
    for order in orders:
        if (order.receipt.destdir, order.receipt.directory) != here:
            raise BuildsysError(f"module {order.name} was ordered for another place", place.destdir)
    make_directory(place.destdir)
    parent = installation.tree.parent
    with (
        make_below(place.destdir, place.target.parent.parts) as descriptor,
        hold_directory(descriptor, parent),
    ):
        recover_change(installation.tree)
        wanted = {render_receipt(order.receipt): order.receipt for order in orders}
        receipts = load_installed(installation, wanted)
        owner = ROOT_OWNER if place.is_privileged else None
        going = sorted(set(removed) & set(receipts))  # a killed run may have done its part
        layout = lay_out(installation.tree, orders, receipts, going, owner)
        books = _make_books(orders, installation, receipts, going, layout)
        of_others = _count_other_processor(installation.tree, layout)
        if layout.is_same:
            write_books(books, receipts)
        else:
            _switch(installation, layout, books, receipts, keep)
    is_changed = not layout.is_same
    return Switch(
        installation.tree, is_changed, layout.foreign, layout.left_in_place, books.gone, of_others
    )


def _count_other_processor(tree: Path, layout: Layout) -> int:
    """Count the kmods that will be replaced and are of another processor than the new ones."""
    pairs = ((writing.source, tree / writing.name) for writing in layout.written)
    return sum(is_for_other_processor(source, present) for source, present in pairs)


def finish_interrupted(installation: Installation) -> bool:
    """Bring a switch that a kill cut short to its end; False when there was none."""
    place = installation.place
    parent = installation.tree.parent
    with open_below(place.destdir, place.target.parent.parts) as descriptor:
        if descriptor is None:
            return False
        with hold_directory(descriptor, parent):
            return recover_change(installation.tree)


def _make_books(
    orders: Sequence[Order],
    installation: Installation,
    receipts: Mapping[str, Receipt],
    removed: Collection[str],
    layout: Layout,
) -> Books:
    target = installation.place.target
    kept = {PurePosixPath(name).parts[0] for name in layout.left_in_place}
    directories = {entry.name for entry in layout.directories}
    gone = {target / name for name in layout.gone}
    for name in removed:
        gone.update(file.target for file in receipts[name].files if name not in kept)
        if name not in directories:
            gone.add(target / name)
    return Books(
        installation.receipts,
        installation.metalog,
        tuple(order.receipt for order in orders),
        tuple(name for name in removed if name not in kept),
        tuple(sorted(gone)),
    )


def _switch(
    installation: Installation,
    layout: Layout,
    books: Books,
    former: Mapping[str, Receipt],
    keep: int,
) -> None:
    tree, destdir = installation.tree, installation.place.destdir
    history = choose_history(installation.history, destdir, tree.parent)
    staging = begin_staging(history)
    try:
        inode = _stage(staging, installation, layout, former)
        sync_directory(history)
    except BaseException:
        remove_tree(staging.directory)
        raise
    change = Change(tree, staging.tree, staging.generation, inode, books)
    commit_change(change, former, installation.can_exchange)
    prune_history(history, keep, has_spare=keep > 0)


def _stage(
    staging: Staging, installation: Installation, layout: Layout, former: Mapping[str, Receipt]
) -> int:
    """Make the next modules directory, whole and durable; gives its inode."""
    staged = StagedTree(staging.tree, staging.is_former)
    try:
        present = str(installation.tree)
        sources = {name: f"{present}/{name}" for name in layout.shared}
        stays: frozenset[str] = frozenset()
        if staging.is_former:
            stays = staged.keep([entry.name for entry in layout.directories], sources)
        for entry in layout.directories:
            put = staged.set_directory if entry.name in stays else staged.add_directory
            put(entry.name, entry.mode & 0o7777, entry.owner)
        for name, source in sources.items():
            if name not in stays:
                staged.share(source, name)
        owner = ROOT_OWNER if installation.place.is_privileged else None
        for writing in layout.written:
            file = writing.file
            chunks = read_chunks(writing.source)
            size, digest = staged.add_file(chunks, writing.name, file.mode, owner)
            if (size, digest) != (file.size, file.sha256):
                message = "not the bytes that were checked; build again"
                raise BuildsysError(message, writing.source)
        write_record(staging.directory, tuple(former.values()))  # while the disk is at work
        staged.sync()
    finally:
        staged.close()
    return os.stat(staging.tree).st_ino


def describe_switch(switch: Switch) -> str:
    """Say what a person should know of an installation beside that it was done; often ''."""
    lines = []
    if switch.of_others:
        lines.append(
            f"modules of another processor lay in {switch.directory}: {switch.of_others} replaced"
            " ('modbuild rollback' brings them back)"
        )
    if switch.is_changed and switch.foreign:
        lines.append(f"kept, not installed by modbuild: {name_some(switch.foreign)}")
    if switch.left_in_place:
        lines.append(f"kept, not as it was installed: {name_some(switch.left_in_place)}")
    return "\n".join(lines)
