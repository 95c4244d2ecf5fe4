"""What is known of modules that are in a kernel, and what became of loading one."""

from collections.abc import Callable
from pathlib import Path

from buildsys.base.value import frozen, mutable
from buildsys.check.kmodfile import Linkable
from buildsys.check.kobj import Halt, halt
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Finding, Outcome
from buildsys.elf.model import show_name
from buildsys.elf.modinfo import ModInfo

FindFile = Callable[[str], Path | None]  # a path on the target system to a file here


@mutable
class LoadedModule:
    """A module in the kernel; references counts the loaded modules that require it."""

    name: str
    module_class: int
    is_builtin: bool
    required: tuple[str, ...] = ()
    references: int = 0
    file: Linkable | None = None
    absolute_needs: frozenset[str] = frozenset()
    modinfo: ModInfo | None = None


@frozen
class LoadResult:
    """What one modload(8) or modunload(8) comes to.

    inputs are the files that were looked at; file is the one loaded, None when there was none.
    """

    outcome: Outcome
    errno: int
    findings: tuple[Finding, ...]
    inputs: tuple[Path, ...] = ()
    module: LoadedModule | None = None


def refuse(rule_id: str, path: Path, message: str, kernel_message: str = "") -> LoadResult:
    """Refuse at one broken rule."""
    stop = halt(rule_id, path, message, kernel_message)
    return LoadResult(stop.outcome, stop.errno, stop.findings)


def pass_on(stop: Halt, path: Path, name: str, required: str) -> Halt:
    """Report that a module failed because of what it requires, with the reason first."""
    shown, wanted = show_name(name), show_name(required)
    outer = finding(
        "requirement-failed",
        path,
        f"{shown} requires {wanted}, which does not load",
        f"recursive load failed for `{shown}' (`{wanted}' required), error {stop.errno}",
        errno=stop.errno,
        subject=required,
    )
    return Halt(stop.outcome, stop.errno, (*stop.findings, outer))
