"""Sets of real modules: clashes, luck, requirements through others, and what decides first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildsys.check.beyond import Expected
from buildsys.check.check import check_kmod, check_set
from buildsys.check.kmodfile import KmodCache
from buildsys.check.together import find_clashes
from buildsys.check.verdict import Finding, Outcome, Verdict
from buildsys.kernel.model import Kernel

USE = ".data\n.quad "
GLOBAL = ".globl {0}\n{0}: .byte 1\n"
Found = tuple[dict[str, Verdict], tuple[Finding, ...]]


@pytest.fixture
def judge(factory: Any, tools: Any, kernel: Kernel) -> Callable[..., Found]:
    def together(**modules: dict[str, Any]) -> Found:
        paths = []
        for name, changes in modules.items():
            inner = changes.pop("inner", name)
            text = factory.assemble(tools.module_text(inner, **changes))
            paths.append(factory.write(text, name))
        cache = KmodCache(kernel)
        verdicts = check_set(paths, kernel, cache)
        return {verdict.name: verdict for verdict in verdicts}, find_clashes(paths, cache)

    return together


def rules_of(found: Verdict | tuple[Finding, ...]) -> list[str]:
    findings = found.findings if isinstance(found, Verdict) else found
    return [finding.rule for finding in findings]


def test_a_global_of_two_modules_is_a_clash(judge: Callable[..., Found]) -> None:
    shared = GLOBAL.format("shared")
    verdicts, clashes = judge(one={"extra": shared}, two={"extra": shared})
    assert all(verdict.outcome is Outcome.LOADS for verdict in verdicts.values())
    assert rules_of(clashes) == ["symbol-clash"]
    assert (clashes[0].path.name, clashes[0].subject) == ("two.kmod", "shared")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (".weak shared\nshared: nop\n", GLOBAL.format("shared")),
        (GLOBAL.format("_end"), GLOBAL.format("_end")),
        (".globl a\n.set a, 5\n", ".globl a\n.set a, 5\n"),
        (".comm a, 8, 8\n", ".comm a, 16, 8\n"),
        (GLOBAL.format("a"), GLOBAL.format("b")),
    ],
)
def test_what_the_kernel_lets_pass_is_no_clash(
    judge: Callable[..., Found], one: str, two: str
) -> None:
    assert judge(one={"extra": one}, two={"extra": two})[1] == ()


def test_two_modules_of_one_name_are_a_clash(judge: Callable[..., Found]) -> None:
    _, clashes = judge(one={}, two={"inner": "one", "extra": GLOBAL.format("a")})
    assert rules_of(clashes) == ["name-clash"]


def test_a_module_that_loads_only_after_another_is_told_so(judge: Callable[..., Found]) -> None:
    verdicts, _ = judge(
        low={"extra": GLOBAL.format("offered")},
        high={"extra": f"{USE}offered"},
        hopeless={"extra": f"{USE}offered, nowhere"},
    )
    assert rules_of(verdicts["high"]) == ["undefined-symbol", "requirement-missing"]
    assert verdicts["high"].findings[1].subject == "low"
    assert not verdicts["high"].is_fit
    assert "requirement-missing" not in rules_of(verdicts["hopeless"])


def test_a_module_used_through_another_is_warned_of(judge: Callable[..., Found]) -> None:
    verdicts, _ = judge(
        low={"extra": GLOBAL.format("offered")},
        middle={"required": "low", "extra": f"{GLOBAL.format('more')}{USE}offered"},
        high={"required": "middle", "extra": f"{USE}offered, more"},
    )
    assert rules_of(verdicts["high"]) == ["requirement-indirect"]
    assert verdicts["high"].closure == ("low", "middle", "high")
    assert rules_of(verdicts["middle"]) == []


def test_a_requirement_whose_symbols_the_kernel_has_too_is_not_used(
    judge: Callable[..., Found],
) -> None:
    verdicts, _ = judge(low={}, high={"required": "low", "extra": f"{USE}printf"})
    assert rules_of(verdicts["high"]) == ["requirement-unused"]


def test_what_decides_comes_before_the_warnings(factory: Any, kernel: Kernel) -> None:
    path: Path = factory.module(extra=".weak optional", required="ffs")
    verdict = check_kmod(path, kernel, {}, Expected("sample", requires=()))
    assert rules_of(verdict) == ["requires-expected", "weak-unused"]
