"""Options that a module was built with against those of the kernel: what loads, and then harms."""

import enum
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.check.kmodfile import Linkable
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Finding
from buildsys.elf.notes import read_notes
from buildsys.kernel.options import WATCHED, KernelOption

_NOTE_OWNER, _NOTE_OPTIONS = "modbuild", 1  # toolchain/ident.py
# The headers have what these options add for every module (_MODULE), with or without them: only a
# module that has them in a kernel that has not is at odds.
_ONE_WAY = frozenset({"KDTRACE_HOOKS", "LOCKDEBUG", "MULTIPROCESSOR"})


class DriftPolicy(enum.Enum):
    """What to do about a module whose options are not the kernel's."""

    WARN = "warn"
    REFUSE = "refuse"
    IGNORE = "ignore"


@frozen
class Drift:
    """The options that a module is known to be built with, None when only the file can tell."""

    options: tuple[str, ...] | None = None
    policy: DriftPolicy = DriftPolicy.WARN


def parse_policy(text: str) -> DriftPolicy:
    """Read the setting 'drift'."""
    try:
        return DriftPolicy(text)
    except ValueError as error:
        words = ", ".join(policy.value for policy in DriftPolicy)
        raise BuildsysError(f"drift: expected one of {words}, got {text!r}") from error


def noted_options(file: Linkable) -> tuple[str, ...] | None:
    """Read the options from modbuild's note in a kmod; None when it has none."""
    try:
        notes = read_notes(file.kobj.elf)
    except BuildsysError:
        return None  # note-damaged says so
    for note in notes:
        if note.owner == _NOTE_OWNER and note.kind == _NOTE_OPTIONS:
            words = note.content.rstrip(b"\0").decode("ascii", "replace").split()
            return tuple(word for word in words if word in WATCHED)
    return None


def check_options(
    path: Path, options: Sequence[str], kernel: Sequence[KernelOption], policy: DriftPolicy
) -> Iterator[Finding]:
    """option-drift, option-refused: one for each option that is known to differ.

    options are the module's, kernel are the kernel's as far as they are known.
    """
    if policy is DriftPolicy.IGNORE:
        return
    rule_id = "option-refused" if policy is DriftPolicy.REFUSE else "option-drift"
    for found in kernel:
        name = found.name
        has = name in options
        if found.is_on is None or has == found.is_on or (found.is_on and name in _ONE_WAY):
            continue
        with_or_without = ("with", "without") if has else ("without", "with")
        yield finding(
            rule_id,
            path,
            f"built {with_or_without[0]} {name}, the kernel {with_or_without[1]} (known by "
            f"{found.known_by})",
            subject=name,
        )
