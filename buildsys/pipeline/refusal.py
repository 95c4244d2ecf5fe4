"""What is said of a kmod that is not fit, from its verdict."""

from buildsys.check.verdict import Severity, Verdict
from buildsys.pipeline.outcome import RefusedError
from buildsys.pipeline.progress import describe_finding


def refusal_of(verdict: Verdict) -> RefusedError:
    """Give the error that a check ends with."""
    errors = [item for item in verdict.findings if item.severity is Severity.ERROR]
    text = "\n".join(describe_finding(finding) for finding in errors)
    return RefusedError(text, tuple(str(path) for path in verdict.inputs))
