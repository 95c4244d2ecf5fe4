"""What lies in a modules directory now, and what the next one will be made of; writes nothing."""

import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import is_temporary
from buildsys.base.value import frozen
from buildsys.install.layout import DIRECTORY_MODE, InstalledFile
from buildsys.install.lookup import digest_below
from buildsys.install.order import Order
from buildsys.install.receipt import Receipt


@frozen
class Entry:
    """One name in a modules directory; mode is st_mode, with the kind of file in it."""

    name: str  # below the modules directory: 'hello/hello.kmod'
    mode: int
    owner: tuple[int, int]  # uid, gid

    @property
    def is_directory(self) -> bool:
        """Tell whether it is a directory (a link to one is none)."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Tell whether it is a regular file."""
        return stat.S_ISREG(self.mode)


@frozen
class Writing:
    """A file that must be written anew."""

    name: str
    file: InstalledFile
    source: Path


@frozen
class Layout:
    """What the next modules directory is made of; names are below it, parents come first.

    shared files are those of the present one, foreign those of them that nobody ordered, gone
    those that it has and the next one will not have, left_in_place those that should go and are
    not the ones that were installed.
    """

    directories: tuple[Entry, ...]
    shared: tuple[str, ...]
    written: tuple[Writing, ...]
    foreign: tuple[str, ...]
    gone: tuple[str, ...]
    left_in_place: tuple[str, ...]
    is_same: bool


def scan_directory(root: Path) -> dict[str, Entry]:
    """List all that is below a directory, which may be absent; '' is the directory itself."""
    entries: dict[str, Entry] = {}
    try:
        entries[""] = _make_entry("", os.stat(root, follow_symlinks=False))
        pending = [""]
        while pending:
            above = pending.pop()
            with os.scandir(root / above) as found:
                for item in found:
                    name = f"{above}/{item.name}" if above else item.name
                    entry = _make_entry(name, item.stat(follow_symlinks=False))
                    entries[name] = entry
                    if entry.is_directory:
                        pending.append(name)
    except FileNotFoundError:
        return {} if "" not in entries else entries
    except OSError as error:
        raise BuildsysError(f"cannot look at it: {os_error_text(error)}", root) from error
    return entries


def _make_entry(name: str, status: os.stat_result) -> Entry:
    return Entry(name, status.st_mode, (status.st_uid, status.st_gid))


def lay_out(
    root: Path,
    orders: Sequence[Order],
    receipts: Mapping[str, Receipt],
    removed: Collection[str] = (),
    owner: tuple[int, int] | None = None,
) -> Layout:
    """Decide what the next modules directory consists of; root is the present one.

    receipts say by module what is installed. Files of the modules that are removed go where they
    are still those of the receipt. owner is what files must belong to, None for anyone.
    """
    entries = scan_directory(root)
    if "" in entries and not entries[""].is_directory:
        raise BuildsysError("not a directory; move it away", root)
    wanted = {
        order.receipt.below(file): (file, source)
        for order in orders
        for file, source in zip(order.receipt.files, order.sources, strict=True)
    }
    _refuse_what_is_in_the_way(root, orders, entries)
    same = {
        name
        for name, (file, _) in wanted.items()
        if _is_as_wanted(root, entries.get(name), file, owner)
    }
    gone = set(_find_plists_to_drop(root, orders, receipts, entries))
    kept: list[str] = []
    for name in removed:
        for file in receipts[name].files:
            place = receipts[name].below(file)
            if place in entries and place not in wanted:
                is_ours = _digest(root, place) == file.sha256
                (gone.add if is_ours else kept.append)(place)
    return _join(entries, wanted, same, gone, kept, receipts)


def _join(
    entries: Mapping[str, Entry],
    wanted: Mapping[str, tuple[InstalledFile, Path]],
    same: Collection[str],
    gone: Collection[str],
    kept: Sequence[str],
    receipts: Mapping[str, Receipt],
) -> Layout:
    files = [
        name
        for name, entry in sorted(entries.items())
        if not entry.is_directory
        and name not in gone
        and (name not in wanted or name in same)
        and not is_temporary(name.rpartition("/")[2])
    ]
    ours = {receipt.below(file) for receipt in receipts.values() for file in receipt.files}
    written = tuple(
        Writing(name, file, source)
        for name, (file, source) in sorted(wanted.items())
        if name not in same
    )
    emptied = {name.rpartition("/")[0] for name in gone}
    directories = _list_directories(entries, wanted, files, emptied)
    # Also what killed runs of older versions left beside files goes.
    is_same = not written and "" in entries and len(files) + len(directories) == len(entries)
    foreign = tuple(name for name in files if name not in ours and name not in wanted)
    return Layout(
        directories, tuple(files), written, foreign, tuple(sorted(gone)), tuple(kept), is_same
    )


def _list_directories(
    entries: Mapping[str, Entry],
    wanted: Iterable[str],
    files: Sequence[str],
    emptied: Collection[str],
) -> tuple[Entry, ...]:
    """Give the next tree's directories: the present ones but those left empty, and new ones."""
    used = {""}
    for name in (*wanted, *files):
        while (name := name.rpartition("/")[0]) not in used:
            used.add(name)
    known = {
        name
        for name, entry in entries.items()
        if entry.is_directory and (name in used or name not in emptied)
    }
    new = Entry("", stat.S_IFDIR | DIRECTORY_MODE, (0, 0))
    return tuple(
        entries[name] if name in entries else Entry(name, new.mode, (os.geteuid(), os.getegid()))
        for name in sorted(known | used)
    )


def _is_as_wanted(
    root: Path, entry: Entry | None, file: InstalledFile, owner: tuple[int, int] | None
) -> bool:
    return (
        entry is not None
        and entry.is_file
        and stat.S_IMODE(entry.mode) == file.mode
        and (owner is None or entry.owner == owner)
        and _digest(root, entry.name) == file.sha256
    )


def _digest(root: Path, name: str) -> bytes | None:
    path = f"{root}/{name}"
    place = path.rpartition("/")[0]
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise BuildsysError(f"cannot open: {os_error_text(error)}", Path(place)) from error
    try:
        return digest_below(descriptor, path)
    finally:
        os.close(descriptor)


def _refuse_what_is_in_the_way(
    root: Path, orders: Sequence[Order], entries: Mapping[str, Entry]
) -> None:
    for order in orders:
        directory = entries.get(order.name)
        if directory is not None and not directory.is_directory:
            path = root / order.name
            if stat.S_ISLNK(directory.mode):
                message = f"a symbolic link to {os.readlink(path)} stands where a directory belongs"
                raise BuildsysError(f"{message}; nothing is done through it", path)
            raise BuildsysError("stands where a directory belongs; move it away", path)
        if directory is None:
            continue
        for name in (f"{order.name}/{order.name}.kmod", f"{order.name}/{order.name}.plist"):
            if name in entries and entries[name].is_directory:
                message = "a directory stands where a file belongs; move it away"
                raise BuildsysError(message, root / name)


def _find_plists_to_drop(
    root: Path,
    orders: Sequence[Order],
    receipts: Mapping[str, Receipt],
    entries: Mapping[str, Entry],
) -> Iterable[str]:
    """Give the plists of modules that have none any more; refuse those of anyone else.

    The kernel would read such a plist with the module.
    """
    for order in orders:
        name = f"{order.name}/{order.name}.plist"
        if name not in entries or order.receipt.find(plist := order.receipt.plist) is not None:
            continue
        previous = receipts.get(order.name)
        ours = previous.find(plist) if previous and previous.is_beside(order.receipt) else None
        if ours is None or ours.sha256 != _digest(root, name):
            raise BuildsysError(
                "not installed by modbuild, and the kernel would read it with this module, which"
                " has no properties; remove it, or write the properties into the module's"
                " description",
                root / name,
            )
        yield name
