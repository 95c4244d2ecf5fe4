"""What was built from what, as data for documents: kmods, their sources, compilers, commands."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from buildsys.base.files import read_whole
from buildsys.base.value import frozen


@frozen
class Digested:
    """A file with its name for readers, its SHA-256 (32 bytes) and SHA-1 (20, for SPDX alone)."""

    name: str
    sha256: bytes
    sha1: bytes
    version: str = ""  # of a tool, in its own words


def digest_named(name: str, path: Path) -> Digested:
    """Digest a file under a name for readers."""
    content = read_whole(path)
    sha1 = hashlib.sha1(content, usedforsecurity=False).digest()
    return Digested(name, hashlib.sha256(content).digest(), sha1)


@frozen
class BuiltModule:
    """One kmod: where it is installed, from which sources, by which commands."""

    name: str
    version: str  # of the kernel that it is for
    target: str  # stand/…/NAME.kmod
    sha256: bytes
    requires: tuple[str, ...]
    sources: tuple[Digested, ...]
    commands: tuple[tuple[str, ...], ...]


@frozen
class Build:
    """A whole build; seconds since 1970 is the time that documents bear."""

    machine: str
    release: str
    modules: tuple[BuiltModule, ...]
    tools: tuple[Digested, ...]
    tool_version: str
    seconds: int


def strip_roots(path: Path, roots: Sequence[tuple[str, Path]]) -> str:
    """Name a file without this machine's directories: NETBSDSRCDIR/sys/kern/x.c."""
    for label, root in roots:
        if path.is_relative_to(root):
            inner = path.relative_to(root).as_posix()
            return f"{label}/{inner}" if label else inner
    return str(path)


def strip_words(argv: Sequence[str], roots: Sequence[tuple[str, Path]]) -> tuple[str, ...]:
    """Spell a command without this machine's directories."""
    words = []
    for word in argv:
        text = word
        for label, root in roots:
            text = text.replace(f"{root}/", f"{label}/" if label else "")
        words.append(text)
    return tuple(words)
