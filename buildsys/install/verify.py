"""Compare what is installed with what was: receipts where they are at hand, else METALOG."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import is_temporary
from buildsys.base.value import frozen
from buildsys.check.verdict import Finding, Severity
from buildsys.install.layout import DEBUG_ROOT, ROOT_OWNER, InstalledFile
from buildsys.metalog import MetalogLine, read_keywords


@frozen
class Recorded:
    """One file as it was installed; digest and mode are None where nothing tells."""

    target: PurePosixPath
    mode: int | None
    size: int | None
    sha256: bytes | None


def from_receipts(files: Iterable[InstalledFile]) -> tuple[Recorded, ...]:
    """Take what receipts say."""
    return tuple(Recorded(file.target, file.mode, file.size, file.sha256) for file in files)


def from_metalog(
    lines: Iterable[MetalogLine], known: Collection[PurePosixPath] = ()
) -> tuple[Recorded, ...]:
    """Take what METALOG says of files in modules directories, and of those that are known."""
    return tuple(
        _record_line(line.path, read_keywords(line))
        for line in lines
        if line.path is not None
        and not line.is_directory
        and (is_module_file(line.path) or line.path in known)
    )


def _record_line(path: PurePosixPath, words: Mapping[str, str]) -> Recorded:
    mode, size, digest = (words.get(word) for word in ("mode", "size", "sha256"))
    return Recorded(
        path,
        None if mode is None else int(mode, 8),
        None if size is None else int(size),
        None if digest is None else bytes.fromhex(digest),
    )


def is_module_file(path: PurePosixPath) -> bool:
    """Tell whether a target lies in a modules directory: stand/MACHINE/RELEASE/modules/…."""
    parts = path.parts[_depth(path) :]
    return len(parts) > 4 and parts[0] == "stand" and parts[3] == "modules"


def _depth(path: PurePosixPath) -> int:
    """Count the directories above stand/: none, or those of the debug tree."""
    return len(DEBUG_ROOT.parts) if DEBUG_ROOT in path.parents else 0


def compare_tree(
    destdir: Path, recorded: Sequence[Recorded], has_owners: bool = False
) -> tuple[Finding, ...]:
    """Say of each recorded file whether it is there as it was, and what else is there.

    has_owners asks for root:wheel on disk, too. Only directories that hold a recorded file are
    searched for others.
    """
    found = [finding for file in recorded for finding in _compare_file(destdir, file, has_owners)]
    return (*found, *_find_others(destdir, recorded))


def compare_metalog(
    metalog: Path, recorded: Iterable[Recorded], lines: Iterable[Recorded]
) -> tuple[Finding, ...]:
    """Say where METALOG tells something else of a file than its receipt does."""
    told = {line.target: line for line in lines}
    findings = []
    for file in recorded:
        line = told.get(file.target)
        if line is None:
            findings.append(_error("metalog-missing", metalog, f"no line for {file.target}"))
        elif line != file:
            message = f"another size, mode or digest of {file.target} than its receipt"
            findings.append(_error("metalog-differs", metalog, message))
    return tuple(findings)


def _compare_file(destdir: Path, file: Recorded, has_owners: bool) -> Iterator[Finding]:
    path = destdir / file.target
    try:
        status = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        yield _error("file-missing", path, "was installed, and is not there")
        return
    except OSError as error:
        yield _error("file-unreadable", path, f"cannot look at it: {os_error_text(error)}")
        return
    if not stat.S_ISREG(status.st_mode):
        yield _error("file-replaced", path, "not a regular file any more")
        return
    if file.size is not None and status.st_size != file.size:
        message = f"{status.st_size} bytes, and {file.size} were installed"
        yield _error("file-changed", path, message)
    elif file.sha256 is not None:
        yield from _compare_content(path, file.sha256)
    mode = stat.S_IMODE(status.st_mode)
    if file.mode is not None and mode != file.mode:
        yield _error("file-mode", path, f"mode 0{mode:o}, and 0{file.mode:o} was installed")
    if has_owners and (status.st_uid, status.st_gid) != ROOT_OWNER:
        message = f"belongs to {status.st_uid}:{status.st_gid}, not to root:wheel (0:0)"
        yield _error("file-owner", path, message)


def _compare_content(path: Path, sha256: bytes) -> Iterator[Finding]:
    try:
        found = digest_file(path)
    except BuildsysError as error:
        yield _error("file-unreadable", path, str(error))
        return
    if found != sha256:
        message = f"other bytes (SHA-256 {found.hex()[:16]}…) than were installed"
        yield _error("file-changed", path, f"{message} ({sha256.hex()[:16]}…)")


def _find_others(destdir: Path, recorded: Iterable[Recorded]) -> Iterator[Finding]:
    known = {file.target for file in recorded}
    roots = {PurePosixPath(*file.target.parts[: _depth(file.target) + 4]) for file in recorded}
    for root in sorted(roots):
        for directory, names, files in os.walk(destdir / root):
            names.sort()
            for name in sorted(files):
                path = Path(directory, name)
                if PurePosixPath(path.relative_to(destdir).as_posix()) in known:
                    continue
                if is_temporary(name):
                    yield _warning("file-left", path, "left by a killed run")
                else:
                    yield _warning("file-extra", path, "modbuild did not install it")


def _error(rule: str, path: Path, message: str) -> Finding:
    return Finding(rule, Severity.ERROR, path, message)


def _warning(rule: str, path: Path, message: str) -> Finding:
    return Finding(rule, Severity.WARNING, path, message)
