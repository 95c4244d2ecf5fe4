"""What the HTML page shows, as values: rows of modules, groups of findings, drawings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.detail import ModuleDetail
from buildsys.check.mends import find_mend
from buildsys.check.rulebook import Rule, find_rule, show_errno
from buildsys.check.verdict import Explanation, Finding, Severity
from buildsys.report.graph import Drawing, draw_requirements
from buildsys.report.model import ModuleResult, Report, Target
from buildsys.report.spelling import block, plain, spell_path

_Key = tuple[str, int]  # a module's name, and which of several files of that name
_WEIGHTS = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
_DOUBTFUL = {"unknown", "not judged", "left out"}


@frozen
class Told:
    """What one rule found at one place: messages, with path '' where it is the module's own file.

    errno is '8 ENOEXEC', or '' for none.
    """

    rule: Rule
    weight: str
    errno: str
    source: str
    mend: str
    messages: tuple[tuple[str, str, str], ...]  # message, what the kernel says, path


@frozen
class Cell:
    """One module for one target; tone is 'good', 'bad' or 'doubt'."""

    target: str
    word: str
    tone: str
    errno: str
    path: str
    told: tuple[Told, ...]
    explanations: tuple[Explanation, ...]
    work: str  # what a failed build said, '' for none


@frozen
class Row:
    """One module: what it is for each target (None where it is not for it)."""

    anchor: str
    name: str
    cells: tuple[Cell | None, ...]
    detail: ModuleDetail | None
    required_by: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Give the words of all targets, each once."""
        return tuple(dict.fromkeys(cell.word for cell in self.cells if cell is not None))

    @property
    def rules(self) -> tuple[str, ...]:
        """Give the rules that its findings speak of, each once."""
        told = (one.rule.id for cell in self.cells if cell is not None for one in cell.told)
        return tuple(dict.fromkeys(told))

    @property
    def tone(self) -> str:
        """Give the worst tone of all targets."""
        tones = {cell.tone for cell in self.cells if cell is not None}
        return next(tone for tone in ("bad", "doubt", "good", "") if tone in tones or not tone)


@frozen
class RuleGroup:
    """All that one rule was broken by: the modules' rows, each once."""

    rule: Rule
    weight: str
    errno: str
    mend: str
    count: int
    rows: tuple[Row, ...]


@frozen
class TargetSummary:
    """A target with its results counted by their word; tones are beside the words."""

    target: Target
    words: tuple[tuple[str, int, str], ...]
    told: tuple[Told, ...]


@frozen
class Page:
    """Everything on the page."""

    report: Report
    targets: tuple[TargetSummary, ...]
    rows: tuple[Row, ...]
    groups: tuple[RuleGroup, ...]
    drawings: tuple[Drawing, ...]

    @property
    def anchors(self) -> dict[str, Row]:
        """Map each name to its row, the first where several files have it."""
        return {row.name: row for row in reversed(self.rows)}

    @property
    def bad_count(self) -> int:
        """Count the rows against which something stands."""
        return sum(row.tone == "bad" for row in self.rows)

    @property
    def words(self) -> tuple[str, ...]:
        """Give every word that a row has."""
        return tuple(sorted({word for row in self.rows for word in row.words}))


def make_page(report: Report) -> Page:
    """Sort a report's results into what the page shows."""
    columns = {target.name: number for number, target in enumerate(report.targets)}
    cells: dict[_Key, list[Cell | None]] = {}
    details: dict[_Key, ModuleDetail] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for result in report.results:
        key = (result.name, seen[result.target, result.name])
        seen[result.target, result.name] += 1
        row = cells.setdefault(key, [None] * len(columns))
        row[columns[result.target]] = _make_cell(result)
        if result.detail is not None:
            details.setdefault(key, result.detail)
    requirements = {name: detail.requires for (name, at), detail in details.items() if at == 0}
    users: dict[str, set[str]] = {}
    for name, required in requirements.items():
        for other in required:
            users.setdefault(other, set()).add(name)
    rows = tuple(
        Row(f"m{number}", key[0], tuple(cells[key]), details.get(key),
            tuple(sorted(users.get(key[0], ()))))
        for number, key in enumerate(sorted(cells))
    )  # fmt: skip
    targets = tuple(_sum_up(report, target) for target in report.targets)
    return Page(report, targets, rows, _group(rows, report), draw_requirements(requirements))


def tone_of(result: ModuleResult) -> str:
    """Sort a result into good, doubtful and bad."""
    if result.is_bad and result.word not in _DOUBTFUL:
        return "bad"
    return "doubt" if result.word in _DOUBTFUL or result.is_bad else "good"


def _tell(findings: Iterable[Finding], own: Path | None) -> tuple[Told, ...]:
    """Put findings together by rule, in the order in which the rules come first."""
    groups: dict[tuple[str, Severity, int], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.severity, finding.errno), []).append(finding)
    return tuple(
        Told(
            find_rule(rule),
            severity.value,
            show_errno(errno) if errno else "",
            group[0].source,
            find_mend(rule),
            tuple(
                (plain(one.message), plain(one.kernel_message),
                 "" if one.path == own else spell_path(one.path))
                for one in group
            ),
        )
        for (rule, severity, errno), group in groups.items()
    )  # fmt: skip


def _make_cell(result: ModuleResult) -> Cell:
    verdict, build = result.verdict, result.build
    work = ""
    if build is not None and (build.message or build.output):
        work = block("\n".join(filter(None, (build.message, build.output))))
    return Cell(
        plain(result.target),
        result.word,
        tone_of(result),
        show_errno(verdict.errno) if verdict is not None and verdict.errno else "",
        "" if result.path is None else spell_path(result.path),
        _tell(result.findings, result.path),
        () if verdict is None else verdict.explanations,
        work,
    )


def _sum_up(report: Report, target: Target) -> TargetSummary:
    results = report.of_target(target.name)
    counts = Counter((result.word, tone_of(result)) for result in results)
    words = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return TargetSummary(
        target,
        tuple((word, count, tone) for (word, tone), count in words),
        _tell(target.findings, None),
    )


def _group(rows: Sequence[Row], report: Report) -> tuple[RuleGroup, ...]:
    """Group the findings by rule, what weighs most first."""
    found: dict[str, list[tuple[Told, Row | None]]] = {}
    for target in report.targets:
        for told in _tell(target.findings, None):
            found.setdefault(told.rule.id, []).append((told, None))
    for row in rows:
        for cell in row.cells:
            for told in () if cell is None else cell.told:
                found.setdefault(told.rule.id, []).append((told, row))
    groups = []
    for all_told in found.values():
        first = all_told[0][0]
        unique = {row.name: row for _, row in all_told if row is not None}
        count = sum(len(told.messages) for told, _ in all_told)
        rows_told = tuple(unique.values())
        groups.append(
            RuleGroup(first.rule, first.weight, first.errno, first.mend, count, rows_told)
        )
    order = [severity.value for severity in _WEIGHTS]
    groups.sort(key=lambda group: (order.index(group.weight), -group.count, group.rule.id))
    return tuple(groups)
