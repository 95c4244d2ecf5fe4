"""Take installed modules away again: just what the receipts list, and only while it is ours."""

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from buildsys.base.below import open_below, remove_below, remove_stale_temporaries
from buildsys.base.files import remove_empty_directory, remove_file
from buildsys.base.locks import hold_directory
from buildsys.base.value import frozen
from buildsys.install.commit import recover_change
from buildsys.install.layout import InstalledFile, InstallPlace
from buildsys.install.lookup import (
    NOT_A_FILE,
    HostSystem,
    digest_below,
    find_host,
    refuse_foreign_root,
)
from buildsys.install.receipt import Receipt, load_receipts, receipt_path
from buildsys.install.record import forget_in_metalog


@frozen
class KeptFile:
    """A file that was not removed; reason is for people."""

    target: PurePosixPath
    reason: str


@frozen
class Removal:
    """What an uninstallation did; targets are as the target system sees them, sorted.

    absent files were not there any more; directories are those that were left empty and went.
    """

    removed: tuple[PurePosixPath, ...]
    absent: tuple[PurePosixPath, ...]
    kept: tuple[KeptFile, ...]
    directories: tuple[PurePosixPath, ...]

    @property
    def gone(self) -> tuple[PurePosixPath, ...]:
        """Give all that METALOG must not describe any more."""
        return (*self.removed, *self.absent, *self.directories)


def uninstall_modules(
    receipts: Collection[Receipt],
    place: InstallPlace,
    is_forced: bool = False,
    host: HostSystem | None = None,
) -> Removal:
    """Remove what the receipts list, kmods before plists, and directories left empty.

    A file that is not the one installed stays and is named, unless forced; a directory or link
    in its place stays always. Of the directories above NAME, those below stand/ go when empty.
    """
    refuse_foreign_root(place, host or find_host())
    removed: list[PurePosixPath] = []
    absent: list[PurePosixPath] = []
    kept: list[KeptFile] = []
    for receipt in receipts:
        parts = receipt.kmod.parent.parts
        with open_below(place.destdir, parts) as directory:
            # The last to appear is the first to go: a kmod is never seen without its plist.
            for file in reversed(receipt.files):
                if directory is None:
                    absent.append(file.target)
                    continue
                path = place.destdir / file.target
                found = digest_below(directory, str(path))
                if reason := _find_objection(file, found, is_forced):
                    kept.append(KeptFile(file.target, reason))
                elif found is not None and remove_below(directory, path):
                    removed.append(file.target)
                else:
                    absent.append(file.target)
    directories = _remove_empty_directories(place.destdir, receipts)
    return Removal(
        tuple(sorted(removed)),
        tuple(sorted(absent)),
        tuple(sorted(kept, key=lambda file: file.target)),
        directories,
    )


def _find_objection(file: InstalledFile, found: bytes | None, is_forced: bool) -> str:
    if found == NOT_A_FILE:
        return "not a regular file any more"
    if found is not None and found != file.sha256 and not is_forced:
        return "not the file that was installed"
    return ""


def _remove_empty_directories(
    destdir: Path, receipts: Iterable[Receipt]
) -> tuple[PurePosixPath, ...]:
    """Remove NAME directories, and above them what is left empty below stand/."""
    candidates = {
        directory
        for receipt in receipts
        for directory in (receipt.kmod.parent, *receipt.kmod.parent.parents)
        if len(directory.parts) > 1
    }
    gone = []
    for directory in sorted(candidates, key=lambda path: (-len(path.parts), path)):
        with open_below(destdir, directory.parts) as descriptor:
            if descriptor is not None:
                remove_stale_temporaries(descriptor)
                if remove_empty_directory(destdir / directory):
                    gone.append(directory)
    return tuple(sorted(gone))


def uninstall_recorded(
    directory: Path,
    place: InstallPlace,
    metalog: Path,
    names: Collection[str] | None = None,
    is_forced: bool = False,
    host: HostSystem | None = None,
) -> Removal:
    """Uninstall by the receipts in directory (of names, or all), with METALOG lines and receipts.

    The receipt of a module of which something was kept stays, and so does one about another
    DESTDIR or version. Killed at any point, the next call goes on.
    """
    parent = place.destdir / place.target.parent
    with ExitStack() as stack:
        descriptor = stack.enter_context(open_below(place.destdir, place.target.parent.parts))
        if descriptor is not None:
            stack.enter_context(hold_directory(descriptor, parent))
            recover_change(place.destdir / place.target)
        receipts = tuple(
            receipt
            for receipt in load_receipts(directory)
            if (names is None or receipt.name in names)
            and receipt.destdir == place.destdir.absolute()
            and receipt.directory == place.target
        )
        removal = uninstall_modules(receipts, place, is_forced, host)
        forget_in_metalog(metalog, removal.gone)
        kept = {file.target for file in removal.kept}
        for receipt in receipts:
            if not kept.intersection(file.target for file in receipt.files):
                remove_file(receipt_path(directory, receipt.name))
    return removal
