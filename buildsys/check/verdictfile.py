"""NAME.verdict.json: a verdict as a file, "format": 2; equal verdicts give equal bytes."""

import json
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.check.verdict import Explanation, Finding, Origin, Outcome, Severity, Verdict

VERDICT_FORMAT = 2


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
        "requires": list(verdict.requires),
        "closure": list(verdict.closure),
        "explanations": [_explanation_document(entry) for entry in verdict.explanations],
        "built_with": None if verdict.built_with is None else list(verdict.built_with),
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
            requires=tuple(map(str, document["requires"])),
            closure=tuple(map(str, document["closure"])),
            explanations=tuple(_explanation_from(entry) for entry in document["explanations"]),
            built_with=None
            if document["built_with"] is None
            else tuple(map(str, document["built_with"])),
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
        "subject": finding.subject,
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
        subject=str(entry["subject"]),
    )


def _explanation_document(explanation: Explanation) -> dict[str, object]:
    return {
        "rule": explanation.rule,
        "subject": explanation.subject,
        "nearest": list(explanation.nearest),
        "offered_by": list(explanation.offered_by),
        "origins": [[o.path, o.line, o.condition] for o in explanation.origins],
        "gone_from": explanation.gone_from,
        "advice": list(explanation.advice),
    }


def _explanation_from(entry: Any) -> Explanation:
    return Explanation(
        rule=str(entry["rule"]),
        subject=str(entry["subject"]),
        nearest=tuple(map(str, entry["nearest"])),
        offered_by=tuple(map(str, entry["offered_by"])),
        origins=tuple(Origin(str(p), int(n), str(c)) for p, n, c in entry["origins"]),
        gone_from=str(entry["gone_from"]),
        advice=tuple(map(str, entry["advice"])),
    )
