"""What a report tells: targets, modules, verdicts, builds. Knows nothing of formats or files."""

import enum
from collections import Counter
from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.check.detail import ModuleDetail
from buildsys.check.verdict import Finding, Outcome, Severity, Verdict


class State(enum.Enum):
    """How some work ended."""

    DONE = "done"
    UP_TO_DATE = "up to date"
    FAILED = "failed"
    LEFT_OUT = "left out"  # could not start, after the failure of another


@frozen
class Stage:
    """One part of the work on a target that is no single module's: build, pack, verify.

    message says what came of it; output is what programs wrote, '' when nothing.
    """

    name: str
    state: State
    message: str = ""
    output: str = ""
    seconds: float | None = None


@frozen
class Target:
    """What modules are for: a machine and one kernel of it; name is unique within a report.

    findings are those about the modules as a set, which belong to no single one.
    """

    name: str  # 'amd64 10.99.12 (GENERIC)'
    machine: str = ""
    stages: tuple[Stage, ...] = ()
    findings: tuple[Finding, ...] = ()


@frozen
class BuildOutcome:
    """What became of building one module; message and output tell of the failure, '' for none."""

    state: State
    message: str = ""
    output: str = ""
    seconds: float | None = None


@frozen
class ModuleResult:
    """What became of one module for one target: built, judged, or both.

    verdict is None where it was not judged, build where nothing was to build, detail where it was
    not asked for or the file cannot be read.
    """

    target: str  # Target.name
    name: str
    path: Path | None = None
    build: BuildOutcome | None = None
    verdict: Verdict | None = None
    detail: ModuleDetail | None = None

    @property
    def is_bad(self) -> bool:
        """Tell whether something stands against this module."""
        is_unbuilt = self.build is not None and self.build.state in (State.FAILED, State.LEFT_OUT)
        return is_unbuilt or (self.verdict is not None and not self.verdict.is_fit)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Give the verdict's findings; none where there is no verdict."""
        return () if self.verdict is None else self.verdict.findings

    @property
    def word(self) -> str:
        """Sum it up in a word: 'loads', 'refused', 'built-in', 'failed', …."""
        if self.build is not None and self.build.state in (State.FAILED, State.LEFT_OUT):
            return str(self.build.state.value)
        if self.verdict is None:
            return "not judged" if self.build is None else str(self.build.state.value)
        if self.verdict.is_fit and self.verdict.outcome is Outcome.REFUSED:
            return "built-in"
        if not self.verdict.is_fit and self.verdict.outcome is Outcome.LOADS:
            return "unfit"
        return str(self.verdict.outcome.value)


@frozen
class Report:
    """One run of the tool: every module for every target, in a stable order.

    title says what was done, for people ('check', 'release'); seconds is how long it took, None
    where that was not measured.
    """

    title: str
    targets: tuple[Target, ...]
    results: tuple[ModuleResult, ...]
    seconds: float | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Give all findings, those about a set first."""
        about_sets = tuple(finding for target in self.targets for finding in target.findings)
        return about_sets + tuple(f for result in self.results for f in result.findings)

    @property
    def is_fit(self) -> bool:
        """Tell whether nothing stands against any module, set or stage."""
        return not (
            any(result.is_bad for result in self.results)
            or any(f.severity is Severity.ERROR for t in self.targets for f in t.findings)
            or any(
                stage.state in (State.FAILED, State.LEFT_OUT)
                for target in self.targets
                for stage in target.stages
            )
        )

    @property
    def words(self) -> tuple[tuple[str, int], ...]:
        """Count the results by their word, the most frequent first."""
        counts = Counter(result.word for result in self.results)
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def with_stages(self, stages: tuple[Stage, ...]) -> "Report":
        """Add stages that are no single target's: they stand with the first."""
        if not stages or not self.targets:
            return self
        first = replace(self.targets[0], stages=(*self.targets[0].stages, *stages))
        return replace(self, targets=(first, *self.targets[1:]))

    def of_target(self, name: str) -> tuple[ModuleResult, ...]:
        """Give the results of one target."""
        return tuple(result for result in self.results if result.target == name)
