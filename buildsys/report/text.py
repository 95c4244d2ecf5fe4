"""A report as text for people: grouped by what went wrong, one line a finding."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.mends import find_mend
from buildsys.check.rulebook import Rule, find_rule, show_errno
from buildsys.check.verdict import Explanation, Finding, Outcome, Severity
from buildsys.report.model import ModuleResult, Report, State, Target
from buildsys.report.spelling import block, plain

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
_MARKS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "not checked"}
_SHOWN = 12  # findings of one rule that is no error
_WIDTH = 96


@frozen
class _Told:
    """A finding, and the file in which it was found, as text."""

    finding: Finding
    where: str


@frozen
class TextOptions:
    """How much to tell: has_explanation adds to each rule what the kernel does and the mend.

    is_full names every finding of a rule, where else those that are no error are summed up;
    show_path spells the path of a file that its name alone does not tell from the others.
    """

    has_explanation: bool = False
    is_full: bool = False
    show_path: Callable[[Path], str] = str


def render_text(report: Report) -> bytes:
    """Give the whole text as bytes, everything told."""
    lines = describe_report(report, TextOptions(has_explanation=True, is_full=True))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def describe_report(report: Report, options: TextOptions) -> Iterator[str]:
    """Give the lines of the report, target by target, the sum last."""
    for target in report.targets:
        yield from _describe_target(target, report.of_target(target.name), options)


def _describe_target(
    target: Target, results: Sequence[ModuleResult], options: TextOptions
) -> Iterator[str]:
    yield f"kernel: {plain(target.name)}"
    for stage in target.stages:
        yield from _describe_work(stage.name, stage.state, stage.message, stage.output)
    for result in results:
        build = result.build
        if build is not None and build.state in (State.FAILED, State.LEFT_OUT):
            yield from _describe_work(result.name, build.state, build.message, build.output)
    found: list[_Told] = [_Told(finding, str(finding.path)) for finding in target.findings]
    spelled = _spell_files(results, options)
    found += [_tell(f, result, spelled) for result in results for f in result.findings]
    yield from _describe_findings(found, options)
    if options.has_explanation:
        for result in results:
            for one in () if result.verdict is None else result.verdict.explanations:
                yield from _describe_explanation(result.name, one)
    if results:
        yield sum_up(results)


def sum_up(results: Iterable[ModuleResult]) -> str:
    """Sum results up in a line: '339 kmods: 229 loads, 110 built-in'."""
    words: dict[str, int] = {}
    for result in results:
        words[result.word] = words.get(result.word, 0) + 1
    total = sum(words.values())
    told = ", ".join(f"{count} {word}" for word, count in sorted(words.items(), key=_by_count))
    return f"{total} {'kmod' if total == 1 else 'kmods'}: {told}"


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _describe_work(name: str, state: State, message: str, output: str) -> Iterator[str]:
    yield f"{plain(name)}: {state.value}{f': {plain(message)}' if message else ''}"
    for line in block(output.rstrip("\n")).split("\n") if output else ():
        yield f"    {line}"


def _describe_explanation(name: str, one: Explanation) -> Iterator[str]:
    """Give what is known of one name: where it is, what looks like it, what to do."""
    yield f"{plain(name)}: {plain(one.subject) or one.rule}:"
    if not (one.nearest or one.offered_by or one.origins or one.gone_from or one.advice):
        yield "    no name like it, and nothing at hand that has it"
    if one.nearest:
        yield f"    looks like: {plain(', '.join(one.nearest))}"
    if one.offered_by:
        yield f"    offered by: {plain(', '.join(one.offered_by))}"
    for origin in one.origins:
        condition = f", with {plain(origin.condition)}" if origin.condition else ""
        yield f"    defined in: sys/{plain(origin.path)}:{origin.line}{condition}"
    if one.gone_from:
        yield f"    gone since: {plain(one.gone_from)}"
    for advice in one.advice:
        yield f"    {plain(advice)}"


def _spell_files(results: Sequence[ModuleResult], options: TextOptions) -> dict[Path, str]:
    """Name each file by its last part, by its path where two have the same."""
    paths = {result.path for result in results if result.path is not None}
    counts = Counter(path.name for path in paths)
    return {
        path: path.name if counts[path.name] == 1 else options.show_path(path) for path in paths
    }


def _tell(finding: Finding, result: ModuleResult, spelled: Mapping[Path, str]) -> _Told:
    if result.path is None:
        return _Told(finding, result.name)
    where = spelled[result.path]
    if finding.path.name != result.path.name:
        where += f" (through {finding.path.name})"
    return _Told(finding, where)


def _describe_findings(found: Iterable[_Told], options: TextOptions) -> Iterator[str]:
    groups: dict[tuple[int, str], list[_Told]] = {}
    for told in found:
        key = (_ORDER.index(told.finding.severity), told.finding.rule)
        groups.setdefault(key, []).append(told)
    for _, group in sorted(groups.items(), key=lambda item: item[0]):
        yield from _describe_group(group, options)


def _describe_group(group: Sequence[_Told], options: TextOptions) -> Iterator[str]:
    """Give one rule's heading, and each finding in a line."""
    first = group[0].finding
    rule = find_rule(first.rule)
    yield f"{_MARKS[first.severity]}: {rule.id}: {rule.meaning}{_show_weight(rule, first)}"
    if options.has_explanation:
        if rule.source:
            yield f"    decided in {rule.source}"
        mend = find_mend(rule.id)
        if mend:
            yield f"    mend: {mend}"
    is_short = first.severity is not Severity.ERROR and not options.is_full
    if is_short and len(group) > _SHOWN:
        names = (plain(told.where).removesuffix(".kmod") for told in group)
        yield from _fill(list(dict.fromkeys(names)))
        return
    for told in group:
        yield f"    {plain(told.where)}: {plain(told.finding.message)}"


def _show_weight(rule: Rule, finding: Finding) -> str:
    match rule.outcome:
        case Outcome.REFUSED if finding.errno:
            return f" (refused, errno {show_errno(finding.errno)})"
        case Outcome.REFUSED:
            return " (refused)"
        case Outcome.PANICS:
            return " (the kernel panics)"
        case _:
            return ""


def _fill(names: Sequence[str]) -> Iterator[str]:
    """Put many names on lines of some width."""
    line = f"    {len(names)}:"
    for name in names:
        if len(line) + 1 + len(name) > _WIDTH:
            yield line
            line = "       "
        line += f" {name}"
    yield line
