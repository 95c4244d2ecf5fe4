"""Put one approved module below DESTDIR: whole files, nothing else touched.

The kernel opens NAME.kmod first and NAME.plist after it (sys/kern/kern_module_vfs.c,
module_load_vfs), at any moment between our renames. So a new plist comes before its kmod, and an
old one goes after it: a module of which either version has properties is never found without any.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from buildsys.base.below import make_below, remove_below, remove_stale_temporaries, stage_whole
from buildsys.base.digest import digest_bytes
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory
from buildsys.check.verdict import ApprovedKmod
from buildsys.install.layout import FILE_MODE, ROOT_OWNER, InstalledFile, InstallPlace
from buildsys.install.lookup import (
    HostSystem,
    digest_below,
    find_host,
    read_chunks,
    refuse_foreign_root,
    refuse_missing_privilege,
)
from buildsys.install.receipt import Receipt


def install_kmod(
    approved: ApprovedKmod,
    plist: bytes | None,
    place: InstallPlace,
    previous: Receipt | None = None,
    host: HostSystem | None = None,
) -> Receipt:
    """Install a kmod and its plist (None: no properties); whatever fails, the old files stay.

    previous is the receipt of an earlier installation: a plist that it lists goes when the
    module has none any more. A plist of anyone else is refused: the kernel would read it.
    """
    refuse_foreign_root(place, host or find_host())
    refuse_missing_privilege(place)
    receipt = Receipt(
        approved.name, place.destdir.absolute(), place.target, approved.digest, files=()
    )
    parts = receipt.kmod.parent.parts  # refuses a name that is none, before anything is made
    make_directory(place.destdir)
    with make_below(place.destdir, parts) as directory:
        remove_stale_temporaries(directory)
        has_old_plist = _look_for_old_files(directory, receipt, previous, plist is not None)
        files = tuple(_move_files(directory, approved, plist, place, receipt))
        if plist is None and has_old_plist:
            remove_below(directory, place.destdir / receipt.plist)
    return replace(receipt, files=files)


def _look_for_old_files(
    directory: int, receipt: Receipt, previous: Receipt | None, has_plist: bool
) -> bool:
    """Tell whether there is a plist; refuse what must not be replaced."""
    kmod, plist = receipt.destdir / receipt.kmod, receipt.destdir / receipt.plist
    for path in (kmod, plist):
        if path.is_dir() and not path.is_symlink():
            raise BuildsysError("a directory stands where a file belongs; move it away", path)
    found = digest_below(directory, plist)
    if has_plist or found is None:
        return found is not None
    ours = previous.find(receipt.plist) if previous and previous.is_beside(receipt) else None
    if ours is None or ours.sha256 != found:
        raise BuildsysError(
            "not installed by modbuild, and the kernel would read it with this module, which has"
            " no properties; remove it, or write the properties into the module's description",
            plist,
        )
    return True


def _move_files(
    directory: int,
    approved: ApprovedKmod,
    plist: bytes | None,
    place: InstallPlace,
    receipt: Receipt,
) -> Iterator[InstalledFile]:
    """Stage both files before either appears, then move the plist and the kmod, in that order."""
    wanted = [(receipt.kmod, read_chunks(approved.path), approved.digest)]
    if plist is not None:
        wanted.insert(0, (receipt.plist, iter((plist,)), digest_bytes(plist)))
    owner = ROOT_OWNER if place.is_privileged else None
    with ExitStack() as stack:
        staged = [
            stack.enter_context(
                stage_whole(chunks, directory, place.destdir / target, FILE_MODE, digest, owner)
            )
            for target, chunks, digest in wanted
        ]
        for file, (target, _, digest) in zip(staged, wanted, strict=True):
            file.move()
            yield InstalledFile(target, FILE_MODE, file.size, digest)
