"""NAME.verdict.json: a verdict as a file, "format": 1; equal verdicts give equal bytes."""

import json
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.check.verdict import Finding, Outcome, Severity, Verdict

VERDICT_FORMAT = 1


def render_verdict(verdict: Verdict) -> bytes:
    """Give the bytes of a verdict file."""
    document = {
        "format": VERDICT_FORMAT,
        "name": verdict.name,
        "path": str(verdict.path),
        "sha256": verdict.digest.hex(),
        "kernel": verdict.kernel,
        "outcome": verdict.outcome.value,
        "errno": verdict.errno,
        "is_fit": verdict.is_fit,
        "findings": [_finding_document(finding) for finding in verdict.findings],
        "inputs": [str(path) for path in verdict.inputs],
    }
    return json.dumps(document, indent=1, ensure_ascii=True).encode() + b"\n"


def load_verdict(path: Path) -> Verdict:
    """Read a verdict file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    return parse_verdict(content, path)


def parse_verdict(content: bytes, path: Path) -> Verdict:
    """Take the bytes of a verdict file apart; path only names them."""
    try:
        document: Any = json.loads(content)
        if document["format"] != VERDICT_FORMAT:
            raise BuildsysError(
                f"a verdict of format {document['format']!r}; this version of the tool reads "
                f"format {VERDICT_FORMAT}: check the module again",
                path,
            )
        return Verdict(
            name=str(document["name"]),
            path=Path(document["path"]),
            digest=bytes.fromhex(document["sha256"]),
            kernel=str(document["kernel"]),
            outcome=Outcome(document["outcome"]),
            findings=tuple(_finding_from(entry) for entry in document["findings"]),
            inputs=tuple(Path(name) for name in document["inputs"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BuildsysError("not a verdict, or a damaged one: check again", path) from error


def _finding_document(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "path": str(finding.path),
        "message": finding.message,
        "errno": finding.errno,
        "source": finding.source,
        "kernel_message": finding.kernel_message,
    }


def _finding_from(entry: Any) -> Finding:
    return Finding(
        rule=str(entry["rule"]),
        severity=Severity(entry["severity"]),
        path=Path(entry["path"]),
        message=str(entry["message"]),
        errno=int(entry["errno"]),
        source=str(entry["source"]),
        kernel_message=str(entry["kernel_message"]),
    )
