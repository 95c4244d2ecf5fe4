"""A report as JUnit XML: one suite a target, one case a module, and one for each stage or set rule.

The form is the one that Jenkins, GitLab, GitHub's reporters and Buildbot read: testsuites,
testsuite, testcase with failure, error or skipped, and system-out.
"""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from buildsys.check.rulebook import find_rule, show_errno
from buildsys.check.verdict import Finding, Severity
from buildsys.report.model import ModuleResult, Report, Stage, State, Target
from buildsys.report.spelling import block, plain, spell_path

_SET = "the modules as a set"


def render_junit(report: Report) -> bytes:
    """Give the bytes of the XML file."""
    root = ElementTree.Element("testsuites", name=f"modbuild {plain(report.title)}")
    for target in report.targets:
        root.append(_suite(target, report.of_target(target.name)))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    if report.seconds is not None:
        root.set("time", f"{report.seconds:.3f}")
    ElementTree.indent(root, " ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root) + b"\n"


def _suite(target: Target, results: Sequence[ModuleResult]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=plain(target.name))
    suite.extend(_stage_case(stage, target) for stage in target.stages)
    if target.findings:
        suite.append(_set_case(target))
    suite.extend(_module_case(result, target) for result in results)
    suite.set("tests", str(len(suite)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.find(tag) is not None for case in suite)))
    times = [float(case.get("time", "0")) for case in suite]
    suite.set("time", f"{sum(times):.3f}")
    return suite


def _case(target: Target, name: str, seconds: float | None) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=plain(target.name), name=plain(name))
    case.set("time", f"{seconds or 0:.3f}")
    return case


def _stage_case(stage: Stage, target: Target) -> ElementTree.Element:
    case = _case(target, stage.name, stage.seconds)
    _tell_work(case, stage.state, stage.message, stage.output)
    return case


def _set_case(target: Target) -> ElementTree.Element:
    case = _case(target, _SET, None)
    _tell_findings(case, target.findings)
    return case


def _module_case(result: ModuleResult, target: Target) -> ElementTree.Element:
    build = result.build
    case = _case(target, result.name, None if build is None else build.seconds)
    if result.path is not None:
        case.set("file", spell_path(result.path))
    if build is not None and build.state in (State.FAILED, State.LEFT_OUT):
        _tell_work(case, build.state, build.message, build.output)
    else:
        _tell_findings(case, result.findings)
    return case


def _tell_work(case: ElementTree.Element, state: State, message: str, output: str) -> None:
    match state:
        case State.FAILED:
            error = ElementTree.SubElement(case, "error", type="command", message=plain(message))
            error.text = block(output or message)
        case State.LEFT_OUT:
            ElementTree.SubElement(case, "skipped", message=plain(message or "left out"))
        case _ if message or output:
            ElementTree.SubElement(case, "system-out").text = block(
                "\n".join(filter(None, (message, output)))
            )


def _tell_findings(case: ElementTree.Element, findings: Iterable[Finding]) -> None:
    """Make the errors one failure, and the rest what the case has written."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    others = [finding for finding in findings if finding.severity is not Severity.ERROR]
    if errors:
        first = errors[0]
        failure = ElementTree.SubElement(
            case, "failure", type=first.rule, message=f"{first.rule}: {plain(first.message)}"
        )
        failure.text = "\n".join(_describe(finding) for finding in errors)
    if others:
        ElementTree.SubElement(case, "system-out").text = "\n".join(map(_describe, others))


def _describe(finding: Finding) -> str:
    lines = [
        f"{finding.severity.value}: {finding.rule}: {plain(finding.message)}",
        f"  file: {spell_path(finding.path)}",
        f"  rule: {find_rule(finding.rule).meaning}",
    ]
    if finding.errno:
        lines.append(f"  errno: {show_errno(finding.errno)}")
    if finding.kernel_message:
        lines.append(f"  the kernel says: {plain(finding.kernel_message)}")
    if finding.source:
        lines.append(f"  decided in: {finding.source}")
    return "\n".join(lines)
