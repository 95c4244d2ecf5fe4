"""The text for people."""

from pathlib import Path

from buildsys.check.mends import find_mend
from buildsys.check.rulebook import RULES
from buildsys.check.verdict import Explanation, Outcome, Severity, Verdict
from buildsys.report.model import ModuleResult, Report, Target
from buildsys.report.text import TextOptions, describe_report, render_text


def test_findings_stand_below_their_rule_errors_first(report: Report) -> None:
    lines = list(describe_report(report, TextOptions()))
    assert lines[0] == f"kernel: {report.targets[0].name}"
    heads = [line.split(": ")[1] for line in lines if line.startswith(("error", "warning", "not "))]
    assert heads == [
        "not-elf", "redefined-symbol", "undefined-symbol", "weak-unused", "symbols-unknown",
    ]  # fmt: skip
    at = next(n for n, line in enumerate(lines) if line.startswith("error: undefined-symbol"))
    assert lines[at].endswith("has the global (refused, errno 8 ENOEXEC)")
    assert lines[at + 1] == "    beta.kmod: nothing offers x"
    assert "epsilon: failed: cc failed" in lines
    assert lines[-1] == "1 kmod: 1 done"


def test_no_line_holds_what_a_terminal_would_obey(report: Report) -> None:
    for line in describe_report(report, TextOptions(has_explanation=True, is_full=True)):
        assert line.isprintable()


def test_an_explanation_names_function_and_mend(report: Report) -> None:
    text = render_text(report).decode()
    assert "    decided in sys/kern/subr_kobj.c, kobj_checksyms\n" in text
    assert f"    mend: {find_mend('undefined-symbol')}\n" in text


def test_every_rule_that_is_an_error_has_a_mend() -> None:
    assert [
        rule.id for rule in RULES if rule.severity is Severity.ERROR and not find_mend(rule.id)
    ] == []


def test_a_symbol_of_which_nothing_is_known_has_a_line_that_says_so() -> None:
    bare = (Explanation("undefined-symbol", "frobnicate"),)
    verdict = Verdict(
        "a", Path("a.kmod"), bytes(32), "amd64", Outcome.REFUSED, (), (), (), (), bare
    )
    result = ModuleResult("amd64", "a", verdict.path, verdict=verdict)
    report = Report("check", (Target("amd64", "amd64"),), (result,))
    lines = list(describe_report(report, TextOptions(has_explanation=True)))
    place = lines.index("a: frobnicate:")
    assert lines[place + 1] == "    no name like it, and nothing at hand that has it"
