"""A report as one JSON document, "format": 1, and the JSON Schema that it keeps to."""

import json
from collections.abc import Iterable

from buildsys.check.detail import ModuleDetail
from buildsys.check.rulebook import find_rule
from buildsys.check.verdict import Explanation, Finding, Outcome, Severity
from buildsys.report.model import (
    BuildOutcome,
    ModuleResult,
    Report,
    Stage,
    State,
    Target,
)
from buildsys.report.spelling import block, plain, spell_path
from buildsys.version import __version__

REPORT_FORMAT = 1
_Schema = dict[str, object]


def render_json(report: Report) -> bytes:
    """Give the bytes of the document; equal reports give equal bytes."""
    return json.dumps(make_document(report), indent=1, ensure_ascii=True).encode() + b"\n"


def make_document(report: Report) -> dict[str, object]:
    """Give the report as the values that JSON has."""
    return {
        "format": REPORT_FORMAT,
        "tool": {"name": "modbuild", "version": __version__},
        "title": plain(report.title),
        "is_fit": report.is_fit,
        "summary": dict(report.words),
        "seconds": report.seconds,
        "targets": [_target_document(target) for target in report.targets],
        "modules": [_result_document(result) for result in report.results],
        "rules": _rules_document(report.findings),
    }


def _target_document(target: Target) -> dict[str, object]:
    return {
        "name": plain(target.name),
        "machine": plain(target.machine),
        "stages": [_stage_document(stage) for stage in target.stages],
        "findings": [_finding_document(finding) for finding in target.findings],
    }


def _stage_document(stage: Stage) -> dict[str, object]:
    return {
        "name": plain(stage.name),
        "state": stage.state.value,
        "message": block(stage.message),
        "output": block(stage.output),
        "seconds": stage.seconds,
    }


def _result_document(result: ModuleResult) -> dict[str, object]:
    verdict = result.verdict
    return {
        "target": plain(result.target),
        "name": plain(result.name),
        "path": None if result.path is None else spell_path(result.path),
        "word": result.word,
        "is_fit": not result.is_bad,
        "build": None if result.build is None else _build_document(result.build),
        "outcome": None if verdict is None else verdict.outcome.value,
        "errno": 0 if verdict is None else verdict.errno,
        "sha256": None if verdict is None else verdict.digest.hex(),
        "inputs": [] if verdict is None else [spell_path(path) for path in verdict.inputs],
        "closure": [] if verdict is None else [plain(name) for name in verdict.closure],
        "findings": [_finding_document(finding) for finding in result.findings],
        "explanations": []
        if verdict is None
        else [_explanation_document(one) for one in verdict.explanations],
        "detail": None if result.detail is None else _detail_document(result.detail),
    }


def _build_document(build: BuildOutcome) -> dict[str, object]:
    return {
        "state": build.state.value,
        "message": block(build.message),
        "output": block(build.output),
        "seconds": build.seconds,
    }


def _finding_document(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "path": spell_path(finding.path),
        "message": plain(finding.message),
        "errno": finding.errno,
        "source": finding.source,
        "kernel_message": plain(finding.kernel_message),
        "subject": plain(finding.subject),
    }


def _explanation_document(explanation: Explanation) -> dict[str, object]:
    return {
        "rule": explanation.rule,
        "subject": plain(explanation.subject),
        "nearest": [plain(name) for name in explanation.nearest],
        "offered_by": [plain(name) for name in explanation.offered_by],
        "origins": [
            {"path": plain(one.path), "line": one.line, "condition": plain(one.condition)}
            for one in explanation.origins
        ],
        "gone_from": plain(explanation.gone_from),
        "advice": [plain(text) for text in explanation.advice],
    }


def _detail_document(detail: ModuleDetail) -> dict[str, object]:
    return {
        "size": detail.size,
        "class": plain(detail.module_class),
        "version": detail.version,
        "requires": [plain(name) for name in detail.requires],
        "uses": [
            {"provider": plain(use.provider), "names": [plain(name) for name in use.names]}
            for use in detail.uses
        ],
        "missing": [plain(name) for name in detail.missing],
        "offers": [plain(name) for name in detail.offers],
        "relocations": detail.relocations,
    }


def _rules_document(findings: Iterable[Finding]) -> dict[str, object]:
    """Give the rules that the findings speak of, by their identifier."""
    rules = [find_rule(rule) for rule in sorted({finding.rule for finding in findings})]
    return {
        rule.id: {"severity": rule.severity.value, "meaning": rule.meaning, "source": rule.source}
        for rule in rules
    }


def describe_report_schema() -> _Schema:
    """Give the JSON Schema of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modbuild report",
        "$defs": {
            "explanation": _EXPLANATION,
            "finding": _FINDING,
            "work": _object(_WORK),
            "stage": _object({"name": _TEXT, **_WORK}),
            "detail": _DETAIL,
        },
        **_object(
            {
                "format": {"const": REPORT_FORMAT},
                "tool": _object({"name": {"const": "modbuild"}, "version": _TEXT}),
                "title": _TEXT,
                "is_fit": _FLAG,
                "summary": {"type": "object", "additionalProperties": _NATURAL},
                "seconds": _SECONDS,
                "targets": _list(_TARGET),
                "modules": _list(_MODULE),
                "rules": {"type": "object", "additionalProperties": _RULE},
            }
        ),
    }


def _object(members: dict[str, _Schema]) -> _Schema:
    """Describe an object that has exactly these members."""
    return {
        "type": "object",
        "required": list(members),
        "additionalProperties": False,
        "properties": members,
    }


def _list(entry: _Schema) -> _Schema:
    return {"type": "array", "items": entry}


def _or_null(name: str) -> _Schema:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}


_TEXT: _Schema = {"type": "string"}
_FLAG: _Schema = {"type": "boolean"}
_NATURAL: _Schema = {"type": "integer", "minimum": 0}
_SECONDS: _Schema = {"type": ["number", "null"], "minimum": 0}
_SEVERITY: _Schema = {"enum": [severity.value for severity in Severity]}
_WORK: dict[str, _Schema] = {
    "state": {"enum": [state.value for state in State]},
    "message": _TEXT,
    "output": _TEXT,
    "seconds": _SECONDS,
}
_FINDING = _object(
    {
        "rule": _TEXT,
        "severity": _SEVERITY,
        "path": _TEXT,
        "message": _TEXT,
        "errno": _NATURAL,
        "source": _TEXT,
        "kernel_message": _TEXT,
        "subject": _TEXT,
    }
)
_EXPLANATION = _object(
    {
        "rule": _TEXT,
        "subject": _TEXT,
        "nearest": _list(_TEXT),
        "offered_by": _list(_TEXT),
        "origins": _list(_object({"path": _TEXT, "line": _NATURAL, "condition": _TEXT})),
        "gone_from": _TEXT,
        "advice": _list(_TEXT),
    }
)
_RULE = _object({"severity": _SEVERITY, "meaning": _TEXT, "source": _TEXT})
_DETAIL = _object(
    {
        "size": _NATURAL,
        "class": _TEXT,
        "version": {"type": ["integer", "null"]},
        "requires": _list(_TEXT),
        "uses": _list(_object({"provider": _TEXT, "names": _list(_TEXT)})),
        "missing": _list(_TEXT),
        "offers": _list(_TEXT),
        "relocations": _NATURAL,
    }
)
_TARGET = _object(
    {
        "name": _TEXT,
        "machine": _TEXT,
        "stages": _list({"$ref": "#/$defs/stage"}),
        "findings": _list({"$ref": "#/$defs/finding"}),
    }
)
_MODULE = _object(
    {
        "target": _TEXT,
        "name": _TEXT,
        "path": {"type": ["string", "null"]},
        "word": _TEXT,
        "is_fit": _FLAG,
        "build": _or_null("work"),
        "outcome": {"enum": [*(outcome.value for outcome in Outcome), None]},
        "errno": _NATURAL,
        "sha256": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"},
        "inputs": _list(_TEXT),
        "closure": _list(_TEXT),
        "findings": _list({"$ref": "#/$defs/finding"}),
        "explanations": _list({"$ref": "#/$defs/explanation"}),
        "detail": _or_null("detail"),
    }
)
