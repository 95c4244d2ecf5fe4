"""What the tests of installing share: approved modules, and a place to install them in."""

import hashlib
from pathlib import Path

from buildsys.check.verdict import ApprovedKmod, Outcome, Verdict
from buildsys.install.installation import Installation
from buildsys.install.layout import InstallPlace
from buildsys.install.order import Order, order_kmod
from buildsys.install.receipt import Receipt
from buildsys.install.switch import switch_modules

RELEASE = "10.99.12"
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system of its own, in memory, on Linux


def place_in(directory: Path, release: str = RELEASE, is_privileged: bool = False) -> InstallPlace:
    return InstallPlace(directory / "destdir", "amd64", "amd64", release, is_privileged)


def installation_in(
    directory: Path,
    release: str = RELEASE,
    is_privileged: bool = False,
    can_exchange: bool = True,
    metalog: str = "destdir/METALOG",
) -> Installation:
    return Installation(
        place_in(directory, release, is_privileged),
        directory / "kept/receipts" / release,
        directory / "kept/generations" / release,
        directory / metalog,
        can_exchange,
    )


def approve(directory: Path, content: bytes, name: str = "hello") -> ApprovedKmod:
    path = directory / "obj" / f"{name}.kmod"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).digest()
    return Verdict(name, path, digest, "amd64 10.99.12", Outcome.LOADS, ()).approve()


def order(
    directory: Path,
    name: str = "hello",
    content: bytes = b"\x7fELF",
    plist: bytes | None = None,
    release: str = RELEASE,
) -> Order:
    approved = approve(directory, content, name)
    path = None
    if plist is not None:
        path = approved.path.with_suffix(".plist")
        path.write_bytes(plist)
    return order_kmod(approved, path, place_in(directory, release))


def install(
    directory: Path,
    name: str = "hello",
    content: bytes = b"\x7fELF",
    plist: bytes | None = None,
    release: str = RELEASE,
    metalog: str = "destdir/METALOG",
) -> Receipt:
    """Install one module; receipts and METALOG are kept as a run would."""
    wanted = order(directory, name, content, plist, release)
    switch_modules([wanted], installation_in(directory, release, metalog=metalog))
    return wanted.receipt
