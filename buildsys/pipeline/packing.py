"""Packing an installed tree: sets, their manifest and digests, signatures."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, read_whole, remove_file, write_whole
from buildsys.base.value import frozen
from buildsys.config import Config
from buildsys.metalog import MetalogLine, parse_metalog
from buildsys.provenance.keys import DIGESTS, KINDS, MANIFEST, Key
from buildsys.provenance.manifest import load_digests, render_manifest
from buildsys.provenance.signing import sign_file
from buildsys.sets.archive import render_digests, render_set
from buildsys.sets.members import choose_members, complete_set


@frozen
class Packed:
    """What was written: sets by file name with their number of members, and signatures.

    removed names files of a former packing that are not of this one.
    """

    sets: tuple[tuple[str, int], ...]
    signatures: tuple[Path, ...]
    removed: tuple[str, ...]


def pack_tree(config: Config, seconds: int, output: Path, form: str, keys: Sequence[Key]) -> Packed:
    """Make the sets of what METALOG describes; seconds is the time that members bear."""
    lines = load_metalog(config)
    files: list[tuple[str, bytes]] = []
    sets: list[tuple[str, int]] = []
    packed: list[tuple[PurePosixPath, bytes]] = []
    for name, is_debug in (("modules", False), ("debug", True)):
        members = choose_members(lines, config.destdir, is_debug)
        if members:
            whole = complete_set(members, lines, config.destdir, name)
            content = render_set(whole, seconds, form)
            files.append((f"{name}.{form}", content))
            packed += [(m.path, digest_file(m.source)) for m in members if not m.is_directory]
            sets.append((f"{name}.{form}", len(whole)))
    if not files:
        raise BuildsysError("describes no module; install first", config.metalog)
    files.append((MANIFEST, render_manifest(packed)))
    make_directory(output)
    for name, content in files:
        write_whole(output / name, content, durable=True)
    digests = render_digests(files, "SHA512")
    removed = _remove_former(output, {name for name, _ in files}, digests)
    write_whole(output / "MD5", render_digests(files, "MD5"), durable=True)
    write_whole(output / DIGESTS, digests, durable=True)
    signatures = tuple(sign_file(output / DIGESTS, key) for key in keys)
    return Packed(tuple(sets), signatures, removed)


def _remove_former(output: Path, names: Collection[str], digests: bytes) -> tuple[str, ...]:
    """Remove what a former packing made and this one does not, so that nobody takes it for new.

    These are files that the former SHA512 lists, as it lists them, and, where SHA512 changes,
    signatures over it. Gives their names.
    """
    former = load_digests(output) or {}
    stale = [
        name
        for name, digest in former.items()
        if name not in names
        and PurePosixPath(name).name == name
        and (output / name).is_file()
        and hashlib.sha512(read_whole(output / name)).digest() == digest
    ]
    if former and read_whole(output / DIGESTS) != digests:
        signatures = (f"{DIGESTS}{suffix}" for suffix in KINDS.values())
        stale += [name for name in signatures if (output / name).is_file()]
    return tuple(name for name in stale if remove_file(output / name))


def load_metalog(config: Config) -> tuple[MetalogLine, ...]:
    """Read the METALOG of a configuration."""
    if not config.metalog.is_file():
        raise BuildsysError("there is no METALOG, a file; install first", config.metalog)
    return parse_metalog(read_whole(config.metalog))
