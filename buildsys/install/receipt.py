"""The receipt of one installed module: what was put where, from which judged bytes."""

import functools
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import read_whole, write_whole
from buildsys.base.value import frozen
from buildsys.install.installation import Installation
from buildsys.install.layout import InstalledFile, check_component, kmod_target, plist_target

FORMAT = 1
SUFFIX = ".receipt.json"
_BROKEN = "not a receipt of this version of modbuild; remove it and install again"


@frozen
class Receipt:
    """What installing one module put below destdir; files are in the order they appeared.

    verdict is the SHA-256 of the kmod's bytes that the verdict judged (32 bytes); directory is
    the modules directory as the target sees it.
    """

    name: str
    destdir: Path  # absolute
    directory: PurePosixPath
    verdict: bytes
    files: tuple[InstalledFile, ...]

    @property
    def kmod(self) -> PurePosixPath:
        """Give where the kmod lies, as the target sees it."""
        return kmod_target(self.directory, self.name)

    @property
    def plist(self) -> PurePosixPath:
        """Give where the plist lies, or would lie, as the target sees it."""
        return plist_target(self.directory, self.name)

    @property
    def debug(self) -> PurePosixPath:
        """Give where what was split off from the kmod lies, in a debug tree."""
        return self.kmod.with_name(f"{self.kmod.name}.debug")

    def find(self, target: PurePosixPath) -> InstalledFile | None:
        """Give the entry of one file, if it was installed."""
        return next((file for file in self.files if file.target == target), None)

    def below(self, file: InstalledFile) -> str:
        """Give the name that one of the files has below the modules directory."""
        return str(file.target)[len(str(self.directory)) + 1 :]

    def is_beside(self, other: "Receipt") -> bool:
        """Tell whether both are about the same tree and kernel version."""
        return (self.destdir, self.directory) == (other.destdir, other.directory)


def render_receipt(receipt: Receipt) -> bytes:
    """Spell a receipt as JSON; equal receipts give equal bytes.

    It is what json.dumps spells with an indent of 1, for which that has no fast way.
    """
    quote = json.dumps
    files = ",\n".join(
        f"""  {{
   "target": {quote(str(file.target))},
   "mode": "{file.mode:#o}",
   "size": {file.size},
   "sha256": "{file.sha256.hex()}",
   "uname": {quote(file.uname)},
   "gname": {quote(file.gname)}
  }}"""
        for file in receipt.files
    )
    listed = f"[\n{files}\n ]" if files else "[]"
    return f"""{{
 "format": {FORMAT},
 "name": {quote(receipt.name)},
 "destdir": {quote(str(receipt.destdir))},
 "directory": {quote(str(receipt.directory))},
 "verdict": "{receipt.verdict.hex()}",
 "files": {listed}
}}
""".encode()


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    """Give a receipt as a part of a JSON document."""
    return {
        "format": FORMAT,
        "name": receipt.name,
        "destdir": str(receipt.destdir),
        "directory": str(receipt.directory),
        "verdict": receipt.verdict.hex(),
        "files": [
            {
                "target": str(file.target),
                "mode": f"{file.mode:#o}",
                "size": file.size,
                "sha256": file.sha256.hex(),
                "uname": file.uname,
                "gname": file.gname,
            }
            for file in receipt.files
        ],
    }


def parse_receipt(content: bytes, path: Path) -> Receipt:
    """Read a receipt; path is for the error's place."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BuildsysError(_BROKEN, path) from error
    return receipt_from(document, path)


def receipt_from(raw: Any, path: Path) -> Receipt:
    """Read a receipt that is a part of a JSON document; path is for the error's place."""
    try:
        if raw["format"] != FORMAT:
            raise ValueError(raw["format"])
        receipt = Receipt(
            _text(raw["name"]),
            _destdir(_text(raw["destdir"])),
            _directory(_text(raw["directory"])),
            bytes.fromhex(raw["verdict"]),
            tuple([_parse_file(file) for file in raw["files"]]),
        )
        own = f"{receipt.directory}/{receipt.name}/{receipt.name}."
        if any(str(file.target) not in _names(own) for file in receipt.files):
            raise ValueError(receipt.files)
        check_component("module name", receipt.name)
    except (ValueError, TypeError, KeyError, BuildsysError) as error:
        raise BuildsysError(_BROKEN, path) from error
    return receipt


@functools.lru_cache(16)  # all receipts of a tree name the same
def _destdir(text: str) -> Path:
    return Path(text)


@functools.lru_cache(16)
def _directory(text: str) -> PurePosixPath:
    return PurePosixPath(text)


def _names(own: str) -> tuple[str, ...]:
    """Give what a module's files may be called; own is all but the end."""
    return f"{own}kmod", f"{own}plist", f"{own}kmod.debug"


def _parse_file(raw: dict[str, object]) -> InstalledFile:
    size = raw["size"]
    if type(size) is not int or size < 0:
        raise ValueError(size)
    return InstalledFile(
        PurePosixPath(_text(raw["target"])),
        int(_text(raw["mode"]), 8),
        size,
        bytes.fromhex(_text(raw["sha256"])),
        _text(raw["uname"]),
        _text(raw["gname"]),
    )


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise TypeError(raw)
    return raw


def receipt_path(directory: Path, name: str) -> Path:
    """Give the file of a module's receipt in a directory of receipts."""
    return directory / f"{name}{SUFFIX}"


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt, whole and durable."""
    write_whole(path, render_receipt(receipt), durable=True)


def load_receipt(path: Path) -> Receipt:
    """Read a receipt from its file."""
    return parse_receipt(read_whole(path), path)


def find_receipt(path: Path) -> Receipt | None:
    """Read a receipt if it is there and whole: what an earlier installation left."""
    try:
        return load_receipt(path)
    except BuildsysError:
        return None


def load_receipts(
    directory: Path, but: Collection[str] = (), known: Mapping[bytes, Receipt] | None = None
) -> tuple[Receipt, ...]:
    """Read the receipts of a directory but some, by module name; none when it does not exist.

    known are receipts at hand by their bytes: where a file has these, it is that very value.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(SUFFIX)
                and not entry.name.startswith(".")
                and entry.name.removesuffix(SUFFIX) not in but
                and entry.is_file()
            )
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", directory) from error
    known = known or {}
    found = ((name, read_whole(f"{directory}/{name}")) for name in names)
    return tuple([known.get(data) or parse_receipt(data, directory / name) for name, data in found])


def load_installed(
    installation: Installation, known: Mapping[bytes, Receipt] | None = None
) -> dict[str, Receipt]:
    """Read what is installed in a modules directory, by module; known as in load_receipts."""
    here = installation.place.destdir.absolute(), installation.place.target
    return {
        receipt.name: receipt
        for receipt in load_receipts(installation.receipts, known=known)
        if (receipt.destdir, receipt.directory) == here
    }
