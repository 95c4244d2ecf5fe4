"""Which module trees lie below a DESTDIR: machine, version, size; touches nothing."""

import os
from collections.abc import Mapping
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.install.commit import has_interrupted_change
from buildsys.install.receipt import Receipt


@frozen
class ModuleTree:
    """One stand/MACHINE/RELEASE/modules; size in bytes.

    missing are files that receipts list and that are not there; is_interrupted tells of a switch
    that a kill cut short. recorded counts the modules with a receipt.
    """

    machine: str
    release: str
    path: Path
    kmods: tuple[str, ...]
    size: int
    recorded: int
    missing: tuple[str, ...]
    is_interrupted: bool

    @property
    def is_complete(self) -> bool:
        """Tell whether all that was installed is there."""
        return not self.missing and not self.is_interrupted


def find_trees(
    destdir: Path, receipts: Mapping[Path, tuple[Receipt, ...]]
) -> tuple[ModuleTree, ...]:
    """Find every module tree; receipts are those known, by modules directory on this machine."""
    found = {path for path in destdir.glob("stand/*/*/modules") if path.is_dir()}
    return tuple(
        _describe(path, receipts.get(path, ())) for path in sorted(found | receipts.keys())
    )


def _describe(path: Path, receipts: tuple[Receipt, ...]) -> ModuleTree:
    kmods, size = [], 0
    for directory, _, files in os.walk(path):
        for name in files:
            size += os.stat(Path(directory, name), follow_symlinks=False).st_size
            if name.endswith(".kmod"):
                kmods.append(name.removesuffix(".kmod"))
    missing = [
        file.target.name
        for receipt in receipts
        for file in receipt.files
        if not os.path.lexists(receipt.destdir / file.target)
    ]
    release = path.parent
    return ModuleTree(
        release.parent.name,
        release.name,
        path,
        tuple(sorted(kmods)),
        size,
        len(receipts),
        tuple(sorted(missing)),
        has_interrupted_change(path),
    )
