"""Putting a release in place: the whole directory at one moment, with a list of what it holds.

The next directory is made beside the present one (hard links where there can be) and the two
change places. What RELEASE.json lists is ours; all else in the directory is kept.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.exchange import exchange_names, move_directory
from buildsys.base.files import make_directory, read_whole, remove_tree, sync_directory
from buildsys.base.locks import hold_directory
from buildsys.base.staging import StagedTree
from buildsys.base.value import frozen
from buildsys.install.history import HIDDEN
from buildsys.install.layout import DIRECTORY_MODE
from buildsys.install.lookup import read_chunks
from buildsys.install.tree import Entry, scan_directory
from buildsys.pipeline.release import DONE, TargetOutcome
from buildsys.provenance.keys import KINDS, Key
from buildsys.provenance.signing import sign_file

RELEASE = "RELEASE.json"
METALOG = "METALOG"
_FORMAT = 1


@frozen
class ReleasedTarget:
    """One target of a release; work is where its destdir, METALOG and sets were made."""

    name: str
    machine: str
    work: Path
    outcome: TargetOutcome

    @property
    def is_done(self) -> bool:
        """Tell whether every stage of it came to its end."""
        return all(stage.state == DONE for stage in self.outcome.stages)


@frozen
class Published:
    """What was put in place: names of targets, and of files that others put there and are kept."""

    targets: tuple[str, ...]
    foreign: tuple[str, ...]


@frozen
class _Next:
    """What the next directory is made of, by name below it; sources are on this machine."""

    directories: tuple[Entry, ...]
    files: tuple[tuple[str, Path], ...]
    foreign: tuple[str, ...]


def refuse_odd_output(output: Path) -> Path:
    """Give the directory that a release will replace; refuse one that cannot be replaced whole."""
    real = Path(os.path.realpath(output))
    if real.exists() and not real.is_dir():
        raise UsageError(f"--output {output}: expected a directory")
    if real.is_mount():
        raise UsageError(
            f"--output {output}: a release replaces its directory as a whole, and this is a mount"
            " point; name a directory in it"
        )
    outer = next((path for path in real.parents if (path / RELEASE).is_file()), None)
    if outer is not None:
        raise UsageError(f"--output {output}: is in {outer}, which is a release; name another")
    return real


def refuse_released(option: str, path: Path, output: Path, names: Collection[str]) -> None:
    """Refuse to write path where a file of the former release is, or one of this one will be."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(output):
        return
    inner = real.relative_to(output)
    top = inner.parts[0] if inner.parts else ""
    if top in names or top.startswith(RELEASE) or inner.as_posix() in _load_ours(output):
        raise UsageError(f"{option}: {path} is of the release itself; write to another file")


def publish_release(
    output: Path, targets: Sequence[ReleasedTarget], keys: Sequence[Key]
) -> Published:
    """Put what was made of the targets that are done in place of the former release."""
    make_directory(output.parent)
    descriptor = os.open(output.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with hold_directory(descriptor, output.parent):
            _recover(output)
            done = [target for target in targets if target.is_done]
            following = _lay_out(output, done)
            _stage(_beside(output, "next"), following, targets, keys)
            _switch(output)
    finally:
        os.close(descriptor)
    return Published(tuple(target.name for target in done), following.foreign)


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f".modbuild.{output.name}.{what}")


def _recover(output: Path) -> None:
    """Come to the end of what a kill cut short: the present directory, or the next, stands."""
    following, aside = _beside(output, "next"), _beside(output, "aside")
    if not os.path.lexists(output) and aside.is_dir():
        move_directory(aside, output)
    remove_tree(aside)
    remove_tree(following)


def _switch(output: Path) -> None:
    following, aside = _beside(output, "next"), _beside(output, "aside")
    if not os.path.lexists(output):
        move_directory(following, output)
    elif not exchange_names(following, output):
        move_directory(output, aside)
        move_directory(following, output)
    sync_directory(output.parent)
    remove_tree(aside)
    remove_tree(following)


def _lay_out(output: Path, targets: Sequence[ReleasedTarget]) -> _Next:
    """Choose the files of the next directory: those of the targets, and those of others."""
    ours, directories = _load_ours(output), {"": _find_root(output)}
    files: dict[str, Path] = {}
    for target in targets:
        for name, entry in _scan_target(target.work):
            inner = f"{target.name}/{name}" if name else target.name
            if entry.is_directory:
                directories[inner] = Entry(inner, entry.mode, entry.owner)
            else:
                files[inner] = target.work / name
    present = scan_directory(output)
    foreign = tuple(
        name
        for name, entry in present.items()
        if not entry.is_directory and not _is_ours(output, name, entry, ours)
    )
    _refuse_clashes(output, present, foreign, files, directories)
    emptied = {parent for name in ours for parent in _parents(name)}
    wanted = {parent for name in foreign for parent in _parents(name)}
    for name, entry in present.items():
        if entry.is_directory and (name in wanted or name not in emptied):
            directories.setdefault(name, entry)
    files.update((name, output / name) for name in foreign)
    ordered = tuple(directories[name] for name in sorted(directories))
    return _Next(ordered, tuple(sorted(files.items())), tuple(sorted(foreign)))


def _find_root(output: Path) -> Entry:
    """Give mode and owner of the directory that is replaced, or of a new one."""
    if not output.is_dir():
        return Entry("", stat.S_IFDIR | DIRECTORY_MODE, (os.geteuid(), os.getegid()))
    status = output.stat()
    return Entry("", status.st_mode, (status.st_uid, status.st_gid))


def _scan_target(work: Path) -> Iterator[tuple[str, Entry]]:
    """List a target's directory with what belongs into a release, and nothing else."""
    for name, entry in scan_directory(work).items():
        top = name.partition("/")[0]
        is_hidden = any(part.startswith(HIDDEN) for part in name.split("/"))
        if top in ("", "destdir", METALOG, "sets") and not is_hidden:
            yield name, entry


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _refuse_clashes(
    output: Path,
    present: Mapping[str, Entry],
    foreign: Sequence[str],
    files: Mapping[str, Path],
    directories: Mapping[str, Entry],
) -> None:
    taken = {RELEASE, *files, *directories}
    clash = next((name for name in foreign if name in taken), None)
    if clash is None:
        clash = next(
            (name for name in files if name in present and present[name].is_directory), None
        )
    if clash is not None:
        raise BuildsysError(
            "stands where a file of this release belongs, and is not as the former release left it;"
            " move it away (nothing was changed)",
            output / clash,
        )


def _load_ours(output: Path) -> dict[str, str]:
    """Give the files that the former release lists, with their SHA-256 in hexadecimal."""
    path = output / RELEASE
    if not path.exists():
        return {}
    content = read_whole(path)
    try:
        document: Any = json.loads(content)
        if document["format"] != _FORMAT:
            raise ValueError(document["format"])
        found = {
            str(file["path"]): str(file["sha256"])
            for target in document["targets"]
            for file in target["files"]
        }
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        message = "not the list of a release of this version of modbuild; move it away"
        raise BuildsysError(message, path) from error
    # Without its list, a signature over that says nothing.
    signatures = (output / f"{RELEASE}{suffix}" for suffix in KINDS.values())
    found.update((p.name, digest_file(p).hex()) for p in signatures if p.is_file())
    return {**found, RELEASE: hashlib.sha256(content).hexdigest()}


def _is_ours(output: Path, name: str, entry: Entry, ours: Mapping[str, str]) -> bool:
    return entry.is_file and name in ours and digest_file(output / name).hex() == ours[name]


def _stage(
    root: Path, following: _Next, targets: Sequence[ReleasedTarget], keys: Sequence[Key]
) -> None:
    staged = StagedTree(root)
    try:
        for entry in following.directories:
            staged.add_directory(entry.name, entry.mode & 0o7777, entry.owner)
        foreign = set(following.foreign)
        for name, source in following.files:
            if source.name == METALOG and name not in foreign:  # it is written in place
                staged.add_file(read_chunks(source), name, 0o644, None)
            else:
                staged.share(source, name)
        staged.add_file([_render(root, following, targets)], RELEASE, 0o644, None)
        staged.sync()
        for key in keys:
            sign_file(root / RELEASE, key)
        staged.sync()
    except BaseException:
        staged.close()
        remove_tree(root)
        raise
    staged.close()


def _render(root: Path, following: _Next, targets: Sequence[ReleasedTarget]) -> bytes:
    foreign = set(following.foreign)
    own = [name for name, _ in following.files if name not in foreign]
    document = {
        "format": _FORMAT,
        "targets": [
            {
                "name": target.name,
                "machine": target.machine,
                "state": "done" if target.is_done else "failed or left out",
                "kernel": target.outcome.kernel,
                "modules": len(target.outcome.modules),
                "files": [
                    _describe(root, name) for name in own if name.startswith(f"{target.name}/")
                ],
            }
            for target in targets
        ],
    }
    return (json.dumps(document, indent=1) + "\n").encode("utf-8", "surrogateescape")


def _describe(root: Path, name: str) -> dict[str, object]:
    path = root / name
    return {"path": name, "size": path.stat().st_size, "sha256": digest_file(path).hex()}
