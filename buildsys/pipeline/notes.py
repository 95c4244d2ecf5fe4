"""What a person must know after a run that went well, beside its summary, as lines."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.base.wording import count, show_path
from buildsys.check.rulebook import find_rule
from buildsys.check.verdict import Finding, Severity
from buildsys.install.receipt import Receipt
from buildsys.pipeline.outcome import RunResult
from buildsys.pipeline.progress import describe_finding

_SHOWN_FINDINGS = 3
_MENDS = {"symbols-unknown": "; give a kernel of this machine with --kernel"}


@frozen
class Notes:
    """What a person must know beside failures; doubts are told even to who wants no words."""

    lines: tuple[str, ...]
    doubts: tuple[str, ...]


def make_notes(findings: Sequence[Finding], left_over: Sequence[str], fixed: Notes) -> Notes:
    """Join what kmods were warned of with what is left over, and what is the same each time."""
    lines = (*describe_notes(findings, Severity.WARNING), *left_over, *fixed.lines)
    return Notes(lines, (*describe_notes(findings, Severity.NOTE), *fixed.doubts))


def describe_left_over(receipts: Sequence[Receipt], directory: Path) -> tuple[str, ...]:
    """Name installed modules that nothing describes any more, in one line; none for none."""
    if not receipts:
        return ()
    names = ", ".join(receipt.name for receipt in receipts)
    where = show_path(receipts[0].destdir / receipts[0].directory, directory)
    return (
        f"left over in {where}, no longer described: {names}"
        " (remove with 'modbuild uninstall --left-over')",
    )


def describe_notes(findings: Iterable[Finding], severity: Severity) -> tuple[str, ...]:
    """Give the findings of one weight: warnings, or what could not be checked.

    A rule that a few findings speak of has a line for each; one of many has one line for all.
    """
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity is severity:
            found.setdefault(finding.rule, []).append(finding)
    lines: list[str] = []
    for rule, findings in sorted(found.items()):
        names = sorted({finding.path.stem for finding in findings})
        mark = "not checked" if severity is Severity.NOTE else severity.value
        if severity is Severity.WARNING and len(findings) <= _SHOWN_FINDINGS:
            lines.extend(describe_finding(finding) for finding in findings)
        else:
            meaning = find_rule(rule).meaning + _MENDS.get(rule, "")
            lines.append(f"{mark}: {rule} in {_some(names)}: {meaning}")
    return tuple(lines)


def _some(names: Sequence[str]) -> str:
    """Name some modules of many: 12 modules (a, b, c and 9 more)."""
    shown = ", ".join(names[:_SHOWN_FINDINGS])
    rest = len(names) - _SHOWN_FINDINGS
    return f"{count(len(names), 'module')} ({shown}{f' and {rest} more' if rest > 0 else ''})"


def describe_work(result: RunResult) -> str:
    """Say how many steps ran, and how long."""
    return f"{count(len(result.done), 'step')} run, {result.seconds:.1f} s"
