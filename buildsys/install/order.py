"""The order to install one module: made from an approval only, kept as a file between steps."""

import json
import os
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_bytes
from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import read_whole, write_whole
from buildsys.base.value import frozen
from buildsys.check.verdict import ApprovedKmod
from buildsys.install.layout import FILE_MODE, InstalledFile, InstallPlace
from buildsys.install.receipt import Receipt, receipt_document, receipt_from

_FORMAT = 1


@frozen
class Order:
    """What one module will have below DESTDIR: its receipt to be, and where each file comes from.

    sources are in the order of receipt.files; the bytes must have the digests of the receipt.
    """

    receipt: Receipt
    sources: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Give the module's name."""
        return self.receipt.name

    def is_debug_of(self, modules: PurePosixPath) -> bool:
        """Tell whether this is what was split off from a kmod of a modules directory."""
        parts = self.receipt.directory.parts
        inner = parts[len(parts) - len(modules.parts) :]
        return self.receipt.directory != modules and inner == modules.parts


def order_kmod(approved: ApprovedKmod, plist: Path | None, place: InstallPlace) -> Order:
    """Order a kmod, and the plist that belongs to it (None: no properties), to be installed."""
    bare = Receipt(approved.name, place.destdir.absolute(), place.target, approved.digest, ())
    files = []
    sources = []
    if plist is not None:
        content = read_whole(plist)
        files.append(InstalledFile(bare.plist, FILE_MODE, len(content), digest_bytes(content)))
        sources.append(plist)
    try:
        size = os.stat(approved.path).st_size
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", approved.path) from error
    files.append(InstalledFile(bare.kmod, FILE_MODE, size, approved.digest))
    receipt = Receipt(bare.name, bare.destdir, bare.directory, bare.verdict, tuple(files))
    return Order(receipt, (*sources, approved.path))


def write_order(path: Path, order: Order) -> None:
    """Write an order; equal orders give equal bytes."""
    document = {
        "format": _FORMAT,
        "receipt": receipt_document(order.receipt),
        "sources": [str(source) for source in order.sources],
    }
    write_whole(path, (json.dumps(document) + "\n").encode())


def load_order(path: Path) -> Order:
    """Read an order from its file."""
    content = read_whole(path)
    try:
        document = json.loads(content)
        if document["format"] != _FORMAT:
            raise ValueError(document["format"])
        receipt = receipt_from(document["receipt"], path)
        sources = tuple(Path(source) for source in document["sources"])
        if len(sources) != len(receipt.files):
            raise ValueError(sources)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BuildsysError(
            "not an order of this version of modbuild; build again", path
        ) from error
    return Order(receipt, sources)
