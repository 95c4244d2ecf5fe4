"""Reports of every shape: modules that load, fail, were not built, with names that are no text."""

import os
from pathlib import Path

import pytest

from buildsys.check.detail import ModuleDetail, SymbolUse
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Explanation, Finding, Origin, Outcome, Verdict
from buildsys.report.model import BuildOutcome, ModuleResult, Report, Stage, State, Target

KERNEL = "amd64 10.99.12 (GENERIC)"
ODD_NAME = "od\nd\x1b[31m<b>&amp;\"'" + os.fsdecode(b"\xff") + "\u202e]]>{{7*7}}"


def make_verdict(name: str, outcome: Outcome, *findings: Finding) -> Verdict:
    path = Path("kmods") / f"{name}.kmod"
    explanations = tuple(
        Explanation(
            one.rule, "x" + ODD_NAME, ("y",), ("gamma",), (Origin("kern/x.c", 3, "ffs & !wapbl"),),
            "amd64 10.99.11", ("Build it again.",),
        )
        for one in findings
    )  # fmt: skip
    return Verdict(
        name, path, bytes(range(32)), KERNEL, outcome, findings, (path,), ("alpha",),
        ("alpha", name), explanations,
    )  # fmt: skip


def make_result(name: str, outcome: Outcome, *findings: Finding) -> ModuleResult:
    verdict = make_verdict(name, outcome, *findings)
    detail = ModuleDetail(
        4096, "misc", 1099001200, ("alpha",),
        (SymbolUse("", ("printf",)), SymbolUse("alpha", ("alpha_count",))), ("nowhere",),
        (name,), 7,
    )  # fmt: skip
    return ModuleResult(KERNEL, name, verdict.path, verdict=verdict, detail=detail)


@pytest.fixture
def report() -> Report:
    """A report that has one of everything."""
    kmods = Path("kmods")
    undefined = finding(
        "undefined-symbol", kmods / "beta.kmod", "nothing offers x", "symbol not found"
    )
    unused = finding("weak-unused", kmods / "gamma.kmod", "weak y is not used")
    note = finding("symbols-unknown", kmods / "delta.kmod", "2 symbols were not checked")
    odd = finding("not-elf", kmods / f"{ODD_NAME}.kmod", f"no ELF file: {ODD_NAME}")
    failed = BuildOutcome(State.FAILED, "cc failed", "a.c:1: \x07no\n", 1.5)
    results = (
        make_result("alpha", Outcome.LOADS),
        make_result("beta", Outcome.REFUSED, undefined),
        make_result("gamma", Outcome.LOADS, unused),
        make_result("delta", Outcome.UNKNOWN, note),
        make_result(ODD_NAME, Outcome.REFUSED, odd),
        ModuleResult(KERNEL, "epsilon", None, failed),
        ModuleResult(KERNEL, "zeta", None, BuildOutcome(State.LEFT_OUT, "after epsilon")),
        ModuleResult("i386 10.99.12", "alpha", kmods / "alpha.kmod", BuildOutcome(State.DONE)),
    )  # fmt: skip
    clash = finding("redefined-symbol", kmods / "alpha.kmod", "both alpha and gamma define z")
    stages = (Stage("build", State.FAILED, "1 step failed", "x\n", 2.0), Stage("pack", State.DONE))
    targets = (Target(KERNEL, "amd64", stages, (clash,)), Target("i386 10.99.12", "i386"))
    return Report("check", targets, results, 3.25)


@pytest.fixture
def empty_report() -> Report:
    """A report of nothing."""
    return Report("check", (), ())
