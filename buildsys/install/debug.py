"""Split debugging information: NAME.kmod.debug, in a tree of its own that follows the modules'.

A file belongs to just one kmod, whose digest its receipt bears. When other kmods are installed,
restored or removed, the files of those that went go, and those of restored ones come back.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_bytes, digest_file
from buildsys.base.files import read_whole
from buildsys.base.value import replace
from buildsys.check.verdict import ApprovedKmod
from buildsys.install.history import find_history, load_generations
from buildsys.install.installation import Installation
from buildsys.install.layout import DEBUG_ROOT, FILE_MODE, InstalledFile, InstallPlace
from buildsys.install.order import Order
from buildsys.install.receipt import Receipt, load_installed, load_receipts
from buildsys.install.switch import switch_modules

_SUFFIX = ".debug"


def debug_directory(modules: PurePosixPath, root: PurePosixPath) -> PurePosixPath:
    """Give the directory below DEBUGDIR that stands for a modules directory."""
    inner = root.relative_to("/") if root.is_absolute() else root
    return inner / modules


def receipts_beside(receipts: Path) -> Path:
    """Give where the receipts of debugging information lie, beside those of the modules."""
    return receipts.with_name(receipts.name + _SUFFIX)


def order_beside(order: Path) -> Path:
    """Give the order of debugging information, beside the module's."""
    return order.with_name(f"debug.{order.name}")


def order_debug(approved: ApprovedKmod, file: Path, place: InstallPlace) -> Order:
    """Order what was split off from a kmod to be installed; place is that of a debug tree."""
    bare = Receipt(approved.name, place.destdir.absolute(), place.target, approved.digest, ())
    content = read_whole(file)
    installed = InstalledFile(bare.debug, FILE_MODE, len(content), digest_bytes(content))
    return Order(replace(bare, files=(installed,)), (file,))


def debug_installation(modules: Installation, directory: PurePosixPath) -> Installation:
    """Say where the debug tree of a modules directory is, and what is kept about it."""
    history = modules.history
    return replace(
        modules,
        place=replace(modules.place, modules=directory),
        receipts=receipts_beside(modules.receipts),
        history=receipts_beside(history.parent) / "-".join(directory.parts),
    )


def follow_modules(modules: Installation, orders: Sequence[Order] = ()) -> None:
    """Make the debug trees fit what is installed in a modules directory; orders are new files."""
    directories = sorted(_find_directories(modules, orders))
    now = load_installed(modules) if directories else {}
    for directory in directories:
        tree = debug_installation(modules, directory)
        fresh = [order for order in orders if order.receipt.directory == directory]
        present = load_installed(tree)
        done = {order.name for order in fresh}
        done.update(name for name, receipt in present.items() if _is_of(receipt, now))
        fresh.extend(_find_former(tree, now, done))
        kept = done.union(order.name for order in fresh)
        removed = [name for name in present if name not in kept]
        if fresh or removed:
            switch_modules(fresh, tree, removed)


def find_debug_trees(modules: Installation) -> tuple[Installation, ...]:
    """Give the debug trees of a modules directory in which something is installed."""
    directories = sorted(_find_directories(modules, ()))
    trees = (debug_installation(modules, directory) for directory in directories)
    return tuple(tree for tree in trees if load_installed(tree))


def _find_directories(modules: Installation, orders: Sequence[Order]) -> set[PurePosixPath]:
    target = modules.place.target
    receipts = load_receipts(receipts_beside(modules.receipts))
    known = {receipt.directory for receipt in (*receipts, *(order.receipt for order in orders))}
    usual = debug_directory(target, DEBUG_ROOT)
    if debug_installation(modules, usual).history.is_dir():
        known.add(usual)  # nothing is there now, but a former file may come back
    parts = target.parts
    return {path for path in known if path.parts[-len(parts) :] == parts and path != target}


def _is_of(receipt: Receipt, now: Mapping[str, Receipt]) -> bool:
    """Tell whether a file was split off from the kmod that is installed."""
    return receipt.name in now and now[receipt.name].verdict == receipt.verdict


def _find_former(tree: Installation, now: Mapping[str, Receipt], done: set[str]) -> Iterator[Order]:
    """Order the files of former generations that belong to kmods which are installed again."""
    found: set[str] = set()
    history = find_history(tree.history, tree.place.destdir, tree.tree.parent)
    for generation in load_generations(history):
        for receipt in generation.receipts:
            if receipt.name in done or receipt.name in found or not _is_of(receipt, now):
                continue
            source = generation.tree / receipt.name / receipt.debug.name
            file = receipt.find(receipt.debug)
            if file is not None and source.is_file() and digest_file(source) == file.sha256:
                found.add(receipt.name)
                yield Order(receipt, (source,))
