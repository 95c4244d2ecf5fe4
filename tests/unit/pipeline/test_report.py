"""The summary of a run: what was found, how far the modules came, what failed."""

from pathlib import Path

from workspace import Workspace

from buildsys.base.value import replace
from buildsys.check.rulebook import find_rule, finding
from buildsys.check.verdict import Finding, Severity
from buildsys.pipeline.notes import describe_notes
from buildsys.pipeline.outcome import FailureKind, RunResult, StepFailed
from buildsys.pipeline.report import describe_failures
from buildsys.pipeline.step import Command, Step

COMMAND = Command("compile", ("cc",), Path("/o"), (), None, ())
COMPILE = Step("compile:hello/hello.o", "hello", COMMAND, (), ())


def warn(name: str, rule: str = "weak-unused") -> Finding:
    return finding(rule, Path(f"{name}.kmod"), f"about {name}")


def test_a_few_warnings_have_a_line_each() -> None:
    assert describe_notes([warn("b"), warn("a")], Severity.WARNING) == (
        "b.kmod: warning: weak-unused: about b",
        "a.kmod: warning: weak-unused: about a",
    )


def test_many_warnings_of_a_rule_have_one_line_that_names_some() -> None:
    (line,) = describe_notes([warn(name) for name in "edcba"], Severity.WARNING)
    meaning = find_rule("weak-unused").meaning
    assert line == f"warning: weak-unused in 5 modules (a, b, c and 2 more): {meaning}"


def test_what_was_not_checked_is_one_line_a_rule_with_the_mend() -> None:
    findings = [warn("a", "symbols-unknown"), warn("b", "symbols-unknown"), warn("c")]
    (line,) = describe_notes(findings, Severity.NOTE)
    assert line.startswith("not checked: symbols-unknown in 2 modules (a, b): ")
    assert line.endswith("; give a kernel of this machine with --kernel")
    assert describe_notes([], Severity.NOTE) == ()


def test_failures_are_repeated_one_after_the_other() -> None:
    failed = StepFailed(COMPILE, FailureKind.COMMAND, "exit status 1", (), "")
    result = RunResult((), (failed, failed), (), 2, False, (), 0.1)
    assert describe_failures(result).count("modbuild: compile:hello/hello.o: exit status 1") == 2
    assert describe_failures(replace(result, failed=())) == ""


def test_a_run_sums_up_how_far_the_modules_came(workspace: Workspace) -> None:
    first = workspace.run("install").out.splitlines()[-1]
    place = "destdir/stand/amd64/10.99.12/modules"
    assert first.startswith(f"3 modules: 3 built, 3 checked, 3 installed in {place} (")
    again = workspace.run("install").out.splitlines()[-1]
    assert again == f"Nothing to do: 3 modules are up to date in {place}."
    built = workspace.run("build", "gamma").out.splitlines()[-1]
    assert built == "Nothing to do: 1 module is up to date in obj."


def test_a_run_that_failed_says_what_was_left_out(workspace: Workspace) -> None:
    workspace.edit("modules/alpha/alpha.c", "int\nalpha_count", "no C\nalpha_count")
    ran = workspace.run("install", "-k")
    lines = ran.err.splitlines()
    assert "1 step failed" in lines
    assert any(line.startswith("left out after that: ") and "beta" in line for line in lines)
    assert any(line.startswith("3 modules: ") and "2 built" in line for line in lines)


def test_a_module_that_is_not_fit_is_counted_as_such(workspace: Workspace) -> None:
    workspace.edit("modules/gamma/gamma.c", "MODULE(MODULE_CLASS_MISC, gamma", "MODULE(9, gamma")
    ran = workspace.run("build")
    assert ran.status == 2
    assert "1 module not fit to be loaded" in ran.err.splitlines()
