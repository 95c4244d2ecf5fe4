"""The table of modules by kernels."""

from pathlib import Path

from buildsys.check.rulebook import finding
from buildsys.check.verdict import Outcome, Verdict
from buildsys.report.matrix import describe_matrix
from buildsys.report.model import ModuleResult, Report, Target


def result(name: str, target: str, *rules: str) -> ModuleResult:
    path = Path(f"{name}.kmod")
    findings = tuple(finding(rule, path, "why") for rule in rules)
    outcome = Outcome.REFUSED if rules else Outcome.LOADS
    verdict = Verdict(name, path, bytes(32), target, outcome, findings)
    return ModuleResult(target, name, path, verdict=verdict)


def test_the_table_has_the_modules_that_some_kernel_refuses() -> None:
    results = (
        result("good", "A"), result("good", "B"),
        result("odd", "A"), result("odd", "B", "undefined-symbol"),
        result("own", "A", "built-in"), result("own", "B"),
    )  # fmt: skip
    lines = list(describe_matrix(Report("check", (Target("A"), Target("B")), results)))
    assert lines == [
        "modules by kernel:", "    1: A", "    2: B",
        "    module  1               2",
        "    odd     loads           refused 8",
        "    own     built-in        loads",
        "1 of 3 modules load with every kernel",
    ]  # fmt: skip


def test_there_is_no_table_for_one_kernel_or_for_different_files() -> None:
    one = Report("check", (Target("A"),), (result("good", "A"),))
    assert list(describe_matrix(one)) == []
    apart = Report("check", (Target("A"), Target("B")), (result("a", "A"), result("b", "B")))
    assert list(describe_matrix(apart)) == []
