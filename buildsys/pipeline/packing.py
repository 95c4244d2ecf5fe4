"""Packing an installed tree: sets, their manifest and digests, signatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, read_whole, write_whole
from buildsys.config import Config
from buildsys.metalog import MetalogLine, parse_metalog
from buildsys.provenance.manifest import DIGESTS, MANIFEST, render_manifest
from buildsys.provenance.signing import Key, sign_file
from buildsys.sets.archive import render_digests, render_set
from buildsys.sets.members import choose_members, complete_set


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: sets by file name with their number of members, and signatures."""

    sets: tuple[tuple[str, int], ...]
    signatures: tuple[Path, ...]


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
    for algorithm in ("MD5", "SHA512"):
        write_whole(output / algorithm, render_digests(files, algorithm), durable=True)
    return Packed(tuple(sets), tuple(sign_file(output / DIGESTS, key) for key in keys))


def load_metalog(config: Config) -> tuple[MetalogLine, ...]:
    """Read the METALOG of a configuration."""
    if not config.metalog.is_file():
        raise BuildsysError("there is no METALOG, a file; install first", config.metalog)
    return parse_metalog(read_whole(config.metalog))
