"""Whether what stays installed beside new modules would still load."""

from collections.abc import Collection
from pathlib import Path

from buildsys.check.verdict import Severity, Verdict
from buildsys.check.whole import find_broken
from buildsys.kernel.model import Kernel
from buildsys.pipeline.outcome import FailureKind, StepError
from buildsys.pipeline.progress import describe_finding


def judge_staying(
    new: dict[str, Path], installed: dict[str, Path], kernel: Kernel, refusing: Collection[str]
) -> str:
    """Raise where an installed module of refusing would not load any more; warns of others."""
    broken = find_broken(new, installed, kernel)
    stopping = [verdict for verdict in broken if verdict.name in refusing]
    if stopping:
        names = ", ".join(verdict.name for verdict in stopping)
        text = "\n".join(_first_error(verdict) for verdict in stopping)
        message = f"installed modules would not load any more: {names}; install them, too"
        raise StepError(message, FailureKind.FINDINGS, (), text)
    lines = (f"does not load any more: {v.name}: {_first_error(v)}" for v in broken)
    return "".join(f"{line}\n" for line in lines)


def _first_error(verdict: Verdict) -> str:
    errors = (finding for finding in verdict.findings if finding.severity is Severity.ERROR)
    return next(map(describe_finding, errors), "")
