"""A report as SARIF 2.1.0 (OASIS): one run a target, one result a finding or failed build."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.check.rulebook import Rule, find_rule, show_errno
from buildsys.check.verdict import Finding, Severity
from buildsys.report.model import ModuleResult, Report, Stage, State, Target
from buildsys.report.spelling import block, path_uri, plain
from buildsys.version import __version__

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BUILD_RULE = "build-failed"
_FINGERPRINT = "modbuild/v1"
_Json = dict[str, object]


def render_sarif(report: Report) -> bytes:
    """Give the bytes of the SARIF log; equal reports give equal bytes."""
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [_run(report, target) for target in report.targets],
    }
    return json.dumps(log, indent=1, ensure_ascii=True).encode() + b"\n"


def _run(report: Report, target: Target) -> _Json:
    results = report.of_target(target.name)
    found = [*target.findings, *(f for result in results for f in result.findings)]
    rules = [_BUILD_RULE] if any(_is_unbuilt(result) for result in results) else []
    rules += sorted({finding.rule for finding in found})
    index = {rule: number for number, rule in enumerate(rules)}
    told = [_finding_result(finding, None, target, index) for finding in target.findings]
    for result in results:
        told += _results(result, target, index)
    return {
        "tool": {
            "driver": {
                "name": "modbuild",
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"modbuild/{plain(report.title)}/{plain(target.name)}/"},
        "invocations": [_invocation(target.stages)],
        "artifacts": [_artifact(r) for r in results if r.path is not None],
        "results": told,
        "columnKind": "unicodeCodePoints",
    }


def _rule(rule_id: str) -> _Json:
    if rule_id == _BUILD_RULE:
        return {
            "id": rule_id,
            "shortDescription": {"text": "the module could not be built"},
            "defaultConfiguration": {"level": "error"},
        }
    rule = find_rule(rule_id)
    return {
        "id": rule_id,
        "shortDescription": {"text": rule.meaning},
        "fullDescription": {"text": _explain(rule)},
        "defaultConfiguration": {"level": _level(rule.severity)},
    }


def _explain(rule: Rule) -> str:
    text = rule.meaning
    if rule.source:
        text += f"; decided in {rule.source}"
    if rule.errno:
        text += f"; errno {show_errno(rule.errno)}"
    return text + "."


def _level(severity: Severity) -> str:
    match severity:
        case Severity.ERROR:
            return "error"
        case Severity.WARNING:
            return "warning"
        case _:
            return "note"


def _invocation(stages: Sequence[Stage]) -> _Json:
    """Say whether the tool came through; what stopped it is a notification."""
    failed = [stage for stage in stages if stage.state in (State.FAILED, State.LEFT_OUT)]
    invocation: _Json = {"executionSuccessful": not failed}
    if failed:
        invocation["toolExecutionNotifications"] = [
            {
                "level": "error" if stage.state is State.FAILED else "warning",
                "message": {"text": f"{plain(stage.name)}: {block(stage.message) or 'failed'}"},
            }
            for stage in failed
        ]
    return invocation


def _artifact(result: ModuleResult) -> _Json:
    artifact: _Json = {"location": _location_of(result.path or Path())}
    if result.detail is not None:
        artifact["length"] = result.detail.size
    if result.verdict is not None:
        artifact["hashes"] = {"sha-256": result.verdict.digest.hex()}
    return artifact


def _is_unbuilt(result: ModuleResult) -> bool:
    return result.build is not None and result.build.state in (State.FAILED, State.LEFT_OUT)


def _results(result: ModuleResult, target: Target, index: dict[str, int]) -> Iterator[_Json]:
    if _is_unbuilt(result) and result.build is not None:
        text = result.build.message or result.build.state.value
        told = _result(_BUILD_RULE, "error", block(text), result.name, target, index)
        if result.path is not None:
            told["locations"] = _locations(result.path, result.name)
        yield told
    for finding in result.findings:
        yield _finding_result(finding, result, target, index)


def _finding_result(
    finding: Finding, result: ModuleResult | None, target: Target, index: dict[str, int]
) -> _Json:
    name = finding.path.stem if result is None else result.name
    told = _result(
        finding.rule, _level(finding.severity), plain(finding.message), name, target, index
    )
    told["locations"] = _locations(finding.path, name)
    properties: _Json = {"module": plain(name)}
    if finding.errno:
        properties["errno"] = finding.errno
    if finding.source:
        properties["source"] = finding.source
    if finding.kernel_message:
        properties["kernelMessage"] = plain(finding.kernel_message)
    told["properties"] = properties
    return told


def _result(
    rule: str, level: str, text: str, name: str, target: Target, index: dict[str, int]
) -> _Json:
    parts = "\0".join((plain(target.name), plain(name), rule, text))
    return {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": level,
        "message": {"text": f"{plain(name)}: {text}"},
        "partialFingerprints": {_FINGERPRINT: hashlib.sha256(parts.encode()).hexdigest()},
    }


def _location_of(path: Path) -> _Json:
    return {"uri": path_uri(path)}


def _locations(path: Path, name: str) -> list[_Json]:
    return [
        {
            "physicalLocation": {"artifactLocation": _location_of(path)},
            "logicalLocations": [{"name": plain(name), "kind": "module"}],
        }
    ]
